/*-------------------------------------------------------------------------
 * verify_batch.c
 *		Do the rows of each batch give the root that its entry has?
 *
 * The rows of a batch's window are hashed again in the order in which they
 * were sealed, and compared with the tiles leaf by leaf. Where they give the
 * root, whatever differs is the tiles' fault. Only a batch whose rows do not
 * is looked at name by name.
 *
 * An entry in doubt has no window that could be believed. It is checked
 * together with the next entry that has one, over all that lies between.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/json.h"
#include "utils/memutils.h"

#include "ledger/datum.h"
#include "seal/verify.h"

#define MAX_BAD_TILES 100

/* What is needed of an entry. */
typedef struct Batch
{
	uint64 log_index;
	bool is_events;
	bool begins_life;
	AtEntryBody entry; /* spans are not valid any more */
	AtSettled *end;    /* of its window; NULL: it took all that was left */
	char *payload;
} Batch;

typedef struct BadTile
{
	AtFault fault;
	uint32 number;
} BadTile;

/* A batch being read again. */
typedef struct BatchCheck
{
	AtVerify *verify;
	const Batch *batch;
	const AtWindow *window;

	/* the rows */
	AtMerkle tree;
	uint64 transactions;
	uint64 events;
	uint64 sessions;
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

static void walk(AtVerify *verify, MemoryContext context);
static bool read_batch(AtVerify *verify, uint64 row_at, Batch *batch);
static AtLife *get_life(AtVerify *verify, int32 incarnation);
static void move_end(AtVerify *verify, AtLife *life, const AtSettled *end);
static void check_origin(AtVerify *verify, const Batch *batch);
static void check_all_known(AtVerify *verify);
static void check_batch(AtVerify *verify, const Batch *batch, const AtRange *range);
static void read_again(void *arg);
static void compare_leaf(BatchCheck *check, const AtLeaf *leaf);
static void load_tile(BatchCheck *check, uint32 number);
static bool matches_tile(BatchCheck *check, const AtLeaf *leaf);
static void check_tiles_end(BatchCheck *check);
static void note_tile(BatchCheck *check, AtFault fault, uint32 number);
static void report_tiles(const BatchCheck *check);
static void report_flaws(void *arg);

void
at_verify_batches(AtVerify *verify)
{
	MemoryContext context =
		AllocSetContextCreate(CurrentMemoryContext, "audit batch", ALLOCSET_DEFAULT_SIZES);

	verify->is_known = palloc0(sizeof(bool) * (verify->nincarnations + 1));
	walk(verify, context);
	check_all_known(verify);
	MemoryContextDelete(context);
}

/* Go through the log; what is kept of an entry lives in `context` until the next. */
static void
walk(AtVerify *verify, MemoryContext context)
{
	MemoryContext save = MemoryContextSwitchTo(context);
	AtRange range = {.first = AT_UNSEALED};
	AtLife *life = NULL;

	for (uint64 i = 0; i < verify->log_size; i++)
	{
		const AtDoubt *doubt = at_verify_doubt(verify, i);
		Batch batch = {.log_index = i};

		CHECK_FOR_INTERRUPTS();
		MemoryContextReset(context);
		range.first = Min(range.first, i);
		if ((doubt != NULL && !doubt->is_swapped) ||
			!read_batch(verify, doubt ? doubt->row_at : i, &batch))
		{
			i = doubt ? doubt->last : i;
			continue;
		}

		/* an incarnation that begins ends the one before */
		if (batch.begins_life && range.first < i && life != NULL)
		{
			range.last = i - 1;
			range.window = at_verify_window(life, NULL);
			at_verify_by_name(verify, &range);
		}
		if (batch.begins_life)
			check_origin(verify, &batch);
		if (batch.begins_life || batch.is_events)
			life = get_life(verify, batch.entry.incarnation);
		if (batch.is_events)
		{
			range.last = i;
			range.last_is_sound = true;
			range.root = batch.entry.root;
			range.leaf_count = batch.entry.leaf_count;
			range.window = at_verify_window(life, batch.end);
			check_batch(verify, &batch, &range);
		}
		if (batch.begins_life || batch.is_events)
			move_end(verify, life, batch.end);
		range = (AtRange){.first = AT_UNSEALED};
	}

	/* what is in doubt at the end cannot be told from what is not sealed yet */
	if (range.first < verify->log_size)
	{
		if (life == NULL && verify->nincarnations > 0)
			life = get_life(verify, verify->incarnation[verify->nincarnations - 1].incarnation);
		range.last = verify->log_size - 1;
		range.is_tail = true;
		if (life != NULL)
		{
			range.window = at_verify_window(life, NULL);
			at_verify_by_name(verify, &range);
			life->is_closed = true;
		}
	}
	MemoryContextSwitchTo(save);
}

/* Read the entry at a place; false if it is not what it seemed to be before. */
static bool
read_batch(AtVerify *verify, uint64 row_at, Batch *batch)
{
	AtEntryReader *entries = at_verify_entries(verify);

	at_entry_reader_start(entries, row_at, row_at);

	const AtEntryRow *row = at_entry_reader_next(entries);
	AtSettled *end = palloc(sizeof(AtSettled));

	if (row == NULL)
		return false;
	batch->entry = row->body;
	batch->is_events = at_entry_is(&row->body, AT_KIND_EVENTS);
	batch->begins_life = !batch->is_events && at_entry_has_window(&row->body);
	if (row->body.payload.data != NULL)
		batch->payload = pnstrdup(row->body.payload.data, row->body.payload.len);
	if (row->body.snapshot.data != NULL)
	{
		if (!at_settled_parse(row->body.snapshot, end))
			return false;
		batch->end = end;
	}
	return true;
}

AtWindow
at_verify_window(const AtLife *life, const AtSettled *to)
{
	return (AtWindow){.incarnation = life->origin.incarnation,
					  .system_identifier = life->origin.system_identifier,
					  .database_oid = life->origin.database_oid,
					  .from = life->end,
					  .to = to};
}

/* The life of an incarnation, begun with what audit.incarnation says of it if it is new. */
static AtLife *
get_life(AtVerify *verify, int32 incarnation)
{
	for (int i = 0; i < verify->nlives; i++)
		if (verify->life[i].origin.incarnation == incarnation)
			return &verify->life[i];

	Size size = sizeof(AtLife) * (verify->nlives + 1);

	verify->life =
		verify->life ? repalloc(verify->life, size) : MemoryContextAlloc(verify->context, size);

	AtLife *life = &verify->life[verify->nlives++];

	*life = (AtLife){.origin.incarnation = incarnation};
	for (int i = 0; i < verify->nincarnations; i++)
		if (verify->incarnation[i].incarnation == incarnation)
			life->origin = verify->incarnation[i];
	return life;
}

/* The next window of the life begins where this one ended. */
static void
move_end(AtVerify *verify, AtLife *life, const AtSettled *end)
{
	if (life->end != NULL)
	{
		pfree(life->end->running);
		pfree(life->end);
		life->end = NULL;
	}
	life->is_closed = end == NULL;
	if (end == NULL)
		return;

	MemoryContext save = MemoryContextSwitchTo(verify->context);

	life->end = palloc(sizeof(AtSettled));
	*life->end = *end;
	life->end->running = palloc(sizeof(int64) * (end->nrunning + 1));
	memcpy(life->end->running, end->running, sizeof(int64) * end->nrunning);
	MemoryContextSwitchTo(save);
}

/* The payload that an incarnation began with, by its row. */
static char *
origin_payload(const AtIncarnation *row)
{
	StringInfoData json;

	initStringInfo(&json);
	appendStringInfo(&json,
					 "{\"incarnation\":%d,\"system_identifier\":\"" UINT64_FORMAT
					 "\",\"database_oid\":%u,\"reason\":",
					 row->incarnation, row->system_identifier, row->database_oid);
	escape_json(&json, row->reason);
	appendStringInfoChar(&json, '}');
	return json.data;
}

/* An incarnation begins: the log is believed, its row in audit.incarnation compared. */
static void
check_origin(AtVerify *verify, const Batch *batch)
{
	int32 number = batch->entry.incarnation;
	AtLife *life = get_life(verify, number);
	AtFault fault = AT_FAULT_MISSING;
	const char *found = NULL;

	for (int i = 0; i < verify->nincarnations; i++)
	{
		if (verify->incarnation[i].incarnation != number)
			continue;
		verify->is_known[i] = true;
		found = origin_payload(&verify->incarnation[i]);
		fault = AT_FAULT_CHANGED;
	}
	if (batch->payload == NULL || (found != NULL && strcmp(found, batch->payload) == 0))
		return;

	sscanf(batch->payload,
		   "{\"incarnation\":%*d,\"system_identifier\":\"" UINT64_FORMAT "\",\"database_oid\":%u",
		   &life->origin.system_identifier, &life->origin.database_oid);
	at_findings_add(verify->findings, &(AtFinding){.thing = AT_THING_INCARNATION,
												   .fault = fault,
												   .object = psprintf("%d", number),
												   .place = psprintf("incarnation %d", number),
												   .expected = batch->payload,
												   .found = found});
}

/* Every incarnation has one row, and an entry in the log. */
static void
check_all_known(AtVerify *verify)
{
	for (int i = 1; i < verify->nincarnations; i++)
	{
		int32 number = verify->incarnation[i].incarnation;

		if (number == verify->incarnation[i - 1].incarnation)
			at_findings_add(verify->findings,
							&(AtFinding){.thing = AT_THING_INCARNATION,
										 .fault = AT_FAULT_DUPLICATED,
										 .object = psprintf("%d", number),
										 .place = psprintf("incarnation %d", number),
										 .found = origin_payload(&verify->incarnation[i])});
	}
	for (int i = 0; i < verify->nincarnations && verify->ndoubts == 0; i++)
		if (!verify->is_known[i])
			at_findings_add(
				verify->findings,
				&(AtFinding){.thing = AT_THING_INCARNATION,
							 .fault = AT_FAULT_ADDED,
							 .object = psprintf("%d", verify->incarnation[i].incarnation),
							 .place =
								 psprintf("incarnation %d", verify->incarnation[i].incarnation),
							 .found = origin_payload(&verify->incarnation[i]),
							 .detail = "the log has no entry of its beginning"});
}

/* Check one batch, or a range that ends in it. */
static void
check_batch(AtVerify *verify, const Batch *batch, const AtRange *range)
{
	BatchCheck *check = palloc(sizeof(BatchCheck));
	char *message;

	verify->batches++;
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
	report_tiles(check);
	if (check->any_flaws)
		at_verify_try(verify, report_flaws, check, &message);
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
	check->reader = at_verify_tiles(verify);
	at_tile_reader_start(check->reader, check->batch->log_index, check->batch->log_index);
	check->ahead = at_tile_reader_next(check->reader);
	at_leaf_reader_start(leaves, check->window);
	while ((leaf = at_leaf_reader_next(leaves)) != NULL)
		compare_leaf(check, leaf);
	check_tiles_end(check);

	if (!at_merkle_root(&check->tree, &root))
		at_hash_failed();
	check->rows_fit =
		memcmp(&root, &entry->root, sizeof(root)) == 0 && check->tree.size == entry->leaf_count &&
		check->transactions == entry->tx_count && check->events == entry->event_count &&
		check->first_tx_at == entry->first_tx_at && check->last_tx_at == entry->last_tx_at;
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

	if (leaf->transaction == NULL)
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

	at_leaf_reader_start(leaves, check->window);
	while ((leaf = at_leaf_reader_next(leaves)) != NULL)
		if (leaf->transaction != NULL && leaf->flaws->any)
			at_verify_report_flaws(check->verify, leaf, check->batch->log_index, false);
}
