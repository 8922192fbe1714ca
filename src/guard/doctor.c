/*-------------------------------------------------------------------------
 * doctor.c
 *		audit.doctor(): is everything in place?
 *
 * Each check is a function that reports one or more rows. It runs in a
 * subtransaction of its own: where things are broken, a check that fails is
 * itself a finding, and the others still run.
 *
 * Checks of the ledger go through SPI and name its tables in text only, so
 * they can be skipped while there is no ledger.
 *
 * The function is SECURITY DEFINER, so that whoever may call it needs no
 * other privilege; it says nothing of what was recorded.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/pg_database.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

#include "base/catalog.h"
#include "base/guc.h"
#include "base/key_store.h"
#include "base/lifted.h"
#include "base/shmem.h"
#include "base/worker.h"
#include "guard/doctor.h"
#include "ledger/reader.h"
#include "ledger/secret.h"

static const char *const health_names[] = {"ok", "warning", "problem"};

#define AT_PRELOAD_REMEDY "Add audit_trail to shared_preload_libraries and restart the server."

typedef struct AtCheck
{
	const char *name;
	void (*run)(const AtDoctor *doctor, const char *name);
	bool needs_ledger;
} AtCheck;

static void check_library(const AtDoctor *doctor, const char *name);
static void check_unseen_time(const AtDoctor *doctor, const char *name);
static void check_launcher(const AtDoctor *doctor, const char *name);
static void check_sealer(const AtDoctor *doctor, const char *name);
static void check_notifier(const AtDoctor *doctor, const char *name);
static void check_collector(const AtDoctor *doctor, const char *name);
static void check_worker_slots(const AtDoctor *doctor, const char *name);
static void check_ledger(const AtDoctor *doctor, const char *name);
static void check_incarnation(const AtDoctor *doctor, const char *name);
static void check_guard(const AtDoctor *doctor, const char *name);
static void check_partitions(const AtDoctor *doctor, const char *name);
static void check_default_partitions(const AtDoctor *doctor, const char *name);
static void check_capture(const AtDoctor *doctor, const char *name);
static void check_hash_key(const AtDoctor *doctor, const char *name);
static void check_subject_keys(const AtDoctor *doctor, const char *name);
static void check_automatic(const AtDoctor *doctor, const char *name);
static void check_access(const AtDoctor *doctor, const char *name);

static const AtCheck checks[] = {
	{"library", check_library, false},
	{"unseen time", check_unseen_time, true},
	{"launcher", check_launcher, false},
	{"sealer", check_sealer, false},
	{"notifier", check_notifier, false},
	{"collector", check_collector, false},
	{"worker slots", check_worker_slots, false},
	{"ledger", check_ledger, false},
	{"incarnation", check_incarnation, true},
	{"guard", check_guard, false},
	{"partitions", check_partitions, true},
	{"default partitions", check_default_partitions, true},
	{"capture", check_capture, false},
	{"hash key", check_hash_key, true},
	{"subject keys", check_subject_keys, true},
	{"automatic", check_automatic, true},
	{"unaudited tables", at_doctor_unaudited, true},
	{"verification", at_doctor_verification, true},
	{"volume", at_doctor_volume, true},
	{"losses", at_doctor_losses, true},
	{"clock", at_doctor_clock, true},
	{"disk", at_doctor_disk, false},
	{"replication role", at_doctor_replication_role, false},
	{"settings", at_doctor_settings, false},
	{"signing key", at_doctor_signing_key, true},
	{"checkpoints", at_doctor_checkpoints, true},
	{"anchor", at_doctor_anchor, true},
	{"sealing", at_doctor_sealing, true},
	{"access", check_access, true},
	{"keeper", at_doctor_keeper, true},
	{"retention", at_doctor_retention, true},
	{"holds", at_doctor_holds, true},
	{"archive", at_doctor_archive, true},
};

static void run_check(const AtDoctor *doctor, const AtCheck *check);
static char *template_name(void);

PG_FUNCTION_INFO_V1(at_doctor);

Datum
at_doctor(PG_FUNCTION_ARGS)
{
	AtDoctor doctor = {
		.result = (ReturnSetInfo *) fcinfo->resultinfo,
		.context = CurrentMemoryContext,
	};

	InitMaterializedSRF(fcinfo, 0);
	at_reader_is_ours = true;
	PG_TRY();
	{
		for (int i = 0; i < lengthof(checks); i++)
			if (!checks[i].needs_ledger || at_ledger_exists())
				run_check(&doctor, &checks[i]);
	}
	PG_FINALLY();
	{
		at_reader_is_ours = false;
	}
	PG_END_TRY();
	return (Datum) 0;
}

static void
run_check(const AtDoctor *doctor, const AtCheck *check)
{
	ResourceOwner owner = CurrentResourceOwner;

	BeginInternalSubTransaction(NULL);
	PG_TRY();
	{
		SPI_connect();
		check->run(doctor, check->name);
		SPI_finish();
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		ErrorData *edata;

		MemoryContextSwitchTo(doctor->context);
		edata = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		if (edata->sqlerrcode == ERRCODE_QUERY_CANCELED)
			ReThrowError(edata);
		at_doctor_report(doctor, check->name, PROBLEM, edata->hint, "The check failed: %s%s%s",
						 edata->message, edata->detail ? ". " : "",
						 edata->detail ? edata->detail : "");
	}
	PG_END_TRY();
	MemoryContextSwitchTo(doctor->context);
	CurrentResourceOwner = owner;
}

static void
check_library(const AtDoctor *doctor, const char *name)
{
	if (at_shmem_ready())
		at_doctor_report(doctor, name, OK, NULL, "The library was loaded when the server started.");
	else
		at_doctor_report(
			doctor, name, PROBLEM, AT_PRELOAD_REMEDY,
			"The library is not in shared_preload_libraries. Changes are captured; sealing and "
			"the delivery of alerts are inactive.");
}

/* The log keeps them for ever; here they are news for a month. */
static void
check_unseen_time(const AtDoctor *doctor, const char *name)
{
	uint64 count =
		at_doctor_query("SELECT pg_catalog.json_extract_path_text(u.value, 'since'), "
						"pg_catalog.json_extract_path_text(u.value, 'until'), "
						"pg_catalog.json_extract_path_text(u.value, 'found') "
						"FROM audit.log_entry AS e, pg_catalog.json_array_elements("
						"pg_catalog.json_extract_path(e.payload, 'unseen')) AS u "
						"WHERE e.kind = 'start' AND "
						"e.sealed_at > pg_catalog.now() - '30 days'::pg_catalog.interval "
						"ORDER BY e.log_index DESC LIMIT 10");

	if (count == 0)
		at_doctor_report(
			doctor, name, OK, NULL,
			"The log knows of no time in the last 30 days at which the library may not have "
			"been loaded.");
	for (uint64 i = 0; i < count; i++)
		at_doctor_report(doctor, name, WARN,
						 "Find out who started the server, then compare tables and trail with "
						 "audit.reconcile().",
						 "Perhaps the library was not loaded from %s to %s: %s.",
						 at_doctor_field(i, 1), at_doctor_field(i, 2), at_doctor_field(i, 3));
}

