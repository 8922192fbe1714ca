/*-------------------------------------------------------------------------
 * index_plan.h
 *		What an index of a ledger table wants of a row.
 *
 * Only plain btree indexes are served, whole or with a predicate of the form "column
 * IS NOT NULL" or "audit.has_context(column)", and those of the access method
 * audit_deferred, which are the same. Any other index on a ledger table makes writes
 * fail with a clear error, since serving it could run foreign code.
 *-------------------------------------------------------------------------
 */
#ifndef AT_INDEX_PLAN_H
#define AT_INDEX_PLAN_H

#include "access/attnum.h"
#include "storage/itemptr.h"
#include "utils/relcache.h"

/* More indexes than this on one ledger table are refused. */
#define AT_MAX_INDEXES 12

/*
 * Of the rows that a transaction has in a table, so many of the first ones get their entries
 * in deferred indexes from the sealer, the others at once. What is stored rests on it.
 */
#define AT_DEFERRED_ROWS 16

/*
 * Longer keys, in bytes, are not left to the sealer: capture makes none, and one that is too
 * long for a B-tree must not stop sealing.
 */
#define AT_DEFERRED_KEY 1024

typedef struct AtIndexPlan
{
	Oid relid;
	int nkeys;
	AttrNumber key[INDEX_MAX_KEYS];
	AttrNumber not_null; /* predicate: this column is not null; 0 without */
	bool has_context;    /* and its value has a context, see event.h */
	bool unique;
	bool deferred;
	AttrNumber ordinal; /* of a deferred one: numbers the rows of a transaction; 0: it has one */
	AttrNumber text;    /* of such: the key whose length counts; 0: none */
} AtIndexPlan;

/* Whose entries: those that whoever writes a row makes, or those that the sealer makes. */
typedef enum AtIndexFiller
{
	AT_FILLED_BY_WRITER,
	AT_FILLED_BY_SEALER
} AtIndexFiller;

/*
 * Plan the indexes of a table in which one of the two makes entries, perhaps not for
 * all rows; returns how many they are. ERRCODE_AT_CAPTURE_FAILED for one that is not served.
 */
extern int at_index_plan_table(AtIndexPlan plan[AT_MAX_INDEXES], Relation heap,
							   AtIndexFiller filler);

/* Plan one index; the same error. */
extern void at_index_plan(AtIndexPlan *plan, Relation heap, Relation index);

/* Is the entry of a row left to the sealer? */
extern bool at_index_plan_defers(const AtIndexPlan *plan, const Datum *values, const bool *nulls);

/* Does the index have an entry for a row? */
extern bool at_index_plan_wants(const AtIndexPlan *plan, const Datum *values, const bool *nulls);

/* What an index has of a row: key and flags of nulls. False if it has no entry for it. */
extern bool at_index_plan_form(const AtIndexPlan *plan, const Datum *values, const bool *nulls,
							   Datum key[INDEX_MAX_KEYS], bool key_null[INDEX_MAX_KEYS]);

/* Insert the entry of a row; values and nulls are those of the whole row. */
extern void at_index_plan_insert(const AtIndexPlan *plan, Relation index, Relation heap,
								 ItemPointer tid, const Datum *values, const bool *nulls);

#endif
