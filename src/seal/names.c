/*-------------------------------------------------------------------------
 * names.c
 *		What was sealed in a range of batches, leaf by leaf.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "ledger/datum.h"
#include "seal/names.h"

/* Missing tiles that are reported one by one. */
#define MAX_MISSING_TILES 100

/* Leaves that are passed on the way to a neighbour. */
#define NEIGHBOURS_LOOKED_AT 10000

static void load_names(void *arg);
static void add_tile(AtNames *names, const AtTileRow *row);
static void add_sealed(AtNames *names, uint64 log_index, uint64 tx_id, const AtSealed *sealed);
static void check_tree(AtNames *names);

MemoryContext
at_names_open(AtNames *names, AtVerify *verify, const AtRange *range)
{
	MemoryContext context =
		AllocSetContextCreate(CurrentMemoryContext, "audit names", ALLOCSET_DEFAULT_SIZES);
	HASHCTL control = {
		.keysize = sizeof(uint64), .entrysize = sizeof(AtOwnerEntry), .hcxt = context};

	*names = (AtNames){.verify = verify, .range = range, .context = context};
	names->owner_context = AllocSetContextCreate(context, "audit owner", ALLOCSET_DEFAULT_SIZES);
	names->owner_by_tx_id =
		hash_create("audit owners", 1024, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	at_merkle_init(&names->tree);
	return context;
}

bool
at_names_load(AtNames *names)
{
	char *message;

	if (at_verify_try(names->verify, load_names, names, &message))
		check_tree(names);
	else
	{
		names->is_incomplete = true;
		at_verify_report_tile(names->verify, AT_FAULT_CHANGED, names->range->last, 0, message);
	}
	return names->gives_root;
}

/* Load what the tiles of the range say. */
static void
load_names(void *arg)
{
	AtNames *names = arg;
	AtVerify *verify = names->verify;
	const AtRange *range = names->range;
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
			names->is_incomplete = true;
		for (; next < row->place && next < MAX_MISSING_TILES; next++)
			at_verify_report_tile(verify, AT_FAULT_MISSING, log_index, next, NULL);
		if (row->is_odd)
			at_verify_report_tile(verify, AT_FAULT_CHANGED, log_index, row->place,
								  "it is not a tile any more");
		add_tile(names, row);
		next = row->place + 1;
	}
	if (batches < range->last - range->first + 1)
		names->is_incomplete = true;
}

static void
add_tile(AtNames *names, const AtTileRow *row)
{
	const AtTile *tile = &row->tile;
	int leaf = 0;

	for (int i = 0; i < tile->run_count; i++)
	{
		const AtRun *run = &tile->run[i];
		uint32 leaves = run->count + (run->closes ? 1 : 0);

		for (uint32 j = 0; j < leaves; j++)
			add_sealed(names, row->log_index, run->tx_id,
					   &(AtSealed){.ordinal = j < run->count ? run->first_ordinal + j : 0,
								   .tile = row->place,
								   .hash = tile->leaf[leaf++]});
	}
	for (int i = 0; i < tile->leaf_count && row->log_index == names->range->last; i++)
		if (!at_merkle_add(&names->tree, &tile->leaf[i]))
			at_hash_failed();
}

void *
at_names_grow(AtNames *names, void *array, uint64 count, uint64 *capacity, Size item)
{
	if (count < *capacity)
		return array;
	*capacity = *capacity ? *capacity * 2 : 256;
	return array ? repalloc_huge(array, item * *capacity)
				 : MemoryContextAllocHuge(names->context, item * *capacity);
}

static void
add_sealed(AtNames *names, uint64 log_index, uint64 tx_id, const AtSealed *sealed)
{
	AtOwner *last = names->nowners > 0 ? &names->owner[names->nowners - 1] : NULL;
	bool known;

	names->sealed = at_names_grow(names, names->sealed, names->nsealed, &names->sealed_capacity,
								  sizeof(AtSealed));
	names->sealed[names->nsealed++] = *sealed;

	/* the leaf of the transaction itself is the last of its leaves */
	if (last != NULL && last->tx_id == tx_id && last->log_index == log_index &&
		names->sealed[last->first + last->count - 1].ordinal != 0)
	{
		last->count++;
		return;
	}
	names->owner =
		at_names_grow(names, names->owner, names->nowners, &names->owner_capacity, sizeof(AtOwner));
	names->owner[names->nowners] =
		(AtOwner){.tx_id = tx_id, .log_index = log_index, .first = names->nsealed - 1, .count = 1};

	AtOwnerEntry *entry = hash_search(names->owner_by_tx_id, &tx_id, HASH_ENTER, &known);

	if (!known)
		entry->owner = names->nowners;
	names->nowners++;
}

/* Do the tiles of the last batch give the root of its entry? */
static void
check_tree(AtNames *names)
{
	const AtRange *range = names->range;
	AtHash root;

	if (!range->last_is_sound || names->is_incomplete)
		return;
	if (!at_merkle_root(&names->tree, &root))
		at_hash_failed();
	names->gives_root = memcmp(&root, &range->root, sizeof(root)) == 0;
	if (names->gives_root)
		return;
	if (names->tree.size < range->leaf_count)
	{
		names->is_incomplete = true;
		at_verify_report_tile(names->verify, AT_FAULT_MISSING, range->last,
							  names->tree.size / AT_TILE_LEAVES, NULL);
	}
	else
		at_verify_report_tile(names->verify, AT_FAULT_CHANGED, range->last, 0,
							  "this tile or a later one does not give the root of the batch");
}

/* Whose leaf is it? By bisection. */
static const AtOwner *
find_owner(const AtNames *names, uint64 at)
{
	uint64 low = 0;
	uint64 high = names->nowners - 1;

	while (low < high)
	{
		uint64 middle = low + (high - low + 1) / 2;

		if (names->owner[middle].first <= at)
			low = middle;
		else
			high = middle - 1;
	}
	return &names->owner[low];
}

char *
at_names_neighbour(const AtNames *names, int64 at, int step, bool is_event)
{
	for (int looked = 0; at >= 0 && at < names->nsealed && looked < NEIGHBOURS_LOOKED_AT;
		 at += step, looked++)
	{
		uint32 ordinal = names->sealed[at].ordinal;

		if ((ordinal != 0) != is_event)
			continue;
		return is_event ? psprintf(UINT64_FORMAT ".%u", find_owner(names, at)->tx_id, ordinal)
						: psprintf(UINT64_FORMAT, find_owner(names, at)->tx_id);
	}
	return NULL;
}
