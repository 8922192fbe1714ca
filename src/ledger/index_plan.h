/*-------------------------------------------------------------------------
 * index_plan.h
 *		What an index of a ledger table wants of a row.
 *
 * Only plain btree indexes are served, whole or with a predicate of the form
 * "column IS NOT NULL" or "audit.has_context(column)", and those of the access method
 *audit_deferred, which are the same. Any other index on a ledger table makes writes fail with a
 *clear error, since serving it could run foreign code.
 *-------------------------------------------------------------------------
 */
#ifndef AT_INDEX_PLAN_H
#define AT_INDEX_PLAN_H

#include "access/attnum.h"
#include "storage/itemptr.h"
#include "utils/relcache.h"

/* More indexes than this on one ledger table are refused. */
#define AT_MAX_INDEXES 12

typedef struct AtIndexPlan
{
	Oid relid;
	int nkeys;
	AttrNumber key[INDEX_MAX_KEYS];
	AttrNumber not_null; /* predicate: this column is not null; 0 without */
	bool has_context;    /* and its value has a context, see event.h */
	bool unique;
} AtIndexPlan;

/*
 * Plan the indexes of a table: the deferred ones, or all others; returns how
 * many they are. ERRCODE_AT_CAPTURE_FAILED for one that is not served.
 */
extern int at_index_plan_table(AtIndexPlan plan[AT_MAX_INDEXES], Relation heap, bool deferred);

/* Plan one index; the same error. */
extern void at_index_plan(AtIndexPlan *plan, Relation heap, Relation index);

/* What an index has of a row: key and flags of nulls. False if it has no entry for it. */
extern bool at_index_plan_form(const AtIndexPlan *plan, const Datum *values, const bool *nulls,
							   Datum key[INDEX_MAX_KEYS], bool key_null[INDEX_MAX_KEYS]);

/* Insert the entry of a row; values and nulls are those of the whole row. */
extern void at_index_plan_insert(const AtIndexPlan *plan, Relation index, Relation heap,
								 ItemPointer tid, const Datum *values, const bool *nulls);

#endif
