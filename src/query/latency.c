/*-------------------------------------------------------------------------
 * latency.c
 *		How long queries of the trail take.
 *
 * The executor times itself where it is asked to. What it needs to start, and
 * the planner, are timed here and kept until the end of the query, in a small
 * ring: an entry that is overwritten, because more cursors are open, costs its
 * query that part of its time. An error leaves entries that nobody asks for.
 *
 * On a standby that sends nothing to its primary no launcher gives databases
 * their slots, so the first query that is counted takes one.
 *
 * All other queries pay a look at their list of relations, changes of rows not
 * even that.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xlog.h"
#include "executor/executor.h"
#include "executor/instrument.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "optimizer/planner.h"
#include "portability/instr_time.h"
#include "utils/timestamp.h"

#include "base/catalog.h"
#include "base/shmem.h"
#include "query/latency.h"

#define RING 8

/* A query that runs. */
typedef struct Running
{
	const QueryDesc *query;
	instr_time before; /* planner and start */
} Running;

/* Right after an error: entries are found by their query only, which writes its own first. */
static struct
{
	planner_hook_type previous_planner;
	ExecutorStart_hook_type previous_start;
	ExecutorEnd_hook_type previous_end;

	/* the last one that was planned, until it is started; plans are copied, so by their place */
	int planned_location;
	int planned_len;
	int planned_relations; /* 0: none */
	instr_time planning;

	Running ring[RING];
	int next;
} latency;

PG_FUNCTION_INFO_V1(at_query_latency);

static PlannedStmt *plan(Query *parse, const char *text, int options, ParamListInfo params);
static void start(QueryDesc *query, int eflags);
static void end(QueryDesc *query);
static bool is_of_trail(const PlannedStmt *stmt);
static void count(const QueryDesc *query);

void
at_latency_init(void)
{
	latency.previous_planner = planner_hook;
	planner_hook = plan;
	latency.previous_start = ExecutorStart_hook;
	ExecutorStart_hook = start;
	latency.previous_end = ExecutorEnd_hook;
	ExecutorEnd_hook = end;
}

static PlannedStmt *
plan(Query *parse, const char *text, int options, ParamListInfo params)
{
	planner_hook_type next = latency.previous_planner ? latency.previous_planner : standard_planner;
	instr_time began;
	PlannedStmt *stmt;

	if (parse->commandType != CMD_SELECT || !at_shmem_ready())
		return next(parse, text, options, params);
	INSTR_TIME_SET_CURRENT(began);
	stmt = next(parse, text, options, params);
	if (is_of_trail(stmt))
	{
		INSTR_TIME_SET_CURRENT(latency.planning);
		INSTR_TIME_SUBTRACT(latency.planning, began);
		latency.planned_location = stmt->stmt_location;
		latency.planned_len = stmt->stmt_len;
		latency.planned_relations = list_length(stmt->rtable);
	}
	return stmt;
}

/* Take the planner's time, if it was this query that it planned last. */
static void
take_planning(const PlannedStmt *stmt, instr_time *time)
{
	if (latency.planned_relations == list_length(stmt->rtable) &&
		latency.planned_location == stmt->stmt_location && latency.planned_len == stmt->stmt_len)
		*time = latency.planning;
	latency.planned_relations = 0;
}

static void
forget(const QueryDesc *query)
{
	for (int i = 0; i < RING; i++)
		if (latency.ring[i].query == query)
			latency.ring[i].query = NULL;
}

static void
start(QueryDesc *query, int eflags)
{
	ExecutorStart_hook_type next =
		latency.previous_start ? latency.previous_start : standard_ExecutorStart;
	bool counted = query->operation == CMD_SELECT && MyBackendType == B_BACKEND &&
				   !(eflags & EXEC_FLAG_EXPLAIN_ONLY) && is_of_trail(query->plannedstmt);
	Running running = {.query = query};
	instr_time began;
	instr_time took;

	if (!counted)
	{
		next(query, eflags);
		return;
	}
	take_planning(query->plannedstmt, &running.before);
	INSTR_TIME_SET_CURRENT(began);
	next(query, eflags);
	INSTR_TIME_SET_CURRENT(took);
	INSTR_TIME_SUBTRACT(took, began);
	INSTR_TIME_ADD(running.before, took);
	forget(query); /* of one that failed, and whose memory this one has */
	latency.ring[latency.next] = running;
	latency.next = (latency.next + 1) % RING;

	if (query->totaltime == NULL)
	{
		MemoryContext save = MemoryContextSwitchTo(query->estate->es_query_cxt);

		query->totaltime = InstrAlloc(1, INSTRUMENT_TIMER, false);
		MemoryContextSwitchTo(save);
	}
}

static void
end(QueryDesc *query)
{
	if (query->operation == CMD_SELECT && query->totaltime != NULL && MyBackendType == B_BACKEND &&
		is_of_trail(query->plannedstmt))
		count(query);
	if (latency.previous_end)
		latency.previous_end(query);
	else
		standard_ExecutorEnd(query);
}

static bool
is_of_trail(const PlannedStmt *stmt)
{
	Oid event;
	Oid transaction;
	ListCell *cell;

	if (stmt->relationOids == NIL || !at_shmem_ready() || !at_ledger_exists())
		return false;
	event = at_ledger_relid(AT_LEDGER_EVENT);
	transaction = at_ledger_relid(AT_LEDGER_TRANSACTION);
	foreach (cell, stmt->relationOids)
	{
		if (lfirst_oid(cell) == event || lfirst_oid(cell) == transaction)
			return true;
	}
	return false;
}

static void
count(const QueryDesc *query)
{
	int slot = at_slot_find(MyDatabaseId);
	double seconds;

	if (slot < 0 && RecoveryInProgress())
		slot = at_slot_claim(MyDatabaseId);
	InstrEndLoop(query->totaltime);
	seconds = query->totaltime->total;
	for (int i = 0; i < RING; i++)
	{
		if (latency.ring[i].query != query)
			continue;
		seconds += INSTR_TIME_GET_DOUBLE(latency.ring[i].before);
		latency.ring[i].query = NULL;
	}
	if (slot >= 0)
		at_query_times_add(at_slot_query_times(slot), (uint64) (seconds * 1e6));
}

/* audit.query_latency() */
Datum
at_query_latency(PG_FUNCTION_ARGS)
{
	static const double parts[] = {0.5, 0.95, 0.99};
	int slot = at_shmem_ready() ? at_slot_find(MyDatabaseId) : -1;
	AtQueryTimesView times = {0};
	Datum values[6];
	bool nulls[6] = {false};
	uint64 total;
	TupleDesc desc;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	if (slot >= 0)
		at_query_times_view(at_slot_query_times(slot), &times);
	total = at_histogram_total(times.count);
	values[0] = Int64GetDatum(total);
	for (int i = 0; i < lengthof(parts); i++)
	{
		uint64 found = at_histogram_quantile(times.count, parts[i]);

		values[i + 1] = Float8GetDatum(Min(found, times.longest) / 1000.0);
		nulls[i + 1] = total == 0;
	}
	values[4] = Float8GetDatum(times.longest / 1000.0);
	nulls[4] = total == 0;
	values[5] = TimestampTzGetDatum(times.since);
	nulls[5] = slot < 0;
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}
