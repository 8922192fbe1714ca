/*-------------------------------------------------------------------------
 * guc.c
 *		The settings of audit_trail.
 *
 * Invariant: a string setting is never NULL, because each has a boot value
 * and its check hook accepts nothing else.
 *
 * Check hooks run in the postmaster and at reload too: they look at no
 * catalog and report through GUC_check_errdetail(). The one thing in them
 * that can raise an error is the JSON parser's stack check.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/jsonapi.h"
#include "mb/pg_wchar.h"
#include "utils/guc.h"

#include "base/compat.h"
#include "base/guc.h"

char *at_guc_actor;
char *at_guc_actor_type;
char *at_guc_app_session;
char *at_guc_checkpoint_file;
char *at_guc_client_ip;
char *at_guc_debug_points;
char *at_guc_extra;
bool at_guc_guard;
char *at_guc_hash_key_file;
int at_guc_logical_apply;
char *at_guc_maintenance;
char *at_guc_maintenance_role;
int at_guc_max_value_size;
char *at_guc_reason;
char *at_guc_request_id;
int at_guc_require_context;
int at_guc_seal_interval;
char *at_guc_signing_key_file;
char *at_guc_trace_parent;
int at_guc_verify_interval;

uint64 at_guc_context_version = 1;
uint64 at_guc_hash_key_version = 1;

static const struct config_enum_entry logical_apply_options[] = {
	{"record", AT_LOGICAL_APPLY_RECORD, false},
	{"count", AT_LOGICAL_APPLY_COUNT, false},
	{NULL, 0, false},
};

static const struct config_enum_entry require_context_options[] = {
	{"off", AT_REQUIRE_CONTEXT_OFF, false},
	{"error", AT_REQUIRE_CONTEXT_ERROR, false},
	{NULL, 0, false},
};

static bool at_guc_check_context(char **newval, void **extra, GucSource source);
static bool at_guc_check_extra(char **newval, void **extra, GucSource source);
static void at_guc_assign_context(const char *newval, void *extra);
static bool at_guc_check_path(char **newval, void **extra, GucSource source);
static void at_guc_assign_hash_key(const char *newval, void *extra);

/* Long because it is a table: a call each setting. */
void
at_guc_init(void)
{
	DefineCustomStringVariable("audit_trail.actor", "Says on whose behalf the application acts.",
							   "Recorded with every transaction; empty means the database user.",
							   &at_guc_actor, "", PGC_USERSET, 0, at_guc_check_context,
							   at_guc_assign_context, NULL);

	DefineCustomStringVariable("audit_trail.actor_type", "Says what kind of actor this is.",
							   "For example user, service or job.", &at_guc_actor_type, "",
							   PGC_USERSET, 0, at_guc_check_context, at_guc_assign_context, NULL);

	DefineCustomStringVariable(
		"audit_trail.app_session", "Names the session of the application, as that says.", NULL,
		&at_guc_app_session, "", PGC_USERSET, 0, at_guc_check_context, at_guc_assign_context, NULL);

	/* by the configuration file only: it is compared with what the database says */
	DefineCustomStringVariable("audit_trail.checkpoint_file",
							   "Names the file that signed checkpoints are appended to, by its "
							   "absolute path.",
							   "%d stands for the name of the database. Outside of the data "
							   "directory; without it nothing is signed.",
							   &at_guc_checkpoint_file, "", PGC_SIGHUP, GUC_DISALLOW_IN_AUTO_FILE,
							   at_guc_check_path, NULL, NULL);

	DefineCustomStringVariable("audit_trail.client_ip",
							   "Says where the application's client is, as the application knows.",
							   NULL, &at_guc_client_ip, "", PGC_USERSET, 0, at_guc_check_context,
							   at_guc_assign_context, NULL);

	DefineCustomStringVariable("audit_trail.debug_points",
							   "Names the places where processes stop for a test.",
							   "A comma-separated list; empty in production.", &at_guc_debug_points,
							   "", PGC_SUSET, GUC_NOT_IN_SAMPLE, NULL, NULL, NULL);

	DefineCustomStringVariable(
		"audit_trail.extra", "Adds further context to the transaction, as a JSON object.", NULL,
		&at_guc_extra, "", PGC_USERSET, 0, at_guc_check_extra, at_guc_assign_context, NULL);

	/* by the configuration file only: no session can lift it, superuser or not */
	DefineCustomBoolVariable(
		"audit_trail.guard", "Refuses commands that alter or drop what belongs to the audit trail.",
		"Switching it off is recorded.", &at_guc_guard, true, PGC_SIGHUP, 0, NULL, NULL, NULL);

	/* by the configuration file only: who may write rows must not choose the key */
	DefineCustomStringVariable(
		"audit_trail.hash_key_file",
		"Names the file of the key for hashed and personal columns, by its absolute path.",
		"64 hexadecimal digits; readable by the server's user alone; outside of the data "
		"directory.",
		&at_guc_hash_key_file, "", PGC_SIGHUP, GUC_DISALLOW_IN_AUTO_FILE, at_guc_check_path,
		at_guc_assign_hash_key, NULL);

	/* by the configuration file only: no session can make its changes unseen */
	DefineCustomEnumVariable(
		"audit_trail.logical_apply", "Records what logical replication writes, or only counts it.",
		"Counted where the publisher's own trail has it.", &at_guc_logical_apply,
		AT_LOGICAL_APPLY_RECORD, logical_apply_options, PGC_SIGHUP, 0, NULL, NULL, NULL);

	DefineCustomStringVariable("audit_trail.maintenance",
							   "Says why the transaction is maintenance that is to be recorded.",
							   "Set by audit.tag_maintenance().", &at_guc_maintenance, "",
							   PGC_USERSET, 0, at_guc_check_context, NULL, NULL);

	/* by the configuration file only: no session can exempt itself or another */
	DefineCustomStringVariable("audit_trail.maintenance_role",
							   "Names the role whose members' changes of rows are only counted.",
							   "Empty means that nobody is exempt.", &at_guc_maintenance_role, "",
							   PGC_SIGHUP, 0, NULL, NULL, NULL);

	DefineCustomIntVariable("audit_trail.max_value_size",
							"Sets the size from which on a value is recorded as prefix and digest.",
							NULL, &at_guc_max_value_size, 1024, 1, 64 * 1024, PGC_SUSET,
							GUC_UNIT_KB, NULL, NULL, NULL);

	DefineCustomStringVariable("audit_trail.reason", "Says why the transaction is made.", NULL,
							   &at_guc_reason, "", PGC_USERSET, 0, at_guc_check_context,
							   at_guc_assign_context, NULL);

	DefineCustomStringVariable("audit_trail.request_id",
							   "Names the request of the application that this transaction serves.",
							   NULL, &at_guc_request_id, "", PGC_USERSET, 0, at_guc_check_context,
							   at_guc_assign_context, NULL);

	DefineCustomEnumVariable("audit_trail.require_context",
							 "Refuses changes for which the application names no actor.", NULL,
							 &at_guc_require_context, AT_REQUIRE_CONTEXT_OFF,
							 require_context_options, PGC_SUSET, 0, NULL, NULL, NULL);

	DefineCustomIntVariable(
		"audit_trail.seal_interval", "Sets the time between two passes of the sealer.", NULL,
		&at_guc_seal_interval, 1000, 10, 60 * 60 * 1000, PGC_SIGHUP, GUC_UNIT_MS, NULL, NULL, NULL);

	/* by the configuration file only: who may write rows must not choose who signs */
	DefineCustomStringVariable("audit_trail.signing_key_file",
							   "Names the file of the key that signs checkpoints, by its absolute "
							   "path.",
							   "%d stands for the name of the database. Readable by the server's "
							   "user alone; outside of the data directory.",
							   &at_guc_signing_key_file, "", PGC_SIGHUP, GUC_DISALLOW_IN_AUTO_FILE,
							   at_guc_check_path, NULL, NULL);

	DefineCustomStringVariable(
		"audit_trail.trace_parent", "Names the trace that the transaction is part of.",
		"As the header traceparent of W3C Trace Context.", &at_guc_trace_parent, "", PGC_USERSET, 0,
		at_guc_check_context, at_guc_assign_context, NULL);

	DefineCustomIntVariable("audit_trail.verify_interval",
							"Sets the time between two verifications in the background.",
							"Each looks at what came since the last one that found nothing, and "
							"its result is sealed; 0 means none.",
							&at_guc_verify_interval, 60 * 60, 0, 30 * 24 * 60 * 60, PGC_SIGHUP,
							GUC_UNIT_S, NULL, NULL, NULL);

	MarkGUCPrefixReserved("audit_trail");
}

