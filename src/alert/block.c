/*-------------------------------------------------------------------------
 * block.c
 *		A rule refuses a change.
 *
 * What the alert is to say goes with the attempt: when the collector records
 * it, the rule may be another one, or never have been committed.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "utils/builtins.h"

#include "alert/block.h"
#include "alert/notifier.h"
#include "base/errors.h"
#include "base/json_scan.h"
#include "ledger/attempt.h"
#include "ledger/datum.h"
#include "ledger/dispatch.h"

/* Longer values of a row are left out. */
#define MAX_VALUES 3000

static void append_values(StringInfo details, const char *name, const struct varlena *values);
static void append_columns(StringInfo details, List *columns);
static List *read_columns(AtJsonScan *scan);

void
at_block_refuse(AtObserved *observed, const AtRaised *raised)
{
	const AtEvent *event = observed->change->event;
	char *message = psprintf("alert rule \"%s\" refuses the change", raised->rule);
	StringInfoData details;

	initStringInfo(&details);
	at_member_text(&details, "rule", raised->rule);
	at_member_text(&details, "severity", raised->severity);
	at_member_text(&details, "channel", raised->channel);
	at_member_text(&details, "escalate_to", raised->escalate_to);
	at_member_text(&details, "sentence", raised->sentence);
	append_columns(&details, raised->columns);
	append_values(&details, "old", event->old_values);
	append_values(&details, "new", event->new_values);
	at_attempt_block(ERRCODE_AT_BLOCKED, message, event->target_id, at_observed_key(observed),
					 details.data);
	ereport(ERROR, (errcode(ERRCODE_AT_BLOCKED), errmsg_internal("%s", message),
					errdetail("%s", raised->sentence),
					raised->hint != NULL ? errhint("%s", raised->hint)
										 : errhint("The attempt is recorded.")));
}

/* What would have been recorded of the row. */
static void
append_values(StringInfo details, const char *name, const struct varlena *values)
{
	if (values == NULL)
		return;
	if (VARSIZE_ANY_EXHDR(values) > MAX_VALUES)
		at_member_text(details, name, "left out: too long");
	else
		at_member_json(details, name, pnstrdup(VARDATA_ANY(values), VARSIZE_ANY_EXHDR(values)));
}

static void
append_columns(StringInfo details, List *columns)
{
	StringInfoData json;
	ListCell *cell;

	initStringInfo(&json);
	foreach (cell, columns)
	{
		const char *name = lfirst(cell);

		appendStringInfoChar(&json, json.len == 0 ? '[' : ',');
		at_json_quote(name, strlen(name), &json);
	}
	appendStringInfoString(&json, json.len == 0 ? "[]" : "]");
	at_member_json(details, "columns", json.data);
}

/* ---- the collector ---- */

bool
at_block_is(const AtEvent *event)
{
	static const char type[] = AT_CHANGE_BLOCKED;

	return event->op == 'R' && event->event_type != NULL &&
		   VARSIZE_ANY_EXHDR(event->event_type) == strlen(type) &&
		   memcmp(VARDATA_ANY(event->event_type), type, strlen(type)) == 0;
}

/* A member of the event that is a string, if it is this one. */
static void
take(const AtJsonScan *scan, AtJsonSlice name, const char *wanted, const char **value)
{
	AtJsonSlice text;

	if (name.len != strlen(wanted) || memcmp(name.data, wanted, name.len) != 0 || scan->kind != '"')
		return;
	text = at_json_string(scan);
	*value = pnstrdup(text.data, text.len);
}

void
at_block_raise(const AtChange *change)
{
	const AtEvent *event = change->event;
	AtRaised raised = {
		.name = change->name,
		.target_id = event->target_id,
		.record_key = event->record_key,
		.event_type = event->event_type,
		.rule = "?",
		.severity = "critical",
		.channel = AT_ALERT_CHANNEL,
	};
	AtJsonScan scan;

	at_json_start(&scan, VARDATA_ANY(event->new_values), VARSIZE_ANY_EXHDR(event->new_values));
	(void) at_json_next(&scan); /* the brace */
	while (at_json_next(&scan) && scan.kind != '}')
	{
		AtJsonSlice name;

		if (scan.kind != '"')
			continue; /* the comma */
		name = at_json_string(&scan);
		at_json_next(&scan); /* the colon */
		at_json_next(&scan);
		take(&scan, name, "rule", &raised.rule);
		take(&scan, name, "severity", &raised.severity);
		take(&scan, name, "channel", &raised.channel);
		take(&scan, name, "escalate_to", &raised.escalate_to);
		take(&scan, name, "sentence", &raised.sentence);
		if (name.len == strlen("columns") && memcmp(name.data, "columns", name.len) == 0 &&
			scan.kind == '[')
			raised.columns = read_columns(&scan);
		else
			(void) at_json_value(&scan);
	}
	at_alert_append(&raised);
}

/* An array of names; the scan then stands on its end. */
static List *
read_columns(AtJsonScan *scan)
{
	List *columns = NIL;

	while (at_json_next(scan) && scan->kind != ']')
		if (scan->kind == '"')
		{
			AtJsonSlice name = at_json_string(scan);

			columns = lappend(columns, pnstrdup(name.data, name.len));
		}
	return columns;
}