static void
check_launcher(const AtDoctor *doctor, const char *name)
{
	int pid = at_shmem_ready() ? at_launcher_pid() : 0;

	if (pid != 0)
		at_doctor_report(doctor, name, OK, NULL, "The launcher runs as process %d.", pid);
	else if (RecoveryInProgress())
		at_doctor_report(doctor, name, OK, NULL,
						 "The server is in recovery; workers start when it ends.");
	else if (!at_shmem_ready())
		at_doctor_report(doctor, name, PROBLEM, AT_PRELOAD_REMEDY, "The launcher does not run.");
	else
		at_doctor_report(doctor, name, PROBLEM,
						 "See the server log; it is restarted every few seconds.",
						 "The launcher does not run.");
}

static void
check_sealer(const AtDoctor *doctor, const char *name)
{
	at_doctor_worker(doctor, name, AT_WORKER_SEALER);
}

static void
check_notifier(const AtDoctor *doctor, const char *name)
{
	at_doctor_worker(doctor, name, AT_WORKER_NOTIFIER);
}

static void
check_collector(const AtDoctor *doctor, const char *name)
{
	at_doctor_worker(doctor, name, AT_WORKER_COLLECTOR);
}

void
at_doctor_worker(const AtDoctor *doctor, const char *name, AtWorkerKind kind)
{
	AtWorkerStatus status;
	char *template;
	bool known;

	known = at_worker_status(kind, &status);
	if (status.failures > 0)
		at_doctor_report(doctor, name, PROBLEM, "See the server log for the whole error.",
						 "Failed %d times in a row: %s", status.failures, status.message);
	else if (status.pid != 0 && status.pass_ended_at == 0)
		at_doctor_report(doctor, name, OK, NULL, "Process %d is in its first pass.", status.pid);
	else if (status.pid != 0)
		at_doctor_report(doctor, name, OK, NULL, "Process %d ended its last pass at %s.",
						 status.pid, timestamptz_to_str(status.pass_ended_at));
	else if (RecoveryInProgress())
		at_doctor_report(doctor, name, OK, NULL,
						 "The server is in recovery; the %s starts when it ends.", name);
	else if (!at_shmem_ready())
		at_doctor_report(doctor, name, PROBLEM, AT_PRELOAD_REMEDY, "The %s does not run.", name);
	else if ((template = template_name()) != NULL)
		at_doctor_report(
			doctor, name, PROBLEM,
			psprintf("ALTER DATABASE %s IS_TEMPLATE false;", quote_identifier(template)),
			"The %s does not run: workers leave template databases alone.", name);
	else if (known)
		at_doctor_report(doctor, name, WARN, "Ask again in a moment; else see the server log.",
						 "The %s is being started.", name);
	else
		at_doctor_report(doctor, name, PROBLEM,
						 "See the launcher, the worker slots and the server log.",
						 "The %s does not run.", name);
}

