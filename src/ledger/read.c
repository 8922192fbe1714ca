/*-------------------------------------------------------------------------
 * read.c
 *		Rows of audit.transaction, audit.event and audit.session, ready to be
 *		hashed.
 *
 * Events are not copied: their spans point into the page that the scan has
 * pinned, unless a value was compressed or stored out of line.
 * Transactions are copied in groups of one tx_id (nearly always a single
 * row), so that their order is always the same.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xlog.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "base/columns.h"
#include "ledger/datum.h"
#include "ledger/log_read.h"
#include "ledger/place.h"
#include "ledger/read.h"
#include "ledger/scan.h"
#include "ledger/target_names.h"

/* A copied row of audit.transaction. */
typedef struct Member
{
	int64 place;
	int64 tx_id;
	HeapTuple tuple;
} Member;

struct AtTransactionReader
{
	AtScan *scan;
	bool ahead; /* the scan stands on a row that was not taken yet */

	/* what is read, for windows only */
	const AtWindow *window;
	int64 base;       /* tx_id of the window's transaction 0 */
	int next_running; /* of window->from, to be asked for by itself; nrunning when done */

	/* the rows of one place */
	MemoryContext group_context;
	TupleDesc desc;
	Member *member;
	int nmembers;
	int capacity;
	int next_member;

	/* the row given out */
	MemoryContext row_context;
	AtTransactionRow row;
};

struct AtEventReader
{
	Snapshot snapshot;
	MemoryContext context;
	AtScan *scan;
	bool scanning; /* it was started for this transaction */
	bool ahead;    /* it stands on a row that was not given out yet, */
	bool given;    /* or on the one that the caller holds */

	/* of what is not sealed; the first two NULL until needed */
	AtTransactionReader *finder;
	AtPlaceReader *follower;
	int64 tx_id;
	TimestampTz tx_at;
	uint32 event_count; /* as its row has it; without one, as many as there can be */
	AtPlaces places;    /* none, where it is sealed */
	int next_place;

	AtTargetNames *targets;
	MemoryContext row_context;
	AtEventRow row;
};

struct AtSessionReader
{
	AtScan *scan;
	MemoryContext row_context;
	AtSessionBody body;
};

static AtTransactionReader *open_transactions(Snapshot snapshot);
static bool next_stretch(AtTransactionReader *reader);
static bool next_group(AtTransactionReader *reader);
static bool wanted(const AtTransactionReader *reader);
static void add_member(AtTransactionReader *reader);
static int compare_members(const void *a, const void *b);
static void decode_transaction(AtTransactionReader *reader, const Member *member);
static void begin_events(AtEventReader *reader, uint64 tx_id, uint32 first_ordinal);
static void find_places(AtEventReader *reader);
static void take_places(AtEventReader *reader, const AtTransactionRow *row);
static bool is_recorded_here(const AtTransactionRow *row);
static void start_scan(AtEventReader *reader, uint32 first_ordinal);
static TupleTableSlot *follow_place(AtEventReader *reader);
static const AtEventRow *give(AtEventReader *reader, TupleTableSlot *slot, uint32 place,
							  bool by_place);
static void decode_event(AtEventReader *reader, TupleTableSlot *slot, uint32 place);
static AtSpan get_span(Datum value, bool isnull);
static bool get_hash(AtSpan span, AtHash *hash);

AtWindow
at_window_here(void)
{
	return (AtWindow){.incarnation = at_incarnation_here(),
					  .system_identifier = GetSystemIdentifier(),
					  .database_oid = MyDatabaseId};
}

AtTransactionReader *
at_transaction_reader_open(Snapshot snapshot)
{
	return open_transactions(snapshot);
}

AtTransactionReader *
at_transaction_finder_open(Snapshot snapshot)
{
	return open_transactions(snapshot);
}

static AtTransactionReader *
open_transactions(Snapshot snapshot)
{
	AtTransactionReader *reader = palloc0(sizeof(AtTransactionReader));

	reader->scan = at_scan_open(AT_SCAN_TRANSACTION_BY_TX_ID, snapshot);
	reader->group_context =
		AllocSetContextCreate(CurrentMemoryContext, "audit transactions", ALLOCSET_SMALL_SIZES);
	reader->row_context =
		AllocSetContextCreate(CurrentMemoryContext, "audit transaction", ALLOCSET_SMALL_SIZES);
	reader->capacity = 8;
	reader->member = palloc(sizeof(Member) * reader->capacity);
	return reader;
}

