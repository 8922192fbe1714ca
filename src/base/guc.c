/*-------------------------------------------------------------------------
 * guc.c
 *		The settings of audit_trail.
 *
 * Invariant: who may write SQL, superuser or not, sets nothing that decides what is recorded,
 * sealed, signed or guarded. All that is read from the configuration file alone has
 * GUC_DISALLOW_IN_AUTO_FILE, so ALTER SYSTEM does not write it either; the
 * guard (guard/settings.c) tells such settings by it, with at_guc_is_fixed().
 *
 * Invariant: a string setting is never NULL, because each has a boot value
 * and its check hook accepts nothing else.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/guc.h"

#include "base/compat.h"
#include "base/conninfo.h"
#include "base/guc.h"
#include "base/guc_check.h"
#include "base/lifted.h"
#include "base/window.h"

#define PREFIX "audit_trail."

char *at_guc_actor;
char *at_guc_actor_type;
int at_guc_alert_escalate_after;
char *at_guc_alert_escalate_to;
int at_guc_alert_repeat_after;
int at_guc_alert_repeats;
bool at_guc_alert_values;
char *at_guc_anchor_command;
int at_guc_anchor_heartbeat;
int at_guc_anchor_interval;
int at_guc_anchor_max_age;
int at_guc_anchor_timeout;
char *at_guc_app_session;
char *at_guc_archive_command;
char *at_guc_archive_directory;
int at_guc_archive_file_age;
bool at_guc_archive_keep_local;
char *at_guc_archive_remove_command;
int at_guc_archive_timeout;
char *at_guc_checkpoint_file;
char *at_guc_client_ip;
char *at_guc_cluster_database;
int at_guc_debug_clock;
char *at_guc_debug_points;
int at_guc_drop_audited;
char *at_guc_extra;
bool at_guc_guard;
char *at_guc_hash_key_command;
char *at_guc_hash_key_file;
int at_guc_keeper_interval;
int at_guc_keeper_pause;
int at_guc_logical_apply;
char *at_guc_maintenance;
char *at_guc_maintenance_role;
char *at_guc_maintenance_window;
int at_guc_max_value_size;
char *at_guc_primary_conninfo;
int at_guc_primary_timeout;
bool at_guc_purge_anchor;
int at_guc_read_durability;
char *at_guc_reason;
bool at_guc_record_denials;
bool at_guc_record_privileges;
bool at_guc_record_reads;
bool at_guc_record_sessions;
int at_guc_request_expiry;
char *at_guc_request_id;
int at_guc_require_context;
char *at_guc_restore_command;
int at_guc_ring_full;
int at_guc_ring_size;
int at_guc_ring_timeout;
int at_guc_seal_interval;
int at_guc_seal_lag_limit;
char *at_guc_signing_key_file;
char *at_guc_trace_parent;
int at_guc_unknown_event_type;

char *at_guc_subject_key_directory;
int at_guc_verify_interval;

uint64 at_guc_context_version = 1;
uint64 at_guc_hash_key_version = 1;

static const struct config_enum_entry drop_audited_options[] = {
	{"refuse", AT_DROP_AUDITED_REFUSE, false},
	{"record", AT_DROP_AUDITED_RECORD, false},
	{NULL, 0, false}};

static const struct config_enum_entry unknown_event_options[] = {
	{"error", AT_UNKNOWN_EVENT_ERROR, false},
	{"warning", AT_UNKNOWN_EVENT_WARNING, false},
	{NULL, 0, false}};

static const struct config_enum_entry logical_apply_options[] = {
	{"record", AT_LOGICAL_APPLY_RECORD, false},
	{"count", AT_LOGICAL_APPLY_COUNT, false},
	{NULL, 0, false}};

static const struct config_enum_entry require_context_options[] = {
	{"off", AT_REQUIRE_CONTEXT_OFF, false},
	{"error", AT_REQUIRE_CONTEXT_ERROR, false},
	{NULL, 0, false}};

static const struct config_enum_entry read_durability_options[] = {
	{"async", AT_READ_ASYNC, false}, {"sync", AT_READ_SYNC, false}, {NULL, 0, false}};

static const struct config_enum_entry ring_full_options[] = {
	{"wait", AT_RING_FULL_WAIT, false}, {"drop", AT_RING_FULL_DROP, false}, {NULL, 0, false}};

static void define_a(void);
static void define_archive(void);
static void define_command(const char *name, const char *what, const char *more, char **value,
						   GucStringCheckHook check);
static void define_c_to_l(void);
static void define_m_to_re(void);
static void define_ri_to_z(void);
static void define_context(const char *name, const char *what, const char *more, char **value);
static void define_path(const char *name, const char *what, const char *more, char **value,
						GucStringAssignHook assign);
static void define_record(const char *name, const char *what, bool *value);
static void define_seconds(const char *name, const char *what, const char *more, int *value,
						   int boot, int min);
static void at_guc_assign_context(const char *newval, void *extra);
static void at_guc_assign_guard(bool newval, void *extra);
static void at_guc_assign_hash_key(const char *newval, void *extra);

void
at_guc_init(void)
{
	define_a();
	define_c_to_l();
	define_m_to_re();
	define_ri_to_z();
	MarkGUCPrefixReserved("audit_trail");
}

/* Long because they are a table: a call each setting. */
static void
define_a(void)
{
	define_context("audit_trail.actor", "Says on whose behalf the application acts.",
				   "Recorded with every transaction; empty means the database user.",
				   &at_guc_actor);

	define_context("audit_trail.actor_type", "Says what kind of actor this is.",
				   "For example user, service or job.", &at_guc_actor_type);

	define_seconds("audit_trail.alert_escalate_after",
				   "Sets how long an alert of severity high or critical may stay unacknowledged "
				   "before it is told on a second channel.",
				   NULL, &at_guc_alert_escalate_after, 15 * 60, 0);

	DefineCustomStringVariable(
		"audit_trail.alert_escalate_to", "Names that channel, for rules that name none.",
		"Empty means that there is none.", &at_guc_alert_escalate_to, "", PGC_SIGHUP,
		GUC_DISALLOW_IN_AUTO_FILE, at_guc_check_channel, NULL, NULL);

	define_seconds("audit_trail.alert_repeat_after",
				   "Sets the time after which an alert of severity high or critical that nobody "
				   "has acknowledged is told again.",
				   "Each time it is twice as long, up to a day; 0 means never.",
				   &at_guc_alert_repeat_after, 5 * 60, 0);

	DefineCustomIntVariable("audit_trail.alert_repeats",
							"Sets how often it is told again before it is a dead letter.", NULL,
							&at_guc_alert_repeats, 6, 0, 1000, PGC_SIGHUP,
							GUC_DISALLOW_IN_AUTO_FILE, NULL, NULL, NULL);

	/* by the configuration file only: what is told is heard by all who may connect */
	DefineCustomBoolVariable("audit_trail.alert_values",
							 "Lets notifications have the sentences of alerts, with their values.",
							 "Everybody who may connect to the database may LISTEN.",
							 &at_guc_alert_values, false, PGC_SIGHUP, GUC_DISALLOW_IN_AUTO_FILE,
							 NULL, NULL, NULL);

	/* by the configuration file only: who may write rows must not choose what vouches for them */
	DefineCustomStringVariable("audit_trail.anchor_command",
							   "Sets the shell command that has a signed checkpoint witnessed "
							   "outside.",
							   "%p stands for a file with the checkpoint, %r for one with it and "
							   "what a witness wants besides, %s for its size, %% for %.",
							   &at_guc_anchor_command, "", PGC_SIGHUP,
							   GUC_DISALLOW_IN_AUTO_FILE | GUC_SUPERUSER_ONLY,
							   at_guc_check_anchor_command, NULL, NULL);

	define_seconds("audit_trail.anchor_heartbeat",
				   "Sets the time after which an idle log gets an entry, to be anchored.",
				   "Zero means none.", &at_guc_anchor_heartbeat, 60 * 60, 0);

	define_seconds("audit_trail.anchor_interval", "Sets the least time between two anchorings.",
				   NULL, &at_guc_anchor_interval, 60, 0);

	define_seconds("audit_trail.anchor_max_age",
				   "Sets the age of the newest receipt from which on an alert is raised.",
				   "Zero means never.", &at_guc_anchor_max_age, 24 * 60 * 60, 0);

	define_seconds("audit_trail.anchor_timeout",
				   "Sets the time after which the anchor command is stopped.", NULL,
				   &at_guc_anchor_timeout, 60, 1);

	define_context("audit_trail.app_session", "Names the session of the application, as that says.",
				   NULL, &at_guc_app_session);

	define_archive();
}

