/*-------------------------------------------------------------------------
 * configured.h
 *		A control record in the log whenever the configuration says something
 *		else of what protects the trail.
 *-------------------------------------------------------------------------
 */
#ifndef AT_CONFIGURED_H
#define AT_CONFIGURED_H

#include "ledger/log.h"

/*
 * Append a "settings" entry if settings differ from what the log says of them: the first has all,
 * each other one what has changed. The caller seals, and calls at_configured_sealed() once that has
 * been committed.
 */
extern void at_configured_seal(AtLogHead *head, int32 incarnation);
extern void at_configured_sealed(void);

#endif
