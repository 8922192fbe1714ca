/*-------------------------------------------------------------------------
 * attached_index.c
 *		What leads to the segments of an attached archive.
 *
 * Segments wait until the transaction of their last event is known: then its actor and request are
 * put into the filters of all that have its events. Memory: eight bytes for each text of those
 * that wait.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type_d.h"
#include "mb/pg_wchar.h"
#include "nodes/pg_list.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "base/compat.h"
#include "core/bloom.h"
#include "ledger/datum.h"
#include "ledger/event.h"
#include "ledger/owner_query.h"
#include "query/attached_index.h"

typedef struct Waiting
{
	int32 number;
	int32 ends_in;
	AtAttachedPlace place;
	AtHash checksum;
	int32 events;
	int32 transactions;
	uint64 first_tx_id;
	uint64 last_tx_id;
	int64 first_tx_at;
	int64 last_tx_at;
	uint32 count;
	uint32 room;
	uint64 *hash;
} Waiting;

struct AtAttachedIndex
{
	const char *archive;
	MemoryContext context; /* of those that wait */
	List *waiting;         /* the last one is the present one */
	int open_from;         /* the first of them that has events of the open transaction; -1: none */
	int32 next;
};

static Waiting *present(const AtAttachedIndex *index);
static void add_hash(AtAttachedIndex *index, Waiting *segment, uint64 hash);
static void widen(Waiting *segment, uint64 tx_id, int64 tx_at);
static void flush(AtAttachedIndex *index);
static void insert(const AtAttachedIndex *index, Waiting *segment);
static Datum make_bloom(Waiting *segment);

AtAttachedIndex *
at_attached_index_open(const char *archive)
{
	AtAttachedIndex *index = palloc0(sizeof(AtAttachedIndex));

	index->archive = archive;
	index->context =
		AllocSetContextCreate(CurrentMemoryContext, "audit attached index", ALLOCSET_DEFAULT_SIZES);
	index->open_from = -1;
	return index;
}

void
at_attached_index_segment(AtAttachedIndex *index, const AtAttachedPlace *place)
{
	MemoryContext save;
	Waiting *segment;

	if (index->open_from < 0)
		flush(index);
	save = MemoryContextSwitchTo(index->context);
	segment = palloc0(sizeof(Waiting));
	segment->number = segment->ends_in = index->next++;
	segment->place = *place;
	segment->place.file = pstrdup(place->file);
	segment->checksum = *place->checksum;
	index->waiting = lappend(index->waiting, segment);
	MemoryContextSwitchTo(save);
}

static Waiting *
present(const AtAttachedIndex *index)
{
	return llast(index->waiting);
}

static void
add_hash(AtAttachedIndex *index, Waiting *segment, uint64 hash)
{
	if (segment->count == segment->room)
	{
		segment->room = Max(1024, 2 * segment->room);
		segment->hash = segment->hash == NULL
							? MemoryContextAllocHuge(index->context, sizeof(uint64) * segment->room)
							: repalloc_huge(segment->hash, sizeof(uint64) * segment->room);
	}
	segment->hash[segment->count++] = hash;
}

static void
widen(Waiting *segment, uint64 tx_id, int64 tx_at)
{
	bool is_first = segment->events + segment->transactions == 0;

	segment->first_tx_id = is_first ? tx_id : Min(segment->first_tx_id, tx_id);
	segment->last_tx_id = is_first ? tx_id : Max(segment->last_tx_id, tx_id);
	segment->first_tx_at = is_first ? tx_at : Min(segment->first_tx_at, tx_at);
	segment->last_tx_at = is_first ? tx_at : Max(segment->last_tx_at, tx_at);
}

/* As audit.has_context() tells; most extras need no look. */
static bool
has_context(AtSpan extra)
{
	text *json;
	bool has;

	if (extra.data == NULL || memmem(extra.data, extra.len, "\"context\"", 9) == NULL)
		return false;
	json = cstring_to_text_with_len(extra.data, extra.len);
	has = at_event_has_context(json);
	pfree(json);
	return has;
}

void
at_attached_index_event(AtAttachedIndex *index, const AtEventBody *event)
{
	Waiting *segment = present(index);

	widen(segment, event->tx_id, event->tx_at);
	segment->events++;
	if (event->record_key.data != NULL)
		add_hash(index, segment, at_bloom_hash(AT_ABOUT_RECORD_KEY, event->record_key));
	if (event->table.data != NULL)
		add_hash(index, segment, at_bloom_hash(AT_ABOUT_TABLE_NAME, event->table));
	if (has_context(event->extra))
		add_hash(index, segment, at_bloom_hash(AT_ABOUT_OWN_CONTEXT, (AtSpan){"", 0}));
	if (segment->place.kind == AT_ATTACHED_ALL && index->open_from < 0)
		index->open_from = list_length(index->waiting) - 1;
}

