/*-------------------------------------------------------------------------
 * describe.c
 *		Fields of what was proved, by the names that audit.events has for them.
 *-------------------------------------------------------------------------
 */
#include <inttypes.h>
#include <stdio.h>

#include "core/base64.h"
#include "describe.h"
#include "show.h"

static void add_log_id(AtResult *result, const uint8_t *log_id);
static void add_time(AtResult *result, const char *name, int64_t time);
static void add_span(AtResult *result, const char *name, AtSpan span);
static const char *operation(uint8_t op);

const char *
at_event_id(const AtEventBody *event, char buffer[AT_EVENT_ID_MAX])
{
	snprintf(buffer, AT_EVENT_ID_MAX, "%" PRIu64 ".%" PRIu32, event->tx_id, event->ordinal);
	return buffer;
}

void
at_describe_number(AtResult *result, const char *name, uint64_t number)
{
	char text[AT_DECIMAL_MAX + 1];

	snprintf(text, sizeof(text), "%" PRIu64, number);
	at_result_field(result, name, at_text(text));
}

void
at_describe_checkpoint(AtResult *result, const AtCheckpoint *checkpoint)
{
	char root[AT_BASE64_LEN(AT_HASH_LEN)];
	AtWriter writer = at_writer(root, sizeof(root));

	at_write_base64(&writer, checkpoint->root.bytes, AT_HASH_LEN);
	at_result_field(result, "log_origin", checkpoint->origin);
	at_describe_number(result, "log_size", checkpoint->size);
	at_result_field(result, "log_root", (AtText){root, writer.len});
}

void
at_describe_event(AtResult *result, const AtEventBody *event)
{
	char id[AT_EVENT_ID_MAX];

	at_result_field(result, "event_id", at_text(at_event_id(event, id)));
	add_log_id(result, event->log_id);
	add_time(result, "tx_at", event->tx_at);
	add_time(result, "occurred_at", event->occurred_at);
	at_result_field(result, "operation", at_text(operation(event->op)));
	add_span(result, "table_schema", event->schema);
	add_span(result, "table_name", event->table);
	add_span(result, "resource_type", event->resource_type);
	add_span(result, "record_key", event->record_key);
	add_span(result, "event_type", event->event_type);
	add_span(result, "old_values", event->old_values);
	add_span(result, "new_values", event->new_values);
	add_span(result, "extra", event->extra);
}

void
at_describe_transaction(AtResult *result, const AtTransactionBody *transaction)
{
	at_describe_number(result, "tx_id", transaction->tx_id);
	add_log_id(result, transaction->log_id);
	add_time(result, "tx_at", transaction->tx_at);
	add_time(result, "committed_at", transaction->committed_at);
	at_describe_number(result, "session_id", transaction->session_id);
	at_describe_number(result, "event_count", transaction->event_count);
	at_describe_number(result, "system_identifier", transaction->system_identifier);
	at_describe_number(result, "database_oid", transaction->database_oid);
	add_span(result, "actor", transaction->actor);
	add_span(result, "actor_type", transaction->actor_type);
	add_span(result, "actor_source", transaction->actor_source);
	add_span(result, "db_user", transaction->db_user);
	add_span(result, "db_role", transaction->db_role);
	add_span(result, "application_name", transaction->application_name);
	add_span(result, "request_id", transaction->request_id);
	add_span(result, "reason", transaction->reason);
	add_span(result, "claimed_session", transaction->claimed_session);
	add_span(result, "claimed_client_ip", transaction->claimed_client_ip);
	add_span(result, "trace_parent", transaction->trace_parent);
	add_span(result, "extra", transaction->extra);
	add_span(result, "context_sources", transaction->context_sources);
}

static void
add_log_id(AtResult *result, const uint8_t *log_id)
{
	char text[2 * AT_LOG_ID_LEN + 5];
	char *out = text;

	for (int i = 0; i < AT_LOG_ID_LEN; i++)
		out += sprintf(out, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x", log_id[i]);
	at_result_field(result, "log_id", at_text(text));
}

static void
add_time(AtResult *result, const char *name, int64_t time)
{
	char text[AT_SHOWN_TIME_MAX];

	at_result_field(result, name, at_text(at_show_time(time, text)));
}

static void
add_span(AtResult *result, const char *name, AtSpan span)
{
	at_result_field(result, name, (AtText){span.data, span.len});
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
		case 'R':
			return "refused";
		case 'V':
			return "read";
		case 'X':
			return "export";
		default:
			return "unknown";
	}
}
