/*-------------------------------------------------------------------------
 * cold_wrapper.c
 *		Foreign-data wrapper audit_cold: archived partitions in queries.
 *
 * Conditions on some columns choose segments (cold_condition.h).
 *
 * An archived partition is read through its table. By itself it is open to
 * those alone who may see all, since foreign tables have no row security.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/reloptions.h"
#include "access/table.h"
#include "catalog/pg_foreign_table_d.h"
#include "commands/defrem.h"
#include "commands/explain.h"
#include "executor/executor.h"
#include "foreign/fdwapi.h"
#include "foreign/foreign.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
#include "optimizer/paths.h"
#include "optimizer/planmain.h"
#include "optimizer/restrictinfo.h"
#include "parser/parsetree.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/selfuncs.h"
#include "utils/snapmgr.h"

#include "base/columns.h"
#include "base/compat.h"
#include "base/errors.h"
#include "ledger/cold.h"
#include "ledger/cold_condition.h"
#include "ledger/cold_sample.h"
#include "ledger/reader.h"
#include "ledger/worm.h"

/* How many rows a segment has, as the planner thinks. */
#define SEGMENT_ROWS 1000.0

/*
 * To look at a row of audit.segment, and to unpack one, by itself and where the filter has chosen
 * it; in the units of seq_page_cost. By the clock it is more. But where the planner expects
 * hundreds of keys and there is one, as it does within audit.history(), it must not rather unpack
 * everything.
 */
#define LOOK_COST     0.002
#define READ_COST     10.0
#define FILTERED_COST 4.0

typedef struct ColdState
{
	AtColdScan *scan;
	bool is_started;
	int count;
	AtColdCondition *condition;
	List *values;         /* of ExprState, in the order of conditions that have one */
	MemoryContext memory; /* of the filters that are asked for; reset by each start */
} ColdState;

PG_FUNCTION_INFO_V1(at_cold_handler);
PG_FUNCTION_INFO_V1(at_cold_validator);

static void get_size(PlannerInfo *root, RelOptInfo *rel, Oid relid);
static void get_paths(PlannerInfo *root, RelOptInfo *rel, Oid relid);
static ForeignScan *get_plan(PlannerInfo *root, RelOptInfo *rel, Oid relid, ForeignPath *path,
							 List *tlist, List *clauses, Plan *outer_plan);
static void begin_scan(ForeignScanState *node, int flags);
static TupleTableSlot *iterate(ForeignScanState *node);
static void rescan(ForeignScanState *node);
static void end_scan(ForeignScanState *node);
static void explain_scan(ForeignScanState *node, ExplainState *explain);
static bool is_parallel_safe(PlannerInfo *root, RelOptInfo *rel, RangeTblEntry *entry);
static int is_updatable(Relation rel);
static List *plan_modify(PlannerInfo *root, ModifyTable *plan, Index relation, int number);
static TupleTableSlot *modify(EState *estate, ResultRelInfo *info, TupleTableSlot *slot,
							  TupleTableSlot *plan_slot);
static void begin_insert(ModifyTableState *node, ResultRelInfo *info);
static void refuse_truncate(List *rels, DropBehavior behavior, bool restart);
static RowMarkType row_mark(RangeTblEntry *entry, LockClauseStrength strength);
static void start(ForeignScanState *node);

Datum
at_cold_handler(PG_FUNCTION_ARGS)
{
	FdwRoutine *routine = makeNode(FdwRoutine);

	routine->GetForeignRelSize = get_size;
	routine->GetForeignPaths = get_paths;
	routine->GetForeignPlan = get_plan;
	routine->BeginForeignScan = begin_scan;
	routine->IterateForeignScan = iterate;
	routine->ReScanForeignScan = rescan;
	routine->EndForeignScan = end_scan;
	routine->ExplainForeignScan = explain_scan;
	routine->IsForeignScanParallelSafe = is_parallel_safe;
	routine->AnalyzeForeignTable = at_cold_analyze;

	/* so that attempts to write are refused by us, and recorded */
	routine->IsForeignRelUpdatable = is_updatable;
	routine->PlanForeignModify = plan_modify;
	routine->ExecForeignInsert = modify;
	routine->ExecForeignUpdate = modify;
	routine->ExecForeignDelete = modify;
	routine->BeginForeignInsert = begin_insert;
	routine->ExecForeignTruncate = refuse_truncate;
	routine->GetForeignRowMarkType = row_mark;
	PG_RETURN_POINTER(routine);
}