/* By the configuration file only: what is archived must come back, and commands run as the server.
 */
static void
define_archive(void)
{
	define_command("audit_trail.archive_command",
				   "Sets the shell command that stores a file with archived segments elsewhere.",
				   "%p stands for its path, %f for its name, %% for %. It must store the same "
				   "file again without an error.",
				   &at_guc_archive_command, at_guc_check_archive_command);

	define_path(
		"audit_trail.archive_directory",
		"Names the directory to which archived segments can be moved, by its absolute path.",
		"Outside of the data directory; the server's user owns it. Whoever empties it "
		"destroys what was moved.",
		&at_guc_archive_directory, NULL);

	DefineCustomIntVariable("audit_trail.archive_file_age",
							"Sets the age from which on the keeper moves archived months to files.",
							"Counted from the end of the month, where there is a directory for "
							"them; -1 means that only audit.archive_to_file() does.",
							&at_guc_archive_file_age, 0, -1, PG_INT32_MAX, PGC_SIGHUP,
							GUC_UNIT_S | GUC_DISALLOW_IN_AUTO_FILE, NULL, NULL, NULL);

	DefineCustomBoolVariable("audit_trail.archive_keep_local",
							 "Keeps files with archived segments that are stored elsewhere.",
							 "If not, the keeper removes a file once the command has brought it "
							 "back the same; then it is fetched when somebody reads it.",
							 &at_guc_archive_keep_local, true, PGC_SIGHUP,
							 GUC_DISALLOW_IN_AUTO_FILE, NULL, NULL, NULL);

	define_command("audit_trail.archive_remove_command",
				   "Sets the shell command that removes a file where it is stored elsewhere.",
				   "%f stands for its name, %% for %. Run when what is in it was purged; a file "
				   "that is not there is no error.",
				   &at_guc_archive_remove_command, at_guc_check_remove_command);

	define_seconds("audit_trail.archive_timeout",
				   "Sets the time after which a command about an archived file is stopped.", NULL,
				   &at_guc_archive_timeout, 10 * 60, 1);
}

