/*-------------------------------------------------------------------------
 * doctor.c
 *		audit.doctor(): is everything in place?
 *
 * Each check is a row of one table, with the reason why it matters, and a
 * function that reports one or more rows. It runs in a subtransaction of its
 * own: where things are broken, a check that fails is itself a finding, and
 * the others still run.
 *
 * Checks of the ledger go through SPI and name its tables in text only, so
 * they have nothing to look at while there is no ledger, and say that.
 *
 * The function is SECURITY DEFINER, so that whoever may call it needs no
 * other privilege; it says nothing of what was recorded.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"

#include "base/catalog.h"
#include "base/guc.h"
#include "base/key_store.h"
#include "base/lifted.h"
#include "base/worker.h"
#include "guard/doctor.h"
#include "ledger/reader.h"
#include "ledger/secret.h"

static const char *const health_names[] = {"ok", "warning", "problem"};

typedef struct AtCheck
{
	const char *name;
	const char *why; /* it matters, to a person who has not read the manual */
	void (*run)(const AtDoctor *doctor, const char *name);
	bool needs_ledger;
} AtCheck;

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
	{"library",
	 "Only if it is loaded when the server starts does audit_trail see every session. Without "
	 "that, row changes are still recorded, but nothing protects the records against tampering, "
	 "alerts are not sent, and refused commands, reads and logins go unrecorded.",
	 at_doctor_library, false},
	{"unseen time",
	 "While audit_trail is not loaded, tables and even the audit records can be changed without a "
	 "trace. Somebody has to be able to explain each such time.",
	 at_doctor_unseen_time, true},
	{"launcher",
	 "The launcher starts the background processes of each database and brings them back when they "
	 "end. Without it nobody protects new records against tampering, and nobody sends alerts.",
	 at_doctor_launcher, false},
	{"sealer",
	 "The sealer enters new records into a log of hashes, in which any later change shows. While "
	 "it does not run, new records can be altered without anybody noticing.",
	 at_doctor_sealer, false},
	{"notifier",
	 "The notifier tells listeners of alerts. While it does not run, alerts are kept but nobody "
	 "hears of them.",
	 at_doctor_notifier, false},
	{"collector",
	 "The collector stores what a session cannot store itself: refused commands, reads and logins. "
	 "While it does not run, these wait in a memory of limited size.",
	 at_doctor_collector, false},
	{"alerts",
	 "An alert that could not be delivered, or that nobody sees to, may as well not have been "
	 "raised: what it warns of goes on.",
	 at_doctor_alerts, true},
	{"notification queue",
	 "Alerts reach those who listen through the server's queue of notifications. While it has no "
	 "room, alerts can be read, but nobody hears of them.",
	 at_doctor_notification_queue, true},
	{"worker slots",
	 "Each database with an audit trail needs some background processes. If the server has no slot "
	 "free for them, records are not protected, alerts not sent and old records not looked after.",
	 at_doctor_worker_slots, false},
	{"ledger",
	 "The ledger is the set of tables that audit records are stored in. Before it exists, nothing "
	 "is recorded in this database.",
	 check_ledger, false},
	{"incarnation",
	 "Into a restored or copied ledger that has not recorded anything itself yet, rows can be "
	 "inserted from outside, since a restore has to do so. This ends with the first record of its "
	 "own.",
	 check_incarnation, true},
	{"guard",
	 "The guard refuses commands that would switch off recording or alter what was recorded, also "
	 "to table owners and superusers. While it is off, nothing stands in their way.",
	 check_guard, false},
	{"partitions",
	 "Records are stored by month. Those of a month that has no partition of its own end up in a "
	 "shared one, from which they cannot be archived or removed as a month.",
	 check_partitions, true},
	{"default partitions",
	 "Records in a default partition are safe, but they cannot be archived or removed by the "
	 "month, and each query has to search them.",
	 check_default_partitions, true},
	{"capture",
	 "Changes are recorded by triggers. Where one of them is missing, disabled or replaced, the "
	 "table changes without a record.",
	 check_capture, false},
	{"hash key",
	 "Columns that are to be stored hashed, or as personal data, need a secret key. While it "
	 "cannot be read, changes of tables with such columns are refused.",
	 check_hash_key, true},
	{"subject keys",
	 "Personal data is encrypted with a key for each person, kept outside of the database. While "
	 "these keys cannot be used, changes of such data are refused; and as long as a key stays that "
	 "was to be destroyed, an erased person can still be read.",
	 check_subject_keys, true},
	{"automatic",
	 "Somebody has ordered that all tables of a schema be audited, new ones too. A table that this "
	 "missed changes without a record.",
	 check_automatic, true},
	{"unaudited tables",
	 "Where some tables of a schema are audited, the others may have been forgotten. A table that "
	 "is not audited changes without a record.",
	 at_doctor_unaudited, true},
	{"verification",
	 "Verification computes all hashes anew. It is how changes are found that were made behind the "
	 "back of the database, in its files for instance; so it has to take place, and somebody has "
	 "to act on what it finds.",
	 at_doctor_verification, true},
	{"volume",
	 "Reports on how much was recorded are made from the sums in audit.volume. Where they differ "
	 "from the log, reports are wrong, and somebody was able to write where nobody should be.",
	 at_doctor_volume, true},
	{"losses",
	 "Refused commands, reads and logins pass through a memory of limited size. If it was full, "
	 "some of them are missing among the records.",
	 at_doctor_losses, true},
	{"clock",
	 "Records carry the time of the server's clock. If it was set back, things seem to have "
	 "happened earlier than they did, and somebody may have wanted that.",
	 at_doctor_clock, true},
	{"disk",
	 "A change whose record cannot be stored is refused. So a full disk stops work on all audited "
	 "tables, and nothing new is protected or signed.",
	 at_doctor_disk, false},
	{"replication role",
	 "With session_replication_role set to replica or local, foreign keys and ordinary triggers do "
	 "not work. Changes are still recorded, but they can break the rules that the application "
	 "relies on.",
	 at_doctor_replication_role, false},
	{"settings",
	 "Some settings make it easier to alter data without being noticed, or to lose it in a crash.",
	 at_doctor_settings, false},
	{"signing key",
	 "The signature proves that the log was not rewritten. Without it, anybody who can write the "
	 "server's files can replace the whole log by another one that looks as good.",
	 at_doctor_signing_key, true},
	{"checkpoints",
	 "A checkpoint is a signed statement of all that the log holds. If the log does not continue "
	 "the last one, it was set back or exchanged, and signing stops until a person has looked into "
	 "it.",
	 at_doctor_checkpoints, true},
	{"anchor",
	 "A signed checkpoint that is kept by somebody else convicts even an administrator who "
	 "controls this whole machine. What came after the newest one kept elsewhere could still be "
	 "rewritten.",
	 at_doctor_anchor, true},
	{"sealing",
	 "Only records that are sealed, which means entered into the log of hashes, cannot be altered "
	 "unnoticed. The longer they wait for that, the longer they are unprotected.",
	 at_doctor_sealing, true},
	{"access",
	 "Power over the audit trail is divided, so that nobody can both act and hide it. A person "
	 "with two roles that exclude each other, or access rules that are not in force, undo that.",
	 check_access, true},
	{"keeper",
	 "The keeper makes new partitions in time, archives old records and removes those whose time "
	 "is over. While one of its steps fails, that is not done.",
	 at_doctor_keeper, true},
	{"retention",
	 "How long records have to be kept, and when they must be gone, is often a matter of law. "
	 "Records whose time is over, and removals that were decided but not done, need a person to "
	 "act.",
	 at_doctor_retention, true},
	{"holds",
	 "A legal hold keeps records from being removed. When it ends, those whose time is over may "
	 "go; so decide before then whether it has to go on.",
	 at_doctor_holds, true},
	{"archive",
	 "Old records were moved from the database into these files. Without a file, what is in it can "
	 "be neither read nor verified.",
	 at_doctor_archive, true},
};

