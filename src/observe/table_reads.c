/*-------------------------------------------------------------------------
 * table_reads.c
 *		Reading a table that is watched is an event.
 *
 * What a query reads is told by the relations of its plan and the columns
 * that its privileges are checked for: in a plan are also those of views, and
 * a partition that is read by way of its table has none. The record is made before
 * the query runs, while everything can be looked up, and handed on when the
 * memory of the client's command is reset, which happens once however the command ends; in
 * sync mode already when the rows are about to be sent. Where no command is known - cursors that
 *are kept at commit, background workers - it is the memory of the query.
 *
 * State: readings of commands that run, each in its own memory.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/parallel.h"
#include "access/sysattr.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/parsenodes.h"
#include "tcop/utility.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "base/compat.h"
#include "base/guc.h"
#include "base/ring.h"
#include "ledger/attempt.h"
#include "ledger/dispatch.h"
#include "ledger/origin.h"
#include "ledger/reader.h"
#include "ledger/statement.h"
#include "observe/hold.h"
#include "observe/table_reads.h"
#include "observe/unrecorded.h"
#include "observe/watched.h"

/* A command that reads a table. */
typedef struct Reading
{
	struct Reading *next;
	MemoryContext memory;
	MemoryContextCallback end;
	Oid relid;
	int32 target_id;
	Bitmapset *columns;
	StringInfoData record; /* right for these columns */
	int64 rows;
	bool sent;
} Reading;

static struct
{
	Reading *first;
	bool holds; /* a client waits for the record of one of them */
	int depth;  /* of commands, and in sync mode of queries; counted down whatever ends them */
	ExecutorRun_hook_type next_run;
	ExecutorFinish_hook_type next_finish;
	ProcessUtility_hook_type next_utility;
} reads;

static void run(AT_EXECUTOR_RUN_PARAMS);
static void run_next(AT_EXECUTOR_RUN_PARAMS);
static void run_sync(AT_EXECUTOR_RUN_PARAMS);
static void run_reading(AT_EXECUTOR_RUN_PARAMS);
static void run_counting(List *readings, AT_EXECUTOR_RUN_PARAMS);
static void run_holding(AT_EXECUTOR_RUN_PARAMS);
static void run_with(DestReceiver *receiver, AT_EXECUTOR_RUN_PARAMS);
static void finish(QueryDesc *query);
static void finish_next(QueryDesc *query);
static void before_commit(XactEvent event, void *arg);
static void utility(PlannedStmt *pstmt, const char *text, bool read_only_tree,
					ProcessUtilityContext context, ParamListInfo params,
					QueryEnvironment *environment, DestReceiver *dest, QueryCompletion *completion);
static void utility_next(PlannedStmt *pstmt, const char *text, bool read_only_tree,
						 ProcessUtilityContext context, ParamListInfo params,
						 QueryEnvironment *environment, DestReceiver *dest,
						 QueryCompletion *completion);
static bool is_sync(void);
static bool is_recorded(void);
static List *begin_readings(const QueryDesc *query);
static bool is_key_check(const QueryDesc *query);
static Reading *get_reading(AtWatched *watched, const Bitmapset *columns, MemoryContext otherwise);
static void make_record(Reading *reading, AtWatched *watched);
static void end_reading(void *arg);
static void send_all(void);
static AtWatched *watched_copy(const CopyStmt *copy, Bitmapset **columns);
static PlannedStmt *as_query(PlannedStmt *pstmt);

void
at_table_reads_init(void)
{
	reads.next_run = ExecutorRun_hook;
	ExecutorRun_hook = run;
	reads.next_finish = ExecutorFinish_hook;
	ExecutorFinish_hook = finish;
	reads.next_utility = ProcessUtility_hook;
	ProcessUtility_hook = utility;
	RegisterXactCallback(before_commit, NULL);
}

/* All queries of the server come here. */
static void
run(AT_EXECUTOR_RUN_PARAMS)
{
	if (!is_recorded())
		run_next(AT_EXECUTOR_RUN_ARGS);
	else if (is_sync())
		run_sync(AT_EXECUTOR_RUN_ARGS);
	else
		run_reading(AT_EXECUTOR_RUN_ARGS);
}

