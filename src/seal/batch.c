/*-------------------------------------------------------------------------
 * batch.c
 *		A batch being sealed.
 *
 * Memory does not grow with the batch: a tile is written when it is full,
 * the tree keeps its frontier only, and the list of broken transactions
 * ends at the size of a payload.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "base/errors.h"
#include "base/pace.h"
#include "ledger/datum.h"
#include "ledger/deferred_fill.h"
#include "ledger/log_read.h"
#include "ledger/tables_list.h"
#include "seal/batch.h"
#include "seal/leaves.h"
#include "seal/volume.h"

#define MAX_WARNINGS 10

/* Room in the payload for what follows the list of broken transactions. */
#define PAYLOAD_TAIL 64

typedef struct Batch
{
	AtDeferredFill *fill;
	uint64 log_index;
	AtTile tile;
	uint32 tile_number;
	MemoryContext tile_context;
	AtMerkle tree;

	uint64 tx_count;
	uint64 event_count;
	int64 first_tx_at;
	int64 last_tx_at;
	AtTablesList *tables;
	AtVolume *volume;
	size_t payload_room; /* beside the snapshot; without the tail */

	/* transactions that contradict themselves */
	uint64 broken_count;
	uint64 broken_listed;
	StringInfoData broken; /* members of a JSON array */
} Batch;

static void add_leaf(Batch *batch, const AtLeaf *leaf);
static void write_tile(Batch *batch);
static void add_broken(Batch *batch, const AtLeaf *leaf);
static AtSpan make_payload(Batch *batch);
static void append_entry(Batch *batch, AtLogHead *head, int32 incarnation,
						 const char *snapshot_text);

bool
at_batch_seal(AtLogHead *head, int32 incarnation, const AtWindow *window, const char *snapshot_text,
			  Snapshot snapshot, bool careful)
{
	AtDeferredFill *fill = at_deferred_fill_open(careful);
	AtLeafReader *reader = at_leaf_reader_open(snapshot);
	Batch *batch = palloc0(sizeof(Batch));
	const AtLeaf *leaf;

	batch->fill = fill;
	batch->log_index = head->tree.size;
	batch->tile_context =
		AllocSetContextCreate(CurrentMemoryContext, "audit tile", ALLOCSET_DEFAULT_SIZES);
	at_tile_init(&batch->tile);
	at_merkle_init(&batch->tree);
	initStringInfo(&batch->broken);
	batch->tables = at_tables_list_new();
	batch->volume = at_volume_new();
	batch->payload_room =
		Min(AT_MAX_PAYLOAD, AT_ENTRY_ROOM - (snapshot_text ? strlen(snapshot_text) : 0)) -
		PAYLOAD_TAIL;

	at_leaf_reader_start(reader, window, AT_EVENTS_PLACED);
	while ((leaf = at_leaf_reader_next(reader)) != NULL)
		add_leaf(batch, leaf);
	at_leaf_reader_close(reader);
	at_deferred_fill_close(fill);
	at_volume_store(batch->volume);

	if (batch->tx_count == 0)
		return false;
	if (batch->tile.leaf_count > 0)
		write_tile(batch);
	append_entry(batch, head, incarnation, snapshot_text);
	return true;
}

static void
add_leaf(Batch *batch, const AtLeaf *leaf)
{
	if (leaf->transaction == NULL)
	{
		const AtEventRow *event = leaf->event;

		if (event->by_place)
			at_deferred_fill_add_event(batch->fill, event->slot);
		at_tile_add_event(&batch->tile, leaf->tx_id, leaf->ordinal, &leaf->hash);
		at_tables_list_add(batch->tables, event->target_id, &event->body);
		at_volume_add(batch->volume, leaf->of, event);
		batch->event_count++;
	}
	else
	{
		int64 tx_at = leaf->transaction->body.tx_at;

		at_deferred_fill_add_transaction(batch->fill, leaf->transaction->tuple,
										 leaf->transaction->desc);
		at_tile_add_transaction(&batch->tile, leaf->tx_id, &leaf->hash);
		if (batch->tx_count == 0 || tx_at < batch->first_tx_at)
			batch->first_tx_at = tx_at;
		if (batch->tx_count == 0 || tx_at > batch->last_tx_at)
			batch->last_tx_at = tx_at;
		batch->tx_count++;
		if (leaf->flaws->any)
			add_broken(batch, leaf);
	}
	if (!at_merkle_add(&batch->tree, &leaf->hash))
		at_hash_failed();
	if (batch->tile.leaf_count == AT_TILE_LEAVES)
		write_tile(batch);
}