static void
define_c_to_l(void)
{
	/* by the configuration file only: it is compared with what the database says */
	define_path("audit_trail.checkpoint_file",
				"Names the file that signed checkpoints are appended to, by its absolute path.",
				"%d stands for the name of the database. Outside of the data directory; without it "
				"nothing is signed.",
				&at_guc_checkpoint_file, NULL);

	define_context("audit_trail.client_ip",
				   "Says where the application's client is, as the application knows.", NULL,
				   &at_guc_client_ip);

	/* by the configuration file only: as the switches of what goes there */
	DefineCustomStringVariable("audit_trail.cluster_database",
							   "Names the database whose trail has what happens in databases that "
							   "have none.",
							   "Sessions, and commands about roles and settings. Empty means that "
							   "none has.",
							   &at_guc_cluster_database, "", PGC_SIGHUP, GUC_DISALLOW_IN_AUTO_FILE,
							   NULL, NULL, NULL);

	/* without effect but an error in a ledger that was not created under it: see clock.h */
	DefineCustomIntVariable("audit_trail.debug_clock",
							"Sets the clock of a ledger that was made for tests forward.", NULL,
							&at_guc_debug_clock, 0, 0, PG_INT32_MAX, PGC_SUSET,
							GUC_UNIT_S | GUC_NOT_IN_SAMPLE, NULL, NULL, NULL);

	DefineCustomStringVariable("audit_trail.debug_points",
							   "Names the places where processes stop for a test.",
							   "A comma-separated list; empty in production.", &at_guc_debug_points,
							   "", PGC_SUSET, GUC_NOT_IN_SAMPLE, NULL, NULL, NULL);

	/* by the configuration file only: who owns a table must not end its audit */
	DefineCustomEnumVariable(
		"audit_trail.drop_audited",
		"Refuses to drop audited tables, or only records that they were dropped.",
		"Refused unless audit.disable() has ended the audit of the table.", &at_guc_drop_audited,
		AT_DROP_AUDITED_REFUSE, drop_audited_options, PGC_SIGHUP, GUC_DISALLOW_IN_AUTO_FILE, NULL,
		NULL, NULL);

	DefineCustomStringVariable(
		"audit_trail.extra", "Adds further context to the transaction, as a JSON object.", NULL,
		&at_guc_extra, "", PGC_USERSET, 0, at_guc_check_extra, at_guc_assign_context, NULL);

	/* by the configuration file only: no session can lift it, superuser or not */
	DefineCustomBoolVariable("audit_trail.guard",
							 "Refuses commands that alter or drop what belongs to the audit trail.",
							 "Switching it off is recorded.", &at_guc_guard, true, PGC_SIGHUP,
							 GUC_DISALLOW_IN_AUTO_FILE, NULL, at_guc_assign_guard, NULL);

	/* by the configuration file only: it is run as the server's user */
	DefineCustomStringVariable(
		"audit_trail.hash_key_command",
		"Sets the shell command that prints the key for hashed and personal columns.",
		"For a key that a service keeps. Each process runs it once, where no file is named.",
		&at_guc_hash_key_command, "", PGC_SIGHUP, GUC_SUPERUSER_ONLY | GUC_DISALLOW_IN_AUTO_FILE,
		NULL, at_guc_assign_hash_key, NULL);

	/* by the configuration file only: who may write rows must not choose the key */
	define_path("audit_trail.hash_key_file",
				"Names the file of the key for hashed and personal columns, by its absolute path.",
				"64 hexadecimal digits; readable by the server's user alone; outside of the data "
				"directory.",
				&at_guc_hash_key_file, at_guc_assign_hash_key);

	define_seconds("audit_trail.keeper_interval", "Sets the time between two runs of the keeper.",
				   "It makes partitions ahead of time and does what retention wants; 0 means that "
				   "it only runs when it is asked to.",
				   &at_guc_keeper_interval, 10 * 60, 0);

	DefineCustomIntVariable("audit_trail.keeper_pause",
							"Sets how long the keeper rests after each portion of its work.",
							"A partition that is purged or archived is one.", &at_guc_keeper_pause,
							100, 0, 60 * 1000, PGC_SIGHUP, GUC_UNIT_MS | GUC_DISALLOW_IN_AUTO_FILE,
							NULL, NULL, NULL);

	/* by the configuration file only: no session can make its changes unseen */
	DefineCustomEnumVariable("audit_trail.logical_apply",
							 "Records what logical replication writes, or only counts it.",
							 "Counted where the publisher's own trail has it.",
							 &at_guc_logical_apply, AT_LOGICAL_APPLY_RECORD, logical_apply_options,
							 PGC_SIGHUP, GUC_DISALLOW_IN_AUTO_FILE, NULL, NULL, NULL);
}

