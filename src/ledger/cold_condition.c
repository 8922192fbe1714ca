/*-------------------------------------------------------------------------
 * cold_condition.c
 *		Conditions of a query that choose segments of an archived partition.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/stratnum.h"
#include "catalog/pg_opfamily_d.h"
#include "catalog/pg_type_d.h"
#include "fmgr.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "parser/parsetree.h"
#include "utils/array.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"

#include "base/columns.h"
#include "base/compat.h"
#include "ledger/cold_condition.h"

AtColdSubjects
at_cold_subjects(PlannerInfo *root, RelOptInfo *rel)
{
	return (AtColdSubjects){
		.root = root,
		.rel = rel,
		.is_event =
			get_attnum(planner_rt_fetch(rel->relid, root)->relid, "ordinal") != InvalidAttrNumber,
	};
}

AtColdSubject
at_cold_subject(const AtColdSubjects *table, AttrNumber column)
{
	if (column == Anum_event_tx_id)
		return AT_COLD_ABOUT_TX_ID;
	if (column == Anum_event_tx_at)
		return AT_COLD_ABOUT_TX_AT;
	if (table->is_event && column == Anum_event_target_id)
		return AT_COLD_ABOUT_TARGET;
	if (table->is_event && column == Anum_event_record_key)
		return AT_COLD_ABOUT_TEXT;
	if (!table->is_event && column == Anum_transaction_session_id)
		return AT_COLD_ABOUT_INT;
	if (!table->is_event &&
		(column == Anum_transaction_actor || column == Anum_transaction_request_id))
		return AT_COLD_ABOUT_TEXT;
	return AT_COLD_ABOUT_NOTHING;
}

/* Can values of this type be compared with the subject? */
static bool
is_comparable(AtColdSubject subject, Oid type)
{
	switch (subject)
	{
		case AT_COLD_ABOUT_TX_ID:
		case AT_COLD_ABOUT_TARGET:
		case AT_COLD_ABOUT_INT:
			return type == INT2OID || type == INT4OID || type == INT8OID;
		case AT_COLD_ABOUT_TX_AT:
			return type == TIMESTAMPTZOID;
		case AT_COLD_ABOUT_TEXT:
			return type == TEXTOID;
		default:
			return false;
	}
}

/* The meaning of an operator; 0 for none that is known. */
static int
strategy_of(AtColdSubject subject, Oid op)
{
	Oid family = subject == AT_COLD_ABOUT_TEXT ? TEXT_BTREE_FAM_OID : INTEGER_BTREE_FAM_OID;

	if (subject == AT_COLD_ABOUT_TX_AT)
		family = lookup_type_cache(TIMESTAMPTZOID, TYPECACHE_BTREE_OPFAMILY)->btree_opf;
	return get_op_opfamily_strategy(op, family);
}

AttrNumber
at_cold_column(const AtColdSubjects *table, Node *node)
{
	if (node != NULL && IsA(node, RelabelType))
		node = (Node *) ((RelabelType *) node)->arg;
	if (node == NULL || !IsA(node, Var))
		return 0;

	Var *var = (Var *) node;

	return var->varno == table->rel->relid && var->varlevelsup == 0 ? Max(var->varattno, 0) : 0;
}

/* column OP value, or column OP ANY (value). */
static bool
read_comparison(const AtColdSubjects *table, Oid op, List *args, bool is_array, Oid collation,
				AtColdCondition *condition)
{
	Node *left = linitial(args);
	Node *right = lsecond(args);

	if (at_cold_column(table, left) == 0 && !is_array)
	{
		Node *value = left;

		op = get_commutator(op);
		left = right;
		right = value;
	}
	*condition = (AtColdCondition){
		.column = at_cold_column(table, left),
		.is_array = is_array,
		.type = is_array ? get_element_type(exprType(right)) : exprType(right),
		.value = (Expr *) right,
	};
	condition->subject = at_cold_subject(table, condition->column);
	if (!OidIsValid(op) || !is_comparable(condition->subject, condition->type) ||
		contain_volatile_functions(right) ||
		bms_is_member(table->rel->relid, pull_varnos(table->root, right)))
		return false;
	condition->strategy = strategy_of(condition->subject, op);
	if (condition->subject == AT_COLD_ABOUT_TEXT && !get_collation_isdeterministic(collation))
		return false;
	if (is_array || condition->subject == AT_COLD_ABOUT_TEXT ||
		condition->subject == AT_COLD_ABOUT_INT)
		return condition->strategy == BTEqualStrategyNumber;
	return condition->strategy != 0;
}

/* Is it a call of audit.has_context()? */
static bool
asks_for_context(const FuncExpr *call)
{
	char *name = get_func_name(call->funcid);

	return name != NULL && strcmp(name, "has_context") == 0 &&
		   get_func_namespace(call->funcid) == at_audit_schema();
}

bool
at_cold_condition_read(const AtColdSubjects *table, Expr *clause, AtColdCondition *condition)
{
	if (IsA(clause, OpExpr) && list_length(((OpExpr *) clause)->args) == 2)
	{
		OpExpr *expr = (OpExpr *) clause;

		return read_comparison(table, expr->opno, expr->args, false, expr->inputcollid, condition);
	}
	if (IsA(clause, ScalarArrayOpExpr) && ((ScalarArrayOpExpr *) clause)->useOr)
	{
		ScalarArrayOpExpr *expr = (ScalarArrayOpExpr *) clause;

		return read_comparison(table, expr->opno, expr->args, true, expr->inputcollid, condition);
	}
	*condition = (AtColdCondition){.subject = AT_COLD_ABOUT_MARK};
	if (table->is_event && IsA(clause, FuncExpr) && asks_for_context((FuncExpr *) clause))
		condition->column = AT_COLD_HAS_CONTEXT;
	else if (table->is_event && IsA(clause, NullTest) &&
			 ((NullTest *) clause)->nulltesttype == IS_NULL &&
			 at_cold_column(table, (Node *) ((NullTest *) clause)->arg) == Anum_event_record_key)
		condition->column = AT_COLD_WITHOUT_KEY;
	return condition->column != 0;
}

