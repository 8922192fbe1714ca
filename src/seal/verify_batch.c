/*-------------------------------------------------------------------------
 * verify_batch.c
 *		Do the rows of a batch give the root that its entry has?
 *
 * The rows of the batch's window are hashed again in the order in which they
 * were sealed, and compared with the tiles leaf by leaf. Where they give the
 * root, whatever differs is the tiles' fault. Only a batch whose rows do not
 * is looked at name by name.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"

#include "ledger/datum.h"
#include "ledger/tables_list.h"
#include "seal/progress.h"
#include "seal/verify.h"

#define MAX_BAD_TILES 100

typedef struct BadTile
{
	AtFault fault;
	uint32 number;
} BadTile;

/* A batch being read again. */
typedef struct BatchCheck
{
	AtVerify *verify;
	const AtBatch *batch;
	const AtWindow *window;

	/* the rows */
	AtMerkle tree;
	uint64 transactions;
	uint64 events;
	uint64 sessions;
	uint64 purged_transactions;
	uint64 purged_events;
	int64 first_tx_at;
	int64 last_tx_at;
	bool any_flaws;
	bool rows_fit;

	/* the tile that the present leaf should be in; NULL if it is not there */
	AtTileReader *reader;
	const AtTileRow *ahead; /* read, not reached yet */
	const AtTileRow *tile;
	int leaf;
	int run;
	uint32 in_run;
	uint64 tiles;
	int nbad;
	BadTile bad[MAX_BAD_TILES];
} BatchCheck;

static void read_again(void *arg);
static void compare_leaf(BatchCheck *check, const AtLeaf *leaf);
static void load_tile(BatchCheck *check, uint32 number);
static bool matches_tile(BatchCheck *check, const AtLeaf *leaf);
static void check_tiles_end(BatchCheck *check);
static void note_tile(BatchCheck *check, AtFault fault, uint32 number);
static void report_tiles(const BatchCheck *check);
static void report_flaws(void *arg);

bool
at_verify_probe(AtVerify *verify, const AtBatch *batch, const AtWindow *window, AtProbeCount *count)
{
	BatchCheck *check = palloc(sizeof(BatchCheck));

	*check = (BatchCheck){.verify = verify, .batch = batch, .window = window};
	read_again(check);
	*count = (AtProbeCount){.transactions = check->transactions,
							.events = check->events,
							.sessions = check->sessions,
							.tiles = check->tiles,
							.purged_transactions = check->purged_transactions,
							.purged_events = check->purged_events};
	return check->rows_fit && check->nbad == 0 && !check->any_flaws;
}

void
at_verify_check_batch(AtVerify *verify, const AtBatch *batch, const AtRange *range)
{
	BatchCheck *check = palloc(sizeof(BatchCheck));
	char *message;

	verify->batches++;
	at_progress_phase(AT_PHASE_NAMES);
	*check = (BatchCheck){.verify = verify, .batch = batch, .window = &range->window};
	if (range->first < range->last || !at_verify_try(verify, read_again, check, &message) ||
		!check->rows_fit)
	{
		at_verify_by_name(verify, range);
		return;
	}
	verify->transactions += check->transactions;
	verify->events += check->events;
	verify->sessions += check->sessions;
	verify->tiles += check->tiles;
	verify->purged_transactions += check->purged_transactions;
	verify->purged_events += check->purged_events;
	report_tiles(check);
	if (check->any_flaws)
		at_verify_try(verify, report_flaws, check, &message);
	at_progress_findings(at_findings_total(verify->findings));
}

/* The batch's times are those of its transactions; of purged ones nobody knows them any more. */
static bool
times_fit(const BatchCheck *check)
{
	const AtEntryBody *entry = &check->batch->entry;

	if (check->purged_transactions == 0)
		return check->first_tx_at == entry->first_tx_at && check->last_tx_at == entry->last_tx_at;
	return check->transactions == 0 ||
		   (check->first_tx_at >= entry->first_tx_at && check->last_tx_at <= entry->last_tx_at);
}

static void
read_again(void *arg)
{
	BatchCheck *check = arg;
	AtVerify *verify = check->verify;
	const AtEntryBody *entry = &check->batch->entry;
	AtLeafReader *leaves = at_verify_leaves(verify);
	const AtLeaf *leaf;
	AtHash root;

	at_merkle_init(&check->tree);
	at_verify_set_ghosts(verify, leaves, check->batch->log_index, check->batch->log_index);
	check->reader = at_verify_tiles(verify);
	at_tile_reader_start(check->reader, check->batch->log_index, check->batch->log_index);
	check->ahead = at_tile_reader_next(check->reader);
	at_leaf_reader_start(leaves, check->window, AT_EVENTS_INDEXED);
	while ((leaf = at_leaf_reader_next(leaves)) != NULL)
		compare_leaf(check, leaf);
	check_tiles_end(check);

	if (!at_merkle_root(&check->tree, &root))
		at_hash_failed();
	check->rows_fit =
		memcmp(&root, &entry->root, sizeof(root)) == 0 && check->tree.size == entry->leaf_count &&
		check->transactions + check->purged_transactions == entry->tx_count &&
		check->events + check->purged_events == entry->event_count && times_fit(check);
}

