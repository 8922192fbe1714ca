/*-------------------------------------------------------------------------
 * relation_change.h
 *		Who in this library wants to know that a relation was changed.
 *
 * PostgreSQL has ten places for relcache callbacks in a process, for itself and all
 * libraries together, and a logical replication worker needs most of them. So this
 * library takes one.
 *-------------------------------------------------------------------------
 */
#ifndef AT_RELATION_CHANGE_H
#define AT_RELATION_CHANGE_H

#include "utils/inval.h"

/* As CacheRegisterRelcacheCallback(); the argument is 0. At module load. */
extern void at_relation_change_register(RelcacheCallbackFunction function);

#endif