static void
restart(AtTransactionReader *reader, int64 low, int64 high)
{
	at_scan_start(reader->scan, low, high);
	reader->ahead = at_scan_next(reader->scan);
}

/*
 * First what was running in `from`, each by itself: a range over them would
 * be as long as the longest transaction. Then all that began later.
 */
void
at_transaction_reader_start(AtTransactionReader *reader, const AtWindow *window)
{
	reader->window = window;
	reader->base = at_tx_id_base(window->incarnation);
	reader->next_running = 0;
	reader->nmembers = 0;
	reader->next_member = 0;
	reader->ahead = false;
}

void
at_transaction_finder_start(AtTransactionReader *reader, uint64 tx_id)
{
	reader->nmembers = 0;
	reader->next_member = 0;
	restart(reader, tx_id, tx_id);
}

const AtTransactionRow *
at_transaction_reader_next(AtTransactionReader *reader)
{
	while (reader->next_member == reader->nmembers)
		if (!next_group(reader))
			return NULL;
	decode_transaction(reader, &reader->member[reader->next_member++]);
	return &reader->row;
}

/* Start the next scan of the window; false if there is none. */
static bool
next_stretch(AtTransactionReader *reader)
{
	static const AtSettled beginning = {.xmax = 1};

	if (reader->window == NULL)
		return false;

	const AtSettled *from = reader->window->from ? reader->window->from : &beginning;
	const AtSettled *to = reader->window->to;

	while (reader->next_running < from->nrunning)
	{
		int64 xid = from->running[reader->next_running++];

		if (to != NULL && !at_settled_has(to, xid))
			continue;
		restart(reader, reader->base + xid, reader->base + xid);
		return true;
	}
	if (reader->next_running > from->nrunning)
		return false;
	reader->next_running++;
	restart(reader, reader->base + from->xmax,
			reader->base + (to ? to->xmax : AT_XIDS_PER_INCARNATION) - 1);
	return true;
}

/* Collect the rows of the next place; false at the end. */
static bool
next_group(AtTransactionReader *reader)
{
	reader->nmembers = 0;
	reader->next_member = 0;
	while (!reader->ahead)
		if (!next_stretch(reader))
			return false;

	int64 place = reader->scan->place;

	MemoryContextReset(reader->group_context);
	do
	{
		if (wanted(reader))
			add_member(reader);
		reader->ahead = at_scan_next(reader->scan);
	} while (reader->ahead && reader->scan->place == place);

	if (reader->nmembers > 1)
		qsort(reader->member, reader->nmembers, sizeof(Member), compare_members);
	return true;
}

/* Does the row that the scan stands on belong to the window? */
static bool
wanted(const AtTransactionReader *reader)
{
	const AtWindow *window = reader->window;
	TupleTableSlot *slot = reader->scan->slot;
	bool isnull;

	if (window == NULL)
		return true;
	return (window->to == NULL || at_settled_has(window->to, reader->scan->place - reader->base)) &&
		   (uint64) DatumGetInt64(slot_getattr(slot, Anum_transaction_system_identifier,
											   &isnull)) == window->system_identifier &&
		   DatumGetObjectId(slot_getattr(slot, Anum_transaction_database_oid, &isnull)) ==
			   window->database_oid;
}

/* Copy the row that the scan stands on. */
static void
add_member(AtTransactionReader *reader)
{
	TupleTableSlot *slot = reader->scan->slot;
	MemoryContext save = MemoryContextSwitchTo(reader->group_context);
	bool isnull;

	if (reader->nmembers == reader->capacity)
	{
		reader->capacity *= 2;
		reader->member = repalloc_huge(reader->member, sizeof(Member) * reader->capacity);
	}
	reader->desc = slot->tts_tupleDescriptor;
	reader->member[reader->nmembers++] = (Member){
		.place = reader->scan->place - reader->base,
		.tx_id = DatumGetInt64(slot_getattr(slot, Anum_transaction_tx_id, &isnull)),
		.tuple = ExecCopySlotHeapTuple(slot),
	};
	/* of an archived row the slot alone knows where it is */
	reader->member[reader->nmembers - 1].tuple->t_tableOid = slot->tts_tableOid;
	reader->member[reader->nmembers - 1].tuple->t_self = slot->tts_tid;
	MemoryContextSwitchTo(save);
}

