/*-------------------------------------------------------------------------
 * attached_events.c
 *		audit.read_attached(): events out of an archive of another server.
 *
 * Read are the segments that can have what is asked for, by what audit.attached_segment says of
 * them. Each must have the checksum that it had when the archive was attached: or there is an
 *error, and no answer.
 *
 * In an archive a transaction comes behind its events, which are kept until then; so where a
 *segment is read, the one that has the transaction of its last event is too. Of cold files the
 *segment that has the transaction of an event is read, and kept: most often the next event is of
 *the same.
 *
 * Memory: a segment of events, one of transactions, what leads to segments of the time asked for,
 *and work_mem for events that wait and for the result.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type_d.h"
#include "fmgr.h"
#include "funcapi.h"
#include "common/int.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

#include "base/compat.h"
#include "base/errors.h"
#include "core/cold_rows.h"
#include "ledger/datum.h"
#include "ledger/owner_query.h"
#include "ledger/reader.h"
#include "query/attached.h"
#include "query/attached_lead.h"

/* Arguments of the function. */
enum
{
	ARG_ARCHIVE,
	ARG_SINCE,
	ARG_UNTIL,
	ARG_RESOURCE_ID,
	ARG_ACTOR,
	ARG_REQUEST_ID,
	ARG_TABLE_NAME,
	ARG_TX_ID
};

/* Its columns, as sql/install/67_attached.sql has them: of the event, then of its transaction. */
enum
{
	COL_TX_ID,
	COL_ORDINAL,
	COL_TX_AT,
	COL_OCCURRED_AT,
	COL_OP,
	COL_TABLE_SCHEMA,
	COL_TABLE_NAME,
	COL_RESOURCE_TYPE,
	COL_RECORD_KEY,
	COL_EVENT_TYPE,
	COL_OLD_VALUES,
	COL_NEW_VALUES,
	COL_EXTRA,
	COL_COMMITTED_AT,
	COL_XID,
	COL_SESSION_ID,
	COL_ACTOR,
	COL_ACTOR_TYPE,
	COL_ACTOR_SOURCE,
	COL_DB_USER,
	COL_DB_ROLE,
	COL_APPLICATION_NAME,
	COL_REQUEST_ID,
	COL_REASON,
	COL_CLAIMED_SESSION,
	COL_CLAIMED_CLIENT_IP,
	COL_TRACE_PARENT,
	COL_TX_EXTRA,
	COL_CONTEXT,
	COLUMNS
};

typedef struct Reading
{
	const char *archive;
	char *directory;
	AtAttachedAsked asked;
	AtAttachedLead *lead;
	uint64 nread; /* segments */

	ReturnSetInfo *result;
	MemoryContext row_context;
	MemoryContext segment_context;
	Tuplestorestate *pending; /* bodies of events whose transaction is to come */
	uint64 pending_tx_id;     /* 0: there are none */
	TupleTableSlot *slot;

	/* transactions of a segment of a cold file, ascending; strings are in the context */
	MemoryContext tx_context;
	const AtAttachedRef *tx_ref;
	uint32 ntransactions;
	AtTransactionBody *transaction;
} Reading;

PG_FUNCTION_INFO_V1(at_read_attached);

static void read_segments(Reading *reading);
static AtText read_segment(Reading *reading, const AtAttachedRef *ref);
static AtText unpack(Reading *reading, const AtAttachedRef *ref, AtCold *cold);
static void read_items(Reading *reading, AtText content);
static void read_cold(Reading *reading, const AtAttachedRef *ref);
static const AtTransactionBody *find_transaction(Reading *reading, uint64 tx_id);
static const AtTransactionBody *search_loaded(const Reading *reading, uint64 tx_id);
static void load_transactions(Reading *reading, const AtAttachedRef *ref);
static void keep_event(Reading *reading, AtSpan bytes);
static void give_events(Reading *reading, const AtTransactionBody *transaction);
static void give_event(Reading *reading, const AtEventBody *event,
					   const AtTransactionBody *transaction, const char *context);
static char *text_argument(FunctionCallInfo fcinfo, int number);
static char *column_of(const char *archive, const char *column);

