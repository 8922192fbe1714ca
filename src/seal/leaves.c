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
	AtEventSource source;
	AtSessionReader *sessions;

	/* the bytes of one body */
	uint8 *buffer;
	size_t capacity;

	/* purged leaves */
	const AtGhost *ghost;
	uint64 nghosts;
	uint64 next_ghost;

	/* read ahead of ghosts; NULL: nothing */
	const AtTransactionRow *row_ahead;
	const AtEventRow *event_ahead;

	/* the transaction being read */
	bool in_events;
	bool is_ghost;               /* its row was purged */
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
static bool is_next_ghost(const AtLeafReader *reader, uint32 ordinal);
static const AtLeaf *next_ghost(AtLeafReader *reader);
static const AtLeaf *close_ghost(AtLeafReader *reader);
static void find_ghosts(AtLeafReader *reader, uint64 tx_id);
static bool begin_next(AtLeafReader *reader);
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
at_leaf_reader_set_ghosts(AtLeafReader *reader, const AtGhost *ghosts, uint64 count)
{
	reader->ghost = ghosts;
	reader->nghosts = count;
	reader->next_ghost = 0;
}

void
at_leaf_reader_start(AtLeafReader *reader, const AtWindow *window, AtEventSource source)
{
	MemoryContext save = MemoryContextSwitchTo(reader->context);

	if (reader->window == NULL)
		reader->window = at_transaction_reader_open(reader->snapshot);
	at_transaction_reader_start(reader->window, window);
	reader->source = source;
	reader->transactions = reader->window;
	reader->in_events = false;
	reader->row_ahead = NULL;
	reader->next_ghost = 0;
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
at_leaf_reader_find(AtLeafReader *reader, uint64 tx_id, AtEventSource source)
{
	reader->source = source;
	start_finder(reader, tx_id);
	find_ghosts(reader, tx_id);
	begin_events(reader, tx_id, at_transaction_reader_next(reader->finder), 1);
}

void
at_leaf_reader_find_events(AtLeafReader *reader, uint64 tx_id, uint32 first_ordinal)
{
	find_ghosts(reader, tx_id);
	while (reader->next_ghost < reader->nghosts &&
		   reader->ghost[reader->next_ghost].tx_id == tx_id &&
		   reader->ghost[reader->next_ghost].ordinal != 0 &&
		   reader->ghost[reader->next_ghost].ordinal < first_ordinal)
		reader->next_ghost++;
	begin_events(reader, tx_id, NULL, first_ordinal);
	reader->transactions = NULL;
}

void
at_leaf_reader_find_rows(AtLeafReader *reader, uint64 tx_id)
{
	start_finder(reader, tx_id);
	find_ghosts(reader, tx_id);
	while (reader->next_ghost < reader->nghosts &&
		   reader->ghost[reader->next_ghost].tx_id == tx_id &&
		   reader->ghost[reader->next_ghost].ordinal != 0)
		reader->next_ghost++;
	begin_events(reader, tx_id, NULL, PG_INT32_MAX);
	reader->in_events = false;
}

const AtLeaf *
at_leaf_reader_next(AtLeafReader *reader)
{
	const AtLeaf *leaf;

	if (!reader->in_events && reader->transactions != NULL &&
		reader->transactions == reader->finder)
	{
		reader->row = at_transaction_reader_next(reader->finder);
		return reader->row != NULL ? close_transaction(reader) : close_ghost(reader);
	}
	if (!reader->in_events && !begin_next(reader))
		return NULL;
	leaf = next_event(reader);
	if (leaf != NULL)
		return leaf;
	reader->in_events = false;
	if (reader->row == NULL)
		return reader->transactions != NULL ? close_ghost(reader) : NULL;
	return close_transaction(reader);
}

/* The next transaction of the window: that of the next row, or of a ghost that comes before it. */
static bool
begin_next(AtLeafReader *reader)
{
	const AtTransactionRow *row = reader->row_ahead;
	const AtGhost *ghost =
		reader->next_ghost < reader->nghosts ? &reader->ghost[reader->next_ghost] : NULL;

	if (reader->transactions == NULL)
		return false;
	if (row == NULL)
		row = at_transaction_reader_next(reader->transactions);
	reader->row_ahead = NULL;
	if (ghost != NULL && (row == NULL || ghost->tx_id < row->body.tx_id))
	{
		reader->row_ahead = row;
		begin_events(reader, ghost->tx_id, NULL, PG_INT32_MAX);
		reader->event_count = PG_UINT32_MAX;
		reader->is_ghost = true;
		return true;
	}
	if (row == NULL)
		return false;
	begin_events(reader, row->body.tx_id, row, 1);
	return true;
}

/* Go to the ghosts of a transaction. */
static void
find_ghosts(AtLeafReader *reader, uint64 tx_id)
{
	uint64 low = 0;
	uint64 high = reader->nghosts;

	while (low < high)
	{
		uint64 middle = (low + high) / 2;

		if (reader->ghost[middle].tx_id < tx_id)
			low = middle + 1;
		else
			high = middle;
	}
	reader->next_ghost = low;
}

/* Is the next ghost an event of the transaction up to an ordinal? For 0: the transaction itself. */
static bool
is_next_ghost(const AtLeafReader *reader, uint32 ordinal)
{
	const AtGhost *ghost = &reader->ghost[reader->next_ghost];

	return reader->next_ghost < reader->nghosts && ghost->tx_id == reader->leaf.tx_id &&
		   (ordinal == 0) == (ghost->ordinal == 0) && ghost->ordinal <= ordinal;
}

/* Its leaf, as the tile tells it. */
static const AtLeaf *
next_ghost(AtLeafReader *reader)
{
	const AtGhost *ghost = &reader->ghost[reader->next_ghost++];
	AtLeaf *leaf = &reader->leaf;

	leaf->event = NULL;
	leaf->transaction = NULL;
	leaf->is_purged = true;
	leaf->ordinal = ghost->ordinal;
	leaf->hash = ghost->hash;
	if (ghost->ordinal == 0)
		return leaf;
	if (!at_chain_add(&reader->chain, &leaf->hash))
		at_hash_failed();
	check_ordinal(reader, leaf->ordinal);
	return leaf;
}

/* The leaf of a transaction whose row was purged; NULL if it was not. */
static const AtLeaf *
close_ghost(AtLeafReader *reader)
{
	return is_next_ghost(reader, 0) ? next_ghost(reader) : NULL;
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
	if (row != NULL)
		at_event_reader_start_of(reader->events, reader->source, tx_id, row);
	else
		at_event_reader_start(reader->events, AT_EVENTS_INDEXED, tx_id, first_ordinal);
	reader->event_ahead = NULL;
	reader->is_ghost = false;
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
	const AtEventRow *event = reader->event_ahead;
	uint32 until;

	if (event == NULL && !reader->is_ghost)
		event = at_event_reader_next(reader->events);
	reader->event_ahead = event;
	until = event != NULL ? event->place : PG_UINT32_MAX;
	if (until > 0 && is_next_ghost(reader, until))
	{
		const AtGhost *ghost = &reader->ghost[reader->next_ghost];

		/* a row that is there stands for itself, though it may be one that should be gone */
		if (event == NULL || ghost->ordinal < until)
			return next_ghost(reader);
		if (ghost->is_done)
			note(&reader->flaws.back, until, 1);
		reader->next_ghost++;
	}
	leaf->event = event;
	reader->event_ahead = NULL;
	if (leaf->event == NULL)
		return NULL;
	leaf->is_purged = false;

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

	if (is_next_ghost(reader, 0) && reader->ghost[reader->next_ghost++].is_done)
		note(&flaws->back, 0, 1);

	uint8 *bytes = reserve(reader, size);

	at_transaction_body_write(body, bytes);
	if (!at_hash_leaf(bytes, size, &leaf->hash))
		at_hash_failed();
	if (reader->next_ordinal <= body->event_count)
		note(&flaws->missing, reader->next_ordinal, body->event_count - reader->next_ordinal + 1);
	flaws->digest_differs = reader->row->digest_is_odd ||
							memcmp(&body->digest, &reader->chain, sizeof(reader->chain)) != 0;
	leaf->ordinal = 0;
	leaf->is_purged = false;
	leaf->event = NULL;
	leaf->of = NULL;
	leaf->transaction = reader->row;
	leaf->chain = reader->chain;
	check_session(reader);
	flaws->any = flaws->missing.count || flaws->added.count || flaws->duplicated.count ||
				 flaws->back.count || flaws->digest_differs || flaws->missing_target != 0 ||
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
	describe_ordinals(&text, &flaws->back, "purged, and there again");
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
