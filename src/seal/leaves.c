/*-------------------------------------------------------------------------
 * leaves.c
 *		The leaves of recorded transactions, recomputed from what is stored.
 *
 * The readers of events and sessions are opened when the first transaction
 * comes, so that a pass with nothing to do stays cheap.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "utils/memutils.h"

#include "ledger/datum.h"
#include "seal/leaves.h"

/* A buffer that grew beyond this is given back. */
#define BUFFER_KEPT (256 * 1024)

struct AtLeafReader
{
	Snapshot snapshot;
	MemoryContext context;
	AtTransactionReader *window;       /* by window; NULL until needed, as the others */
	AtTransactionReader *finder;       /* by name */
	AtTransactionReader *transactions; /* the one of the two in use */
	AtEventReader *events;
	AtSessionReader *sessions;

	/* the bytes of one body */
	uint8 *buffer;
	size_t capacity;

	/* the transaction being read */
	bool in_events;
	const AtTransactionRow *row; /* NULL: there is none of this name */
	uint32 event_count;
	uint32 next_ordinal;
	AtHash chain;
	AtFlaws flaws;

	AtLeaf leaf;
};

static void begin_events(AtLeafReader *reader, uint64 tx_id, const AtTransactionRow *row,
						 uint32 first_ordinal);
static const AtLeaf *next_event(AtLeafReader *reader);
static const AtLeaf *close_transaction(AtLeafReader *reader);
static void note(AtOrdinals *ordinals, uint32 first, uint32 count);
static void check_ordinal(AtLeafReader *reader, uint32 ordinal);
static void check_session(AtLeafReader *reader);
static uint8 *reserve(AtLeafReader *reader, size_t size);

AtLeafReader *
at_leaf_reader_open(Snapshot snapshot)
{
	AtLeafReader *reader = palloc0(sizeof(AtLeafReader));

	reader->snapshot = snapshot;
	reader->context = CurrentMemoryContext;
	return reader;
}

void
at_leaf_reader_start(AtLeafReader *reader, const AtWindow *window)
{
	MemoryContext save = MemoryContextSwitchTo(reader->context);

	if (reader->window == NULL)
		reader->window = at_transaction_reader_open(reader->snapshot);
	at_transaction_reader_start(reader->window, window);
	reader->transactions = reader->window;
	reader->in_events = false;
	MemoryContextSwitchTo(save);
}

static void
start_finder(AtLeafReader *reader, uint64 tx_id)
{
	MemoryContext save = MemoryContextSwitchTo(reader->context);

	if (reader->finder == NULL)
		reader->finder = at_transaction_finder_open(reader->snapshot);
	at_transaction_finder_start(reader->finder, tx_id);
	reader->transactions = reader->finder;
	MemoryContextSwitchTo(save);
}

void
at_leaf_reader_find(AtLeafReader *reader, uint64 tx_id)
{
	start_finder(reader, tx_id);
	begin_events(reader, tx_id, at_transaction_reader_next(reader->finder), 1);
}

void
at_leaf_reader_find_events(AtLeafReader *reader, uint64 tx_id, uint32 first_ordinal)
{
	begin_events(reader, tx_id, NULL, first_ordinal);
	reader->transactions = NULL;
}

void
at_leaf_reader_find_rows(AtLeafReader *reader, uint64 tx_id)
{
	start_finder(reader, tx_id);
	begin_events(reader, tx_id, NULL, PG_INT32_MAX);
	reader->in_events = false;
}

const AtLeaf *
at_leaf_reader_next(AtLeafReader *reader)
{
	if (!reader->in_events)
	{
		reader->row =
			reader->transactions ? at_transaction_reader_next(reader->transactions) : NULL;
		if (reader->row == NULL)
			return NULL;
		if (reader->transactions == reader->finder)
			return close_transaction(reader);
		begin_events(reader, reader->row->body.tx_id, reader->row, 1);
	}

	const AtLeaf *leaf = next_event(reader);

	if (leaf != NULL)
		return leaf;
	reader->in_events = false;
	return reader->row ? close_transaction(reader) : NULL;
}

static void
begin_events(AtLeafReader *reader, uint64 tx_id, const AtTransactionRow *row, uint32 first_ordinal)
{
	if (reader->events == NULL)
	{
		MemoryContext save = MemoryContextSwitchTo(reader->context);

		reader->events = at_event_reader_open(reader->snapshot);
		reader->sessions = at_session_reader_open(reader->snapshot);
		MemoryContextSwitchTo(save);
	}
	at_event_reader_start(reader->events, tx_id, first_ordinal);
	reader->in_events = true;
	reader->row = row;
	reader->event_count = row ? row->body.event_count : PG_UINT32_MAX;
	reader->next_ordinal = 1;
	if (!at_chain_start(at_log_id(), tx_id, &reader->chain))
		at_hash_failed();
	memset(&reader->flaws, 0, sizeof(reader->flaws));
	memset(&reader->leaf, 0, sizeof(reader->leaf));
	reader->leaf.tx_id = tx_id;
	reader->leaf.of = row;
}

static const AtLeaf *
next_event(AtLeafReader *reader)
{
	AtLeaf *leaf = &reader->leaf;

	leaf->event = at_event_reader_next(reader->events);
	if (leaf->event == NULL)
		return NULL;

	const AtEventBody *body = &leaf->event->body;
	size_t size = at_event_body_size(body);
	uint8 *bytes = reserve(reader, size);

	at_event_body_write(body, bytes);
	if (!at_hash_leaf(bytes, size, &leaf->hash) || !at_chain_add(&reader->chain, &leaf->hash))
		at_hash_failed();
	if (leaf->event->target_missing)
		reader->flaws.missing_target = leaf->event->target_id;
	leaf->target_id = leaf->event->target_id;
	leaf->ordinal = leaf->event->place;
	check_ordinal(reader, leaf->ordinal);
	return leaf;
}