void
at_attached_index_transaction(AtAttachedIndex *index, const AtTransactionBody *transaction)
{
	Waiting *last = present(index);
	int from = index->open_from < 0 ? list_length(index->waiting) - 1 : index->open_from;

	for (int i = from; i < list_length(index->waiting); i++)
	{
		Waiting *segment = list_nth(index->waiting, i);

		segment->ends_in = last->number;
		if (transaction == NULL)
			continue;
		if (transaction->actor.data != NULL)
			add_hash(index, segment, at_bloom_hash(AT_ABOUT_ACTOR, transaction->actor));
		if (transaction->request_id.data != NULL)
			add_hash(index, segment, at_bloom_hash(AT_ABOUT_REQUEST_ID, transaction->request_id));
	}
	index->open_from = -1;
	if (transaction == NULL)
		return;
	widen(last, transaction->tx_id, transaction->tx_at);
	last->transactions++;
}

void
at_attached_index_about(AtAttachedIndex *index, uint64 hash)
{
	add_hash(index, present(index), hash);
}

/* A text, if this database can have it: an error otherwise. */
static Datum
text_of(AtSpan span)
{
	(void) pg_verify_mbstr(GetDatabaseEncoding(), span.data, span.len, false);
	return PointerGetDatum(cstring_to_text_with_len(span.data, span.len));
}

void
at_attached_index_target(AtAttachedIndex *index, const AtColdTarget *target, int64 defined_at)
{
	static const char command[] =
		"INSERT INTO audit.attached_target (archive, target_id, defined_at, table_schema, "
		"table_name, resource_type, context) VALUES ($1, $2, "
		"pg_catalog.to_timestamp($3 / 1000000.0), $4, $5, $6, $7) "
		"ON CONFLICT (archive, target_id) DO NOTHING";
	Oid types[] = {TEXTOID, INT4OID, INT8OID, TEXTOID, TEXTOID, TEXTOID, TEXTOID};
	Datum values[] = {
		CStringGetTextDatum(index->archive),
		Int32GetDatum(target->target_id),
		Int64GetDatum(defined_at),
		text_of(target->schema),
		text_of(target->table),
		text_of(target->resource_type),
		text_of(target->context),
	};

	(void) at_owner_execute(command, lengthof(types), types, values);
}

void
at_attached_index_close(AtAttachedIndex *index)
{
	flush(index);
	MemoryContextDelete(index->context);
}

static void
flush(AtAttachedIndex *index)
{
	MemoryContext save = MemoryContextSwitchTo(index->context);
	ListCell *cell;

	foreach (cell, index->waiting)
		insert(index, lfirst(cell));
	index->waiting = NIL;
	MemoryContextSwitchTo(save);
	MemoryContextReset(index->context);
}

static void
insert(const AtAttachedIndex *index, Waiting *segment)
{
	static const char command[] =
		"INSERT INTO audit.attached_segment (archive, number, kind, file, file_offset, bytes, "
		"ends_in, events, transactions, first_tx_id, last_tx_id, first_tx_at, last_tx_at, "
		"checksum, bloom) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, "
		"pg_catalog.to_timestamp($12 / 1000000.0), pg_catalog.to_timestamp($13 / 1000000.0), "
		"$14, $15)";
	Oid types[] = {TEXTOID, INT4OID, CHAROID, TEXTOID, INT8OID, INT8OID,  INT4OID, INT4OID,
				   INT4OID, INT8OID, INT8OID, INT8OID, INT8OID, BYTEAOID, BYTEAOID};
	Datum values[] = {
		CStringGetTextDatum(index->archive),
		Int32GetDatum(segment->number),
		CharGetDatum(segment->place.kind),
		text_of(at_span_of(segment->place.file)),
		Int64GetDatum(segment->place.offset),
		Int64GetDatum(segment->place.bytes),
		Int32GetDatum(segment->ends_in),
		Int32GetDatum(segment->events),
		Int32GetDatum(segment->transactions),
		Int64GetDatum(segment->first_tx_id),
		Int64GetDatum(segment->last_tx_id),
		Int64GetDatum(segment->first_tx_at),
		Int64GetDatum(segment->last_tx_at),
		at_bytea_datum(&segment->checksum, AT_HASH_LEN),
		make_bloom(segment),
	};

	(void) at_owner_execute(command, lengthof(types), types, values);
}

static int
compare_hashes(const void *a, const void *b)
{
	uint64 left = *(const uint64 *) a;
	uint64 right = *(const uint64 *) b;

	return left < right ? -1 : left > right;
}

/* A filter of what is different. */
static Datum
make_bloom(Waiting *segment)
{
	uint32 different = 0;
	size_t size;
	uint8 *bloom;

	if (segment->count > 1)
		qsort(segment->hash, segment->count, sizeof(uint64), compare_hashes);
	for (uint32 i = 0; i < segment->count; i++)
		if (different == 0 || segment->hash[i] != segment->hash[different - 1])
			segment->hash[different++] = segment->hash[i];
	size = at_bloom_size(different);
	bloom = palloc0(size);
	for (uint32 i = 0; i < different; i++)
		at_bloom_put(bloom, size, segment->hash[i]);
	return at_bytea_datum(bloom, size);
}