/* read_attached(archive, since, until, resource_id) */
Datum
at_read_attached(PG_FUNCTION_ARGS)
{
	Reading reading = {.asked = {.since = DT_NOBEGIN, .until = DT_NOEND}};
	TupleDesc desc;

	InitMaterializedSRF(fcinfo, 0);
	if (PG_ARGISNULL(ARG_ARCHIVE))
		return (Datum) 0;
	if (!at_reader_sees_all())
		ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
						errmsg("permission denied for attached archives"),
						errdetail("They have no row security."),
						errhint("They are for auditors who may see everything.")));
	reading.archive = text_to_cstring(PG_GETARG_TEXT_PP(ARG_ARCHIVE));
	reading.result = (ReturnSetInfo *) fcinfo->resultinfo;
	if (!PG_ARGISNULL(ARG_SINCE))
		reading.asked.since = PG_GETARG_TIMESTAMPTZ(ARG_SINCE);
	if (!PG_ARGISNULL(ARG_UNTIL))
		reading.asked.until = PG_GETARG_TIMESTAMPTZ(ARG_UNTIL);
	reading.asked.resource_id = text_argument(fcinfo, ARG_RESOURCE_ID);
	reading.asked.actor = text_argument(fcinfo, ARG_ACTOR);
	reading.asked.request_id = text_argument(fcinfo, ARG_REQUEST_ID);
	reading.asked.table_name = text_argument(fcinfo, ARG_TABLE_NAME);
	reading.asked.has_tx_id = !PG_ARGISNULL(ARG_TX_ID);
	reading.asked.tx_id = reading.asked.has_tx_id ? PG_GETARG_INT64(ARG_TX_ID) : 0;
	reading.directory = column_of(reading.archive, "directory");
	reading.row_context =
		AllocSetContextCreate(CurrentMemoryContext, "audit attached row", ALLOCSET_DEFAULT_SIZES);
	desc = CreateTemplateTupleDesc(1);
	TupleDescInitEntry(desc, 1, "body", BYTEAOID, -1, 0);
	reading.slot = MakeSingleTupleTableSlot(desc, &TTSOpsMinimalTuple);
	reading.pending = tuplestore_begin_heap(false, false, work_mem);
	reading.segment_context = AllocSetContextCreate(CurrentMemoryContext, "audit attached segment",
													ALLOCSET_DEFAULT_SIZES);
	reading.tx_context = AllocSetContextCreate(CurrentMemoryContext, "audit attached transactions",
											   ALLOCSET_DEFAULT_SIZES);
	reading.lead = at_attached_lead_read(reading.archive, &reading.asked);
	read_segments(&reading);
	tuplestore_end(reading.pending);
	ExecDropSingleTupleTableSlot(reading.slot);
	MemoryContextDelete(reading.row_context);
	MemoryContextDelete(reading.segment_context);
	MemoryContextDelete(reading.tx_context);
	return (Datum) 0;
}

/* NULL for null. */
static char *
text_argument(FunctionCallInfo fcinfo, int number)
{
	return PG_ARGISNULL(number) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(number));
}

static char *
column_of(const char *archive, const char *column)
{
	Oid types[] = {TEXTOID};
	Datum values[] = {CStringGetTextDatum(archive)};
	char *value = at_owner_value(
		psprintf("SELECT a.%s::text FROM audit.attached_archive AS a WHERE a.name = $1", column), 1,
		types, values);

	if (value == NULL)
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
						errmsg("no archive \"%s\" is attached", archive),
						errhint("SELECT * FROM audit.attached_archive;")));
	return value;
}

pg_noreturn static void
broken(const char *archive, const char *why)
{
	ereport(ERROR, (errcode(ERRCODE_AT_INTEGRITY),
					errmsg("attached archive \"%s\" cannot be read", archive),
					errdetail_internal("%s", why),
					errhint("SELECT audit.verify_attached(%s);", quote_literal_cstr(archive))));
}