static void
compare_leaf(BatchCheck *check, const AtLeaf *leaf)
{
	if (check->tree.size % AT_TILE_LEAVES == 0)
		load_tile(check, check->tree.size / AT_TILE_LEAVES);
	if (!matches_tile(check, leaf))
		note_tile(check, AT_FAULT_CHANGED, check->tree.size / AT_TILE_LEAVES);
	else if (leaf->event != NULL)
		at_findings_target_is_fine(check->verify->findings, leaf->event->target_id);

	if (leaf->is_purged)
	{
		check->purged_events += leaf->ordinal != 0;
		check->purged_transactions += leaf->ordinal == 0;
	}
	else if (leaf->transaction == NULL)
		check->events++;
	else
	{
		int64 tx_at = leaf->transaction->body.tx_at;
		bool first = check->transactions == 0;

		check->first_tx_at = first ? tx_at : Min(check->first_tx_at, tx_at);
		check->last_tx_at = first ? tx_at : Max(check->last_tx_at, tx_at);
		check->transactions++;
		check->sessions += leaf->has_session;
		check->any_flaws |= leaf->flaws->any;
	}
	if (!at_merkle_add(&check->tree, &leaf->hash))
		at_hash_failed();
}

/* Go to a tile; numbers are asked for in ascending order. */
static void
load_tile(BatchCheck *check, uint32 number)
{
	if (check->tile != NULL)
		check->ahead = at_tile_reader_next(check->reader);
	check->tile = NULL;
	check->leaf = 0;
	check->run = 0;
	check->in_run = 0;
	while (check->ahead != NULL && check->ahead->place < number)
	{
		note_tile(check, AT_FAULT_DUPLICATED, check->ahead->place);
		check->tiles++;
		check->ahead = at_tile_reader_next(check->reader);
	}
	if (check->ahead == NULL || check->ahead->place > number)
	{
		note_tile(check, AT_FAULT_MISSING, number);
		return;
	}
	check->tile = check->ahead;
	check->tiles++;
	if (!check->tile->is_odd && !at_tile_row_root_fits(check->tile))
		note_tile(check, AT_FAULT_CHANGED, number);
}

/* Is the leaf the next one of the tile, by name and hash? */
static bool
matches_tile(BatchCheck *check, const AtLeaf *leaf)
{
	if (check->tile == NULL || check->leaf >= check->tile->tile.leaf_count)
		return false;

	const AtHash *hash = &check->tile->tile.leaf[check->leaf++];
	const AtRun *run = &check->tile->tile.run[check->run];
	uint32 ordinal = check->in_run < run->count ? run->first_ordinal + check->in_run : 0;

	check->in_run++;
	if (check->in_run == run->count + (run->closes ? 1 : 0))
	{
		check->run++;
		check->in_run = 0;
	}
	return run->tx_id == leaf->tx_id && ordinal == leaf->ordinal &&
		   memcmp(hash, &leaf->hash, sizeof(AtHash)) == 0;
}

/* After the last leaf there is nothing more, in this tile or in others. */
static void
check_tiles_end(BatchCheck *check)
{
	uint32 expected = (check->tree.size + AT_TILE_LEAVES - 1) / AT_TILE_LEAVES;

	if (check->tile != NULL && check->leaf < check->tile->tile.leaf_count)
		note_tile(check, AT_FAULT_CHANGED, expected - 1);
	if (check->tile != NULL)
		check->ahead = at_tile_reader_next(check->reader);
	for (; check->ahead != NULL; check->ahead = at_tile_reader_next(check->reader))
	{
		bool again = check->ahead->place < expected;

		note_tile(check, again ? AT_FAULT_DUPLICATED : AT_FAULT_ADDED, check->ahead->place);
		check->tiles++;
	}
}

/* Remember a tile that is not as it should be, once. */
static void
note_tile(BatchCheck *check, AtFault fault, uint32 number)
{
	bool noted = check->nbad > 0 && check->bad[check->nbad - 1].number == number;

	if (!noted && check->nbad < MAX_BAD_TILES)
		check->bad[check->nbad++] = (BadTile){.fault = fault, .number = number};
}

/* The rows give the root, so it is the tiles that differ. */
static void
report_tiles(const BatchCheck *check)
{
	for (int i = 0; i < check->nbad; i++)
		at_verify_report_tile(check->verify, check->bad[i].fault, check->batch->log_index,
							  check->bad[i].number,
							  "the rows give the root of the batch, and this tile does not");
}

void
at_verify_report_tile(AtVerify *verify, AtFault fault, uint64 log_index, uint32 number,
					  const char *detail)
{
	at_findings_add(
		verify->findings,
		&(AtFinding){.thing = AT_THING_TILE,
					 .fault = fault,
					 .object = psprintf(UINT64_FORMAT "/%u", log_index, number),
					 .place = psprintf("tile %u of batch " UINT64_FORMAT, number, log_index),
					 .detail = detail});
}

/* The batch is as it was sealed, and was broken then already. */
static void
report_flaws(void *arg)
{
	BatchCheck *check = arg;
	AtLeafReader *leaves = at_verify_leaves(check->verify);
	const AtLeaf *leaf;

	at_verify_set_ghosts(check->verify, leaves, check->batch->log_index, check->batch->log_index);
	at_leaf_reader_start(leaves, check->window, AT_EVENTS_INDEXED);
	while ((leaf = at_leaf_reader_next(leaves)) != NULL)
		if (leaf->transaction != NULL && leaf->flaws->any)
			at_verify_report_flaws(check->verify, leaf, check->batch->log_index, false);
}
