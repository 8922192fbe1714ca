/*-------------------------------------------------------------------------
 * verify_name.c
 *		Batches checked name by name, to say what exactly is wrong.
 *
 * First the names and hashes in the tiles are loaded, then each transaction
 * is looked up by its name and compared with what was sealed, then the
 * window is searched for transactions that no tile names. Memory grows with
 * the batches looked at: this happens only where something is wrong.
 *
 * In careful mode, what cannot be read is found by trying event for event.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

#include "ledger/datum.h"
#include "seal/verify.h"

/* Bytes of a record key that are shown. */
#define KEY_SHOWN 60

/* Missing tiles that are reported one by one, and unreadable rows of a transaction. */
#define MAX_MISSING_TILES 100
#define MAX_UNREADABLE    20

/* A transaction's own leaf comes after those of its events. */
#define CLOSING_KEY PG_INT64_MAX

/* A sealed leaf. */
typedef struct Sealed
{
	uint32 ordinal; /* 0: the transaction itself */
	uint32 tile;
	AtHash hash;
} Sealed;

/* The leaves of one transaction. */
typedef struct Owner
{
	uint64 tx_id;
	uint64 log_index;
	uint64 first; /* of them, in sealed[] */
	uint64 count;
	bool row_is_there; /* a row of audit.transaction has this name */
	bool row_differs;
	bool row_is_in_window;
} Owner;

typedef struct OwnerEntry
{
	uint64 tx_id; /* key */
	uint64 owner;
} OwnerEntry;

/* A transaction in the window that no tile names, and where its row is. */
typedef struct Stranger
{
	uint64 tx_id;
	Oid relid;
	ItemPointerData tid;
} Stranger;

typedef struct NameCheck
{
	AtVerify *verify;
	const AtRange *range;
	MemoryContext context;
	MemoryContext owner_context; /* reset for each transaction */

	/* what the tiles say */
	Sealed *sealed;
	uint64 nsealed;
	uint64 sealed_capacity;
	Owner *owner;
	uint64 nowners;
	uint64 owner_capacity;
	HTAB *owner_by_tx_id;
	bool is_incomplete; /* a tile is not there or no tile: names are lacking */
	AtMerkle tree;      /* over the leaves of the last batch */

	Stranger *stranger;
	uint64 nstrangers;
	uint64 stranger_capacity;
	const Stranger *present; /* the one being looked at */
} NameCheck;

/* A transaction being compared. */
typedef struct OwnerCheck
{
	NameCheck *check;
	Owner *owner;
	uint32 from_ordinal; /* where to start, in careful mode */
	uint64 next;         /* sealed leaf to be met, of the owner's */
	int64 last_key;      /* of the sealed leaf before */
	uint64 absent;
	List *differences; /* of AtDifference */

	/* seen */
	uint64 events;
	uint64 transactions;
	uint64 sessions;
} OwnerCheck;

static void load_names(void *arg);
static void add_tile(NameCheck *check, const AtTileRow *row);
static void add_sealed(NameCheck *check, uint64 log_index, uint64 tx_id, const Sealed *sealed);
static void check_tree(NameCheck *check);
static void check_owner(NameCheck *check, Owner *owner);
static void compare_all(void *arg);
static void compare_events(void *arg);
static void compare_rows(void *arg);
static void compare(OwnerCheck *state, const AtLeaf *leaf);
static void pass_absent(OwnerCheck *state, int64 key);
static void compare_carefully(OwnerCheck *state);
static void report_owner(OwnerCheck *state);
static void read_window(void *arg);
static void check_stranger(void *arg);
static void report_unreadable(NameCheck *check, const char *message);
static void check_unseen(NameCheck *check);