static void
define_m_to_re(void)
{
	DefineCustomStringVariable("audit_trail.maintenance",
							   "Says why the transaction is maintenance that is to be recorded.",
							   "Set by audit.tag_maintenance().", &at_guc_maintenance, "",
							   PGC_USERSET, 0, at_guc_check_context, NULL, NULL);

	/* by the configuration file only: no session can exempt itself or another */
	DefineCustomStringVariable("audit_trail.maintenance_role",
							   "Names the role whose members' changes of rows are only counted.",
							   "Empty means that nobody is exempt.", &at_guc_maintenance_role, "",
							   PGC_SIGHUP, GUC_DISALLOW_IN_AUTO_FILE, NULL, NULL, NULL);

	DefineCustomStringVariable(
		"audit_trail.maintenance_window", "Sets when the keeper archives and purges.",
		"As 22:00-05:00, in UTC; empty means at any time.", &at_guc_maintenance_window, "",
		PGC_SIGHUP, GUC_DISALLOW_IN_AUTO_FILE, at_guc_check_window, NULL, NULL);

	DefineCustomIntVariable("audit_trail.max_value_size",
							"Sets the size from which on a value is recorded as prefix and digest.",
							NULL, &at_guc_max_value_size, 1024, 1, 64 * 1024, PGC_SUSET,
							GUC_UNIT_KB, NULL, NULL, NULL);

	/* by the configuration file only: who reads must not choose where that is told */
	DefineCustomStringVariable(
		"audit_trail.primary_conninfo",
		"Sets how a standby reaches the primary server, whose trail has what it observes.",
		"A connection string. Empty means that this goes to the standby's own log.",
		&at_guc_primary_conninfo, "", PGC_SIGHUP, GUC_SUPERUSER_ONLY | GUC_DISALLOW_IN_AUTO_FILE,
		NULL, NULL, at_conninfo_show_primary);

	DefineCustomIntVariable("audit_trail.primary_timeout",
							"Sets how long records of a standby wait for the primary server before "
							"they go to the standby's own log.",
							NULL, &at_guc_primary_timeout, 10 * 1000, 0, PG_INT32_MAX, PGC_SIGHUP,
							GUC_UNIT_MS | GUC_DISALLOW_IN_AUTO_FILE, NULL, NULL, NULL);

	/* by the configuration file only: who may purge must not decide who has to know before */
	DefineCustomBoolVariable(
		"audit_trail.purge_anchor", "Purges nothing before the order for it is anchored outside.",
		NULL, &at_guc_purge_anchor, true, PGC_SIGHUP, GUC_DISALLOW_IN_AUTO_FILE, NULL, NULL, NULL);

	/* by the configuration file only: who reads must not decide whether it is seen */
	DefineCustomEnumVariable(
		"audit_trail.read_durability",
		"Says whether a read waits until its record is in the trail.",
		"sync: its rows reach the client when the record is on disk, or not at all.",
		&at_guc_read_durability, AT_READ_ASYNC, read_durability_options, PGC_SIGHUP,
		GUC_DISALLOW_IN_AUTO_FILE, NULL, NULL, NULL);

	define_context("audit_trail.reason", "Says why the transaction is made.", NULL, &at_guc_reason);

	define_record("audit_trail.record_denials",
				  "Records what was refused for want of privilege, as an event.",
				  &at_guc_record_denials);

	define_record("audit_trail.record_privileges",
				  "Records commands about roles, privileges, policies, settings and functions.",
				  &at_guc_record_privileges);

	define_record("audit_trail.record_reads", "Records who has read the audit trail, as an event.",
				  &at_guc_record_reads);

	define_record("audit_trail.record_sessions",
				  "Records logins, failed ones too, their ends, and roles that are assumed.",
				  &at_guc_record_sessions);

	define_seconds("audit_trail.request_expiry",
				   "Sets how long a request may wait for its approval.", NULL,
				   &at_guc_request_expiry, 7 * 24 * 60 * 60, 1);

	define_context("audit_trail.request_id",
				   "Names the request of the application that this transaction serves.", NULL,
				   &at_guc_request_id);

	DefineCustomEnumVariable("audit_trail.require_context",
							 "Refuses changes for which the application names no actor.", NULL,
							 &at_guc_require_context, AT_REQUIRE_CONTEXT_OFF,
							 require_context_options, PGC_SUSET, 0, NULL, NULL, NULL);

	define_command("audit_trail.restore_command",
				   "Sets the shell command that brings a file with archived segments back.",
				   "%f stands for its name, %p for the path to put it at, %% for %. Run by "
				   "whoever reads what is in a file that is not there.",
				   &at_guc_restore_command, at_guc_check_archive_command);
}

