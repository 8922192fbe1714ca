/*-------------------------------------------------------------------------
 * doctor_state.c
 *		audit.doctor(): what the trail says of itself, and what is around it:
 *		verification, sums, losses, the clock, disks, settings, tables that
 *		nobody audits.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <sys/statvfs.h>

#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "base/guc.h"
#include "base/ring.h"
#include "guard/doctor.h"

/* News for so long. */
#define RECENT "'30 days'::pg_catalog.interval"

/* Free space on a disk is little below both limits of a line. */
#define WARNING_PERCENT 10
#define WARNING_BYTES   (UINT64CONST(10) << 30)
#define PROBLEM_PERCENT 3
#define PROBLEM_BYTES   (UINT64CONST(2) << 30)

static void check_disk(const AtDoctor *doctor, const char *name, const char *path);
static bool is_little(const struct statvfs *disk, int percent, uint64 bytes);

/* The last result that is sealed: of what, and how old? */
void
at_doctor_verification(const AtDoctor *doctor, const char *name)
{
	char *sql =
		psprintf("SELECT i.failures, i.verified_at, i.verified_at < l.due, e.sealed_at < l.due "
				 "FROM audit.integrity() AS i, (SELECT pg_catalog.clock_timestamp() - "
				 "pg_catalog.make_interval(secs => %d)) AS l(due), "
				 "(SELECT sealed_at FROM audit.log_entry WHERE log_index = 0) AS e",
				 at_guc_verify_interval > 0 ? 2 * at_guc_verify_interval + 600 : 7 * 24 * 60 * 60);
	char *failures;
	char *when;

	if (at_doctor_query(sql) == 0)
	{
		at_doctor_report(doctor, name, OK, NULL, "Nothing is sealed that could be verified.");
		return;
	}
	failures = at_doctor_field(0, 1);
	when = at_doctor_field(0, 2);
	if (strcmp(failures, "0") != 0)
		at_doctor_report(
			doctor, name, PROBLEM,
			"Do what SELECT * FROM audit.verify() advises of each finding. When it has "
			"none: SELECT * FROM audit.verify_now();",
			"The last verification, at %s, found %s failures.", when, failures);
	else if (when == NULL)
		at_doctor_report(
			doctor, name, strcmp(at_doctor_field(0, 4), "t") == 0 ? WARN : OK,
			strcmp(at_doctor_field(0, 4), "t") == 0 ? "SELECT * FROM audit.verify_now();" : NULL,
			"Nothing was verified yet.");
	else if (strcmp(at_doctor_field(0, 3), "t") == 0)
		at_doctor_report(doctor, name, WARN, "SELECT * FROM audit.verify_now();",
						 "The last verification is old: it was at %s and found nothing.", when);
	else
		at_doctor_report(doctor, name, OK, NULL,
						 "The last verification was at %s and found nothing.", when);
}

/* audit.volume is an ordinary table: does it have as many events as the log? */
void
at_doctor_volume(const AtDoctor *doctor, const char *name)
{
	(void) at_doctor_query(
		"SELECT v.events, l.events, v.events <> l.events FROM "
		"(SELECT coalesce(pg_catalog.sum(events), 0) FROM audit.volume) AS v(events), "
		"(SELECT coalesce(pg_catalog.sum(event_count), 0) FROM audit.log_entry) AS l(events)");
	if (strcmp(at_doctor_field(0, 3), "t") == 0)
		at_doctor_report(doctor, name, PROBLEM, "SELECT audit.rebuild_volume();",
						 "audit.volume counts %s events, the log has sealed %s: somebody has "
						 "changed the sums.",
						 at_doctor_field(0, 1), at_doctor_field(0, 2));
	else
		at_doctor_report(doctor, name, OK, NULL, "audit.volume counts all %s sealed events.",
						 at_doctor_field(0, 2));
}

/* Records of refusals and reads that found no room in the ring. */
void
at_doctor_losses(const AtDoctor *doctor, const char *name)
{
	static const char remedy[] =
		"Raise audit_trail.ring_size in the configuration file and restart the server. When it "
		"happened: SELECT * FROM audit.events WHERE event_type = 'audit.lost';";
	AtRingLoss untold = at_ring_ready() ? at_ring_loss() : (AtRingLoss){0};

	(void) at_doctor_query("SELECT coalesce(pg_catalog.sum(events), 0) FROM audit.volume "
						   "WHERE event_type = 'audit.lost' AND hour > pg_catalog.now() - " RECENT);
	if (untold.dropped > 0)
		at_doctor_report(doctor, name, PROBLEM, remedy,
						 "There was no room for " UINT64_FORMAT
						 " records of refused commands or reads, which the collector has not "
						 "told yet.",
						 untold.dropped);
	else if (strcmp(at_doctor_field(0, 1), "0") != 0)
		at_doctor_report(doctor, name, WARN, remedy,
						 "In the last 30 days there was no room for some records of refused "
						 "commands or reads: %s events tell how many.",
						 at_doctor_field(0, 1));
	else
		at_doctor_report(doctor, name, OK, NULL,
						 "No record of a refused command or a read was lost in the last 30 days.");
}