/* Make a range narrower: what is in it compares so with the value. */
static void
narrow(int64 *low, int64 *high, int strategy, int64 value)
{
	switch (strategy)
	{
		case BTLessStrategyNumber:
			*high = value == PG_INT64_MIN ? *low - 1 : Min(*high, value - 1);
			break;
		case BTLessEqualStrategyNumber:
			*high = Min(*high, value);
			break;
		case BTEqualStrategyNumber:
			*low = Max(*low, value);
			*high = Min(*high, value);
			break;
		case BTGreaterEqualStrategyNumber:
			*low = Max(*low, value);
			break;
		case BTGreaterStrategyNumber:
			*low = value == PG_INT64_MAX ? value : Max(*low, value + 1);
			break;
	}
}

static int64
int_of(Datum value, Oid type)
{
	return type == INT2OID   ? DatumGetInt16(value)
		   : type == INT4OID ? DatumGetInt32(value)
							 : DatumGetInt64(value);
}

/* Ask the filter for one of these values. */
static void
add_probe(AtColdWanted *wanted, const AtColdCondition *condition, int count, const Datum *value,
		  const bool *isnull)
{
	AtColdProbe *probe = &wanted->probe[wanted->nprobes];

	/* those that are asked for are enough */
	if (wanted->nprobes == AT_COLD_PROBES)
		return;
	wanted->nprobes++;
	probe->count = 0;
	probe->hash = palloc(sizeof(uint64) * (count + 1));
	for (int i = 0; i < count; i++)
	{
		if (isnull != NULL && isnull[i])
			continue;
		probe->hash[probe->count++] =
			condition->subject == AT_COLD_ABOUT_TEXT
				? at_cold_hash_text(condition->column, PG_DETOAST_DATUM_PACKED(value[i]))
				: at_cold_hash_int(condition->column, int_of(value[i], condition->type));
	}
}

/* Equal to one of the elements: the range goes from the least to the greatest of them. */
static void
want_array(AtColdWanted *wanted, int64 *low, int64 *high, const AtColdCondition *condition,
		   Datum array)
{
	int64 least = PG_INT64_MAX;
	int64 greatest = PG_INT64_MIN;
	int16 len;
	bool by_value;
	char align;
	Datum *value;
	bool *isnull;
	int count;

	get_typlenbyvalalign(condition->type, &len, &by_value, &align);
	deconstruct_array(DatumGetArrayTypeP(array), condition->type, len, by_value, align, &value,
					  &isnull, &count);
	for (int i = 0; i < count && condition->subject != AT_COLD_ABOUT_TEXT; i++)
	{
		if (isnull[i])
			continue;
		least = Min(least, int_of(value[i], condition->type));
		greatest = Max(greatest, int_of(value[i], condition->type));
	}
	if (condition->subject == AT_COLD_ABOUT_TEXT || condition->subject == AT_COLD_ABOUT_TARGET ||
		condition->subject == AT_COLD_ABOUT_INT)
		add_probe(wanted, condition, count, value, isnull);
	if (condition->subject != AT_COLD_ABOUT_TEXT && condition->subject != AT_COLD_ABOUT_INT)
	{
		narrow(low, high, BTGreaterEqualStrategyNumber, least);
		narrow(low, high, BTLessEqualStrategyNumber, greatest);
	}
}

/* A mark in the filter. */
static void
want_mark(AtColdWanted *wanted, uint8 mark)
{
	AtColdProbe *probe = &wanted->probe[wanted->nprobes];

	if (wanted->nprobes == AT_COLD_PROBES)
		return;
	wanted->nprobes++;
	probe->count = 1;
	probe->hash = palloc(sizeof(uint64));
	probe->hash[0] = at_cold_hash_mark(mark);
}

void
at_cold_want(AtColdWanted *wanted, const AtColdCondition *condition, Datum value, bool isnull)
{
	bool is_target = condition->subject == AT_COLD_ABOUT_TARGET;
	bool is_filtered =
		condition->subject == AT_COLD_ABOUT_TEXT || condition->subject == AT_COLD_ABOUT_INT;
	int64 *low = is_target ? &wanted->low_target : &wanted->low;
	int64 *high = is_target ? &wanted->high_target : &wanted->high;

	if (condition->subject == AT_COLD_ABOUT_MARK)
	{
		want_mark(wanted, condition->column);
		return;
	}
	if (isnull)
	{
		/* true of nothing */
		wanted->low = 1;
		wanted->high = 0;
		return;
	}
	if (condition->subject == AT_COLD_ABOUT_TX_AT)
	{
		low = &wanted->from;
		high = &wanted->until;
	}
	if (condition->is_array)
	{
		want_array(wanted, low, high, condition, value);
		return;
	}
	if (!is_filtered)
		narrow(low, high, condition->strategy, int_of(value, condition->type));
	if (is_filtered || (is_target && condition->strategy == BTEqualStrategyNumber))
		add_probe(wanted, condition, 1, &value, NULL);
}
