/*-------------------------------------------------------------------------
 * aside.c
 *		Workers step aside for commands that want a database to themselves.
 *
 * DROP DATABASE, CREATE DATABASE ... TEMPLATE, ALTER DATABASE ... RENAME TO
 * and ... SET TABLESPACE fail while anyone else is connected to that
 * database. Before such a command the session puts a hold on the database's
 * slot: workers leave and no new ones attach.
 *
 * Invariant: a hold ends with the transaction or subtransaction that it was
 * put in (whose lock on the database keeps connections away until then), so
 * at once if the command fails, and in any case with the session.
 * at_aside.level[] tells which holds this session has: 0 for none, else the
 * transaction nesting level it belongs to.
 *
 * Only those who may run the command stop workers: the checks here are those
 * of the command. They are made before it takes its lock, so a rename in
 * between can misdirect them; then the command fails or waits as it would
 * without us.
 *
 * Other commands on databases, after which there may be more or fewer
 * workers to run, wake the launcher at commit.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <signal.h>

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_database.h"
#include "commands/dbcommands.h"
#include "commands/defrem.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/ipc.h"
#include "tcop/utility.h"
#include "utils/acl.h"
#include "utils/syscache.h"

#include "base/aside.h"
#include "base/clock.h"
#include "base/compat.h"
#include "base/shmem.h"

/* How long to ask workers to leave, then to order them, and how often to look. */
#define AT_ASIDE_ASK_MS   4000
#define AT_ASIDE_ORDER_MS 8000
#define AT_ASIDE_POLL_MS  200

static ProcessUtility_hook_type at_previous_utility_hook = NULL;

/* The state of this session; ended by at_aside_end() at the end of each transaction. */
static struct
{
	int level[AT_MAX_DATABASES];
	bool any;        /* is there a level above 0? */
	bool wake;       /* wake the launcher at commit */
	bool registered; /* the callbacks are */
} at_aside;

static void at_aside_utility(PlannedStmt *pstmt, const char *query, bool read_only_tree,
							 ProcessUtilityContext context, ParamListInfo params,
							 QueryEnvironment *environment, DestReceiver *dest,
							 QueryCompletion *completion);
static void at_aside_note(Node *statement);
static Oid at_aside_database(Node *statement, ProcessUtilityContext context);
static Oid at_aside_created_from(CreatedbStmt *statement);
static Oid at_aside_owned(const char *name);
static bool at_aside_moves(AlterDatabaseStmt *statement);
static bool at_aside_caller_creates_databases(void);
static void at_aside_hold(Oid database);
static void at_aside_wait(int slot);
static void at_aside_register(void);
static void at_aside_release(int level);
static void at_aside_at_end(XactEvent event, void *arg);
static void at_aside_at_subend(SubXactEvent event, SubTransactionId subid,
							   SubTransactionId parent_subid, void *arg);
static void at_aside_at_exit(int code, Datum arg);

void
at_aside_init(void)
{
	at_previous_utility_hook = ProcessUtility_hook;
	ProcessUtility_hook = at_aside_utility;
}

static void
at_aside_utility(PlannedStmt *pstmt, const char *query, bool read_only_tree,
				 ProcessUtilityContext context, ParamListInfo params, QueryEnvironment *environment,
				 DestReceiver *dest, QueryCompletion *completion)
{
	ProcessUtility_hook_type next =
		at_previous_utility_hook ? at_previous_utility_hook : standard_ProcessUtility;
	Oid database = at_aside_database(pstmt->utilityStmt, context);

	if (OidIsValid(database))
		at_aside_hold(database);
	next(pstmt, query, read_only_tree, context, params, environment, dest, completion);
	at_aside_note(pstmt->utilityStmt);
}

/* After a command that succeeded: what does the launcher have to know of it? */
static void
at_aside_note(Node *statement)
{
	if (!IsA(statement, CreatedbStmt) && !IsA(statement, AlterDatabaseStmt) &&
		!IsA(statement, DropdbStmt))
		return;
	at_aside_register();
	at_aside.wake = true;
	if (IsA(statement, CreatedbStmt))
	{
		CommandCounterIncrement();
		at_worker_announce_database(
			get_database_oid(castNode(CreatedbStmt, statement)->dbname, true));
	}
}

/* The database that the statement wants to itself, if the caller may run it; else InvalidOid. */
static Oid
at_aside_database(Node *statement, ProcessUtilityContext context)
{
	Oid database = InvalidOid;
	bool alone = true; /* refused in a transaction block */

	if (IsA(statement, DropdbStmt))
		database = at_aside_owned(castNode(DropdbStmt, statement)->dbname);
	else if (IsA(statement, CreatedbStmt))
		database = at_aside_created_from(castNode(CreatedbStmt, statement));
	else if (IsA(statement, AlterDatabaseStmt) &&
			 at_aside_moves(castNode(AlterDatabaseStmt, statement)))
		database = at_aside_owned(castNode(AlterDatabaseStmt, statement)->dbname);
	else if (IsA(statement, RenameStmt) &&
			 castNode(RenameStmt, statement)->renameType == OBJECT_DATABASE)
	{
		RenameStmt *rename = castNode(RenameStmt, statement);

		alone = false;
		if (at_aside_caller_creates_databases() &&
			!OidIsValid(get_database_oid(rename->newname, true)))
			database = at_aside_owned(rename->subname);
	}

	if (alone && OidIsValid(database) && IsInTransactionBlock(context == PROCESS_UTILITY_TOPLEVEL))
		return InvalidOid;
	return database;
}