/* A clock that was set back is behind a time that the log has already. */
void
at_doctor_clock(const AtDoctor *doctor, const char *name)
{
	/* what is sealed since has the clock's own time: so the newest of many, by that time */
	uint64 behind = at_doctor_query(
		"SELECT pg_catalog.ceil(extract(epoch FROM pg_catalog.max(e.sealed_at) - "
		"pg_catalog.clock_timestamp())) FROM (SELECT l.sealed_at FROM audit.log_entry AS l "
		"ORDER BY l.log_index DESC LIMIT 100000) AS e HAVING pg_catalog.max(e.sealed_at) > "
		"pg_catalog.clock_timestamp() + '1 second'::pg_catalog.interval");

	if (behind == 0)
		at_doctor_report(doctor, name, OK, NULL,
						 "The clock is not behind any time that the log has.");
	else
		at_doctor_report(doctor, name, PROBLEM,
						 "Find out who set the clock, and have it follow a time service. Events of "
						 "that time are ordered by it; the log has its own order.",
						 "The clock is %s seconds behind a time that the log has already.",
						 at_doctor_field(0, 1));
}

void
at_doctor_disk(const AtDoctor *doctor, const char *name)
{
	char *checkpoints = pstrdup(at_guc_checkpoint_file);

	check_disk(doctor, name, DataDir);
	check_disk(doctor, name, "pg_wal");
	if (checkpoints[0] != '\0')
	{
		get_parent_directory(checkpoints);
		check_disk(doctor, name, checkpoints);
	}
}

static void
check_disk(const AtDoctor *doctor, const char *name, const char *path)
{
	struct statvfs disk;
	AtHealth health = OK;
	uint64 megabytes;

	if (statvfs(path, &disk) != 0)
	{
		at_doctor_report(doctor, name, WARN,
						 "Make the folder, or have the setting name another one.",
						 "The free space of %s is not known: %m.", path);
		return;
	}
	if (is_little(&disk, PROBLEM_PERCENT, PROBLEM_BYTES))
		health = PROBLEM;
	else if (is_little(&disk, WARNING_PERCENT, WARNING_BYTES))
		health = WARN;
	megabytes = (uint64) disk.f_bavail * disk.f_frsize >> 20;
	at_doctor_report(doctor, name, health,
					 health == OK
						 ? NULL
						 : "Make room there: without it changes of audited tables are refused, "
						   "and nothing is sealed or signed.",
					 "%s has " UINT64_FORMAT " MB free.", path, megabytes);
}

static bool
is_little(const struct statvfs *disk, int percent, uint64 bytes)
{
	return (uint64) disk->f_bavail * 100 < (uint64) disk->f_blocks * percent &&
		   (uint64) disk->f_bavail * disk->f_frsize < bytes;
}

/*
 * Our triggers fire always, whatever the replication role; those of foreign
 * keys and of applications do not.
 */
void
at_doctor_replication_role(const AtDoctor *doctor, const char *name)
{
	uint64 found = at_doctor_query(
		"SELECT f.who, f.remedy FROM ("
		"SELECT CASE WHEN s.setrole = 0 THEN 'the database' ELSE "
		"pg_catalog.format('role %I', r.rolname) END, pg_catalog.format('ALTER %s RESET "
		"session_replication_role;', CASE WHEN s.setrole = 0 THEN pg_catalog.format("
		"'DATABASE %I', d.datname) WHEN s.setdatabase = 0 THEN pg_catalog.format('ROLE %I', "
		"r.rolname) ELSE pg_catalog.format('ROLE %I IN DATABASE %I', r.rolname, d.datname) END) "
		"FROM pg_catalog.pg_db_role_setting AS s "
		"JOIN pg_catalog.pg_database AS d ON d.datname = pg_catalog.current_database() "
		"LEFT JOIN pg_catalog.pg_roles AS r ON r.oid = s.setrole "
		"WHERE s.setdatabase IN (0, d.oid) AND EXISTS (SELECT FROM pg_catalog.unnest(s.setconfig) "
		"AS c(line) WHERE c.line LIKE 'session_replication_role=%' "
		"AND c.line <> 'session_replication_role=origin') "
		"UNION ALL SELECT pg_catalog.format('function %s', p.oid::pg_catalog.regprocedure), "
		"pg_catalog.format('ALTER ROUTINE %s RESET session_replication_role;', "
		"p.oid::pg_catalog.regprocedure) FROM pg_catalog.pg_proc AS p "
		"WHERE EXISTS (SELECT FROM pg_catalog.unnest(p.proconfig) AS c(line) "
		"WHERE c.line LIKE 'session_replication_role=%' "
		"AND c.line <> 'session_replication_role=origin') "
		"UNION ALL SELECT pg_catalog.format('%s, who may set it,', coalesce(pg_catalog.format("
		"'role %I', r.rolname), 'everybody')), pg_catalog.format('REVOKE SET ON PARAMETER "
		"session_replication_role FROM %s;', coalesce(pg_catalog.quote_ident(r.rolname), "
		"'PUBLIC')) "
		"FROM pg_catalog.pg_parameter_acl AS a, pg_catalog.aclexplode(a.paracl) AS x "
		"LEFT JOIN pg_catalog.pg_roles AS r ON r.oid = x.grantee "
		"WHERE a.parname = 'session_replication_role' AND x.privilege_type = 'SET' "
		"AND (r.rolname IS NULL OR NOT r.rolsuper)"
		") AS f(who, remedy) ORDER BY f.who, f.remedy");

	if (found == 0)
		at_doctor_report(doctor, name, OK, NULL,
						 "Nobody but superusers sets session_replication_role.");
	for (uint64 i = 0; i < found; i++)
		at_doctor_report(doctor, name, WARN, at_doctor_field(i, 2),
						 "%s has session_replication_role: audit triggers fire all the same, "
						 "foreign keys and other triggers do not.",
						 at_doctor_field(i, 1));
}