/* A segment has the events, the one in which their transaction ends has that. */
static void
read_segments(Reading *reading)
{
	int32 ends_in = -1;

	for (uint64 i = 0; i < reading->lead->nrefs; i++)
	{
		const AtAttachedRef *ref = &reading->lead->ref[i];
		MemoryContext save;

		if (!ref->is_wanted && ref->number != ends_in)
			continue;
		CHECK_FOR_INTERRUPTS();
		MemoryContextReset(reading->segment_context);
		save = MemoryContextSwitchTo(reading->segment_context);
		if (ref->kind == AT_ATTACHED_EVENTS)
			read_cold(reading, ref);
		else
			read_items(reading, unpack(reading, ref, NULL));
		MemoryContextSwitchTo(save);
		ends_in = reading->pending_tx_id > 0 ? ref->ends_in : -1;
	}
	if (reading->pending_tx_id > 0)
		broken(reading->archive, "The transaction of its last events is missing.");
	elog(DEBUG1, "attached archive \"%s\": " UINT64_FORMAT " segments read", reading->archive,
		 reading->nread);
}

/* The bytes of a segment, in the current context. */
static AtText
read_segment(Reading *reading, const AtAttachedRef *ref)
{
	AtText bytes;
	const char *why =
		at_attached_piece(reading->directory, ref->file, ref->offset, ref->bytes, &bytes);

	if (why != NULL)
		broken(reading->archive, why);
	reading->nread++;
	return bytes;
}

static void
check(const Reading *reading, const AtAttachedRef *ref, AtError error, const void *checksum)
{
	if (error != AT_OK)
		broken(reading->archive, psprintf("Of file \"%s\": %s.", ref->file, at_error_text(error)));
	if (memcmp(checksum, &ref->checksum, AT_HASH_LEN) != 0)
		broken(reading->archive,
			   psprintf("File \"%s\" is not the one that was attached.", ref->file));
}

/* Read, check, and unpack a segment: one of cold rows, if there is a place for its head. */
static AtText
unpack(Reading *reading, const AtAttachedRef *ref, AtCold *cold)
{
	AtText bytes = read_segment(reading, ref);
	AtSegment segment = {0};
	uint64 content_len;
	size_t len = bytes.len;
	AtError error =
		cold != NULL ? at_cold_read(cold, bytes, &len) : at_segment_read(&segment, bytes);
	char *content;

	if (error == AT_OK && len != bytes.len)
		error = AT_ERR_SEGMENT;
	check(reading, ref, error, bytes.data + bytes.len - AT_HASH_LEN);
	content_len = cold != NULL ? cold->content_len : segment.content_len;
	content = palloc_extended(content_len + 1, MCXT_ALLOC_HUGE);
	error = cold != NULL ? at_cold_unpack(cold, content) : at_segment_unpack(&segment, content);
	check(reading, ref, error, &ref->checksum);
	return (AtText){content, content_len};
}

/* Of a purged transaction some events may be there still. */
static void
end_transaction(Reading *reading, const AtTransactionBody *transaction)
{
	if (reading->pending_tx_id > 0)
		give_events(reading, transaction);
	tuplestore_clear(reading->pending);
	reading->pending_tx_id = 0;
}

/* Other items than events and transactions, and what is left of these, are passed over. */
static void
read_items(Reading *reading, AtText content)
{
	while (content.len > 0)
	{
		AtTransactionBody transaction;
		AtSpan bytes;
		char kind;

		CHECK_FOR_INTERRUPTS();
		if (at_segment_item_next(&content, &kind, &bytes) != AT_OK)
			broken(reading->archive, "A segment has something that is no item.");
		if (kind == AT_ARCHIVE_EVENT)
			keep_event(reading, bytes);
		if (at_attached_is_gone(kind, bytes))
			end_transaction(reading, NULL);
		if (kind != AT_ARCHIVE_TRANSACTION)
			continue;
		if (!at_transaction_body_read(&transaction, bytes.data, bytes.len))
			broken(reading->archive, "A segment has something that is no transaction.");
		end_transaction(reading, &transaction);
	}
}