/* The name of this database if it is marked as template, else NULL. */
static char *
template_name(void)
{
	HeapTuple tuple = SearchSysCache1(DATABASEOID, ObjectIdGetDatum(MyDatabaseId));
	Form_pg_database row;
	char *name = NULL;

	if (!HeapTupleIsValid(tuple))
		return NULL;
	row = (Form_pg_database) GETSTRUCT(tuple);
	if (row->datistemplate)
		name = pstrdup(NameStr(row->datname));
	ReleaseSysCache(tuple);
	return name;
}

static void
check_worker_slots(const AtDoctor *doctor, const char *name)
{
	static const char remedy[] = "Raise max_worker_processes and restart the server.";
	TimestampTz starved = at_shmem_ready() ? at_launcher_starved() : 0;
	int used;
	int watcher = at_shmem_ready() ? 1 : 0; /* has no entry in the statistics */

	(void) at_doctor_query(
		"SELECT count(*) FROM pg_catalog.pg_stat_activity WHERE backend_type NOT IN "
		"('archiver', 'autovacuum launcher', 'autovacuum worker', 'background writer', "
		"'checkpointer', 'client backend', 'logger', 'slotsync worker', "
		"'standalone backend', 'startup', 'walreceiver', 'walsender', 'walsummarizer', "
		"'walwriter')");
	used = pg_strtoint32(at_doctor_field(0, 1)) + watcher;
	if (starved != 0)
		at_doctor_report(doctor, name, PROBLEM, remedy,
						 "Workers cannot start since %s: no free slot.",
						 timestamptz_to_str(starved));
	else
		at_doctor_report(doctor, name, used < max_worker_processes ? OK : WARN,
						 used < max_worker_processes ? NULL : remedy,
						 "%d of %d background worker slots are in use.", used,
						 max_worker_processes);
}

static void
check_ledger(const AtDoctor *doctor, const char *name)
{
	if (at_ledger_exists())
		at_doctor_report(doctor, name, OK, NULL, "The ledger exists.");
	else
		at_doctor_report(doctor, name, WARN, "SELECT audit.init();",
						 "This database has no ledger yet; the first audit.enable() creates it.");
}

