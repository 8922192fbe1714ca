/*-------------------------------------------------------------------------
 * event.c
 *		An event: into the chain of its transaction and into audit.event.
 *
 * What is hashed is what is stored: the same bytes go into the body and into
 * the row.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "nodes/supportnodes.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"
#include "utils/timestamp.h"

#include "base/clock.h"
#include "base/columns.h"
#include "base/guc.h"
#include "base/json_scan.h"
#include "core/text.h"
#include "ledger/append.h"
#include "ledger/datum.h"
#include "ledger/event.h"
#include "ledger/retention_class.h"
#include "ledger/statement.h"
#include "ledger/transaction.h"

/* Which part of all events has a context of its own: a guess, of which it matters that it is small.
 */
#define OWN_CONTEXT_SELECTIVITY 0.001

PG_FUNCTION_INFO_V1(at_has_context);
PG_FUNCTION_INFO_V1(at_has_context_support);

static struct varlena *make_extra(const AtEvent *event, const AtTransaction *tx);
static void append_statement(StringInfo json);
static int trigger_depth(const AtEvent *event);
static void hash_event(const AtEventBody *body, AtHash *leaf);
static ItemPointerData append_row(const AtEvent *event, const AtTransaction *tx, TimestampTz now,
								  struct varlena *extra, int16 retention_class);

AtEventName
at_event_append(const AtEvent *event)
{
	const AtTransaction *tx = at_transaction_join();
	struct varlena *extra = make_extra(event, tx);
	TimestampTz now = event->occurred_at != 0 ? event->occurred_at : at_clock_now();
	AtEventName name = {.tx_id = tx->tx_id, .ordinal = tx->event_count + 1};
	AtEventBody body = {
		.log_id = at_log_id(),
		.tx_id = name.tx_id,
		.ordinal = name.ordinal,
		.tx_at = at_unix_microseconds(tx->tx_at),
		.occurred_at = at_unix_microseconds(now),
		.op = event->op,
		.schema = event->schema,
		.table = event->table,
		.resource_type = event->resource_type,
		.record_key = at_span_of_varlena(event->record_key),
		.event_type = at_span_of_varlena(event->event_type),
		.old_values = at_span_of_varlena(event->old_values),
		.new_values = at_span_of_varlena(event->new_values),
		.extra = at_span_of_varlena(extra),
	};
	int16 class = at_retention_class(event->target_id, body.event_type, event->retention_class);
	AtHash leaf;
	ItemPointerData tid;

	hash_event(&body, &leaf);
	tid = append_row(event, tx, now, extra, class);
	at_transaction_add(&leaf, class, &tid);
	return name;
}

/* The event's extra: what the caller has, and what differs from the rule and the transaction. */
static struct varlena *
make_extra(const AtEvent *event, const AtTransaction *tx)
{
	int depth = trigger_depth(event);
	bool given = event->extra != NULL && event->extra->len > 0;
	bool tagged = at_guc_maintenance[0] != '\0';
	bool implied = at_statement_implied(event->op);
	StringInfoData json;

	if (!given && !tagged && depth == 0 && implied && at_context_unchanged(&tx->context))
		return NULL;

	initStringInfo(&json);
	appendStringInfoChar(&json, '{');
	if (given)
		appendStringInfo(&json, "%s,", event->extra->data);
	if (depth > 0)
		appendStringInfo(&json, "\"trigger_depth\":%d,", depth);
	if (!implied)
		append_statement(&json);
	if (tagged)
	{
		appendStringInfoString(&json, "\"maintenance\":");
		escape_json(&json, at_context_clean(at_guc_maintenance));
		appendStringInfoChar(&json, ',');
	}
	if (!at_context_append_changes(&tx->context, &json))
		json.len--; /* a comma, or all that there is */
	if (json.len == 0)
		return NULL;
	appendStringInfoChar(&json, '}');
	return cstring_to_text_with_len(json.data, json.len);
}

/* Which kind of command of the client's made it; null if none is known. */
static void
append_statement(StringInfo json)
{
	const char *tag = at_statement_tag();

	if (tag != NULL)
		appendStringInfo(json, "\"statement\":\"%s\",", tag);
	else
		appendStringInfoString(json, "\"statement\":null,");
}

