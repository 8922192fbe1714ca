/*-------------------------------------------------------------------------
 * doctor_server.c
 *		audit.doctor(): is the library loaded, and do its workers run?
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xlog.h"
#include "catalog/pg_database.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"
#include "utils/varlena.h"

#include "base/shmem.h"
#include "base/worker.h"
#include "guard/doctor.h"

static char *preload_remedy(void);
static char *template_name(void);

void
at_doctor_library(const AtDoctor *doctor, const char *name)
{
	if (at_shmem_ready())
		at_doctor_report(doctor, name, OK, NULL, "The library was loaded when the server started.");
	else
		at_doctor_report(doctor, name, PROBLEM, preload_remedy(),
						 "The library was not loaded when the server started: it was not in "
						 "shared_preload_libraries.");
}

/* By what the configuration files say now, which may be more than the server started with. */
static char *
preload_remedy(void)
{
	StringInfoData remedy;
	List *libraries;
	ListCell *cell;

	(void) at_doctor_query(
		"SELECT coalesce((SELECT f.setting FROM pg_catalog.pg_file_settings AS f "
		"WHERE f.name = 'shared_preload_libraries' ORDER BY f.seqno DESC "
		"LIMIT 1), '')");
	if (!SplitDirectoriesString(at_doctor_field(0, 1), ',', &libraries))
		return "Add audit_trail to shared_preload_libraries and restart the server.";
	initStringInfo(&remedy);
	appendStringInfoString(&remedy, "ALTER SYSTEM SET shared_preload_libraries = ");
	foreach (cell, libraries)
	{
		if (strcmp(lfirst(cell), "audit_trail") == 0)
			return "Restart the server: shared_preload_libraries names audit_trail by now.";
		appendStringInfo(&remedy, "%s, ", quote_literal_cstr(lfirst(cell)));
	}
	appendStringInfoString(&remedy, "'audit_trail'; " AT_DOCTOR_RESTART);
	return remedy.data;
}

/* The log keeps them for ever; here they are news for a month. */
void
at_doctor_unseen_time(const AtDoctor *doctor, const char *name)
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
						 "Find out who started the server, and compare with its records each table "
						 "that matters: SELECT * FROM audit.reconcile('your_table');",
						 "Perhaps the library was not loaded from %s to %s: %s.",
						 at_doctor_field(i, 1), at_doctor_field(i, 2), at_doctor_field(i, 3));
}

void
at_doctor_launcher(const AtDoctor *doctor, const char *name)
{
	int pid = at_shmem_ready() ? at_launcher_pid() : 0;

	if (pid != 0)
		at_doctor_report(doctor, name, OK, NULL, "The launcher runs as process %d.", pid);
	else if (RecoveryInProgress())
		at_doctor_report(doctor, name, OK, NULL,
						 "The server is in recovery; workers start when it ends.");
	else if (!at_shmem_ready())
		at_doctor_report(doctor, name, PROBLEM, preload_remedy(), "The launcher does not run.");
	else
		at_doctor_report(
			doctor, name, PROBLEM,
			"See the server log for the reason; it is started again every few seconds.",
			"The launcher does not run.");
}

void
at_doctor_sealer(const AtDoctor *doctor, const char *name)
{
	at_doctor_worker(doctor, name, AT_WORKER_SEALER);
}

void
at_doctor_notifier(const AtDoctor *doctor, const char *name)
{
	at_doctor_worker(doctor, name, AT_WORKER_NOTIFIER);
}

void
at_doctor_collector(const AtDoctor *doctor, const char *name)
{
	if (!at_doctor_standby(doctor, name))
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
		at_doctor_report(doctor, name, PROBLEM, preload_remedy(), "The %s does not run.", name);
	else if ((template = template_name()) != NULL)
		at_doctor_report(
			doctor, name, PROBLEM,
			psprintf("ALTER DATABASE %s IS_TEMPLATE false;", quote_identifier(template)),
			"The %s does not run: workers leave template databases alone.", name);
	else if (known)
		at_doctor_report(
			doctor, name, WARN,
			"Look again in a moment. If it has not started by then, see the server log.",
			"The %s is being started.", name);
	else
		at_doctor_report(doctor, name, PROBLEM,
						 "See the checks launcher and worker slots, and the server log.",
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

void
at_doctor_worker_slots(const AtDoctor *doctor, const char *name)
{
	char *remedy = psprintf("ALTER SYSTEM SET max_worker_processes = %d; " AT_DOCTOR_RESTART,
							2 * Max(max_worker_processes, 8));
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