static void
check_incarnation(const AtDoctor *doctor, const char *name)
{
	if (at_incarnation_begun())
		at_doctor_report(doctor, name, OK, NULL,
						 "The ledger was begun in this server and database.");
	else
		at_doctor_report(
			doctor, name, PROBLEM, NULL,
			"The ledger is a copy from another server or database, and was not begun here.");
}

static void
check_guard(const AtDoctor *doctor, const char *name)
{
	if (!at_guard_is_lifted())
		at_doctor_report(doctor, name, OK, NULL, "The guard is on.");
	else
		at_doctor_report(
			doctor, name, PROBLEM,
			"Set audit_trail.guard = on in the configuration file and reload it.",
			"The guard is lifted: superusers and owners can drop and alter what belongs to the "
			"audit trail.");
}

/* This month's and the next month's partition of both tables. */
static void
check_partitions(const AtDoctor *doctor, const char *name)
{
	uint64 missing = at_doctor_query(
		"SELECT pg_catalog.format('audit.%s_1_%s', t.name, "
		"pg_catalog.to_char(pg_catalog.timezone('UTC', pg_catalog.now()) + m.ahead, "
		"'YYYYMM')) AS leaf "
		"FROM (VALUES ('event'), ('transaction')) AS t(name), "
		"(VALUES ('0'::pg_catalog.interval), ('1 month')) AS m(ahead) "
		"WHERE pg_catalog.to_regclass(pg_catalog.format('audit.%s_1_%s', t.name, "
		"pg_catalog.to_char(pg_catalog.timezone('UTC', pg_catalog.now()) + m.ahead, "
		"'YYYYMM'))) IS NULL ORDER BY m.ahead, t.name");

	if (missing == 0)
		at_doctor_report(doctor, name, OK, NULL,
						 "The partitions of this and the next month are there.");
	for (uint64 i = 0; i < missing; i++)
		at_doctor_report(doctor, name, WARN, "SELECT audit.create_partitions();",
						 "Partition %s is missing; its rows go to the default partition.",
						 at_doctor_field(i, 1));
}

static void
check_default_partitions(const AtDoctor *doctor, const char *name)
{
	uint64 filled = at_doctor_query(
		"SELECT t.name FROM (VALUES "
		"('audit.event_1_default', EXISTS (SELECT FROM ONLY audit.event_1_default)), "
		"('audit.event_default', EXISTS (SELECT FROM ONLY audit.event_default)), "
		"('audit.transaction_1_default', EXISTS (SELECT FROM ONLY audit.transaction_1_default)), "
		"('audit.transaction_default', EXISTS (SELECT FROM ONLY audit.transaction_default))) "
		"AS t(name, filled) WHERE t.filled");

	if (filled == 0)
		at_doctor_report(doctor, name, OK, NULL, "The default partitions are empty.");
	for (uint64 i = 0; i < filled; i++)
		at_doctor_report(
			doctor, name, WARN, "SELECT audit.create_partitions();",
			"%s holds rows: a month had no partition in time. They are safe and stay there.",
			at_doctor_field(i, 1));
}

/*
 * Every enabled policy, on its table and all that is below it: is there a
 * trigger that fires always and unconditionally for each operation?
 */
