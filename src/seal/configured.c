/*-------------------------------------------------------------------------
 * configured.c
 *		A control record in the log whenever the configuration says something
 *		else of what protects the trail.
 *
 * No hook sees who edits a file, and a file can be changed while the server is
 * stopped. So what the log says is compared with what holds, once after each start of the
 * worker and each reload: our own settings that only the file may have, and those of
 * PostgreSQL's that decide which code is loaded and whether the log can be relied on. The guard
 *itself has its own entries (lifting.c).
 *
 * Values that may have secrets in them, or are long, are recorded by their SHA-256.
 *
 * Caveat: what was changed back before the sealer has looked is not seen.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/timestamp.h"

#include "ledger/hooks.h"
#include "ledger/log_read.h"
#include "seal/configured.h"
#include "seal/query.h"

/* Right after an error: the log is asked again, unless what it says was committed. */
static struct
{
	TimestampTz known; /* when the configuration was loaded that the log has; 0: not known */
	TimestampTz said;  /* the same, in this pass */
} configured;

/* {"at" : ..., "settings" : [{"name" : ..., "value" : ..., "was" : ..., "file" : ..., "line" :
 * ...}, ...]} */
static const char payload_query[] =
	"WITH told AS (SELECT DISTINCT ON (1) pg_catalog.json_extract_path_text(v.value, 'name') AS "
	"name, pg_catalog.json_extract_path_text(v.value, 'value') AS value FROM audit.log_entry AS e, "
	"pg_catalog.json_array_elements(pg_catalog.json_extract_path(e.payload, 'settings')) AS v "
	"WHERE e.kind = 'settings' ORDER BY 1, e.log_index DESC"
	"), present AS (SELECT s.name, s.sourcefile, s.sourceline, CASE WHEN s.setting <> '' AND "
	"(s.name LIKE 'audit\\_trail.%\\_command' OR pg_catalog.length(s.setting) > 500) "
	"THEN 'sha256:' || pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(s.setting, "
	"pg_catalog.getdatabaseencoding())), 'hex') ELSE s.setting END AS value "
	"FROM pg_catalog.pg_settings AS s WHERE s.name <> 'audit_trail.guard' AND "
	"(s.name LIKE 'audit\\_trail.%' AND s.context IN ('sighup', 'postmaster', 'superuser') OR "
	"s.name IN ("
	"'allow_system_table_mods', 'dynamic_library_path', 'fsync', 'full_page_writes', "
	"'local_preload_libraries', 'session_preload_libraries', 'session_replication_role', "
	"'shared_preload_libraries'))"
	") SELECT pg_catalog.json_build_object('at', pg_catalog.to_char(pg_catalog.timezone('UTC', "
	"pg_catalog.pg_conf_load_time()), 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'), 'settings', "
	"pg_catalog.json_agg(pg_catalog.json_strip_nulls(pg_catalog.json_build_object('name', p.name, "
	"'value', p.value, 'was', t.value, 'file', p.sourcefile, 'line', p.sourceline)) ORDER BY "
	"p.name)) FROM present AS p LEFT JOIN told AS t ON t.name = p.name "
	"WHERE t.value IS DISTINCT FROM p.value HAVING pg_catalog.count(*) > 0";

static const char known_query[] =
	"SELECT 't' FROM audit.log_entry AS e WHERE e.kind = 'settings' LIMIT 1";

static void tell(const char *payload);

void
at_configured_seal(AtLogHead *head, int32 incarnation)
{
	char *payload;
	bool is_news;

	configured.said = PgReloadTime;
	if (configured.known == PgReloadTime && configured.known != 0)
		return;
	payload = at_query_value(payload_query);
	if (payload == NULL)
		return;
	is_news = at_query_value(known_query) != NULL;
	at_log_append_control(head, incarnation, AT_KIND_SETTINGS, NULL, payload);
	if (is_news)
		tell(payload);
}

void
at_configured_sealed(void)
{
	configured.known = configured.said;
}

static void
tell(const char *payload)
{
	ereport(LOG, (errmsg("settings that the audit trail rests on were changed"),
				  errdetail_log("%s", payload)));
	if (at_alarm_hook != NULL)
		at_alarm_hook("settings", "critical",
					  "settings that the audit trail rests on were changed");
}