/* Settings that weaken what the trail is worth, though nothing is broken. */
void
at_doctor_settings(const AtDoctor *doctor, const char *name)
{
	uint64 found = at_doctor_query(
		"SELECT s.name, s.setting, w.why, CASE WHEN s.name LIKE 'audit!_trail.%' ESCAPE '!' THEN "
		"pg_catalog.format('Set %s = %s in the configuration file, then: SELECT "
		"pg_reload_conf();', s.name, w.wanted) WHEN s.source = 'session' THEN "
		"pg_catalog.format('RESET %I;', s.name) ELSE "
		"pg_catalog.format('ALTER SYSTEM SET %I = %s; SELECT pg_reload_conf();%s', s.name, "
		"w.wanted, CASE WHEN s.context = 'postmaster' THEN ' -- then restart the server' ELSE '' "
		"END) "
		"END FROM (VALUES "
		"('allow_system_table_mods', 'off', 'the catalogs can be changed by hand'), "
		"('audit_trail.logical_apply', 'record', 'what logical replication writes is only "
		"counted'), "
		"('audit_trail.record_reads', 'on', 'who reads the trail is not recorded'), "
		"('audit_trail.verify_interval', '1h', 'nothing is verified in the background'), "
		"('fsync', 'on', 'a crash of the machine can lose or break what was committed'), "
		"('full_page_writes', 'on', 'a crash of the machine can break pages'), "
		"('ignore_checksum_failure', 'off', 'broken pages are read as if they were whole'), "
		"('ignore_invalid_pages', 'off', 'recovery goes on without pages that it misses'), "
		"('zero_damaged_pages', 'off', 'broken pages are emptied')) AS w(name, wanted, why) "
		"JOIN pg_catalog.pg_settings AS s ON s.name = w.name "
		"WHERE CASE s.name WHEN 'audit_trail.verify_interval' THEN s.setting = '0' "
		"ELSE s.setting <> w.wanted END ORDER BY s.name");

	if (found == 0)
		at_doctor_report(doctor, name, OK, NULL, "No setting weakens the audit trail.");
	for (uint64 i = 0; i < found; i++)
		at_doctor_report(doctor, name, WARN, at_doctor_field(i, 4), "%s is %s: %s.",
						 at_doctor_field(i, 1), at_doctor_field(i, 2), at_doctor_field(i, 3));
}

/*
 * Tables beside audited ones. Where a rule of audit.automatic is for the
 * schema, what it leaves out was left out on purpose; and so was a table whose
 * audit has ended.
 */
void
at_doctor_unaudited(const AtDoctor *doctor, const char *name)
{
	uint64 found = at_doctor_query(
		"SELECT n.nspname, pg_catalog.string_agg(c.relname, ', ' ORDER BY c.relname), "
		"pg_catalog.string_agg(pg_catalog.format('SELECT audit.enable(%L);', "
		"c.oid::pg_catalog.regclass), ' ' ORDER BY c.relname) "
		"FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace "
		"WHERE c.relkind IN ('r', 'p') AND c.relpersistence = 'p' "
		"AND n.oid IN (SELECT a.relnamespace FROM audit.policy AS p "
		"JOIN pg_catalog.pg_class AS a ON a.oid = p.target WHERE p.enabled) "
		"AND n.oid <> 'audit'::pg_catalog.regnamespace "
		"AND NOT EXISTS (SELECT FROM audit.policy AS p WHERE p.target = c.oid) "
		"AND NOT EXISTS (SELECT FROM audit.automatic AS r WHERE r.enabled AND r.schema = "
		"n.nspname) "
		"AND NOT EXISTS (SELECT FROM pg_catalog.pg_inherits AS i WHERE i.inhrelid = c.oid) "
		"AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend AS d WHERE d.deptype = 'e' "
		"AND d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid) "
		"GROUP BY n.nspname ORDER BY n.nspname");

	if (found == 0)
		at_doctor_report(doctor, name, OK, NULL,
						 "No table stands unaudited beside audited ones, but on purpose.");
	for (uint64 i = 0; i < found; i++)
		at_doctor_report(doctor, name, WARN, at_doctor_field(i, 3),
						 "Schema %s has audited tables, and these that are not: %s.",
						 at_doctor_field(i, 1), at_doctor_field(i, 2));
}
