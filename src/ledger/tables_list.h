/*-------------------------------------------------------------------------
 * tables_list.h
 *		Which tables the events of a batch are of: a member of the payload of
 *		the batch's entry, and so sealed with it.
 *
 * "tables":[["schema","table"],...] in the order in which they were met. A
 * batch of more tables than AT_TABLES_LISTED has no such member, nor has one with
 * broken transactions; then it may have events of any table.
 *-------------------------------------------------------------------------
 */
#ifndef AT_TABLES_LIST_H
#define AT_TABLES_LIST_H

#include "core/body.h"

#define AT_TABLES_LISTED 100

typedef struct AtTablesList AtTablesList;

/* An empty list, in the current context. */
extern AtTablesList *at_tables_list_new(void);

/* An event is of this target, and of this table. */
extern void at_tables_list_add(AtTablesList *list, int32 target_id, AtSpan schema, AtSpan table);

/* The JSON array, in the current context; NULL if it has too many to be listed. */
extern char *at_tables_list_json(const AtTablesList *list);

/* By the payload of a batch's entry (perhaps missing): may it have events of the table? */
extern bool at_tables_list_may_have(AtSpan payload, const char *schema, const char *table);

#endif