/*
 * How many triggers, those of foreign keys too, the change was made within.
 * That a table was emptied is recorded by a trigger function, which counts itself.
 */
static int
trigger_depth(const AtEvent *event)
{
	return DatumGetInt32(pg_trigger_depth(NULL)) - (event->op == 'T' && event->old_values == NULL);
}

static void
hash_event(const AtEventBody *body, AtHash *leaf)
{
	Size size = at_event_body_size(body);
	uint8 *bytes = palloc_extended(size, MCXT_ALLOC_HUGE);

	at_event_body_write(body, bytes);
	if (!at_hash_leaf(bytes, size, leaf))
		at_hash_failed();
	pfree(bytes);
}

bool
at_event_has_context(const struct varlena *extra)
{
	static const char member[] = "context";
	AtJsonScan in;

	at_json_start(&in, VARDATA_ANY(extra), VARSIZE_ANY_EXHDR(extra));
	if (!at_json_next(&in) || in.kind != '{')
		return false;
	while (at_json_next(&in) && in.kind != '}')
	{
		if (in.kind != '"')
			continue; /* the comma */
		if (in.len == strlen(member) && memcmp(in.start, member, in.len) == 0)
			return true;
		at_json_next(&in); /* the colon */
		at_json_next(&in);
		(void) at_json_value(&in);
	}
	return false;
}

Datum
at_has_context(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(at_event_has_context((struct varlena *) PG_GETARG_TEXT_PP(0)));
}

/* audit.has_context_support(): how the planner is told. */
Datum
at_has_context_support(PG_FUNCTION_ARGS)
{
	Node *request = (Node *) PG_GETARG_POINTER(0);

	if (!IsA(request, SupportRequestSelectivity))
		PG_RETURN_POINTER(NULL);
	((SupportRequestSelectivity *) request)->selectivity = OWN_CONTEXT_SELECTIVITY;
	PG_RETURN_POINTER(request);
}

static ItemPointerData
append_row(const AtEvent *event, const AtTransaction *tx, TimestampTz now, struct varlena *extra,
		   int16 retention_class)
{
	Datum values[Natts_event];
	bool nulls[Natts_event] = {false};

	values[Anum_event_tx_id - 1] = Int64GetDatum(tx->tx_id);
	values[Anum_event_tx_at - 1] = TimestampTzGetDatum(tx->tx_at);
	values[Anum_event_occurred_at - 1] = TimestampTzGetDatum(now);
	values[Anum_event_ordinal - 1] = Int32GetDatum(tx->event_count + 1);
	values[Anum_event_target_id - 1] = Int32GetDatum(event->target_id);
	values[Anum_event_retention_class - 1] = Int16GetDatum(retention_class);
	values[Anum_event_op - 1] = CharGetDatum(event->op);
	at_set_varlena(values, nulls, Anum_event_record_key, event->record_key);
	at_set_varlena(values, nulls, Anum_event_event_type, event->event_type);
	at_set_varlena(values, nulls, Anum_event_old_values, event->old_values);
	at_set_varlena(values, nulls, Anum_event_new_values, event->new_values);
	at_set_varlena(values, nulls, Anum_event_extra, extra);
	return at_append(AT_LEDGER_EVENT, values, nulls);
}

AtEventName
at_event_name_read(const char *event_id)
{
	AtText rest = at_text(event_id);
	AtText first;
	uint64_t tx_id;
	uint64_t ordinal;

	if (!at_text_until(&rest, '.', &first) || !at_text_decimal(first, &tx_id) ||
		tx_id > PG_INT64_MAX || !at_text_decimal(rest, &ordinal) || ordinal == 0 ||
		ordinal > PG_INT32_MAX)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("\"%s\" is not the name of an event", event_id),
						errdetail("Events are named by tx_id.ordinal."),
						errhint("See event_id in audit.events.")));
	return (AtEventName){.tx_id = tx_id, .ordinal = ordinal};
}