static void
run_next(AT_EXECUTOR_RUN_PARAMS)
{
	if (reads.next_run)
		reads.next_run(AT_EXECUTOR_RUN_ARGS);
	else
		standard_ExecutorRun(AT_EXECUTOR_RUN_ARGS);
}

/* What is not sent to a client may be put where it can be read: that waits for finish(). */
static void
run_sync(AT_EXECUTOR_RUN_PARAMS)
{
	reads.depth++;
	PG_TRY();
	{
		if (query->dest != NULL && at_hold_is_remote(query->dest))
			run_holding(AT_EXECUTOR_RUN_ARGS);
		else
			run_reading(AT_EXECUTOR_RUN_ARGS);
	}
	PG_FINALLY();
	{
		reads.depth--;
	}
	PG_END_TRY();
}

static void
run_reading(AT_EXECUTOR_RUN_PARAMS)
{
	List *readings = begin_readings(query);

	if (readings == NIL)
		run_next(AT_EXECUTOR_RUN_ARGS);
	else
		run_counting(readings, AT_EXECUTOR_RUN_ARGS);
}

static void
add_rows(List *readings, uint64 rows)
{
	ListCell *cell;

	foreach (cell, readings)
		((Reading *) lfirst(cell))->rows += rows;
}

static void
run_counting(List *readings, AT_EXECUTOR_RUN_PARAMS)
{
	PG_TRY();
	{
		run_next(AT_EXECUTOR_RUN_ARGS);
	}
	PG_CATCH();
	{
		add_rows(readings, query->estate->es_processed);
		PG_RE_THROW();
	}
	PG_END_TRY();
	add_rows(readings, query->estate->es_processed);
}

/* No row leaves before the records of all that was read for it are on disk. */
static void
run_holding(AT_EXECUTOR_RUN_PARAMS)
{
	DestReceiver *receiver = query->dest;
	MemoryContext save = MemoryContextSwitchTo(query->estate->es_query_cxt);
	DestReceiver *hold = at_hold_begin(receiver, &reads.holds);

	MemoryContextSwitchTo(save);
	query->dest = hold;
	run_with(receiver, AT_EXECUTOR_RUN_ARGS);
	send_all();
	at_hold_release(hold);
}

/* Give the query its receiver back, whatever happens. */
static void
run_with(DestReceiver *receiver, AT_EXECUTOR_RUN_PARAMS)
{
	PG_TRY();
	{
		run_reading(AT_EXECUTOR_RUN_ARGS);
	}
	PG_FINALLY();
	{
		query->dest = receiver;
	}
	PG_END_TRY();
}

/* The triggers of a query run here. */
static void
finish(QueryDesc *query)
{
	if (!is_sync())
	{
		finish_next(query);
		return;
	}
	reads.depth++;
	PG_TRY();
	{
		finish_next(query);
	}
	PG_FINALLY();
	{
		reads.depth--;
	}
	PG_END_TRY();
	if (reads.depth == 0)
		send_all();
}

static void
finish_next(QueryDesc *query)
{
	if (reads.next_finish)
		reads.next_finish(query);
	else
		standard_ExecutorFinish(query);
}

/* A procedure may commit before it ends, and what it has written can be read then. */
static void
before_commit(XactEvent event, void *arg)
{
	if ((event == XACT_EVENT_PRE_COMMIT || event == XACT_EVENT_PRE_PREPARE) && is_sync())
		send_all();
}

static void
utility(PlannedStmt *pstmt, const char *text, bool read_only_tree, ProcessUtilityContext context,
		ParamListInfo params, QueryEnvironment *environment, DestReceiver *dest,
		QueryCompletion *completion)
{
	const CopyStmt *copy = (const CopyStmt *) pstmt->utilityStmt;
	QueryCompletion own;
	Reading *reading = NULL;
	AtWatched *watched = NULL;
	Bitmapset *columns;
	DestReceiver *hold = NULL;
	bool sync = is_sync();

	if (IsA(copy, CopyStmt) && !copy->is_from && copy->relation != NULL && is_recorded())
		watched = watched_copy(copy, &columns);
	if (watched != NULL && sync)
		pstmt = as_query(pstmt);
	else if (watched != NULL)
		reading = get_reading(watched, columns, CurrentMemoryContext);
	if (reading != NULL && completion == NULL)
	{
		InitializeQueryCompletion(&own);
		completion = &own;
	}
	if (IsA(copy, CallStmt) && sync && at_hold_is_remote(dest))
		hold = dest = at_hold_begin(dest, &reads.holds);
	utility_next(pstmt, text, read_only_tree, context, params, environment, dest, completion);
	if (hold != NULL || (reads.depth == 0 && is_sync()))
		send_all();
	if (hold != NULL)
		at_hold_release(hold);
	if (reading != NULL && reading->rows == 0 && !reading->sent)
		reading->rows = completion->nprocessed;
}