static void
read_cold(Reading *reading, const AtAttachedRef *ref)
{
	AtCold cold;
	AtText content = unpack(reading, ref, &cold);
	AtColdWalk walk;
	AtEventBody event;
	int32_t target_id;

	check(reading, ref, at_cold_walk_open(&walk, &cold, content), &ref->checksum);
	while (at_cold_walk_event(&walk, &event, &target_id))
	{
		const AtAttachedTarget *target = at_attached_target(reading->lead, target_id);
		MemoryContext save;

		CHECK_FOR_INTERRUPTS();
		if (target == NULL)
			broken(reading->archive, "The names of a table are missing.");
		event.schema = at_span_of(target->schema);
		event.table = at_span_of(target->table);
		event.resource_type = at_span_of(target->resource_type);
		if (!at_attached_wants(&reading->asked, &event))
			continue;
		save = MemoryContextSwitchTo(reading->row_context);
		give_event(reading, &event, find_transaction(reading, event.tx_id), target->context);
		MemoryContextSwitchTo(save);
		MemoryContextReset(reading->row_context);
	}
}

/* NULL if no file has it. */
static const AtTransactionBody *
find_transaction(Reading *reading, uint64 tx_id)
{
	const AtTransactionBody *found = search_loaded(reading, tx_id);

	for (uint64 i = 0; found == NULL && i < reading->lead->nrefs; i++)
	{
		const AtAttachedRef *ref = &reading->lead->ref[i];

		if (ref->kind != AT_ATTACHED_TRANSACTIONS || ref == reading->tx_ref ||
			(int64) tx_id < ref->first_tx_id || (int64) tx_id > ref->last_tx_id)
			continue;
		load_transactions(reading, ref);
		found = search_loaded(reading, tx_id);
	}
	return found;
}

static const AtTransactionBody *
search_loaded(const Reading *reading, uint64 tx_id)
{
	uint32 low = 0;
	uint32 high = reading->ntransactions;

	while (low < high)
	{
		uint32 middle = low + (high - low) / 2;

		if (reading->transaction[middle].tx_id < tx_id)
			low = middle + 1;
		else
			high = middle;
	}
	return low < reading->ntransactions && reading->transaction[low].tx_id == tx_id
			   ? &reading->transaction[low]
			   : NULL;
}

static void
load_transactions(Reading *reading, const AtAttachedRef *ref)
{
	MemoryContext save = MemoryContextSwitchTo(reading->tx_context);
	AtColdWalk walk;
	AtCold cold;
	AtText content;

	MemoryContextReset(reading->tx_context);
	reading->tx_ref = ref;
	reading->ntransactions = 0;
	content = unpack(reading, ref, &cold);
	check(reading, ref, at_cold_walk_open(&walk, &cold, content), &ref->checksum);
	reading->transaction =
		palloc_extended(sizeof(AtTransactionBody) * (cold.rows + 1), MCXT_ALLOC_HUGE);
	while (at_cold_walk_transaction(&walk, &reading->transaction[reading->ntransactions]))
		reading->ntransactions++;
	MemoryContextSwitchTo(save);
}

static void
keep_event(Reading *reading, AtSpan bytes)
{
	AtEventBody event;
	Datum value;
	bool isnull = false;

	if (!at_event_body_read(&event, bytes.data, bytes.len))
		broken(reading->archive, "A segment has something that is no event.");
	if (reading->pending_tx_id > 0 && event.tx_id != reading->pending_tx_id)
		broken(reading->archive, "The transaction of an event is missing.");
	if (!at_attached_wants(&reading->asked, &event))
		return;
	reading->pending_tx_id = event.tx_id;
	value = at_bytea_datum(bytes.data, bytes.len);
	tuplestore_putvalues(reading->pending, reading->slot->tts_tupleDescriptor, &value, &isnull);
	pfree(DatumGetPointer(value));
}

static void
give_events(Reading *reading, const AtTransactionBody *transaction)
{
	tuplestore_rescan(reading->pending);
	while (tuplestore_gettupleslot(reading->pending, true, false, reading->slot))
	{
		MemoryContext save = MemoryContextSwitchTo(reading->row_context);
		AtEventBody event;
		bool isnull;
		AtSpan bytes =
			at_span_of_varlena(PG_DETOAST_DATUM_PACKED(slot_getattr(reading->slot, 1, &isnull)));

		if (!at_event_body_read(&event, bytes.data, bytes.len))
			elog(ERROR, "an event was read once and not again");
		give_event(reading, &event, transaction, at_attached_context(reading->lead, &event));
		MemoryContextSwitchTo(save);
		MemoryContextReset(reading->row_context);
	}
}