static void
write_tile(Batch *batch)
{
	MemoryContext save = MemoryContextSwitchTo(batch->tile_context);

	at_tile_append(batch->log_index, batch->tile_number++, &batch->tile);
	at_tile_init(&batch->tile);
	MemoryContextSwitchTo(save);
	MemoryContextReset(batch->tile_context);
	at_pace_go_on();
}

/* Remember and report a transaction that is not as it was committed. */
static void
add_broken(Batch *batch, const AtLeaf *leaf)
{
	char *why = at_flaws_describe(leaf->flaws);
	StringInfoData item;

	batch->broken_count++;
	if (batch->broken_count <= MAX_WARNINGS)
		ereport(WARNING,
				(errcode(ERRCODE_AT_INTEGRITY),
				 errmsg("transaction " UINT64_FORMAT " of the audit trail is not as it was "
						"committed",
						leaf->tx_id),
				 errdetail("It is sealed as it is: %s.", why),
				 errhint("SELECT * FROM audit.verify();")));

	initStringInfo(&item);
	appendStringInfo(&item,
					 "%s{\"tx_id\":" UINT64_FORMAT ",\"why\":", batch->broken.len > 0 ? "," : "",
					 leaf->tx_id);
	escape_json(&item, why);
	appendStringInfoChar(&item, '}');
	if (batch->broken.len + item.len < batch->payload_room)
	{
		appendBinaryStringInfo(&batch->broken, item.data, item.len);
		batch->broken_listed++;
	}
	pfree(item.data);
	pfree(why);
}

/* The tables of the events, if all is well, and they are not too many or too long to be listed. */
static AtSpan
make_list(Batch *batch)
{
	char *tables = at_tables_list_json(batch->tables);
	bool fits = tables != NULL && strlen(tables) <= batch->payload_room;

	return at_span_of(fits ? psprintf("{\"tables\":%s}", tables) : NULL);
}

/* {"tables":[...]}, or {"broken":[...],"more":N}. */
static AtSpan
make_payload(Batch *batch)
{
	StringInfoData json;

	if (batch->broken_count == 0)
		return make_list(batch);
	if (batch->broken_count > MAX_WARNINGS)
		ereport(WARNING,
				(errcode(ERRCODE_AT_INTEGRITY),
				 errmsg(UINT64_FORMAT " more transactions of the audit trail are not as they "
									  "were committed",
						batch->broken_count - MAX_WARNINGS),
				 errhint("SELECT * FROM audit.verify();")));

	initStringInfo(&json);
	appendStringInfo(&json, "{\"broken\":[%s]", batch->broken.data);
	if (batch->broken_count > batch->broken_listed)
		appendStringInfo(&json, ",\"more\":" UINT64_FORMAT,
						 batch->broken_count - batch->broken_listed);
	appendStringInfoChar(&json, '}');
	return at_span_of(json.data);
}

static void
append_entry(Batch *batch, AtLogHead *head, int32 incarnation, const char *snapshot_text)
{
	AtEntryBody entry = {
		.sealed_at = at_unix_microseconds(GetCurrentTimestamp()),
		.incarnation = incarnation,
		.kind = at_span_of(AT_KIND_EVENTS),
		.leaf_count = batch->tree.size,
		.tx_count = batch->tx_count,
		.event_count = batch->event_count,
		.first_tx_at = batch->first_tx_at,
		.last_tx_at = batch->last_tx_at,
		.snapshot = at_span_of(snapshot_text),
		.payload = make_payload(batch),
	};

	if (!at_merkle_root(&batch->tree, &entry.root))
		at_hash_failed();
	at_log_append(head, &entry);
}