static void
utility_next(PlannedStmt *pstmt, const char *text, bool read_only_tree,
			 ProcessUtilityContext context, ParamListInfo params, QueryEnvironment *environment,
			 DestReceiver *dest, QueryCompletion *completion)
{
	ProcessUtility_hook_type next =
		reads.next_utility ? reads.next_utility : standard_ProcessUtility;

	reads.depth++;
	PG_TRY();
	{
		next(pstmt, text, read_only_tree, context, params, environment, dest, completion);
	}
	PG_FINALLY();
	{
		reads.depth--;
	}
	PG_END_TRY();
}

static bool
is_sync(void)
{
	return at_guc_read_durability == AT_READ_SYNC && is_recorded();
}

/* Without a ring there are no records; where they are demanded, there is no read then. */
static bool
is_recorded(void)
{
	return (at_ring_ready() || at_guc_read_durability == AT_READ_SYNC) && !IsParallelWorker() &&
		   !at_reader_is_ours && !IsBinaryUpgrade && IsTransactionState();
}

/* The readings that a query is part of. */
static List *
begin_readings(const QueryDesc *query)
{
	const PlannedStmt *plan = query->plannedstmt;
	List *readings = NIL;
	ListCell *cell;

	foreach (cell, plan->rtable)
	{
		const RangeTblEntry *entry = lfirst_node(RangeTblEntry, cell);
		const Bitmapset *columns;
		AtWatched *watched;

		if (entry->rtekind != RTE_RELATION || (at_required_perms(plan, entry) & ACL_SELECT) == 0)
			continue;
		watched = at_watched_find(entry->relid);
		if (likely(watched == NULL))
			continue;
		columns = at_selected_columns(plan, entry);
		if (!at_watched_reads(watched, columns) || is_key_check(query))
			continue;

		MemoryContext save = MemoryContextSwitchTo(query->estate->es_query_cxt);

		readings = list_append_unique_ptr(
			readings, get_reading(watched, columns, query->estate->es_query_cxt));
		MemoryContextSwitchTo(save);
	}
	return readings;
}

/* A foreign key is checked, or followed: by the server's own queries, which it marks as such. */
static bool
is_key_check(const QueryDesc *query)
{
	return InNoForceRLSOperation() && (query->plannedstmt->commandType != CMD_SELECT ||
									   strncmp(query->sourceText, "SELECT 1 FROM ", 14) == 0);
}

/* The reading of a table by the client's command, or by the query whose memory that is. */
static Reading *
get_reading(AtWatched *watched, const Bitmapset *columns, MemoryContext otherwise)
{
	MemoryContext memory = at_statement_memory();
	MemoryContext save;
	Reading *reading;

	if (memory == NULL)
		memory = otherwise;
	for (reading = reads.first; reading != NULL; reading = reading->next)
		if (reading->memory == memory && reading->target_id == watched->target_id &&
			reading->relid == watched->relid && !reading->sent)
			break;
	if (reading != NULL && bms_is_subset(columns, reading->columns))
		return reading;

	save = MemoryContextSwitchTo(memory);
	if (reading == NULL)
	{
		reading = palloc0(sizeof(Reading));
		reading->memory = memory;
		reading->relid = watched->relid;
		reading->target_id = watched->target_id;
		reading->columns = bms_copy(columns);
		make_record(reading, watched);
		reading->end.func = end_reading;
		reading->end.arg = reading;
		MemoryContextRegisterResetCallback(memory, &reading->end);
		reading->next = reads.first;
		reads.first = reading;
		reads.holds = true;
	}
	else
	{
		reading->columns = bms_add_members(reading->columns, columns);
		make_record(reading, watched);
	}
	MemoryContextSwitchTo(save);
	return reading;
}