static void
check_capture(const AtDoctor *doctor, const char *name)
{
	static const char sql[] =
		"WITH RECURSIVE tree(policy, relation) AS ("
		" SELECT p.target, p.target::pg_catalog.oid FROM audit.policy AS p WHERE p.enabled"
		" UNION SELECT t.policy, i.inhrelid FROM tree AS t"
		" JOIN pg_catalog.pg_inherits AS i ON i.inhparent = t.relation"
		" JOIN pg_catalog.pg_class AS c ON c.oid = i.inhrelid AND c.relpersistence <> 't'"
		" WHERE NOT EXISTS (SELECT FROM audit.policy AS q WHERE q.enabled AND q.target = "
		"i.inhrelid)"
		"), wanted AS ("
		" SELECT t.policy, t.relation, k.operation, k.type"
		" FROM tree AS t JOIN audit.policy AS p ON p.target = t.policy"
		" JOIN (VALUES ('insert', 5), ('delete', 9), ('update', 17), ('truncate', 32),"
		" ('truncate', 34)) AS k(operation, type) ON k.operation = ANY (p.operations)"
		"), missing AS ("
		" SELECT w.policy, w.relation, pg_catalog.string_agg(DISTINCT w.operation, ', ' "
		"ORDER BY w.operation) AS operations"
		" FROM wanted AS w WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_trigger AS g"
		" JOIN pg_catalog.pg_class AS c ON c.oid = g.tgrelid AND c.relhastriggers"
		" WHERE g.tgrelid = w.relation AND g.tgenabled = 'A'"
		" AND pg_catalog.pg_get_triggerdef(g.oid) LIKE CASE w.operation"
		" WHEN 'insert' THEN '% WHEN (audit.capture!_insert(new.tableoid, new.ctid)) EXECUTE %'"
		" WHEN 'update' THEN '% WHEN (audit.capture!_update(old.tableoid, old.ctid, new.ctid))"
		" EXECUTE %' WHEN 'delete' THEN '% WHEN (audit.capture!_delete(old.tableoid, old.ctid))"
		" EXECUTE %' ELSE '% FOR EACH STATEMENT EXECUTE %' END ESCAPE '!'"
		" AND g.tgfoid = 'audit.capture()'::pg_catalog.regprocedure"
		" AND pg_catalog.cardinality(g.tgattr::pg_catalog.int2[]) = 0"
		" AND g.tgtype = w.type)"
		" GROUP BY w.policy, w.relation"
		") SELECT m.relation::pg_catalog.regclass, m.operations, pg_catalog.format("
		"'SELECT audit.disable(%1$L, ''triggers were missing''); SELECT audit.enable(%1$L, "
		"context => %2$L, resource_type => %3$L, operations => %4$L, ignore => %5$L, "
		"key => %6$L, \"only\" => %7$L, mask => %8$L, hash => %9$L, personal => %10$L, "
		"subject => %11$L, \"when\" => %12$L, truncate => %13$L, query => %14$L);', p.target, "
		"p.context, p.resource_type, p.operations, p.ignored_columns, p.key_columns, "
		"p.only_columns, p.masked_columns, p.hashed_columns, p.personal_columns, "
		"p.subject_column, p.recorded_when, p.truncate, p.query) FROM missing AS m "
		"JOIN audit.policy AS p ON p.target = m.policy"
		" ORDER BY m.relation";
	uint64 missing;
	bool none;

	/* our own configuration always is */
	none = at_doctor_query("SELECT FROM audit.policy AS p JOIN pg_catalog.pg_class AS c ON c.oid = "
						   "p.target WHERE p.enabled AND c.relnamespace <> "
						   "'audit'::pg_catalog.regnamespace LIMIT 1") == 0;
	if (none)
		at_doctor_report(doctor, name, WARN, "SELECT audit.enable('your_table');",
						 "No table is audited.");
	missing = at_doctor_query(sql);
	if (missing == 0 && !none)
		at_doctor_report(doctor, name, OK, NULL, "All audited tables have their triggers.");
	for (uint64 i = 0; i < missing; i++)
		at_doctor_report(doctor, name, PROBLEM, at_doctor_field(i, 3), "Not captured on %s: %s.",
						 at_doctor_field(i, 1), at_doctor_field(i, 2));
}

/* Changes of tables that need the key are refused without it. An error names file and cause. */
static void
check_hash_key(const AtDoctor *doctor, const char *name)
{
	if (at_doctor_query("SELECT FROM audit.policy WHERE enabled AND "
						"(hashed_columns <> '{}' OR personal_columns <> '{}')") == 0)
		at_doctor_report(doctor, name, OK, NULL, "No table has hashed or personal columns.");
	else if (at_guc_hash_key_file[0] == '\0' && at_guc_hash_key_command[0] == '\0')
		at_doctor_report(
			doctor, name, PROBLEM,
			"Set audit_trail.hash_key_file in the configuration file and reload it.",
			"No file is named, so tables with hashed or personal columns cannot be changed.");
	else
	{
		(void) at_secret_get();
		at_doctor_report(doctor, name, OK, NULL,
						 "The key of hashed and personal columns can be read.");
	}
}