/* cold_validator(options, catalog): a foreign table has "store" and "segments". */
Datum
at_cold_validator(PG_FUNCTION_ARGS)
{
	ListCell *cell;

	foreach (cell, untransformRelOptions(PG_GETARG_DATUM(0)))
	{
		DefElem *option = lfirst(cell);

		if (PG_GETARG_OID(1) != ForeignTableRelationId ||
			(strcmp(option->defname, "store") != 0 && strcmp(option->defname, "segments") != 0))
			ereport(ERROR, (errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
							errmsg("invalid option \"%s\"", option->defname),
							errhint("A foreign table of " AT_COLD_SERVER
									" has the options \"store\" and \"segments\", and nothing "
									"else has any.")));
		(void) pg_strtoint32(defGetString(option));
	}
	PG_RETURN_VOID();
}

/* ---- planning ---- */

static void
get_size(PlannerInfo *root, RelOptInfo *rel, Oid relid)
{
	/* after a restore nobody has counted yet */
	if (rel->tuples <= 0)
		rel->tuples = at_cold_segments(relid) * SEGMENT_ROWS;
	set_baserel_size_estimates(root, rel);
}

/* What a scan with these conditions costs: how many segments it looks at, and reads. */
static Cost
cost_of(PlannerInfo *root, RelOptInfo *rel, List *clauses)
{
	AtColdSubjects table = at_cold_subjects(root, rel);
	double segments = Max(1.0, rel->tuples / SEGMENT_ROWS);
	double looked_at = segments;
	double fraction = 1.0;
	bool by_tx_id = false;
	bool is_filtered = false;
	QualCost qual_cost;
	AtColdCondition condition;
	ListCell *cell;

	foreach (cell, clauses)
	{
		RestrictInfo *info = lfirst_node(RestrictInfo, cell);
		Selectivity selectivity;

		if (!at_cold_condition_read(&table, info->clause, &condition))
			continue;
		selectivity = clause_selectivity(root, (Node *) info, rel->relid, JOIN_INNER, NULL);
		by_tx_id |= condition.subject == AT_COLD_ABOUT_TX_ID &&
					condition.strategy == BTEqualStrategyNumber && !condition.is_array;
		is_filtered |= condition.subject == AT_COLD_ABOUT_TEXT ||
					   condition.subject == AT_COLD_ABOUT_INT ||
					   condition.subject == AT_COLD_ABOUT_MARK;
		if (condition.subject == AT_COLD_ABOUT_TX_ID)
			looked_at *= selectivity;
		if (condition.strategy != BTEqualStrategyNumber && condition.subject != AT_COLD_ABOUT_MARK)
			fraction *= selectivity;
		else
			fraction *= Min(1.0, rel->tuples * selectivity / segments);
	}
	cost_qual_eval(&qual_cost, clauses, root);
	if (by_tx_id)
		return READ_COST / 3 + qual_cost.startup + 10 * (cpu_tuple_cost + qual_cost.per_tuple);

	return Max(1.0, looked_at) * LOOK_COST + qual_cost.startup +
		   Max(1.0, segments * fraction) *
			   (is_filtered ? FILTERED_COST
							: READ_COST + SEGMENT_ROWS * (cpu_tuple_cost + qual_cost.per_tuple));
}

static void
add_scan_path(PlannerInfo *root, RelOptInfo *rel, Relids outer)
{
	ParamPathInfo *info = get_baserel_parampathinfo(root, rel, outer);
	List *clauses = list_copy(rel->baserestrictinfo);
	ForeignPath *path;

	if (info != NULL)
		clauses = list_concat(clauses, info->ppi_clauses);
	path = at_foreign_scan_path(root, rel, info ? info->ppi_rows : rel->rows, LOOK_COST,
								LOOK_COST + cost_of(root, rel, clauses), outer);
	add_path(rel, (Path *) path);
}

/* For generate_implied_equalities_for_column(). */
static bool
is_column(PlannerInfo *root, RelOptInfo *rel, EquivalenceClass *class, EquivalenceMember *member,
		  void *arg)
{
	AtColdSubjects table = {.root = root, .rel = rel};

	return at_cold_column(&table, (Node *) member->em_expr) == *(AttrNumber *) arg;
}

