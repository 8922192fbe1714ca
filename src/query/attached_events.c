/*-------------------------------------------------------------------------
 * attached_events.c
 *		audit.read_attached(): events out of an archive of another server.
 *
 * Every file is read and its checksum computed, and at the end all of them must
 * be those that were verified when the archive was attached: or there is an error, and
 * no answer. Unpacked are only segments that have something of the time that is asked for.
 *
 * A transaction comes behind its events, which are kept until then; they may be in
 * segments before its own, which have its time too. Memory: a segment, and work_mem for
 * these and for the result.
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
#include "ledger/datum.h"
#include "ledger/owner_query.h"
#include "ledger/reader.h"
#include "query/attached.h"

/* Arguments of the function. */
enum
{
	ARG_ARCHIVE,
	ARG_SINCE,
	ARG_UNTIL,
	ARG_RESOURCE_ID
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
	COLUMNS
};

typedef struct Reading
{
	const char *archive;
	TimestampTz since;
	TimestampTz until;
	char *resource_id; /* NULL: any */
	ReturnSetInfo *result;
	MemoryContext row_context;
	Tuplestorestate *pending; /* bodies of events whose transaction is to come */
	TupleTableSlot *slot;
} Reading;

PG_FUNCTION_INFO_V1(at_read_attached);

static void read_segments(Reading *reading, const char *directory, const char *digest, uint64 size);
static const char *read_items(Reading *reading, AtText content);
static void keep_event(Reading *reading, AtSpan bytes);
static void give_events(Reading *reading, const AtTransactionBody *transaction);
static void give_event(Reading *reading, const AtEventBody *event,
					   const AtTransactionBody *transaction);
static char *column_of(const char *archive, const char *column);

/* read_attached(archive, since, until, resource_id) */
Datum
at_read_attached(PG_FUNCTION_ARGS)
{
	Reading reading = {.since = DT_NOBEGIN, .until = DT_NOEND};
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
		reading.since = PG_GETARG_TIMESTAMPTZ(ARG_SINCE);
	if (!PG_ARGISNULL(ARG_UNTIL))
		reading.until = PG_GETARG_TIMESTAMPTZ(ARG_UNTIL);
	if (!PG_ARGISNULL(ARG_RESOURCE_ID))
		reading.resource_id = text_to_cstring(PG_GETARG_TEXT_PP(ARG_RESOURCE_ID));
	reading.row_context =
		AllocSetContextCreate(CurrentMemoryContext, "audit attached row", ALLOCSET_DEFAULT_SIZES);
	desc = CreateTemplateTupleDesc(1);
	TupleDescInitEntry(desc, 1, "body", BYTEAOID, -1, 0);
	reading.slot = MakeSingleTupleTableSlot(desc, &TTSOpsMinimalTuple);
	reading.pending = tuplestore_begin_heap(false, false, work_mem);
	read_segments(&reading, column_of(reading.archive, "directory"),
				  column_of(reading.archive, "digest"),
				  strtoull(column_of(reading.archive, "size"), NULL, 10));
	tuplestore_end(reading.pending);
	ExecDropSingleTupleTableSlot(reading.slot);
	MemoryContextDelete(reading.row_context);
	return (Datum) 0;
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

/* The text of a digest, as bytea has it. */
static bool
is_digest(const AtHash *digest, const char *text)
{
	char hex[2 * AT_HASH_LEN + 3] = "\\x";

	for (int i = 0; i < AT_HASH_LEN; i++)
		snprintf(hex + 2 + 2 * i, 3, "%02x", digest->bytes[i]);
	return strcmp(hex, text) == 0;
}

static void
read_segments(Reading *reading, const char *directory, const char *digest, uint64 size)
{
	AtAttachedWalk walk;
	bool found;
	const char *why;

	at_attached_begin(&walk, directory, size);
	while ((why = at_attached_next(&walk, &found)) == NULL && found)
	{
		const AtSegment *segment = &walk.segment;
		AtText content;

		if (segment->events == 0 && segment->transactions == 0)
			continue;
		if (at_pg_timestamp(segment->last_tx_at) < reading->since ||
			at_pg_timestamp(segment->first_tx_at) >= reading->until)
			continue;
		why = at_attached_unpack(&walk, &content);
		if (why == NULL)
			why = read_items(reading, content);
		if (why != NULL)
			break;
	}
	if (why != NULL)
		broken(reading->archive, why);
	if (!is_digest(&walk.digest, digest))
		broken(reading->archive, "Its files are not those that were attached.");
	at_attached_end(&walk);
}

/* Other items than events and transactions are passed over. */
static const char *
read_items(Reading *reading, AtText content)
{
	while (content.len > 0)
	{
		AtTransactionBody transaction;
		AtSpan bytes;
		char kind;

		CHECK_FOR_INTERRUPTS();
		if (at_segment_item_next(&content, &kind, &bytes) != AT_OK)
			return "A segment has something that is no item.";
		if (kind == AT_ARCHIVE_EVENT)
			keep_event(reading, bytes);
		if (kind != AT_ARCHIVE_TRANSACTION)
			continue;
		if (!at_transaction_body_read(&transaction, bytes.data, bytes.len))
			return "A segment has something that is no transaction.";
		if (at_pg_timestamp(transaction.tx_at) >= reading->since &&
			at_pg_timestamp(transaction.tx_at) < reading->until)
			give_events(reading, &transaction);
		tuplestore_clear(reading->pending);
	}
	return NULL;
}

static void
keep_event(Reading *reading, AtSpan bytes)
{
	AtEventBody event;
	Datum value;
	bool isnull = false;

	if (!at_event_body_read(&event, bytes.data, bytes.len))
		broken(reading->archive, "A segment has something that is no event.");
	if (reading->resource_id != NULL &&
		(event.record_key.data == NULL || event.record_key.len != strlen(reading->resource_id) ||
		 memcmp(event.record_key.data, reading->resource_id, event.record_key.len) != 0))
		return;
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
		give_event(reading, &event, transaction);
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

static void
give_event(Reading *reading, const AtEventBody *event, const AtTransactionBody *transaction)
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
	set_time(reading, &row, COL_COMMITTED_AT, transaction->committed_at);
	row.value[COL_XID] = Int64GetDatum(transaction->xid);
	row.value[COL_SESSION_ID] = Int64GetDatum(transaction->session_id);
	set_text(reading, &row, COL_ACTOR, transaction->actor);
	set_text(reading, &row, COL_ACTOR_TYPE, transaction->actor_type);
	set_text(reading, &row, COL_ACTOR_SOURCE, transaction->actor_source);
	set_text(reading, &row, COL_DB_USER, transaction->db_user);
	set_text(reading, &row, COL_DB_ROLE, transaction->db_role);
	set_text(reading, &row, COL_APPLICATION_NAME, transaction->application_name);
	set_text(reading, &row, COL_REQUEST_ID, transaction->request_id);
	set_text(reading, &row, COL_REASON, transaction->reason);
	set_text(reading, &row, COL_CLAIMED_SESSION, transaction->claimed_session);
	set_text(reading, &row, COL_CLAIMED_CLIENT_IP, transaction->claimed_client_ip);
	set_text(reading, &row, COL_TRACE_PARENT, transaction->trace_parent);
	set_text(reading, &row, COL_TX_EXTRA, transaction->extra);
	tuplestore_putvalues(reading->result->setResult, reading->result->setDesc, row.value,
						 row.isnull);
}