static void
define_ri_to_z(void)
{
	DefineCustomEnumVariable(
		"audit_trail.ring_full",
		"Says what becomes of a record that finds no room in the shared memory.",
		"wait: the session waits, at last the record goes to the server's log; "
		"drop: it is counted. A read that audit_trail.read_durability makes wait does so anyway.",
		&at_guc_ring_full, AT_RING_FULL_WAIT, ring_full_options, PGC_SIGHUP,
		GUC_DISALLOW_IN_AUTO_FILE, NULL, NULL, NULL);

	/* a library that comes later has no shared memory */
	if (process_shared_preload_libraries_in_progress)
		DefineCustomIntVariable(
			"audit_trail.ring_size",
			"Sets the shared memory for what others record on its way into the trail.", NULL,
			&at_guc_ring_size, 4096, 64, 1024 * 1024, PGC_POSTMASTER,
			GUC_UNIT_KB | GUC_DISALLOW_IN_AUTO_FILE, NULL, NULL, NULL);

	DefineCustomIntVariable("audit_trail.ring_timeout",
							"Sets how long a session waits for room there.",
							"Under audit_trail.read_durability = sync also for its record to be on "
							"disk, but at least a second; then the read is refused.",
							&at_guc_ring_timeout, 10 * 1000, 0, 60 * 1000, PGC_SIGHUP,
							GUC_UNIT_MS | GUC_DISALLOW_IN_AUTO_FILE, NULL, NULL, NULL);

	DefineCustomIntVariable("audit_trail.seal_interval",
							"Sets the time from the beginning of a pass of the sealer to the next.",
							NULL, &at_guc_seal_interval, 1000, 10, 60 * 60 * 1000, PGC_SIGHUP,
							GUC_UNIT_MS | GUC_DISALLOW_IN_AUTO_FILE, NULL, NULL, NULL);

	DefineCustomIntVariable("audit_trail.seal_lag_limit",
							"Sets how late the sealer may be before writers leave it the "
							"processor.",
							"For a few milliseconds after each commit; 0 means that none does.",
							&at_guc_seal_lag_limit, 250, 0, 60 * 60 * 1000, PGC_SIGHUP,
							GUC_UNIT_MS | GUC_DISALLOW_IN_AUTO_FILE, NULL, NULL, NULL);

	/* by the configuration file only: who may write rows must not choose who signs */
	define_path("audit_trail.signing_key_file",
				"Names the file of the key that signs checkpoints, by its absolute path.",
				"%d stands for the name of the database. Readable by the server's user alone; "
				"outside of the data directory.",
				&at_guc_signing_key_file, NULL);

	/* by the configuration file only: who may write rows must not choose where keys are */
	define_path(
		"audit_trail.subject_key_directory",
		"Names the directory of the keys under which personal values are recorded.",
		"Its absolute path; the server's user's alone; outside of the data directory. Empty: "
		"only commitments are recorded.",
		&at_guc_subject_key_directory, NULL);

	define_context("audit_trail.trace_parent", "Names the trace that the transaction is part of.",
				   "As the header traceparent of W3C Trace Context.", &at_guc_trace_parent);

	DefineCustomEnumVariable("audit_trail.unknown_event_type",
							 "Sets what becomes of an emitted event whose type nobody knows.", NULL,
							 &at_guc_unknown_event_type, AT_UNKNOWN_EVENT_ERROR,
							 unknown_event_options, PGC_SUSET, 0, NULL, NULL, NULL);

	define_seconds("audit_trail.verify_interval",
				   "Sets the time between two verifications in the background.",
				   "Each looks at what came since the last one that found nothing, and its result "
				   "is sealed; 0 means none.",
				   &at_guc_verify_interval, 60 * 60, 0);
}

