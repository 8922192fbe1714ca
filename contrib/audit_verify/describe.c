/*-------------------------------------------------------------------------
 * describe.c
 *		Fields of what was proved, by the names that audit.events has for them.
 *-------------------------------------------------------------------------
 */
#include <inttypes.h>
#include <stdio.h>

#include "describe.h"
#include "show.h"

static void add_log_id(AtReport *report, const uint8_t *log_id);
static void add_number(AtReport *report, const char *name, uint64_t number);
static void add_time(AtReport *report, const char *name, int64_t time);
static void add_span(AtReport *report, const char *name, AtSpan span);
static const char *operation(uint8_t op);

const char *
at_event_id(const AtEventBody *event, char buffer[AT_EVENT_ID_MAX])
{
	snprintf(buffer, AT_EVENT_ID_MAX, "%" PRIu64 ".%" PRIu32, event->tx_id, event->ordinal);
	return buffer;
}

void
at_describe_event(AtReport *report, const AtEventBody *event)
{
	char id[AT_EVENT_ID_MAX];

	at_report_field(report, "event_id", at_text(at_event_id(event, id)));
	add_log_id(report, event->log_id);
	add_time(report, "tx_at", event->tx_at);
	add_time(report, "occurred_at", event->occurred_at);
	at_report_field(report, "operation", at_text(operation(event->op)));
	add_span(report, "table_schema", event->schema);
	add_span(report, "table_name", event->table);
	add_span(report, "resource_type", event->resource_type);
	add_span(report, "record_key", event->record_key);
	add_span(report, "event_type", event->event_type);
	add_span(report, "old_values", event->old_values);
	add_span(report, "new_values", event->new_values);
	add_span(report, "extra", event->extra);
}

void
at_describe_transaction(AtReport *report, const AtTransactionBody *transaction)
{
	add_number(report, "tx_id", transaction->tx_id);
	add_log_id(report, transaction->log_id);
	add_time(report, "tx_at", transaction->tx_at);
	add_time(report, "committed_at", transaction->committed_at);
	add_number(report, "session_id", transaction->session_id);
	add_number(report, "event_count", transaction->event_count);
	add_number(report, "system_identifier", transaction->system_identifier);
	add_number(report, "database_oid", transaction->database_oid);
	add_span(report, "actor", transaction->actor);
	add_span(report, "actor_type", transaction->actor_type);
	add_span(report, "actor_source", transaction->actor_source);
	add_span(report, "db_user", transaction->db_user);
	add_span(report, "db_role", transaction->db_role);
	add_span(report, "application_name", transaction->application_name);
	add_span(report, "request_id", transaction->request_id);
	add_span(report, "reason", transaction->reason);
	add_span(report, "claimed_session", transaction->claimed_session);
	add_span(report, "claimed_client_ip", transaction->claimed_client_ip);
	add_span(report, "trace_parent", transaction->trace_parent);
	add_span(report, "extra", transaction->extra);
	add_span(report, "context_sources", transaction->context_sources);
}

static void
add_log_id(AtReport *report, const uint8_t *log_id)
{
	char text[2 * AT_LOG_ID_LEN + 5];
	char *out = text;

	for (int i = 0; i < AT_LOG_ID_LEN; i++)
		out += sprintf(out, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x", log_id[i]);
	at_report_field(report, "log_id", at_text(text));
}

static void
add_number(AtReport *report, const char *name, uint64_t number)
{
	char text[AT_DECIMAL_MAX + 1];

	snprintf(text, sizeof(text), "%" PRIu64, number);
	at_report_field(report, name, at_text(text));
}

static void
add_time(AtReport *report, const char *name, int64_t time)
{
	char text[AT_SHOWN_TIME_MAX];

	at_report_field(report, name, at_text(at_show_time(time, text)));
}

static void
add_span(AtReport *report, const char *name, AtSpan span)
{
	at_report_field(report, name, (AtText){span.data, span.len});
}

static const char *
operation(uint8_t op)
{
	switch (op)
	{
		case 'I':
			return "insert";
		case 'U':
			return "update";
		case 'D':
			return "delete";
		case 'T':
			return "truncate";
		case 'B':
			return "baseline";
		case 'A':
			return "altered";
		case 'M':
			return "maintenance";
		default:
			return "unknown";
	}
}
