/*-------------------------------------------------------------------------
 * event_map.h
 *		Which changes of an audited table are which business events: rows of
 *		audit.event_map, made ready for capture.
 *-------------------------------------------------------------------------
 */
#ifndef AT_EVENT_MAP_H
#define AT_EVENT_MAP_H

#include "utils/rel.h"

/* In the memory context that it was built in; NULL means that there are no rules. */
typedef struct AtEventMap AtEventMap;

/* The rules of the table that a policy names. */
extern AtEventMap *at_event_map_build(Oid root_relid);

/*
 * The type of a change, by its op (I, U or D) and the values as they are recorded, which may be
 * NULL; NULL if no rule tells one. It is a text that belongs to the map.
 */
extern struct varlena *at_event_map_find(const AtEventMap *map, char op,
										 const struct varlena *old_values,
										 const struct varlena *new_values);

#endif