/* By tx_id, then by where they are stored, so that the order is always the same. */
static int
compare_members(const void *a, const void *b)
{
	const Member *left = a;
	const Member *right = b;

	if (left->tx_id != right->tx_id)
		return left->tx_id < right->tx_id ? -1 : 1;
	if (left->tuple->t_tableOid != right->tuple->t_tableOid)
		return left->tuple->t_tableOid < right->tuple->t_tableOid ? -1 : 1;
	return ItemPointerCompare(&left->tuple->t_self, &right->tuple->t_self);
}

static void
decode_transaction(AtTransactionReader *reader, const Member *member)
{
	Datum value[Natts_transaction];
	bool isnull[Natts_transaction];
	AtTransactionRow *row = &reader->row;

	MemoryContextReset(reader->row_context);
	MemoryContext save = MemoryContextSwitchTo(reader->row_context);

	heap_deform_tuple(member->tuple, reader->desc, value, isnull);

#define COLUMN(name) value[Anum_transaction_##name - 1]
#define SPAN(name)   get_span(COLUMN(name), isnull[Anum_transaction_##name - 1])
	row->body = (AtTransactionBody){
		.log_id = at_log_id(),
		.tx_id = DatumGetInt64(COLUMN(tx_id)),
		.tx_at = at_unix_microseconds(DatumGetTimestampTz(COLUMN(tx_at))),
		.committed_at = at_unix_microseconds(DatumGetTimestampTz(COLUMN(committed_at))),
		.xid = DatumGetInt64(COLUMN(xid)),
		.session_id = DatumGetInt64(COLUMN(session_id)),
		.event_count = DatumGetInt32(COLUMN(event_count)),
		.system_identifier = DatumGetInt64(COLUMN(system_identifier)),
		.database_oid = DatumGetObjectId(COLUMN(database_oid)),
		.actor = SPAN(actor),
		.actor_type = SPAN(actor_type),
		.actor_source = SPAN(actor_source),
		.db_user = SPAN(db_user),
		.db_role = SPAN(db_role),
		.application_name = SPAN(application_name),
		.request_id = SPAN(request_id),
		.reason = SPAN(reason),
		.claimed_session = SPAN(claimed_session),
		.claimed_client_ip = SPAN(claimed_client_ip),
		.trace_parent = SPAN(trace_parent),
		.extra = SPAN(extra),
		.context_sources = SPAN(context_sources),
		.session_digest = SPAN(session_digest),
	};
	row->digest_is_odd = !get_hash(SPAN(digest), &row->body.digest);
	row->places = SPAN(event_places);
#undef SPAN
#undef COLUMN
	row->place = member->place;
	row->relid = member->tuple->t_tableOid;
	row->tid = member->tuple->t_self;
	row->tuple = member->tuple;
	row->desc = reader->desc;
	MemoryContextSwitchTo(save);
}

void
at_transaction_reader_close(AtTransactionReader *reader)
{
	at_scan_close(reader->scan);
	MemoryContextDelete(reader->group_context);
	MemoryContextDelete(reader->row_context);
	pfree(reader->member);
	pfree(reader);
}

AtEventReader *
at_event_reader_open(Snapshot snapshot)
{
	AtEventReader *reader = palloc0(sizeof(AtEventReader));

	reader->snapshot = snapshot;
	reader->scan = at_scan_open(AT_SCAN_EVENT_BY_TX_ID, snapshot);
	reader->context = CurrentMemoryContext;
	reader->targets = at_target_names_open(snapshot);
	reader->row_context =
		AllocSetContextCreate(CurrentMemoryContext, "audit event", ALLOCSET_DEFAULT_SIZES);
	return reader;
}

void
at_event_reader_start(AtEventReader *reader, AtEventSource source, uint64 tx_id,
					  uint32 first_ordinal)
{
	begin_events(reader, tx_id, first_ordinal);
	if (source != AT_EVENTS_INDEXED)
		find_places(reader);
	start_scan(reader, first_ordinal);
}

void
at_event_reader_start_of(AtEventReader *reader, AtEventSource source, uint64 tx_id,
						 const AtTransactionRow *row)
{
	begin_events(reader, tx_id, 1);
	if (source != AT_EVENTS_INDEXED)
		take_places(reader, row);
	if (source != AT_EVENTS_PLACED || !is_recorded_here(row))
		start_scan(reader, 1);
}