void
at_verify_by_name(AtVerify *verify, const AtRange *range)
{
	MemoryContext context =
		AllocSetContextCreate(CurrentMemoryContext, "audit names", ALLOCSET_DEFAULT_SIZES);
	MemoryContext save = MemoryContextSwitchTo(context);
	HASHCTL control = {.keysize = sizeof(uint64), .entrysize = sizeof(OwnerEntry), .hcxt = context};
	NameCheck check = {.verify = verify, .range = range, .context = context};
	uint64 before = at_findings_total(verify->findings);
	char *message;

	check.owner_context = AllocSetContextCreate(context, "audit owner", ALLOCSET_DEFAULT_SIZES);
	check.owner_by_tx_id =
		hash_create("audit owners", 1024, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	at_merkle_init(&check.tree);
	if (at_verify_try(verify, load_names, &check, &message))
		check_tree(&check);
	else
	{
		check.is_incomplete = true;
		at_verify_report_tile(verify, AT_FAULT_CHANGED, range->last, 0, message);
	}

	for (uint64 i = 0; i < check.nowners; i++)
		check_owner(&check, &check.owner[i]);

	if (at_verify_try(verify, read_window, &check, &message))
	{
		for (uint64 i = 0; i < check.nstrangers; i++)
		{
			check.present = &check.stranger[i];
			if (!at_verify_try(verify, check_stranger, &check, &message))
				report_unreadable(&check, message);
		}
		check_unseen(&check);
	}
	if (range->first == range->last && range->last_is_sound &&
		at_findings_total(verify->findings) == before)
		at_findings_add(verify->findings,
						&(AtFinding){.thing = AT_THING_BATCH,
									 .fault = AT_FAULT_CHANGED,
									 .object = psprintf(UINT64_FORMAT, range->last),
									 .place = psprintf("batch " UINT64_FORMAT, range->last),
									 .expected = at_hash_text(&range->root),
									 .detail = "its rows do not give its root, counts or times"});
	MemoryContextSwitchTo(save);
	MemoryContextDelete(context);
}

/* Load what the tiles of the range say. */
static void
load_names(void *arg)
{
	NameCheck *check = arg;
	AtVerify *verify = check->verify;
	const AtRange *range = check->range;
	AtTileReader *tiles = at_verify_tiles(verify);
	const AtTileRow *row;
	uint64 log_index = PG_UINT64_MAX;
	uint64 batches = 0;
	uint32 next = 0;

	at_tile_reader_start(tiles, range->first, range->last);
	while ((row = at_tile_reader_next(tiles)) != NULL)
	{
		verify->tiles++;
		if (row->log_index != log_index)
		{
			log_index = row->log_index;
			batches++;
			next = 0;
		}
		if (row->place < next)
		{
			at_verify_report_tile(verify, AT_FAULT_DUPLICATED, log_index, row->place, NULL);
			continue;
		}
		if (row->place > next || row->is_odd)
			check->is_incomplete = true;
		for (; next < row->place && next < MAX_MISSING_TILES; next++)
			at_verify_report_tile(verify, AT_FAULT_MISSING, log_index, next, NULL);
		if (row->is_odd)
			at_verify_report_tile(verify, AT_FAULT_CHANGED, log_index, row->place,
								  "it is not a tile any more");
		add_tile(check, row);
		next = row->place + 1;
	}
	if (batches < range->last - range->first + 1)
		check->is_incomplete = true;
}

static void
add_tile(NameCheck *check, const AtTileRow *row)
{
	const AtTile *tile = &row->tile;
	int leaf = 0;

	for (int i = 0; i < tile->run_count; i++)
	{
		const AtRun *run = &tile->run[i];
		uint32 leaves = run->count + (run->closes ? 1 : 0);

		for (uint32 j = 0; j < leaves; j++)
			add_sealed(check, row->log_index, run->tx_id,
					   &(Sealed){.ordinal = j < run->count ? run->first_ordinal + j : 0,
								 .tile = row->place,
								 .hash = tile->leaf[leaf++]});
	}
	for (int i = 0; i < tile->leaf_count && row->log_index == check->range->last; i++)
		if (!at_merkle_add(&check->tree, &tile->leaf[i]))
			at_hash_failed();
}

/* Make room for one more in an array. */
static void *
grow(NameCheck *check, void *array, uint64 count, uint64 *capacity, Size item)
{
	if (count < *capacity)
		return array;
	*capacity = *capacity ? *capacity * 2 : 256;
	return array ? repalloc_huge(array, item * *capacity)
				 : MemoryContextAllocHuge(check->context, item * *capacity);
}

static void
add_sealed(NameCheck *check, uint64 log_index, uint64 tx_id, const Sealed *sealed)
{
	Owner *last = check->nowners > 0 ? &check->owner[check->nowners - 1] : NULL;
	bool known;

	check->sealed =
		grow(check, check->sealed, check->nsealed, &check->sealed_capacity, sizeof(Sealed));
	check->sealed[check->nsealed++] = *sealed;

	/* the leaf of the transaction itself is the last of its leaves */
	if (last != NULL && last->tx_id == tx_id && last->log_index == log_index &&
		check->sealed[last->first + last->count - 1].ordinal != 0)
	{
		last->count++;
		return;
	}
	check->owner = grow(check, check->owner, check->nowners, &check->owner_capacity, sizeof(Owner));
	check->owner[check->nowners] =
		(Owner){.tx_id = tx_id, .log_index = log_index, .first = check->nsealed - 1, .count = 1};

	OwnerEntry *entry = hash_search(check->owner_by_tx_id, &tx_id, HASH_ENTER, &known);

	if (!known)
		entry->owner = check->nowners;
	check->nowners++;
}

/* Do the tiles of the last batch give the root of its entry? */
static void
check_tree(NameCheck *check)
{
	const AtRange *range = check->range;
	AtHash root;

	if (!range->last_is_sound || check->is_incomplete)
		return;
	if (!at_merkle_root(&check->tree, &root))
		at_hash_failed();
	if (memcmp(&root, &range->root, sizeof(root)) == 0)
		return;
	if (check->tree.size < range->leaf_count)
	{
		check->is_incomplete = true;
		at_verify_report_tile(check->verify, AT_FAULT_MISSING, range->last,
							  check->tree.size / AT_TILE_LEAVES, NULL);
	}
	else
		at_verify_report_tile(check->verify, AT_FAULT_CHANGED, range->last, 0,
							  "this tile or a later one does not give the root of the batch");
}

static void
check_owner(NameCheck *check, Owner *owner)
{
	MemoryContext save = MemoryContextSwitchTo(check->owner_context);
	OwnerCheck state = {.check = check, .owner = owner, .from_ordinal = 1};
	char *message;

	if (!at_verify_try(check->verify, compare_all, &state, &message))
	{
		state = (OwnerCheck){.check = check, .owner = owner, .from_ordinal = 1};
		compare_carefully(&state);
	}
	report_owner(&state);
	check->verify->events += state.events;
	check->verify->transactions += state.transactions;
	check->verify->sessions += state.sessions;
	MemoryContextSwitchTo(save);
	MemoryContextReset(check->owner_context);
}

static void
compare_all(void *arg)
{
	OwnerCheck *state = arg;
	AtLeafReader *leaves = at_verify_leaves(state->check->verify);
	const AtLeaf *leaf;

	at_leaf_reader_find(leaves, state->owner->tx_id);
	while ((leaf = at_leaf_reader_next(leaves)) != NULL)
		compare(state, leaf);
	pass_absent(state, PG_INT64_MAX);
}

static void
compare_events(void *arg)
{
	OwnerCheck *state = arg;
	AtLeafReader *leaves = at_verify_leaves(state->check->verify);
	const AtLeaf *leaf;

	at_leaf_reader_find_events(leaves, state->owner->tx_id, state->from_ordinal);
	while ((leaf = at_leaf_reader_next(leaves)) != NULL)
		compare(state, leaf);
	pass_absent(state, CLOSING_KEY - 1);
}

static void
compare_rows(void *arg)
{
	OwnerCheck *state = arg;
	AtLeafReader *leaves = at_verify_leaves(state->check->verify);
	const AtLeaf *leaf;

	at_leaf_reader_find_rows(leaves, state->owner->tx_id);
	while ((leaf = at_leaf_reader_next(leaves)) != NULL)
		compare(state, leaf);
	pass_absent(state, PG_INT64_MAX);
}

/* The sealed leaf to be met, or NULL. */
static const Sealed *
next_sealed(const OwnerCheck *state)
{
	if (state->next == state->owner->count)
		return NULL;
	return &state->check->sealed[state->owner->first + state->next];
}

static int64
key_of(uint32 ordinal)
{
	return ordinal == 0 ? CLOSING_KEY : ordinal;
}

/* "public.orders, key 17", as far as it is text. */
static char *
describe_event(const AtEventRow *row)
{
	const AtEventBody *body = &row->body;
	int key_len = Min(body->record_key.len, KEY_SHOWN);
	StringInfoData text;

	initStringInfo(&text);
	if (row->target_missing)
		appendStringInfo(&text, "target %d", row->target_id);
	else
		appendStringInfo(&text, "%.*s.%.*s", (int) body->schema.len,
						 (const char *) body->schema.data, (int) body->table.len,
						 (const char *) body->table.data);
	if (body->record_key.data != NULL)
	{
		key_len = pg_mbcliplen(body->record_key.data, body->record_key.len, key_len);
		appendStringInfo(&text, ", key %.*s%s", key_len, (const char *) body->record_key.data,
						 key_len < body->record_key.len ? "..." : "");
	}
	if (!pg_verifymbstr(text.data, text.len, true))
		return NULL;
	return text.data;
}

static AtDifference *
add_difference(OwnerCheck *state, AtFault fault, uint32 ordinal)
{
	AtDifference *difference = palloc0(sizeof(AtDifference));

	difference->fault = fault;
	difference->tx_id = state->owner->tx_id;
	difference->ordinal = ordinal;
	difference->log_index = state->owner->log_index;
	state->differences = lappend(state->differences, difference);
	return difference;
}

/* Compare what is stored with what was sealed under the same name. */
static void
compare(OwnerCheck *state, const AtLeaf *leaf)
{
	AtVerify *verify = state->check->verify;
	int64 key = key_of(leaf->ordinal);

	pass_absent(state, key - 1);

	const Sealed *sealed = next_sealed(state);
	bool expected = sealed != NULL && key_of(sealed->ordinal) == key;
	bool same = expected && memcmp(&sealed->hash, &leaf->hash, sizeof(AtHash)) == 0;

	if (leaf->event != NULL)
		state->events++;
	else
	{
		state->transactions++;
		state->sessions += leaf->has_session;
		state->owner->row_is_there = true;
		state->owner->row_differs |= !same;
		if (same && leaf->flaws->any)
			at_verify_report_flaws(verify, leaf, state->owner->log_index,
								   state->differences != NIL);
	}
	if (expected)
	{
		state->next++;
		state->last_key = key;
	}
	if (same && leaf->event != NULL)
		at_findings_target_is_fine(verify->findings, leaf->event->target_id);
	if (same || (!expected && state->check->is_incomplete))
		return;

	AtDifference *difference = add_difference(state,
											  expected                 ? AT_FAULT_CHANGED
											  : key == state->last_key ? AT_FAULT_DUPLICATED
																	   : AT_FAULT_ADDED,
											  leaf->ordinal);

	difference->found = leaf->hash;
	if (expected)
		difference->expected = sealed->hash;
	if (leaf->event != NULL)
	{
		difference->subject = describe_event(leaf->event);
		difference->target_id = leaf->event->target_id;
		difference->target_missing = leaf->event->target_missing;
	}
}

/* Sealed leaves up to a key were not found. */
static void
pass_absent(OwnerCheck *state, int64 key)
{
	const Sealed *sealed;

	for (; (sealed = next_sealed(state)) != NULL && key_of(sealed->ordinal) <= key; state->next++)
	{
		add_difference(state, AT_FAULT_MISSING, sealed->ordinal)->expected = sealed->hash;
		state->absent++;
	}
}

/* The sealed leaf to be met could not be read. */
static void
pass_unreadable(OwnerCheck *state, const char *message)
{
	const Sealed *sealed = next_sealed(state);
	AtDifference *difference = add_difference(state, AT_FAULT_CHANGED, sealed->ordinal);

	difference->expected = sealed->hash;
	difference->is_unreadable = true;
	difference->detail = psprintf("it cannot be read: %s", message);
	state->next++;
}

/* Events one after the other from the last that could not be read; then the row. */
static void
compare_carefully(OwnerCheck *state)
{
	AtVerify *verify = state->check->verify;
	char *message;

	for (int i = 0; i < MAX_UNREADABLE; i++)
	{
		if (at_verify_try(verify, compare_events, state, &message))
			break;

		const Sealed *sealed = next_sealed(state);

		if (sealed == NULL || sealed->ordinal == 0)
			break;
		pass_unreadable(state, message);
		state->from_ordinal = sealed->ordinal + 1;
		state->events++;
	}
	while (next_sealed(state) != NULL && next_sealed(state)->ordinal != 0)
		state->next++;
	if (!at_verify_try(verify, compare_rows, state, &message) && next_sealed(state) != NULL)
	{
		pass_unreadable(state, message);
		state->transactions++;
		state->owner->row_is_there = true;
		state->owner->row_differs = true;
	}
}

/* A transaction that went with all of its events is one finding. */
static void
report_owner(OwnerCheck *state)
{
	const Owner *owner = state->owner;
	ListCell *cell;

	foreach (cell, state->differences)
	{
		AtDifference *difference = lfirst(cell);
		bool whole = state->absent == owner->count && !owner->row_is_there;

		if (whole && difference->ordinal != 0 && cell != list_last_cell(state->differences))
			continue;
		if (whole && difference->ordinal == 0 && owner->count > 1)
			difference->detail = psprintf("and its " UINT64_FORMAT " events", owner->count - 1);
		at_findings_add_difference(state->check->verify->findings, difference);
	}
}

/* Search the window for what no tile names. */
static void
read_window(void *arg)
{
	NameCheck *check = arg;
	AtTransactionReader *reader = at_transaction_reader_open(check->verify->snapshot);
	const AtTransactionRow *row;

	check->nstrangers = 0;
	at_transaction_reader_start(reader, &check->range->window);
	while ((row = at_transaction_reader_next(reader)) != NULL)
	{
		OwnerEntry *entry = hash_search(check->owner_by_tx_id, &row->body.tx_id, HASH_FIND, NULL);

		if (entry != NULL)
		{
			check->owner[entry->owner].row_is_in_window = true;
			continue;
		}
		check->stranger = grow(check, check->stranger, check->nstrangers, &check->stranger_capacity,
							   sizeof(Stranger));
		check->stranger[check->nstrangers++] =
			(Stranger){.tx_id = row->body.tx_id, .relid = row->relid, .tid = row->tid};
	}
	at_transaction_reader_close(reader);
}

/* A transaction that no tile names: added, or not sealed yet, or its tile is not there. */
static void
check_stranger(void *arg)
{
	NameCheck *check = arg;
	AtVerify *verify = check->verify;
	const AtRange *range = check->range;
	AtLeafReader *leaves = at_verify_leaves(verify);
	const AtLeaf *leaf;
	uint64 events = 0;

	at_leaf_reader_find(leaves, check->present->tx_id);
	while ((leaf = at_leaf_reader_next(leaves)) != NULL)
	{
		events += leaf->event != NULL;

		/* a row that was changed may claim the name of another */
		if (leaf->transaction == NULL || leaf->transaction->relid != check->present->relid ||
			!ItemPointerEquals(unconstify(ItemPointerData *, &leaf->transaction->tid),
							   unconstify(ItemPointerData *, &check->present->tid)))
			continue;

		verify->transactions++;
		verify->sessions += leaf->has_session;
		verify->events += events;
		events = 0;
		if (range->is_tail)
			verify->unsealed++;
		if (range->is_tail || check->is_incomplete)
		{
			if (leaf->flaws->any)
				at_verify_report_flaws(verify, leaf, range->is_tail ? AT_UNSEALED : range->last,
									   false);
			continue;
		}
		at_findings_add_difference(
			verify->findings,
			&(AtDifference){
				.fault = AT_FAULT_ADDED,
				.tx_id = leaf->tx_id,
				.log_index = range->last,
				.found = leaf->hash,
				.detail = psprintf("and its %u events", leaf->transaction->body.event_count)});
	}
}

/* A transaction that no tile names, so that nothing is known of its events. */
static void
report_unreadable(NameCheck *check, const char *message)
{
	uint64 log_index = check->range->is_tail ? AT_UNSEALED : check->range->last;
	uint64 tx_id = check->present->tx_id;

	at_findings_add(check->verify->findings,
					&(AtFinding){.thing = AT_THING_TRANSACTION,
								 .fault = AT_FAULT_CHANGED,
								 .object = psprintf(UINT64_FORMAT, tx_id),
								 .place = at_leaf_place(tx_id, 0, NULL, log_index),
								 .detail = psprintf("it cannot be read: %s", message)});
}

/* A row that is found by its name, but not among those of its time. */
static void
check_unseen(NameCheck *check)
{
	for (uint64 i = 0; i < check->nowners; i++)
	{
		const Owner *owner = &check->owner[i];

		if (owner->row_is_there && !owner->row_differs && !owner->row_is_in_window)
			at_findings_add(
				check->verify->findings,
				&(AtFinding){
					.thing = AT_THING_TRANSACTION,
					.fault = AT_FAULT_MISSING,
					.object = psprintf(UINT64_FORMAT, owner->tx_id),
					.place = psprintf("transaction " UINT64_FORMAT ", batch " UINT64_FORMAT,
									  owner->tx_id, owner->log_index),
					.detail = "it is stored, but the index does not lead to it in its order"});
	}
}