/* The template of a new database. One that is marked as template has no workers anyway. */
static Oid
at_aside_created_from(CreatedbStmt *statement)
{
	const char *name = "template1";
	ListCell *cell;

	if (!at_aside_caller_creates_databases() ||
		OidIsValid(get_database_oid(statement->dbname, true)))
		return InvalidOid;
	foreach (cell, statement->options)
	{
		DefElem *option = lfirst_node(DefElem, cell);

		if (strcmp(option->defname, "template") == 0 && option->arg != NULL)
			name = defGetString(option);
	}
	return at_aside_owned(name);
}

/* A database by name, if it is the caller's and not the current one. */
static Oid
at_aside_owned(const char *name)
{
	Oid database = get_database_oid(name, true);

	if (!OidIsValid(database) || database == MyDatabaseId ||
		!object_ownercheck(DatabaseRelationId, database, GetUserId()))
		return InvalidOid;
	return database;
}

static bool
at_aside_moves(AlterDatabaseStmt *statement)
{
	ListCell *cell;

	foreach (cell, statement->options)
	{
		if (strcmp(lfirst_node(DefElem, cell)->defname, "tablespace") == 0)
			return true;
	}
	return false;
}

static bool
at_aside_caller_creates_databases(void)
{
	HeapTuple tuple;
	bool may = superuser();

	if (may)
		return true;
	tuple = SearchSysCache1(AUTHOID, ObjectIdGetDatum(GetUserId()));
	if (HeapTupleIsValid(tuple))
	{
		may = ((Form_pg_authid) GETSTRUCT(tuple))->rolcreatedb;
		ReleaseSysCache(tuple);
	}
	return may;
}

/* Put a hold on the database, unless this session has one already, and empty it. */
static void
at_aside_hold(Oid database)
{
	int slot;

	at_aside_register();
	slot = at_slot_find(database);
	if (slot >= 0 && at_aside.level[slot] > 0)
		return;
	slot = at_slot_hold(database);
	if (slot < 0)
		return;
	at_aside.level[slot] = GetCurrentTransactionNestLevel();
	at_aside.any = true;
	at_aside_wait(slot);
}

/*
 * Wait until no worker is left. They are asked again and again, as a
 * request can come just before the work that it was to cancel. If they do
 * not heed even SIGTERM, let the command say who is connected.
 */
static void
at_aside_wait(int slot)
{
	int64 start = at_clock_ms();
	int signal = SIGINT;

	ConditionVariablePrepareToSleep(at_slot_changed(slot));
	while (at_slot_signal(slot, signal) > 0)
	{
		int64 elapsed = at_clock_ms() - start;

		if (elapsed > AT_ASIDE_ORDER_MS)
			break;
		if (elapsed > AT_ASIDE_ASK_MS)
			signal = SIGTERM;
		ConditionVariableTimedSleep(at_slot_changed(slot), AT_ASIDE_POLL_MS, PG_WAIT_EXTENSION);
	}
	ConditionVariableCancelSleep();
}

static void
at_aside_register(void)
{
	if (at_aside.registered)
		return;
	RegisterXactCallback(at_aside_at_end, NULL);
	RegisterSubXactCallback(at_aside_at_subend, NULL);
	before_shmem_exit(at_aside_at_exit, 0);
	at_aside.registered = true;
}

/* Let go of what is held at this nesting level and deeper. */
static void
at_aside_release(int level)
{
	bool any = false;

	if (!at_aside.any)
		return;
	for (int slot = 0; slot < AT_MAX_DATABASES; slot++)
	{
		if (at_aside.level[slot] >= level)
		{
			at_aside.level[slot] = 0;
			at_slot_release(slot);
		}
		any |= at_aside.level[slot] > 0;
	}
	at_aside.any = any;
}

static void
at_aside_at_end(XactEvent event, void *arg)
{
	if (event != XACT_EVENT_COMMIT && event != XACT_EVENT_ABORT && event != XACT_EVENT_PREPARE)
		return;
	at_aside_release(1);
	if (at_aside.wake && event == XACT_EVENT_COMMIT)
		at_launcher_wake();
	at_aside.wake = false;
}

/* What a subtransaction holds is its parent's when it commits, and let go when it aborts. */
static void
at_aside_at_subend(SubXactEvent event, SubTransactionId subid, SubTransactionId parent_subid,
				   void *arg)
{
	int level = GetCurrentTransactionNestLevel();

	if (event == SUBXACT_EVENT_ABORT_SUB)
		at_aside_release(level);
	if (event != SUBXACT_EVENT_COMMIT_SUB || !at_aside.any)
		return;
	for (int slot = 0; slot < AT_MAX_DATABASES; slot++)
		at_aside.level[slot] = Min(at_aside.level[slot], level - 1);
}

/* Where an error is fatal, nothing else here runs. */
static void
at_aside_at_exit(int code, Datum arg)
{
	at_aside_release(1);
}
