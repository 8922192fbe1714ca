/*-------------------------------------------------------------------------
 * index_plan.c
 *		What an index of a ledger table wants of a row.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/detoast.h"
#include "access/genam.h"
#include "catalog/pg_am.h"
#include "nodes/primnodes.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "base/catalog.h"
#include "base/errors.h"
#include "ledger/deferred.h"
#include "ledger/event.h"
#include "ledger/index_plan.h"

static bool is_filled_by(const AtIndexPlan *plan, AtIndexFiller filler);

int
at_index_plan_table(AtIndexPlan plan[AT_MAX_INDEXES], Relation heap, AtIndexFiller filler)
{
	List *oids = RelationGetIndexList(heap);
	ListCell *cell;
	AtIndexPlan made;
	int count = 0;

	foreach (cell, oids)
	{
		Relation index = RelationIdGetRelation(lfirst_oid(cell));

		if (index == NULL)
			continue;
		at_index_plan(&made, heap, index);
		if (index->rd_index->indisready && is_filled_by(&made, filler))
		{
			if (count == AT_MAX_INDEXES)
				ereport(ERROR, (errcode(ERRCODE_AT_CAPTURE_FAILED),
								errmsg("ledger table \"%s\" has more than %d indexes",
									   RelationGetRelationName(heap), AT_MAX_INDEXES),
								errhint("Drop those that are not part of the ledger.")));
			plan[count++] = made;
		}
		RelationClose(index);
	}
	list_free(oids);
	return count;
}

/* Of a transaction with several rows both make entries. */
static bool
is_filled_by(const AtIndexPlan *plan, AtIndexFiller filler)
{
	if (!plan->deferred)
		return filler == AT_FILLED_BY_WRITER;
	return plan->ordinal != 0 || filler == AT_FILLED_BY_SEALER;
}

/* Is it a call of audit.has_context()? It is written in C, and ours. */
static bool
asks_for_context(const FuncExpr *call)
{
	char *name = get_func_name(call->funcid);

	return name != NULL && strcmp(name, "has_context") == 0 &&
		   get_func_namespace(call->funcid) == at_audit_schema();
}

/* Read the predicate; false if it is one that is not served. */
static bool
plan_predicate(AtIndexPlan *plan, Relation index)
{
	List *predicate = RelationGetIndexPredicate(index);
	Node *clause = predicate != NIL ? linitial(predicate) : NULL;
	Node *arg = NULL;

	plan->not_null = 0;
	plan->has_context = false;
	if (clause == NULL)
		return true;
	if (IsA(clause, NullTest) && ((NullTest *) clause)->nulltesttype == IS_NOT_NULL)
		arg = (Node *) ((NullTest *) clause)->arg;
	else if (IsA(clause, FuncExpr) && asks_for_context((FuncExpr *) clause))
	{
		arg = linitial(((FuncExpr *) clause)->args);
		plan->has_context = true;
	}
	if (list_length(predicate) > 1 || arg == NULL || !IsA(arg, Var))
		return false;
	plan->not_null = ((Var *) arg)->varattno;
	return true;
}

void
at_index_plan(AtIndexPlan *plan, Relation heap, Relation index)
{
	Form_pg_index form = index->rd_index;
	bool simple;

	plan->relid = RelationGetRelid(index);
	plan->deferred = at_is_deferred(index);
	plan->text = 0;
	plan->ordinal = plan->deferred ? get_attnum(RelationGetRelid(heap), "ordinal") : 0;
	simple = index->rd_rel->relam == BTREE_AM_OID || plan->deferred;
	plan->unique = form->indisunique;
	simple = plan_predicate(plan, index) && simple;
	plan->nkeys = form->indnatts;
	for (int i = 0; i < plan->nkeys; i++)
	{
		plan->key[i] = form->indkey.values[i];
		simple = simple && plan->key[i] > 0;
		if (simple && plan->ordinal != 0 &&
			TupleDescAttr(RelationGetDescr(heap), plan->key[i] - 1)->attlen == -1)
			plan->text = plan->key[i];
	}

	if (!simple)
		ereport(ERROR, (errcode(ERRCODE_AT_CAPTURE_FAILED),
						errmsg("index \"%s\" does not belong on ledger table \"%s\"",
							   RelationGetRelationName(index), RelationGetRelationName(heap)),
						errdetail("The ledger serves plain btree indexes only."),
						errhint("DROP INDEX audit.%s;", RelationGetRelationName(index))));
}

bool
at_index_plan_defers(const AtIndexPlan *plan, const Datum *values, const bool *nulls)
{
	if (!plan->deferred || plan->ordinal == 0)
		return plan->deferred;
	return DatumGetInt32(values[plan->ordinal - 1]) <= AT_DEFERRED_ROWS &&
		   (plan->text == 0 || nulls[plan->text - 1] ||
			toast_raw_datum_size(values[plan->text - 1]) <= AT_DEFERRED_KEY + VARHDRSZ);
}

bool
at_index_plan_wants(const AtIndexPlan *plan, const Datum *values, const bool *nulls)
{
	if (plan->not_null == 0)
		return true;
	return !nulls[plan->not_null - 1] &&
		   (!plan->has_context ||
			at_event_has_context((struct varlena *) DatumGetPointer(values[plan->not_null - 1])));
}

bool
at_index_plan_form(const AtIndexPlan *plan, const Datum *values, const bool *nulls,
				   Datum key[INDEX_MAX_KEYS], bool key_null[INDEX_MAX_KEYS])
{
	if (!at_index_plan_wants(plan, values, nulls))
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
