/*-------------------------------------------------------------------------
 * direct.c
 *		Conditions of our triggers that the executor need not parse.
 *
 * The executor keeps the prepared condition of each trigger in the
 * ResultRelInfo of its table (ri_TrigWhenExprs), and makes what is NULL at the
 * first row. It evaluates through a function pointer, with the old row as inner
 * and the new row as outer tuple, in memory that lives as long as a row.
 *
 * Which triggers of a table are ours has been checked when its policy was made
 * ready, and a change of them makes that invalid; tables without a valid one
 * are left alone. Nothing is locked or read here.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "executor/executor.h"
#include "nodes/execnodes.h"

#include "capture/direct.h"
#include "capture/row.h"

/* A prepared condition. The executor knows its first field alone. */
typedef struct Condition
{
	ExprState expression;
	AtRowCapture capture;
	Relation rel;
	char op;
} Condition;

static ExecutorStart_hook_type previous_start_hook;

static void start(QueryDesc *query, int eflags);
static void prepare(EState *estate, ResultRelInfo *table);
static Datum evaluate(ExprState *expression, ExprContext *econtext, bool *isnull);

void
at_direct_init(void)
{
	previous_start_hook = ExecutorStart_hook;
	ExecutorStart_hook = start;
}

static void
start(QueryDesc *query, int eflags)
{
	ListCell *cell;

	if (previous_start_hook)
		previous_start_hook(query, eflags);
	else
		standard_ExecutorStart(query, eflags);

	foreach (cell, query->estate->es_opened_result_relations)
		prepare(query->estate, lfirst(cell));
}

static void
prepare(EState *estate, ResultRelInfo *table)
{
	static const char operations[AT_ROW_TRIGGERS] = {'I', 'U', 'D'};
	const AtPolicy *policy;
	Condition *conditions;

	/* of a partitioned table it is the partitions that rows are changed in */
	if (table->ri_TrigDesc == NULL || table->ri_RelationDesc->rd_rel->relkind != RELKIND_RELATION)
		return;
	policy = at_policy_known(table->ri_RelationDesc);
	if (policy == NULL)
		return;

	conditions = MemoryContextAllocZero(estate->es_query_cxt, sizeof(Condition) * AT_ROW_TRIGGERS);
	for (int i = 0; i < AT_ROW_TRIGGERS; i++)
	{
		int at = policy->trigger[i];

		if (at < 0 || at >= table->ri_TrigDesc->numtriggers || table->ri_TrigWhenExprs[at] != NULL)
			continue;
		conditions[i].expression.type = T_ExprState;
		conditions[i].expression.flags = EEO_FLAG_IS_QUAL;
		conditions[i].expression.evalfunc = evaluate;
		conditions[i].capture.query = estate->es_query_cxt;
		conditions[i].rel = table->ri_RelationDesc;
		conditions[i].op = operations[i];
		table->ri_TrigWhenExprs[at] = &conditions[i].expression;
	}
}

/* The condition itself: never true, see trigger.h. */
static Datum
evaluate(ExprState *expression, ExprContext *econtext, bool *isnull)
{
	Condition *condition = (Condition *) expression;
	AtRowChange change = {
		.rel = condition->rel,
		.op = condition->op,
		.old_row = econtext->ecxt_innertuple,
		.new_row = econtext->ecxt_outertuple,
	};

	at_row_capture(&condition->capture, &change);
	*isnull = false;
	return BoolGetDatum(false);
}
