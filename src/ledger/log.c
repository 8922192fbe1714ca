/*-------------------------------------------------------------------------
 * log.c
 *		The one global log: appending an entry and its new head.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "base/clock.h"
#include "base/columns.h"
#include "ledger/append.h"
#include "ledger/datum.h"
#include "ledger/log.h"
#include "ledger/log_tiles.h"

static void append_entry(const AtEntryBody *entry);
static void append_checkpoint(const AtMerkle *tree, TimestampTz at);

void
at_log_head_init(AtLogHead *head)
{
	at_merkle_init(&head->tree);
	memset(&head->previous, 0, sizeof(head->previous));
}

void
at_log_append(AtLogHead *head, AtEntryBody *entry)
{
	AtHash leaf;

	Assert(entry->payload.len <= AT_MAX_PAYLOAD && entry->snapshot.len <= AT_MAX_SNAPSHOT);
	entry->log_id = at_log_id();
	entry->log_index = head->tree.size;
	entry->previous = head->previous;

	Size size = at_entry_body_size(entry);
	uint8 *bytes = palloc(size);

	if (size > AT_MAX_ENTRY)
		elog(ERROR, "an entry of the audit log has %zu bytes", size);
	at_entry_body_write(entry, bytes);
	if (!at_hash(bytes, size, &head->previous) || !at_hash_leaf(bytes, size, &leaf) ||
		!at_merkle_add(&head->tree, &leaf))
		at_hash_failed();
	pfree(bytes);

	append_entry(entry);
	append_checkpoint(&head->tree, at_pg_timestamp(entry->sealed_at));
	at_log_tiles_append(head->tree.size);
}

void
at_log_append_control(AtLogHead *head, int32 incarnation, const char *kind, const char *snapshot,
					  const char *payload)
{
	AtMerkle empty;
	AtEntryBody entry = {
		.sealed_at = at_unix_microseconds(at_clock_now()),
		.incarnation = incarnation,
		.kind = at_span_of(kind),
		.snapshot = at_span_of(snapshot),
		.payload = at_span_of(payload),
	};

	at_merkle_init(&empty);
	if (!at_merkle_root(&empty, &entry.root))
		at_hash_failed();
	at_log_append(head, &entry);
}

/* A text or json column from a span; null where it is missing. */
static void
set_span(Datum *values, bool *nulls, int column, AtSpan span)
{
	nulls[column - 1] = span.data == NULL;
	if (span.data != NULL)
		values[column - 1] = PointerGetDatum(cstring_to_text_with_len(span.data, span.len));
}

static void
append_entry(const AtEntryBody *entry)
{
	Datum values[Natts_log_entry] = {0};
	bool nulls[Natts_log_entry] = {false};
	bool empty = entry->tx_count == 0;

	values[Anum_log_entry_log_index - 1] = Int64GetDatum(entry->log_index);
	values[Anum_log_entry_sealed_at - 1] = TimestampTzGetDatum(at_pg_timestamp(entry->sealed_at));
	values[Anum_log_entry_incarnation - 1] = Int32GetDatum(entry->incarnation);
	set_span(values, nulls, Anum_log_entry_kind, entry->kind);
	values[Anum_log_entry_previous - 1] = at_bytea_datum(&entry->previous, AT_HASH_LEN);
	values[Anum_log_entry_root - 1] = at_bytea_datum(&entry->root, AT_HASH_LEN);
	values[Anum_log_entry_leaf_count - 1] = Int64GetDatum(entry->leaf_count);
	values[Anum_log_entry_tx_count - 1] = Int64GetDatum(entry->tx_count);
	values[Anum_log_entry_event_count - 1] = Int64GetDatum(entry->event_count);
	nulls[Anum_log_entry_first_tx_at - 1] = empty;
	nulls[Anum_log_entry_last_tx_at - 1] = empty;
	values[Anum_log_entry_first_tx_at - 1] =
		TimestampTzGetDatum(at_pg_timestamp(entry->first_tx_at));
	values[Anum_log_entry_last_tx_at - 1] = TimestampTzGetDatum(at_pg_timestamp(entry->last_tx_at));
	set_span(values, nulls, Anum_log_entry_snapshot, entry->snapshot);
	set_span(values, nulls, Anum_log_entry_payload, entry->payload);
	at_append(AT_LEDGER_LOG_ENTRY, values, nulls);
}

static void
append_checkpoint(const AtMerkle *tree, TimestampTz at)
{
	Datum values[Natts_checkpoint];
	bool nulls[Natts_checkpoint] = {false};
	AtHash frontier[AT_MERKLE_MAX_PEAKS];
	int peaks = at_merkle_save(tree, frontier);
	AtHash root;

	if (!at_merkle_root(tree, &root))
		at_hash_failed();
	values[Anum_checkpoint_size - 1] = Int64GetDatum(tree->size);
	values[Anum_checkpoint_made_at - 1] = TimestampTzGetDatum(at);
	values[Anum_checkpoint_root - 1] = at_bytea_datum(&root, AT_HASH_LEN);
	values[Anum_checkpoint_frontier - 1] = at_bytea_datum(frontier, peaks * sizeof(AtHash));
	at_append(AT_LEDGER_CHECKPOINT, values, nulls);
}

char *
at_log_origin_payload(const AtIncarnation *incarnation)
{
	StringInfoData json;

	initStringInfo(&json);
	appendStringInfo(&json,
					 "{\"incarnation\":%d,\"system_identifier\":\"" UINT64_FORMAT
					 "\",\"database_oid\":%u,\"reason\":",
					 incarnation->incarnation, incarnation->system_identifier,
					 incarnation->database_oid);
	escape_json(&json, incarnation->reason);
	appendStringInfoChar(&json, '}');
	return json.data;
}

void
at_log_append_incarnation(const AtIncarnation *incarnation)
{
	Datum values[Natts_incarnation];
	bool nulls[Natts_incarnation] = {false};
	pg_uuid_t uuid;

	memcpy(uuid.data, incarnation->log_id, AT_LOG_ID_LEN);
	values[Anum_incarnation_incarnation - 1] = Int32GetDatum(incarnation->incarnation);
	values[Anum_incarnation_began_at - 1] = TimestampTzGetDatum(GetCurrentTimestamp());
	values[Anum_incarnation_system_identifier - 1] = Int64GetDatum(incarnation->system_identifier);
	values[Anum_incarnation_database_oid - 1] = ObjectIdGetDatum(incarnation->database_oid);
	values[Anum_incarnation_log_id - 1] = UUIDPGetDatum(&uuid);
	values[Anum_incarnation_reason - 1] = CStringGetTextDatum(incarnation->reason);
	at_append(AT_LEDGER_INCARNATION, values, nulls);
}