static bool
at_guc_check_context(char **newval, void **extra, GucSource source)
{
	if (strlen(*newval) > AT_MAX_CONTEXT_LENGTH)
	{
		GUC_check_errdetail("The value is longer than %d bytes.", AT_MAX_CONTEXT_LENGTH);
		return false;
	}

	/* what comes with the connection, or from ALTER ROLE in another database, was not checked */
	if (!pg_verifymbstr(*newval, strlen(*newval), true))
	{
		GUC_check_errdetail("The value is not valid in encoding \"%s\".",
							GetDatabaseEncodingName());
		return false;
	}
	return true;
}

/* Empty, or an object in valid JSON. */
static bool
at_guc_check_extra(char **newval, void **extra, GucSource source)
{
	JsonLexContext *lex;
	bool valid;

	if (**newval == '\0')
		return true;
	if (!at_guc_check_context(newval, extra, source))
		return false;

	lex =
		makeJsonLexContextCstringLen(NULL, *newval, strlen(*newval), GetDatabaseEncoding(), false);
	valid = (*newval)[strspn(*newval, " \t\r\n")] == '{' &&
			pg_parse_json(lex, &nullSemAction) == JSON_SUCCESS;
	pfree(lex);
	if (!valid)
		GUC_check_errdetail("The value must be empty or a JSON object.");
	return valid;
}

static void
at_guc_assign_context(const char *newval, void *extra)
{
	at_guc_context_version++;
}

/* Empty, or absolute. What is at the path is looked at when it is used. */
static bool
at_guc_check_path(char **newval, void **extra, GucSource source)
{
	if (**newval != '\0' && !is_absolute_path(*newval))
	{
		GUC_check_errdetail("The value must be empty or an absolute path.");
		return false;
	}
	if (strlen(*newval) >= MAXPGPATH)
	{
		GUC_check_errdetail("The path is longer than %d bytes.", MAXPGPATH - 1);
		return false;
	}
	return true;
}

static void
at_guc_assign_hash_key(const char *newval, void *extra)
{
	at_guc_hash_key_version++;
}