static void
make_record(Reading *reading, AtWatched *watched)
{
	StringInfoData values;
	AtDispatch dispatch = {
		.op = 'S',
		.target_id = watched->target_id,
		.resource_type = get_rel_name(watched->root),
	};

	initStringInfo(&values);
	appendStringInfoString(&values, at_watched_members(watched, reading->columns));
	if (watched->relid != watched->root)
		at_member_text(&values, "relation", get_rel_name(watched->relid));
	at_attempt_append_command(&values, watched->query, false);
	dispatch.values = values.data;
	at_dispatch_begin_with(&reading->record, at_origin_bytes(), &dispatch);
}

/* The command's memory goes; this may be an abort. */
static void
end_reading(void *arg)
{
	Reading *reading = arg;
	Reading **link = &reads.first;

	while (*link != reading)
		link = &(*link)->next;
	*link = reading->next;
	if (reads.first == NULL)
		reads.holds = false;
	if (!reading->sent)
		at_dispatch_end(&reading->record, reading->rows);
}

/* Is it in the log alone? Then others that belong to the same command wait for nothing. */
static bool
is_refused(AtDispatchFate fate)
{
	return fate != AT_DISPATCH_DURABLE && fate != AT_DISPATCH_SENT;
}

/* Hand on what was read so far, and wait until it is on disk; else nobody may have it. */
static void
send_all(void)
{
	const Reading *last = NULL;
	AtDispatchFate fate = AT_DISPATCH_DURABLE;

	for (Reading *reading = reads.first; reading != NULL; reading = reading->next)
	{
		if (reading->sent)
			continue;
		reading->sent = true;
		if (is_refused(fate))
			(void) at_dispatch_end_surely(&reading->record, reading->rows, false);
		else
		{
			fate = at_dispatch_end_surely(&reading->record, reading->rows, true);
			last = reading;
		}
	}
	reads.holds = false;
	if (fate == AT_DISPATCH_SENT)
		fate = at_dispatch_wait();
	if (fate != AT_DISPATCH_DURABLE)
		at_unrecorded_refuse(fate, last->relid, last->target_id);
}

/* ---- COPY of a table, which the executor does not see ---- */

static Bitmapset *
copied_columns(Oid relid, const CopyStmt *copy)
{
	Bitmapset *columns = NULL;
	ListCell *cell;

	foreach (cell, copy->attlist)
	{
		AttrNumber attnum = get_attnum(relid, strVal(lfirst(cell)));

		if (attnum != InvalidAttrNumber)
			columns = bms_add_member(columns, attnum - FirstLowInvalidHeapAttributeNumber);
	}
	if (copy->attlist == NIL)
		columns = bms_make_singleton(InvalidAttrNumber - FirstLowInvalidHeapAttributeNumber);
	return columns;
}

/* Does it copy a table, or columns of one, of which that is recorded? */
static AtWatched *
watched_copy(const CopyStmt *copy, Bitmapset **columns)
{
	Oid relid = RangeVarGetRelid(copy->relation, NoLock, true);
	AtWatched *watched = OidIsValid(relid) ? at_watched_find(relid) : NULL;

	*columns = watched != NULL ? copied_columns(relid, copy) : NULL;
	return watched != NULL && at_watched_reads(watched, *columns) ? watched : NULL;
}

/* The same as a query, whose rows can be held back. */
static PlannedStmt *
as_query(PlannedStmt *pstmt)
{
	PlannedStmt *changed = copyObject(pstmt);
	CopyStmt *copy = castNode(CopyStmt, changed->utilityStmt);
	SelectStmt *select = makeNode(SelectStmt);
	List *names = copy->attlist;
	ListCell *cell;

	if (names == NIL)
		names = list_make1(makeNode(A_Star));
	foreach (cell, names)
	{
		ColumnRef *column = makeNode(ColumnRef);
		ResTarget *target = makeNode(ResTarget);

		column->fields = list_make1(lfirst(cell));
		column->location = -1;
		target->val = (Node *) column;
		target->location = -1;
		select->targetList = lappend(select->targetList, target);
	}
	copy->relation->inh = false; /* COPY of a table leaves out its children */
	select->fromClause = list_make1(copy->relation);
	copy->relation = NULL;
	copy->attlist = NIL;
	copy->query = (Node *) select;
	return changed;
}
