/*-------------------------------------------------------------------------
 * lifting.c
 *		A control record in the log whenever the guard is lifted or set again.
 *
 * The setting is in the configuration file, so nobody knows who changed it.
 * What is known: when the configuration was loaded, and which line of which
 * file says so. The postmaster counts how often it has read that the guard is lifted: so that
 * it was, for less time than it takes the sealer to look, is recorded too.
 *
 * Caveat: if the server ends before the sealer has looked, its own log alone tells.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/datetime.h"
#include "utils/json.h"
#include "utils/timestamp.h"

#include "base/guc.h"
#include "base/lifted.h"
#include "ledger/hooks.h"
#include "ledger/log_read.h"
#include "seal/lifting.h"
#include "seal/query.h"

/* Right after an error: the log is asked again, unless what it says was committed. */
static struct
{
	bool known;      /* what the log says of the guard */
	bool is_on;      /* that */
	uint64 liftings; /* that it knows of */

	/* the same, in this pass */
	bool said;
	bool said_is_on;
	uint64 said_liftings;
} lifting;

#define UTC_TEXT "'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'"

static bool was_lifted(const AtLiftings *liftings);
static void append(AtLogHead *head, int32 incarnation, bool is_on, TimestampTz at);
static const char *utc(TimestampTz at);
static bool read_last(void);

void
at_lifting_seal(AtLogHead *head, int32 incarnation)
{
	AtLiftings liftings = at_guard_liftings();
	bool is_on = !at_guard_is_lifted();
	bool was_on;

	lifting.said = false;
	if (lifting.known && lifting.is_on == is_on && lifting.liftings == liftings.count)
		return;
	was_on = read_last();
	if (was_on && (!is_on || was_lifted(&liftings)))
		append(head, incarnation, false, liftings.last_at);
	if (is_on && (!was_on || was_lifted(&liftings)))
		append(head, incarnation, true, GetCurrentTimestamp());
	lifting.said = true;
	lifting.said_is_on = is_on;
	lifting.said_liftings = liftings.count;
}

void
at_lifting_sealed(void)
{
	if (lifting.said)
	{
		lifting.known = true;
		lifting.is_on = lifting.said_is_on;
		lifting.liftings = lifting.said_liftings;
	}
}

/* Was it, since the log said something of it, or began? */
static bool
was_lifted(const AtLiftings *liftings)
{
	char *answer;

	if (lifting.known)
		return liftings->count > lifting.liftings;
	answer = at_query_value(psprintf(
		"SELECT '%s'::pg_catalog.timestamptz > GREATEST((SELECT pg_catalog.max(e.sealed_at) "
		"FROM audit.log_entry AS e WHERE e.kind = 'guard'), (SELECT pg_catalog.max(i.began_at) "
		"FROM audit.incarnation AS i))",
		utc(liftings->last_at)));
	return liftings->count > 0 && answer != NULL && strcmp(answer, "t") == 0;
}

/*
 * {"guard" : "off", "at" : ..., "file" : ..., "line" : ...}. Where this process has read the file
 * when it said something else, it does not know the line.
 */
static void
append(AtLogHead *head, int32 incarnation, bool is_on, TimestampTz at)
{
	const char *state = is_on ? "on" : "off";
	const char *payload = at_query_value(psprintf(
		"SELECT pg_catalog.json_strip_nulls(pg_catalog.json_build_object('guard', '%s', 'at', "
		"pg_catalog.to_char(pg_catalog.timezone('UTC', '%s'::pg_catalog.timestamptz), " UTC_TEXT
		"), 'file', CASE WHEN s.setting = '%s' THEN s.sourcefile END, 'line', CASE WHEN "
		"s.setting = '%s' THEN s.sourceline END)) FROM pg_catalog.pg_settings AS s "
		"WHERE s.name = 'audit_trail.guard'",
		state, utc(at), state, state));
	const char *message = is_on ? "the guard of the audit trail is on again"
								: "the guard of the audit trail is lifted";

	at_log_append_control(head, incarnation, AT_KIND_GUARD, NULL, payload);
	ereport(LOG, (errmsg_internal("%s", message)));
	if (at_alarm_hook != NULL)
		at_alarm_hook("guard", is_on ? "warning" : "critical", message);
}

static const char *
utc(TimestampTz at)
{
	char *text = palloc(MAXDATELEN + 1);
	int zone = 0;

	JsonEncodeDateTime(text, TimestampTzGetDatum(at), TIMESTAMPTZOID, &zone);
	return text;
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