/* The leaf of the transaction itself, once its events are through. */
static const AtLeaf *
close_transaction(AtLeafReader *reader)
{
	const AtTransactionBody *body = &reader->row->body;
	AtLeaf *leaf = &reader->leaf;
	AtFlaws *flaws = &reader->flaws;
	size_t size = at_transaction_body_size(body);
	uint8 *bytes = reserve(reader, size);

	at_transaction_body_write(body, bytes);
	if (!at_hash_leaf(bytes, size, &leaf->hash))
		at_hash_failed();
	if (reader->next_ordinal <= body->event_count)
		note(&flaws->missing, reader->next_ordinal, body->event_count - reader->next_ordinal + 1);
	flaws->digest_differs = reader->row->digest_is_odd ||
							memcmp(&body->digest, &reader->chain, sizeof(reader->chain)) != 0;
	leaf->ordinal = 0;
	leaf->event = NULL;
	leaf->of = NULL;
	leaf->transaction = reader->row;
	leaf->chain = reader->chain;
	check_session(reader);
	flaws->any = flaws->missing.count || flaws->added.count || flaws->duplicated.count ||
				 flaws->digest_differs || flaws->missing_target != 0 ||
				 flaws->session != AT_SESSION_FINE;
	leaf->flaws = flaws;
	return leaf;
}

static void
note(AtOrdinals *ordinals, uint32 first, uint32 count)
{
	if (ordinals->count == 0)
		ordinals->first = first;
	ordinals->count += count;
}

/* Ordinals run from 1 to event_count without gaps. */
static void
check_ordinal(AtLeafReader *reader, uint32 ordinal)
{
	AtFlaws *flaws = &reader->flaws;

	if (ordinal == reader->next_ordinal && ordinal <= reader->event_count)
		reader->next_ordinal++;
	else if (ordinal > reader->event_count || ordinal == 0)
		note(&flaws->added, ordinal, 1);
	else if (ordinal < reader->next_ordinal)
		note(&flaws->duplicated, ordinal, 1);
	else
	{
		note(&flaws->missing, reader->next_ordinal, ordinal - reader->next_ordinal);
		reader->next_ordinal = ordinal + 1;
	}
}

/* The session whose row came with this transaction must be as it was then. */
static void
check_session(AtLeafReader *reader)
{
	const AtTransactionBody *body = &reader->row->body;
	AtHash *hash = &reader->leaf.session_hash;

	reader->leaf.has_session = false;
	if (body->session_digest.data == NULL)
		return;
	reader->leaf.has_session = at_session_reader_hash(reader->sessions, body->session_id, hash);
	if (!reader->leaf.has_session)
		reader->flaws.session = AT_SESSION_MISSING;
	else if (body->session_digest.len != sizeof(*hash) ||
			 memcmp(body->session_digest.data, hash, sizeof(*hash)) != 0)
		reader->flaws.session = AT_SESSION_CHANGED;
}

/* Room for a body. */
static uint8 *
reserve(AtLeafReader *reader, size_t size)
{
	bool kept = reader->capacity >= size && (reader->capacity <= BUFFER_KEPT || size > BUFFER_KEPT);

	if (!kept)
	{
		if (reader->buffer != NULL)
			pfree(reader->buffer);
		reader->buffer = NULL;
		reader->capacity = size > BUFFER_KEPT ? size : BUFFER_KEPT;
		reader->buffer = MemoryContextAllocHuge(reader->context, reader->capacity);
	}
	return reader->buffer;
}

void
at_leaf_reader_close(AtLeafReader *reader)
{
	if (reader->window != NULL)
		at_transaction_reader_close(reader->window);
	if (reader->finder != NULL)
		at_transaction_reader_close(reader->finder);
	if (reader->events != NULL)
	{
		at_event_reader_close(reader->events);
		at_session_reader_close(reader->sessions);
	}
	if (reader->buffer != NULL)
		pfree(reader->buffer);
	pfree(reader);
}

/* "event 3 is missing" or "5 events are missing, the first is 3". */
static void
describe_ordinals(StringInfo text, const AtOrdinals *ordinals, const char *what)
{
	if (ordinals->count == 0)
		return;
	if (text->len > 0)
		appendStringInfoString(text, "; ");
	if (ordinals->count == 1)
		appendStringInfo(text, "event %u is %s", ordinals->first, what);
	else
		appendStringInfo(text, "%u events are %s, the first is %u", ordinals->count, what,
						 ordinals->first);
}

char *
at_flaws_describe(const AtFlaws *flaws)
{
	StringInfoData text;

	initStringInfo(&text);
	describe_ordinals(&text, &flaws->missing, "missing");
	describe_ordinals(&text, &flaws->added, "added");
	describe_ordinals(&text, &flaws->duplicated, "duplicated");
	if (flaws->missing_target != 0)
		appendStringInfo(&text, "%starget %d is missing", text.len > 0 ? "; " : "",
						 flaws->missing_target);
	if (text.len == 0 && flaws->digest_differs)
		appendStringInfoString(&text, "an event or the digest was changed");
	if (flaws->session != AT_SESSION_FINE)
		appendStringInfo(&text, "%sthe session %s", text.len > 0 ? "; " : "",
						 flaws->session == AT_SESSION_MISSING ? "is missing" : "was changed");
	return text.data;
}