static void
begin_events(AtEventReader *reader, uint64 tx_id, uint32 first_ordinal)
{
	reader->scanning = false;
	reader->ahead = false;
	reader->given = false;
	reader->tx_id = tx_id;
	reader->event_count = PG_UINT32_MAX;
	reader->places.count = 0;
	reader->next_place = first_ordinal > 0 ? first_ordinal - 1 : 0;
}

/* Ask for the row of the transaction. */
static void
find_places(AtEventReader *reader)
{
	const AtTransactionRow *row;

	if (reader->finder == NULL)
	{
		MemoryContext save = MemoryContextSwitchTo(reader->context);

		reader->finder = at_transaction_finder_open(reader->snapshot);
		MemoryContextSwitchTo(save);
	}
	at_transaction_finder_start(reader->finder, reader->tx_id);
	while (reader->places.count == 0 && (row = at_transaction_reader_next(reader->finder)) != NULL)
		take_places(reader, row);
}

/* If not, the index may have been built since, and with the entries of all events. */
static bool
is_recorded_here(const AtTransactionRow *row)
{
	return row->body.system_identifier == GetSystemIdentifier() &&
		   row->body.database_oid == MyDatabaseId;
}

static void
take_places(AtEventReader *reader, const AtTransactionRow *row)
{
	at_places_read(&reader->places, row->places);
	reader->tx_at = at_pg_timestamp(row->body.tx_at);
	reader->event_count = row->body.event_count;
}

static void
start_scan(AtEventReader *reader, uint32 first_ordinal)
{
	if (first_ordinal <= 1)
		at_scan_start(reader->scan, reader->tx_id, reader->tx_id);
	else
		at_scan_start_within(reader->scan, reader->tx_id, first_ordinal);
	reader->scanning = true;
	reader->ahead = at_scan_next(reader->scan);
}

/* By places what the scan has not, and as long as that was not started. */
const AtEventRow *
at_event_reader_next(AtEventReader *reader)
{
	if (reader->given)
		reader->ahead = at_scan_next(reader->scan);
	reader->given = false;
	while (reader->next_place < reader->places.count &&
		   !(reader->ahead && reader->scan->place <= reader->next_place + 1))
	{
		TupleTableSlot *slot = follow_place(reader);

		if (slot != NULL)
			return give(reader, slot, reader->next_place, true);
		if (!reader->scanning)
			start_scan(reader, reader->next_place);
	}
	if (!reader->scanning && reader->event_count > reader->places.count)
		start_scan(reader, reader->next_place + 1);
	if (!reader->ahead)
		return NULL;
	reader->ahead = false;
	reader->given = true;
	reader->next_place = Max(reader->next_place, reader->scan->place);
	return give(reader, reader->scan->slot, reader->scan->place, false);
}

/* The event of the next ordinal; NULL if its place does not lead to it. */
static TupleTableSlot *
follow_place(AtEventReader *reader)
{
	const AtPlace *place = &reader->places.place[reader->next_place++];

	if (reader->follower == NULL)
	{
		MemoryContext save = MemoryContextSwitchTo(reader->context);

		reader->follower = at_place_reader_open(reader->snapshot);
		MemoryContextSwitchTo(save);
	}
	return at_place_fetch(reader->follower, place, reader->tx_at, reader->tx_id,
						  reader->next_place);
}

static const AtEventRow *
give(AtEventReader *reader, TupleTableSlot *slot, uint32 place, bool by_place)
{
	MemoryContext save;

	MemoryContextReset(reader->row_context);
	save = MemoryContextSwitchTo(reader->row_context);
	decode_event(reader, slot, place);
	reader->row.by_place = by_place;
	MemoryContextSwitchTo(save);
	return &reader->row;
}

