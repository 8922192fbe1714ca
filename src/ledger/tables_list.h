/*-------------------------------------------------------------------------
 * tables_list.h
 *		Of which tables the events of a batch are, and of which kinds: a member
 *		of the payload of the batch's entry, and so sealed with it.
 *
 * "tables":[["schema","table","U"],["schema","table","U","order.shipped"],...]:
 * each of table, operation (audit.event.op) and, where the event has one of its
 * own, type, in the order in which they were met. A batch of more of these than
 * AT_TABLES_LISTED, or of long names, has no such member, nor has one with broken
 * transactions; then it may have events of any table and kind.
 *-------------------------------------------------------------------------
 */
#ifndef AT_TABLES_LIST_H
#define AT_TABLES_LIST_H

#include "base/json_scan.h"
#include "core/body.h"

#define AT_TABLES_LISTED 100

typedef struct AtTablesList AtTablesList;

/* An empty list, in the current context. */
extern AtTablesList *at_tables_list_new(void);

/* An event is of this target, and has this body. */
extern void at_tables_list_add(AtTablesList *list, int32 target_id, const AtEventBody *event);

/* The JSON array, in the current context; NULL if it has too many to be listed. */
extern char *at_tables_list_json(const AtTablesList *list);

/* What is listed. */
typedef struct AtListedKind
{
	AtJsonSlice schema;
	AtJsonSlice table;
	AtJsonSlice op;
	AtJsonSlice event_type; /* data is NULL: none of its own */
} AtListedKind;

/* Is this what is looked for? The kind is JSON, which at_listed_kind_read() takes apart. */
typedef bool (*AtListedTest)(AtJsonSlice kind, void *arg);

/*
 * By the payload of a batch's entry (perhaps missing): may the batch have what the test finds?
 * Whatever is not as it should be means that it may. Calls the test until it finds.
 */
extern bool at_tables_list_may_have(AtSpan payload, AtListedTest test, void *arg);

/* False if it is none. Its strings point into it, or are palloc'ed. */
extern bool at_listed_kind_read(AtJsonSlice kind, AtListedKind *listed);

#endif