/* Can the keys of persons be used, and are those destroyed that are to be? */
static void
check_subject_keys(const AtDoctor *doctor, const char *name)
{
	if (at_doctor_query("SELECT FROM audit.erasure WHERE erased_at IS NULL AND ordered_at < "
						"pg_catalog.now() - interval '1 hour'") > 0)
		at_doctor_report(
			doctor, name, PROBLEM, "SELECT audit.keeper_now();",
			"A person was to be erased over an hour ago, and their key is still there.");
	else if (!at_key_store_configured())
		at_doctor_report(
			doctor, name, OK, NULL,
			"Personal values are recorded as commitments only, which nobody can read.");
	else
	{
		at_key_store_check();
		at_doctor_report(doctor, name, OK, NULL, "The directory of keys of persons can be used.");
	}
}

/* Are there tables that the rules of audit.automatic want, and nobody audits? */
static void
check_automatic(const AtDoctor *doctor, const char *name)
{
	uint64 missing = at_doctor_query(
		"SELECT m.target, m.unlogged, pg_catalog.format(CASE WHEN m.unlogged THEN "
		"'ALTER TABLE %1$s SET LOGGED;' ELSE 'SELECT audit.enable(%1$L, context => %2$L, "
		"operations => %3$L, ignore => %4$L, mask => %5$L, hash => %6$L, truncate => %7$L, "
		"query => %8$L, reads => %9$L, read_columns => %10$L, baseline => true);' END, m.target, "
		"m.context, m.operations, m.ignored_columns, m.masked_columns, m.hashed_columns, "
		"m.truncate, m.query, m.reads, m.read_columns) FROM "
		"audit.automatic_missing AS m ORDER BY m.target::text");

	if (missing == 0)
		at_doctor_report(doctor, name, OK, NULL,
						 "All tables that audit.automatic wants are audited.");
	for (uint64 i = 0; i < missing; i++)
		at_doctor_report(
			doctor, name, WARN, at_doctor_field(i, 3),
			strcmp(at_doctor_field(i, 2), "t") == 0
				? "%s is unlogged and so not audited."
				: "%s is not audited: it came while the library was not loaded, or it could "
				  "not be audited.",
			at_doctor_field(i, 1));
}

/* Roles that exclude each other, and the row security of the ledger. */
static void
check_access(const AtDoctor *doctor, const char *name)
{
	uint64 found = at_doctor_query("SELECT f.detail, f.remedy FROM audit.access_findings() AS f");

	if (found == 0)
		at_doctor_report(doctor, name, OK, NULL,
						 "Nobody has roles that exclude each other, and row security is in force.");
	for (uint64 i = 0; i < found; i++)
		at_doctor_report(doctor, name, PROBLEM, at_doctor_field(i, 2), "%s", at_doctor_field(i, 1));
}

uint64
at_doctor_query(const char *sql)
{
	if (SPI_execute(sql, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "unexpected result of: %s", sql);
	return SPI_processed;
}

char *
at_doctor_field(uint64 row, int column)
{
	return SPI_getvalue(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column);
}

void
at_doctor_report(const AtDoctor *doctor, const char *name, AtHealth health, const char *remedy,
				 const char *format, ...)
{
	char detail[1024];
	va_list args;
	Datum values[4];
	bool nulls[4] = {false, false, false, remedy == NULL};

	va_start(args, format);
	vsnprintf(detail, sizeof(detail), format, args);
	va_end(args);

	values[0] = CStringGetTextDatum(name);
	values[1] = CStringGetTextDatum(health_names[health]);
	values[2] = CStringGetTextDatum(detail);
	values[3] = remedy ? CStringGetTextDatum(remedy) : (Datum) 0;
	tuplestore_putvalues(doctor->result->setResult, doctor->result->setDesc, values, nulls);
}