static void run_check(const AtDoctor *doctor, const AtCheck *check);

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
		{
			doctor.why = checks[i].why;
			if (!checks[i].needs_ledger || at_ledger_exists())
				run_check(&doctor, &checks[i]);
			else
				at_doctor_report(&doctor, checks[i].name, OK, NULL,
								 "There is nothing to look at before there is a ledger.");
		}
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
		at_doctor_report(doctor, check->name, PROBLEM,
						 edata->hint ? edata->hint : "Mend what the message names, and look again.",
						 "The check failed: %s%s%s", edata->message, edata->detail ? ". " : "",
						 edata->detail ? edata->detail : "");
	}
	PG_END_TRY();
	MemoryContextSwitchTo(doctor->context);
	CurrentResourceOwner = owner;
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
			doctor, name, PROBLEM,
			"SELECT audit.record_baseline('audit.policy'); SELECT audit.seal_now();",
			"The ledger was restored or copied from another server or database, and has recorded "
			"nothing here yet.");
}

static void
check_guard(const AtDoctor *doctor, const char *name)
{
	if (!at_guard_is_lifted())
		at_doctor_report(doctor, name, OK, NULL, "The guard is on.");
	else
		at_doctor_report(
			doctor, name, PROBLEM, AT_DOCTOR_SET("audit_trail.guard = on"),
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
	uint64 filled;

	(void) at_doctor_query(
		"SELECT pg_catalog.string_agg(pg_catalog.format('SELECT %L WHERE EXISTS (SELECT FROM ONLY "
		"audit.%I)', 'audit.' || c.relname, c.relname), ' UNION ALL ' ORDER BY c.relname) "
		"FROM pg_catalog.pg_class AS c WHERE c.relnamespace = 'audit'::pg_catalog.regnamespace "
		"AND c.relkind = 'r' AND c.relname ~ '^(event|transaction)(_[0-9]+)?_default$'");
	filled = at_doctor_query(pstrdup(at_doctor_field(0, 1)));
	if (filled == 0)
		at_doctor_report(doctor, name, OK, NULL, "The default partitions are empty.");
	for (uint64 i = 0; i < filled; i++)
		at_doctor_report(doctor, name, WARN,
						 "SELECT audit.keeper_now(); -- moves those of months that are over",
						 "%s holds rows: a month had no partition in time. They stay until the "
						 "last such month is "
						 "over.",
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
			doctor, name, PROBLEM, AT_DOCTOR_SET("audit_trail.hash_key_file"),
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
	StringInfoData detail;
	Datum values[5];
	bool nulls[5] = {false, false, false, false, remedy == NULL};
	int save_errno = errno; /* for %m */
	int needed;

	initStringInfo(&detail);
	do
	{
		va_list args;

		errno = save_errno;
		va_start(args, format);
		needed = appendStringInfoVA(&detail, format, args);
		va_end(args);
		if (needed > 0)
			enlargeStringInfo(&detail, needed);
	} while (needed > 0);

	values[0] = CStringGetTextDatum(name);
	values[1] = CStringGetTextDatum(health_names[health]);
	values[2] = CStringGetTextDatum(detail.data);
	values[3] = CStringGetTextDatum(doctor->why);
	values[4] = remedy ? CStringGetTextDatum(remedy) : (Datum) 0;
	tuplestore_putvalues(doctor->result->setResult, doctor->result->setDesc, values, nulls);
}