/* Remember the other tables of a join clause, if it chooses segments. */
static List *
add_outer(const AtColdSubjects *table, List *outers, RestrictInfo *info)
{
	AtColdCondition condition;
	Relids outer;
	ListCell *cell;

	if (!join_clause_is_movable_to(info, table->rel) ||
		!at_cold_condition_read(table, info->clause, &condition))
		return outers;
	outer = bms_union(info->clause_relids, table->rel->lateral_relids);
	outer = bms_del_members(outer, table->rel->relids);
	foreach (cell, outers)
		if (bms_equal(lfirst(cell), outer))
			return outers;
	return bms_is_empty(outer) ? outers : lappend(outers, outer);
}

/*
 * A path by itself, and one for each table that could tell what to look for: only if all
 * partitions have such a path can the whole table be looked up so.
 */
static void
get_paths(PlannerInfo *root, RelOptInfo *rel, Oid relid)
{
	AtColdSubjects table = at_cold_subjects(root, rel);
	List *outers = NIL;
	Relids all = NULL;
	ListCell *cell;

	add_scan_path(root, rel, rel->lateral_relids);
	foreach (cell, rel->joininfo)
		outers = add_outer(&table, outers, lfirst_node(RestrictInfo, cell));
	for (AttrNumber column = 1; rel->has_eclass_joins && column <= Natts_transaction; column++)
	{
		ListCell *implied;

		if (at_cold_subject(&table, column) == AT_COLD_ABOUT_NOTHING)
			continue;
		foreach (implied, generate_implied_equalities_for_column(root, rel, is_column, &column,
																 rel->lateral_referencers))
			outers = add_outer(&table, outers, lfirst_node(RestrictInfo, implied));
	}
	foreach (cell, outers)
	{
		add_scan_path(root, rel, lfirst(cell));
		all = bms_union(all, lfirst(cell));
	}
	if (list_length(outers) > 1)
		add_scan_path(root, rel, all);
}

static ForeignScan *
get_plan(PlannerInfo *root, RelOptInfo *rel, Oid relid, ForeignPath *path, List *tlist,
		 List *clauses, Plan *outer_plan)
{
	AtColdSubjects table = at_cold_subjects(root, rel);
	List *subjects = NIL;
	List *columns = NIL;
	List *strategies = NIL;
	List *arrays = NIL;
	List *types = NIL;
	List *values = NIL;
	ListCell *cell;

	foreach (cell, clauses)
	{
		AtColdCondition condition;

		if (!at_cold_condition_read(&table, lfirst_node(RestrictInfo, cell)->clause, &condition))
			continue;
		subjects = lappend_int(subjects, condition.subject);
		columns = lappend_int(columns, condition.column);
		strategies = lappend_int(strategies, condition.strategy);
		arrays = lappend_int(arrays, condition.is_array);
		types = lappend_oid(types, condition.type);
		if (condition.value != NULL)
			values = lappend(values, condition.value);
	}
	return make_foreignscan(
		tlist, extract_actual_clauses(clauses, false), rel->relid, values,
		list_make2(list_make4(subjects, columns, strategies, arrays),
				   list_make2(types, list_make1_int(rel->reloptkind == RELOPT_BASEREL))),
		NIL, NIL, outer_plan);
}

static bool
is_parallel_safe(PlannerInfo *root, RelOptInfo *rel, RangeTblEntry *entry)
{
	return true;
}

/* ---- scans ---- */

