/*-------------------------------------------------------------------------
 * reads.c
 *		Reading the trail is an event.
 *
 * Whether a query reads the trail is told by the relations that its privileges
 * are checked for, when it runs: a view is among them, and so is the table
 * that it reads. The record is made before the query runs, while everything
 * can be looked up, and handed on when the memory of the client's command is
 * reset, which happens once however the command ends. So what the queries of
 * functions read, row by row, is one event of the command that called them.
 *
 * COPY of a table by those whom row security does not bind goes by the
 * executor; so it is seen as a command.
 *
 * State: the commands that are reading, each in its own memory.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/parallel.h"
#include "access/transam.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "executor/executor.h"
#include "nodes/parsenodes.h"
#include "tcop/utility.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "base/catalog.h"
#include "base/compat.h"
#include "base/guc.h"
#include "base/names.h"
#include "base/ring.h"
#include "ledger/attempt.h"
#include "ledger/dispatch.h"
#include "ledger/reader.h"
#include "ledger/statement.h"
#include "observe/reads.h"

/* A command that reads, in its own memory. */
typedef struct Reading
{
	struct Reading *next;
	MemoryContext memory;
	MemoryContextCallback end;
	StringInfoData record;
	int64 rows;
} Reading;

static struct
{
	Reading *first;
	ExecutorRun_hook_type next_run;
	ProcessUtility_hook_type next_utility;
} reads;

static void run(AT_EXECUTOR_RUN_PARAMS);
static void run_next(AT_EXECUTOR_RUN_PARAMS);
static void utility(PlannedStmt *pstmt, const char *text, bool read_only_tree,
					ProcessUtilityContext context, ParamListInfo params,
					QueryEnvironment *environment, DestReceiver *dest, QueryCompletion *completion);
static bool are_recorded(void);
static Oid trail_read_by(const QueryDesc *query);
static bool is_trail(Oid relid);
static Reading *get_reading(Oid relid);
static void end_reading(void *arg);

void
at_reads_init(void)
{
	reads.next_run = ExecutorRun_hook;
	ExecutorRun_hook = run;
	reads.next_utility = ProcessUtility_hook;
	ProcessUtility_hook = utility;
}

static void
run(AT_EXECUTOR_RUN_PARAMS)
{
	Oid relid = trail_read_by(query);
	Reading *reading = OidIsValid(relid) ? get_reading(relid) : NULL;

	if (reading == NULL)
	{
		run_next(AT_EXECUTOR_RUN_ARGS);
		return;
	}
	PG_TRY();
	{
		run_next(AT_EXECUTOR_RUN_ARGS);
	}
	PG_FINALLY();
	{
		reading->rows += query->estate->es_processed;
	}
	PG_END_TRY();
}

static void
run_next(AT_EXECUTOR_RUN_PARAMS)
{
	if (reads.next_run)
		reads.next_run(AT_EXECUTOR_RUN_ARGS);
	else
		standard_ExecutorRun(AT_EXECUTOR_RUN_ARGS);
}

/* COPY of a relation; of a query, the executor runs it. */
static void
utility(PlannedStmt *pstmt, const char *text, bool read_only_tree, ProcessUtilityContext context,
		ParamListInfo params, QueryEnvironment *environment, DestReceiver *dest,
		QueryCompletion *completion)
{
	ProcessUtility_hook_type next =
		reads.next_utility ? reads.next_utility : standard_ProcessUtility;
	const CopyStmt *copy = (const CopyStmt *) pstmt->utilityStmt;
	QueryCompletion own;
	Reading *reading = NULL;

	if (IsA(copy, CopyStmt) && !copy->is_from && copy->relation != NULL && are_recorded())
	{
		Oid relid = RangeVarGetRelid(copy->relation, NoLock, true);

		if (OidIsValid(relid) && is_trail(relid))
			reading = get_reading(relid);
		if (completion == NULL)
		{
			InitializeQueryCompletion(&own);
			completion = &own;
		}
	}
	next(pstmt, text, read_only_tree, context, params, environment, dest, completion);
	if (reading != NULL && reading->rows == 0)
		reading->rows = completion->nprocessed;
}

/* Before anything is looked up: all queries of the server come here. */
static bool
are_recorded(void)
{
	return at_guc_record_reads && at_ring_ready() && !IsParallelWorker() && !at_reader_is_ours &&
		   IsTransactionState();
}

/* A relation by which the query reads events; InvalidOid if it reads none. */
static Oid
trail_read_by(const QueryDesc *query)
{
	const PlannedStmt *plan = query->plannedstmt;
	ListCell *cell;

	/* the usual change of rows reads nothing but its own table */
	if (list_length(plan->rtable) <= 1 && plan->commandType != CMD_SELECT)
		return InvalidOid;
	foreach (cell, plan->rtable)
	{
		const RangeTblEntry *entry = lfirst_node(RangeTblEntry, cell);

		/* from 16 on a view is a subquery with the view's name */
		if ((entry->rtekind == RTE_RELATION || entry->rtekind == RTE_SUBQUERY) &&
			(at_required_perms(plan, entry) & ACL_SELECT) != 0 &&
			entry->relid >= FirstNormalObjectId && is_trail(entry->relid))
			return are_recorded() ? entry->relid : InvalidOid;
	}
	return InvalidOid;
}

/* The table of events, a partition of it, or a view over it. The guard keeps names as they are. */
static bool
is_trail(Oid relid)
{
	Oid schema = get_rel_namespace(relid);
	char *name;

	if (!OidIsValid(schema) || schema != at_audit_schema())
		return false;
	name = get_rel_name(relid);
	return name != NULL &&
		   (strncmp(name, "event", strlen("event")) == 0 || strcmp(name, "record_event") == 0);
}

/* The reading of the client's command; NULL if nobody's command runs, or no ledger has begun. */
static Reading *
get_reading(Oid relid)
{
	MemoryContext memory = at_statement_memory();
	Reading *reading;

	if (memory == NULL || !at_incarnation_begun())
		return NULL;
	for (reading = reads.first; reading != NULL; reading = reading->next)
		if (reading->memory == memory)
			return reading;

	MemoryContext save = MemoryContextSwitchTo(memory);

	reading = palloc0(sizeof(Reading));
	reading->memory = memory;
	at_attempt_begin_read(&reading->record, at_qualified_name(relid));
	reading->end.func = end_reading;
	reading->end.arg = reading;
	MemoryContextRegisterResetCallback(memory, &reading->end);
	reading->next = reads.first;
	reads.first = reading;
	MemoryContextSwitchTo(save);
	return reading;
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
	at_dispatch_end(&reading->record, reading->rows);
}