typedef struct Row
{
	Datum value[COLUMNS];
	bool isnull[COLUMNS];
} Row;

/* A text, if this database can have it. */
static void
set_text(const Reading *reading, Row *row, int column, AtSpan span)
{
	row->isnull[column] = span.data == NULL;
	if (span.data == NULL)
		return;
	if (!pg_verify_mbstr(GetDatabaseEncoding(), span.data, span.len, true))
		broken(reading->archive, "It has a text that the encoding of this database has not.");
	row->value[column] = PointerGetDatum(cstring_to_text_with_len(span.data, span.len));
}

static void
set_time(const Reading *reading, Row *row, int column, int64 unix_microseconds)
{
	TimestampTz at;

	if (pg_sub_s64_overflow(unix_microseconds,
							(POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY, &at) ||
		!IS_VALID_TIMESTAMP(at))
		broken(reading->archive, "It has a time that is out of range.");
	row->value[column] = TimestampTzGetDatum(at);
}

/* What is not there is null. */
static void
set_transaction(const Reading *reading, Row *row, const AtTransactionBody *transaction)
{
	for (int i = COL_COMMITTED_AT; i <= COL_TX_EXTRA; i++)
		row->isnull[i] = true;
	if (transaction == NULL)
		return;
	row->isnull[COL_COMMITTED_AT] = row->isnull[COL_XID] = row->isnull[COL_SESSION_ID] = false;
	set_time(reading, row, COL_COMMITTED_AT, transaction->committed_at);
	row->value[COL_XID] = Int64GetDatum(transaction->xid);
	row->value[COL_SESSION_ID] = Int64GetDatum(transaction->session_id);
	set_text(reading, row, COL_ACTOR, transaction->actor);
	set_text(reading, row, COL_ACTOR_TYPE, transaction->actor_type);
	set_text(reading, row, COL_ACTOR_SOURCE, transaction->actor_source);
	set_text(reading, row, COL_DB_USER, transaction->db_user);
	set_text(reading, row, COL_DB_ROLE, transaction->db_role);
	set_text(reading, row, COL_APPLICATION_NAME, transaction->application_name);
	set_text(reading, row, COL_REQUEST_ID, transaction->request_id);
	set_text(reading, row, COL_REASON, transaction->reason);
	set_text(reading, row, COL_CLAIMED_SESSION, transaction->claimed_session);
	set_text(reading, row, COL_CLAIMED_CLIENT_IP, transaction->claimed_client_ip);
	set_text(reading, row, COL_TRACE_PARENT, transaction->trace_parent);
	set_text(reading, row, COL_TX_EXTRA, transaction->extra);
}

static void
give_event(Reading *reading, const AtEventBody *event, const AtTransactionBody *transaction,
		   const char *context)
{
	Row row = {0};

	row.value[COL_TX_ID] = Int64GetDatum(event->tx_id);
	row.value[COL_ORDINAL] = Int32GetDatum(event->ordinal);
	set_time(reading, &row, COL_TX_AT, event->tx_at);
	set_time(reading, &row, COL_OCCURRED_AT, event->occurred_at);
	row.value[COL_OP] = CharGetDatum(event->op);
	set_text(reading, &row, COL_TABLE_SCHEMA, event->schema);
	set_text(reading, &row, COL_TABLE_NAME, event->table);
	set_text(reading, &row, COL_RESOURCE_TYPE, event->resource_type);
	set_text(reading, &row, COL_RECORD_KEY, event->record_key);
	set_text(reading, &row, COL_EVENT_TYPE, event->event_type);
	set_text(reading, &row, COL_OLD_VALUES, event->old_values);
	set_text(reading, &row, COL_NEW_VALUES, event->new_values);
	set_text(reading, &row, COL_EXTRA, event->extra);
	set_text(reading, &row, COL_CONTEXT, at_span_of(context));
	set_transaction(reading, &row, transaction);
	tuplestore_putvalues(reading->result->setResult, reading->result->setDesc, row.value,
						 row.isnull);
}
