/*-------------------------------------------------------------------------
 * lifting.c
 *		A control record in the log whenever the guard is lifted or set again.
 *
 * The setting is in the configuration file, so nobody knows who changed it.
 * What is known: when the configuration was loaded, and which line of which
 * file says so.
 *
 * Caveat: what was changed back before the sealer has looked is not seen.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/guc.h"
#include "ledger/log_read.h"
#include "seal/lifting.h"
#include "seal/query.h"

/* Right after an error: the log is asked again, unless what it says was committed. */
static struct
{
	bool known; /* what the log says of the guard */
	bool is_on; /* that */
	bool said;  /* in this pass */
	bool said_is_on;
} lifting;

/* {"guard" : "off", "at" : ..., "file" : ..., "line" : ...} */
static const char payload_query[] =
	"SELECT pg_catalog.json_build_object('guard', s.setting, 'at', pg_catalog.to_char("
	"pg_catalog.timezone('UTC', pg_catalog.pg_conf_load_time()), "
	"'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'), 'file', s.sourcefile, 'line', s.sourceline) "
	"FROM pg_catalog.pg_settings AS s WHERE s.name = 'audit_trail.guard'";

static bool read_last(void);

void
at_lifting_seal(AtLogHead *head, int32 incarnation)
{
	lifting.said = false;
	if (lifting.known && lifting.is_on == at_guc_guard)
		return;
	lifting.said_is_on = at_guc_guard;
	lifting.said = true;
	if (read_last() == at_guc_guard)
		return;
	at_log_append_control(head, incarnation, AT_KIND_GUARD, NULL, at_query_value(payload_query));
	ereport(LOG, (errmsg(at_guc_guard ? "the guard of the audit trail is on again"
									  : "the guard of the audit trail is lifted")));
}

void
at_lifting_sealed(void)
{
	if (lifting.said)
	{
		lifting.known = true;
		lifting.is_on = lifting.said_is_on;
	}
}

/* What the log says last. */
static bool
read_last(void)
{
	char *state =
		at_query_value("SELECT pg_catalog.json_extract_path_text(payload, 'guard') "
					   "FROM audit.log_entry WHERE kind = 'guard' ORDER BY log_index DESC LIMIT 1");

	return state == NULL || strcmp(state, "on") == 0;
}