static void
decode_event(AtEventReader *reader, TupleTableSlot *slot, uint32 place)
{
	AtEventRow *row = &reader->row;

	slot_getallattrs(slot);

#define COLUMN(name) slot->tts_values[Anum_event_##name - 1]
#define SPAN(name)   get_span(COLUMN(name), slot->tts_isnull[Anum_event_##name - 1])
	row->target_id = DatumGetInt32(COLUMN(target_id));

	const AtTargetName *target = at_target_names_find(reader->targets, row->target_id);

	row->body = (AtEventBody){
		.log_id = at_log_id(),
		.tx_id = DatumGetInt64(COLUMN(tx_id)),
		.ordinal = DatumGetInt32(COLUMN(ordinal)),
		.tx_at = at_unix_microseconds(DatumGetTimestampTz(COLUMN(tx_at))),
		.occurred_at = at_unix_microseconds(DatumGetTimestampTz(COLUMN(occurred_at))),
		.op = DatumGetChar(COLUMN(op)),
		.record_key = SPAN(record_key),
		.event_type = SPAN(event_type),
		.old_values = SPAN(old_values),
		.new_values = SPAN(new_values),
		.extra = SPAN(extra),
	};
#undef SPAN
#undef COLUMN
	row->target_missing = target == NULL;
	if (target != NULL)
	{
		row->body.schema = target->schema;
		row->body.table = target->table;
		row->body.resource_type = target->resource_type;
	}
	row->place = place;
	row->relid = slot->tts_tableOid;
	row->tid = slot->tts_tid;
	row->slot = slot;
}

void
at_event_reader_close(AtEventReader *reader)
{
	if (reader->finder != NULL)
		at_transaction_reader_close(reader->finder);
	if (reader->follower != NULL)
		at_place_reader_close(reader->follower);
	at_scan_close(reader->scan);
	at_target_names_close(reader->targets);
	MemoryContextDelete(reader->row_context);
	pfree(reader);
}

AtSessionReader *
at_session_reader_open(Snapshot snapshot)
{
	AtSessionReader *reader = palloc0(sizeof(AtSessionReader));

	reader->scan = at_scan_open(AT_SCAN_SESSION_BY_SESSION_ID, snapshot);
	reader->row_context =
		AllocSetContextCreate(CurrentMemoryContext, "audit session", ALLOCSET_SMALL_SIZES);
	return reader;
}

const AtSessionBody *
at_session_reader_find(AtSessionReader *reader, uint64 session_id)
{
	at_scan_start(reader->scan, session_id, session_id);
	if (!at_scan_next(reader->scan))
		return NULL;
	MemoryContextReset(reader->row_context);

	MemoryContext save = MemoryContextSwitchTo(reader->row_context);
	TupleTableSlot *slot = reader->scan->slot;

	slot_getallattrs(slot);
#define COLUMN(name) slot->tts_values[Anum_session_##name - 1]
#define SPAN(name)   get_span(COLUMN(name), slot->tts_isnull[Anum_session_##name - 1])
	reader->body = (AtSessionBody){
		.log_id = at_log_id(),
		.session_id = DatumGetInt64(COLUMN(session_id)),
		.started_at = at_unix_microseconds(DatumGetTimestampTz(COLUMN(started_at))),
		.backend_pid = DatumGetInt32(COLUMN(backend_pid)),
		.client_port = DatumGetInt32(COLUMN(client_port)),
		.login_user = SPAN(login_user),
		.client_addr = SPAN(client_addr),
		.application_name = SPAN(application_name),
		.tls = SPAN(tls),
	};
#undef SPAN
#undef COLUMN
	MemoryContextSwitchTo(save);
	return &reader->body;
}

bool
at_session_reader_hash(AtSessionReader *reader, uint64 session_id, AtHash *hash)
{
	const AtSessionBody *body = at_session_reader_find(reader, session_id);
	uint8 *bytes;

	if (body == NULL)
		return false;
	bytes = MemoryContextAlloc(reader->row_context, at_session_body_size(body));
	if (!at_hash(bytes, at_session_body_write(body, bytes) - bytes, hash))
		at_hash_failed();
	return true;
}

void
at_session_reader_close(AtSessionReader *reader)
{
	at_scan_close(reader->scan);
	MemoryContextDelete(reader->row_context);
	pfree(reader);
}

/* A text, json or bytea as it was stored, detoasted if need be. */
static AtSpan
get_span(Datum value, bool isnull)
{
	if (isnull)
		return (AtSpan){NULL, 0};
	return at_span_of_varlena(PG_DETOAST_DATUM_PACKED(value));
}

/* 32 bytes; false, and zeros, if it is anything else. */
static bool
get_hash(AtSpan span, AtHash *hash)
{
	memset(hash, 0, sizeof(*hash));
	if (span.len != sizeof(*hash))
		return false;
	memcpy(hash, span.data, sizeof(*hash));
	return true;
}