/* What the application says of its transaction. */
static void
define_context(const char *name, const char *what, const char *more, char **value)
{
	DefineCustomStringVariable(name, what, more, value, "", PGC_USERSET, 0, at_guc_check_context,
							   at_guc_assign_context, NULL);
}

/* A file, named by the configuration file and nothing else. */
static void
define_path(const char *name, const char *what, const char *more, char **value,
			GucStringAssignHook assign)
{
	DefineCustomStringVariable(name, what, more, value, "", PGC_SIGHUP, GUC_DISALLOW_IN_AUTO_FILE,
							   at_guc_check_path, assign, NULL);
}

/* By the configuration file only: who does something must not decide whether it is seen. */
static void
define_record(const char *name, const char *what, bool *value)
{
	DefineCustomBoolVariable(name, what, NULL, value, true, PGC_SIGHUP, GUC_DISALLOW_IN_AUTO_FILE,
							 NULL, NULL, NULL);
}

/* A time, set by the configuration. */
static void
define_command(const char *name, const char *what, const char *more, char **value,
			   GucStringCheckHook check)
{
	DefineCustomStringVariable(name, what, more, value, "", PGC_SIGHUP,
							   GUC_SUPERUSER_ONLY | GUC_DISALLOW_IN_AUTO_FILE, check, NULL, NULL);
}

static void
define_seconds(const char *name, const char *what, const char *more, int *value, int boot, int min)
{
	DefineCustomIntVariable(name, what, more, value, boot, min, PG_INT32_MAX / 1000, PGC_SIGHUP,
							GUC_UNIT_S | GUC_DISALLOW_IN_AUTO_FILE, NULL, NULL, NULL);
}

static void
at_guc_assign_context(const char *newval, void *extra)
{
	at_guc_context_version++;
}

static void
at_guc_assign_guard(bool newval, void *extra)
{
	at_guard_read(newval);
}

static void
at_guc_assign_hash_key(const char *newval, void *extra)
{
	at_guc_hash_key_version++;
}

void
at_guc_maintenance_window_bounds(int *from, int *until)
{
	if (!at_window_read(at_guc_maintenance_window, from, until))
		*from = *until = -1;
}

bool
at_guc_is_fixed(const char *name)
{
	return name != NULL && pg_strncasecmp(name, PREFIX, strlen(PREFIX)) == 0 &&
		   (GetConfigOptionFlags(name, true) & GUC_DISALLOW_IN_AUTO_FILE) != 0;
}