static void
begin_scan(ForeignScanState *node, int flags)
{
	ForeignScan *plan = castNode(ForeignScan, node->ss.ps.plan);
	List *lists = linitial(plan->fdw_private);
	List *rest = lsecond(plan->fdw_private);
	ColdState *state;

	if (linitial_int(lsecond(rest)) && !at_reader_sees_all())
		ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
						errmsg("permission denied for archived partition \"%s\"",
							   RelationGetRelationName(node->ss.ss_currentRelation)),
						errdetail("It has no row security of its own."),
						errhint("Read the view audit.events.")));
	state = palloc0(sizeof(ColdState));
	node->fdw_state = state;
	state->count = list_length(linitial(lists));
	state->condition = palloc0(sizeof(AtColdCondition) * (state->count + 1));
	for (int i = 0; i < state->count; i++)
		state->condition[i] = (AtColdCondition){
			.subject = list_nth_int(linitial(lists), i),
			.column = list_nth_int(lsecond(lists), i),
			.strategy = list_nth_int(lthird(lists), i),
			.is_array = list_nth_int(lfourth(lists), i),
			.type = list_nth_oid(linitial(rest), i),
		};
	state->values = ExecInitExprList(plan->fdw_exprs, (PlanState *) node);
	state->memory =
		AllocSetContextCreate(CurrentMemoryContext, "audit cold conditions", ALLOCSET_SMALL_SIZES);
	if (!(flags & EXEC_FLAG_EXPLAIN_ONLY))
		state->scan = at_cold_open(node->ss.ss_currentRelation, node->ss.ps.state->es_snapshot);
}

static TupleTableSlot *
iterate(ForeignScanState *node)
{
	ColdState *state = node->fdw_state;
	TupleTableSlot *slot = node->ss.ss_ScanTupleSlot;

	if (!state->is_started)
		start(node);
	(void) at_cold_next(state->scan, slot);
	return slot;
}

static void
rescan(ForeignScanState *node)
{
	((ColdState *) node->fdw_state)->is_started = false;
}

static void
end_scan(ForeignScanState *node)
{
	ColdState *state = node->fdw_state;

	if (state != NULL && state->scan != NULL)
		at_cold_close(state->scan);
}

static void
explain_scan(ForeignScanState *node, ExplainState *explain)
{
	ColdState *state = node->fdw_state;
	AtColdCount count;

	if (!explain->analyze || state->scan == NULL)
		return;
	count = at_cold_count(state->scan);
	ExplainPropertyInteger("Segments Passed Over", NULL, count.passed, explain);
	ExplainPropertyInteger("Segments Read", NULL, count.read, explain);
}

static void
start(ForeignScanState *node)
{
	ColdState *state = node->fdw_state;
	ExprContext *context = node->ss.ps.ps_ExprContext;
	AtColdWanted wanted = at_cold_all;
	ListCell *cell = list_head(state->values);
	MemoryContext save;

	ResetExprContext(context);
	MemoryContextReset(state->memory);
	save = MemoryContextSwitchTo(state->memory);
	for (int i = 0; i < state->count; i++)
	{
		const AtColdCondition *condition = &state->condition[i];
		bool isnull = false;
		Datum value = (Datum) 0;

		if (condition->subject != AT_COLD_ABOUT_MARK)
		{
			value = ExecEvalExprSwitchContext(lfirst(cell), context, &isnull);
			cell = lnext(state->values, cell);
		}
		at_cold_want(&wanted, condition, value, isnull);
	}
	MemoryContextSwitchTo(save);
	at_cold_start(state->scan, &wanted);
	state->is_started = true;
}

/* ---- attempts to write ---- */

static int
is_updatable(Relation rel)
{
	return 1 << CMD_INSERT | 1 << CMD_UPDATE | 1 << CMD_DELETE;
}

static List *
plan_modify(PlannerInfo *root, ModifyTable *plan, Index relation, int number)
{
	Relation rel = table_open(planner_rt_fetch(relation, root)->relid, NoLock);

	at_worm_refuse_command(rel, plan->operation);
	return NIL; /* not reached */
}

static TupleTableSlot *
modify(EState *estate, ResultRelInfo *info, TupleTableSlot *slot, TupleTableSlot *plan_slot)
{
	at_worm_refuse_command(info->ri_RelationDesc, CMD_INSERT);
	return NULL; /* not reached */
}

static void
begin_insert(ModifyTableState *node, ResultRelInfo *info)
{
	at_worm_refuse_command(info->ri_RelationDesc, CMD_INSERT);
}

static void
refuse_truncate(List *rels, DropBehavior behavior, bool restart)
{
	at_worm_refuse_command(linitial(rels), CMD_UTILITY);
}

/* SELECT FOR UPDATE or FOR SHARE. */
static RowMarkType
row_mark(RangeTblEntry *entry, LockClauseStrength strength)
{
	if (strength != LCS_NONE)
		at_worm_refuse_command(table_open(entry->relid, NoLock), CMD_SELECT);
	return ROW_MARK_COPY;
}
