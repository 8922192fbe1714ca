/*-------------------------------------------------------------------------
 * index_plan.c
 *		What an index of a ledger table wants of a row.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "catalog/pg_am.h"
#include "nodes/primnodes.h"
#include "utils/rel.h"

#include "base/errors.h"
#include "ledger/deferred.h"
#include "ledger/index_plan.h"

int
at_index_plan_table(AtIndexPlan plan[AT_MAX_INDEXES], Relation heap, bool deferred)
{
	List *oids = RelationGetIndexList(heap);
	ListCell *cell;
	int count = 0;

	foreach (cell, oids)
	{
		Relation index = RelationIdGetRelation(lfirst_oid(cell));

		if (index == NULL)
			continue;
		if (index->rd_index->indisready && at_is_deferred(index) == deferred)
		{
			if (count == AT_MAX_INDEXES)
				ereport(ERROR, (errcode(ERRCODE_AT_CAPTURE_FAILED),
								errmsg("ledger table \"%s\" has more than %d indexes",
									   RelationGetRelationName(heap), AT_MAX_INDEXES),
								errhint("Drop those that are not part of the ledger.")));
			at_index_plan(&plan[count++], heap, index);
		}
		RelationClose(index);
	}
	list_free(oids);
	return count;
}

/* The column of a predicate "column IS NOT NULL", 0 if there is no predicate, -1 if it is another.
 */
static AttrNumber
not_null_predicate(Relation index)
{
	List *predicate = RelationGetIndexPredicate(index);

	if (predicate == NIL)
		return 0;
	if (list_length(predicate) == 1 && IsA(linitial(predicate), NullTest))
	{
		NullTest *test = linitial_node(NullTest, predicate);

		if (test->nulltesttype == IS_NOT_NULL && IsA(test->arg, Var))
			return ((Var *) test->arg)->varattno;
	}
	return -1;
}

void
at_index_plan(AtIndexPlan *plan, Relation heap, Relation index)
{
	Form_pg_index form = index->rd_index;
	bool simple = index->rd_rel->relam == BTREE_AM_OID || at_is_deferred(index);

	plan->relid = RelationGetRelid(index);
	plan->unique = form->indisunique;
	plan->not_null = not_null_predicate(index);
	plan->nkeys = form->indnatts;
	for (int i = 0; i < plan->nkeys; i++)
	{
		plan->key[i] = form->indkey.values[i];
		simple = simple && plan->key[i] > 0;
	}

	if (!simple || plan->not_null < 0)
		ereport(ERROR, (errcode(ERRCODE_AT_CAPTURE_FAILED),
						errmsg("index \"%s\" does not belong on ledger table \"%s\"",
							   RelationGetRelationName(index), RelationGetRelationName(heap)),
						errdetail("The ledger serves plain btree indexes only."),
						errhint("DROP INDEX audit.%s;", RelationGetRelationName(index))));
}

bool
at_index_plan_form(const AtIndexPlan *plan, const Datum *values, const bool *nulls,
				   Datum key[INDEX_MAX_KEYS], bool key_null[INDEX_MAX_KEYS])
{
	if (plan->not_null != 0 && nulls[plan->not_null - 1])
		return false;
	for (int i = 0; i < plan->nkeys; i++)
	{
		key[i] = values[plan->key[i] - 1];
		key_null[i] = nulls[plan->key[i] - 1];
	}
	return true;
}

void
at_index_plan_insert(const AtIndexPlan *plan, Relation index, Relation heap, ItemPointer tid,
					 const Datum *values, const bool *nulls)
{
	Datum key[INDEX_MAX_KEYS];
	bool key_null[INDEX_MAX_KEYS];

	if (!at_index_plan_form(plan, values, nulls, key, key_null))
		return;

	/* btree has no use for an IndexInfo */
	index_insert(index, key, key_null, tid, heap, plan->unique ? UNIQUE_CHECK_YES : UNIQUE_CHECK_NO,
				 false, NULL);
}
