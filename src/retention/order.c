/*-------------------------------------------------------------------------
 * order.c
 *		The order to purge: which leaves of the log lose their rows.
 *
 * Memory grows with the transactions of a month of which events go, about 100
 * bytes each, and with the events.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/json.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "base/catalog.h"
#include "base/clock.h"
#include "base/compat.h"
#include "base/debug_point.h"
#include "base/errors.h"
#include "core/bytes.h"
#include "core/merkle.h"
#include "ledger/datum.h"
#include "ledger/log_read.h"
#include "ledger/owner.h"
#include "ledger/owner_query.h"
#include "ledger/reader.h"
#include "retention/keeper.h"
#include "retention/plan.h"
#include "retention/purge.h"

/* A transaction of which events go. */
typedef struct Going
{
	uint64 tx_id; /* key */
	bool whole;   /* its row goes too */
	int count;    /* of events */
	int32 *ordinal;
} Going;

/* An order in the making. */
typedef struct Order
{
	const AtPurgeMonth *month;
	MemoryContext memory;
	Snapshot snapshot;
	HTAB *going;
	const AtGaps *before; /* earlier ones */

	/* what is listed */
	StringInfoData gaps;
	StringInfoData sessions;
	AtGap last; /* count 0: none */
	AtMerkle tree;
	uint64 events;
	uint64 transactions;
	uint64 batches;
	int64 first_batch;
	int64 last_batch;
} Order;

static void read_going(Order *order);
static void add_going(Order *order, HeapTuple row, TupleDesc desc);
static void list_leaves(Order *order);
static void list_batch(Order *order, AtTileReader *tiles, int64 log_index);
static void list_tile(Order *order, const AtTileRow *row);
static bool is_going(const Order *order, uint64 tx_id, uint32 ordinal);
static void add_leaf(Order *order, uint64 log_index, uint32 leaf, const AtHash *hash);
static void end_gap(Order *order);
static char *certify(const Order *order);
static void seal_nothing(AtControl *control, const AtPurgeMonth *month);

static Datum
time_of(const char *text)
{
	return DirectFunctionCall3(timestamptz_in, CStringGetDatum(text), ObjectIdGetDatum(InvalidOid),
							   Int32GetDatum(-1));
}

void
at_purge_check(const AtPurgeMonth *month)
{
	static const char query[] =
		"SELECT pg_catalog.concat_ws(', ', v.object, v.detail) FROM audit.verify("
		"since => $1, until => $2) AS v WHERE v.finding = 'summary' AND v.object <> 'ok'";
	Oid types[] = {TIMESTAMPTZOID, TIMESTAMPTZOID};
	Datum values[] = {time_of(month->from), time_of(month->until)};
	char *wrong = at_owner_value(query, lengthof(types), types, values);

	if (wrong != NULL)
		ereport(ERROR, (errcode(ERRCODE_AT_INTEGRITY),
						errmsg("the trail from %s to %s is not as it was sealed, so nothing of it "
							   "is purged",
							   month->from, month->until),
						errdetail("%s", wrong),
						errhint("SELECT * FROM audit.verify(since => '%s', until => '%s');",
								month->from, month->until)));
}

void
at_purge_order(AtControl *control, const AtPurgeMonth *month)
{
	HASHCTL hash = {.keysize = sizeof(uint64), .entrysize = sizeof(Going)};
	Order order = {.month = month,
				   .memory = AllocSetContextCreate(CurrentMemoryContext, "audit purge",
												   ALLOCSET_DEFAULT_SIZES),
				   .snapshot = GetActiveSnapshot()};
	MemoryContext save = MemoryContextSwitchTo(order.memory);

	hash.hcxt = order.memory;
	order.going = hash_create("audit purge", 1024, &hash, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	order.before = at_gaps_read(order.snapshot);
	initStringInfo(&order.gaps);
	initStringInfo(&order.sessions);
	at_merkle_init(&order.tree);
	read_going(&order);
	list_leaves(&order);
	if (order.events == 0)
		seal_nothing(control, month);
	else
	{
		int64 id = at_deletion_append(
			control, AT_KIND_PURGE, AT_PHASE_ORDERED, 0, certify(&order),
			(struct varlena *) DatumGetPointer(at_bytea_datum(order.gaps.data, order.gaps.len)),
			(struct varlena *) DatumGetPointer(
				at_bytea_datum(order.sessions.data, order.sessions.len)));

		at_keeper_did(0, "deletion " INT64_FORMAT " ordered: " UINT64_FORMAT " events of %s", id,
					  order.events, month->from);
	}
	MemoryContextSwitchTo(save);
	MemoryContextDelete(order.memory);
}

/* What may go by the policies and holds in force. */
static void
read_going(Order *order)
{
	static const char query[] =
		"WITH " AT_FATES " SELECT x.tx_id, x.going = x.events, x.ordinals, CASE WHEN "
		"x.going = x.events AND t.session_digest IS NOT NULL THEN t.session_id END, "
		"t.session_digest FROM tx AS x JOIN audit.transaction AS t ON t.tx_at = x.tx_at "
		"AND t.tx_id = x.tx_id WHERE x.going > 0 ORDER BY x.tx_id";
	Oid types[] = {TIMESTAMPTZOID, TIMESTAMPTZOID, TIMESTAMPTZOID, INT8OID};
	Datum values[] = {time_of(order->month->from), time_of(order->month->until),
					  TimestampTzGetDatum(at_clock_now()), Int64GetDatum(order->month->request_id)};
	AtOwnerState state;

	at_owner_enter(&state);
	at_reader_is_ours = true;
	SPI_connect();
	if (SPI_execute_with_args(query, lengthof(types), types, values, NULL, true, 0) !=
		SPI_OK_SELECT)
		elog(ERROR, "could not read what is to be purged");
	for (uint64 i = 0; i < SPI_processed; i++)
		add_going(order, SPI_tuptable->vals[i], SPI_tuptable->tupdesc);
	SPI_finish();
	at_reader_is_ours = false;
	at_owner_leave(&state);
}

static void
add_going(Order *order, HeapTuple row, TupleDesc desc)
{
	bool isnull;
	uint64 tx_id = DatumGetInt64(SPI_getbinval(row, desc, 1, &isnull));
	ArrayType *ordinals = DatumGetArrayTypeP(SPI_getbinval(row, desc, 3, &isnull));
	Going *going = hash_search(order->going, &tx_id, HASH_ENTER, NULL);
	Datum session = SPI_getbinval(row, desc, 4, &isnull);

	going->whole = DatumGetBool(SPI_getbinval(row, desc, 2, &(bool){false}));
	going->count = ArrayGetNItems(ARR_NDIM(ordinals), ARR_DIMS(ordinals));
	going->ordinal = MemoryContextAlloc(order->memory, sizeof(int32) * going->count);
	memcpy(going->ordinal, ARR_DATA_PTR(ordinals), sizeof(int32) * going->count);
	if (!isnull)
	{
		struct varlena *digest = pg_detoast_datum_packed(
			(struct varlena *) DatumGetPointer(SPI_getbinval(row, desc, 5, &isnull)));
		uint8 run[AT_SESSION_LEN] = {0};

		at_put_u64(run, DatumGetInt64(session));
		memcpy(run + 8, VARDATA_ANY(digest), Min(VARSIZE_ANY_EXHDR(digest), AT_HASH_LEN));
		appendBinaryStringInfo(&order->sessions, (char *) run, sizeof(run));
	}
}

/* Go through the batches that have transactions of the month. */
static void
list_leaves(Order *order)
{
	static const char query[] =
		"SELECT l.log_index FROM audit.log_entry AS l WHERE l.kind = 'events' "
		"AND l.last_tx_at >= $1 AND l.first_tx_at < $2 ORDER BY l.log_index";
	Oid types[] = {TIMESTAMPTZOID, TIMESTAMPTZOID};
	Datum values[] = {time_of(order->month->from), time_of(order->month->until)};
	AtTileReader *tiles = at_tile_reader_open(order->snapshot);
	AtOwnerState state;

	at_owner_enter(&state);
	SPI_connect();
	if (SPI_execute_with_args(query, lengthof(types), types, values, NULL, true, 0) !=
		SPI_OK_SELECT)
		elog(ERROR, "could not read the log");
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		bool isnull;

		at_keeper_progress(order->month->from, i, SPI_processed);
		list_batch(
			order, tiles,
			DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1, &isnull)));
	}
	SPI_finish();
	at_owner_leave(&state);
	at_tile_reader_close(tiles);
}

static void
list_batch(Order *order, AtTileReader *tiles, int64 log_index)
{
	uint64 listed = order->events;
	const AtTileRow *row;

	at_tile_reader_start(tiles, log_index, log_index);
	while ((row = at_tile_reader_next(tiles)) != NULL)
	{
		CHECK_FOR_INTERRUPTS();
		if (row->is_odd)
			ereport(ERROR, (errcode(ERRCODE_AT_INTEGRITY),
							errmsg("tile %u of batch " INT64_FORMAT " cannot be read", row->place,
								   log_index),
							errhint("SELECT * FROM audit.verify();")));
		list_tile(order, row);
	}
	end_gap(order);
	if (order->events == listed)
		return;
	if (order->batches++ == 0)
		order->first_batch = log_index;
	order->last_batch = log_index;
}

/* The leaves of a tile that go, and have not gone. */
static void
list_tile(Order *order, const AtTileRow *row)
{
	const AtTile *tile = &row->tile;
	uint32 leaf = row->place * AT_TILE_LEAVES;
	int at = 0;

	for (int i = 0; i < tile->run_count; i++)
	{
		const AtRun *run = &tile->run[i];

		for (uint32 j = 0; j < run->count + (run->closes ? 1 : 0); j++, at++, leaf++)
		{
			uint32 ordinal = j < run->count ? run->first_ordinal + j : 0;

			if (!is_going(order, run->tx_id, ordinal) ||
				at_gaps_have(order->before, row->log_index, leaf))
				continue;
			add_leaf(order, row->log_index, leaf, &tile->leaf[at]);
			order->events += ordinal != 0;
			order->transactions += ordinal == 0;
		}
	}
}

static bool
is_going(const Order *order, uint64 tx_id, uint32 ordinal)
{
	const Going *going = hash_search(order->going, &tx_id, HASH_FIND, NULL);
	int low = 0;
	int high;

	if (going == NULL)
		return false;
	if (ordinal == 0)
		return going->whole;
	high = going->count;
	while (low < high)
	{
		int middle = (low + high) / 2;

		if (going->ordinal[middle] < ordinal)
			low = middle + 1;
		else
			high = middle;
	}
	return low < going->count && going->ordinal[low] == ordinal;
}

static void
add_leaf(Order *order, uint64 log_index, uint32 leaf, const AtHash *hash)
{
	AtGap *last = &order->last;

	if (!at_merkle_add(&order->tree, hash))
		at_hash_failed();
	if (last->count > 0 && last->log_index == log_index && last->first + last->count == leaf)
	{
		last->count++;
		return;
	}
	end_gap(order);
	*last = (AtGap){.log_index = log_index, .first = leaf, .count = 1};
}

static void
end_gap(Order *order)
{
	uint8 run[AT_GAP_LEN];

	if (order->last.count > 0)
	{
		at_gap_write(&order->last, run);
		appendBinaryStringInfo(&order->gaps, (char *) run, sizeof(run));
	}
	order->last.count = 0;
}

static void
append_hash(StringInfo json, const char *member, const void *bytes, size_t len)
{
	char hex[AT_HASH_LEN * 2 + 1];
	AtHash hash;

	if (!at_hash(bytes, len, &hash))
		at_hash_failed();
	hex_encode((const char *) &hash, AT_HASH_LEN, hex);
	hex[AT_HASH_LEN * 2] = '\0';
	appendStringInfo(json, ",\"%s\":\"%s\"", member, hex);
}

/* The text of the certificate, which is what is sealed. */
static char *
certify(const Order *order)
{
	static const char policies_query[] =
		"WITH policy AS (" AT_POLICIES ") SELECT coalesce(pg_catalog.json_agg("
		"pg_catalog.json_build_object('record', p.log_index, 'context', p.context, 'lineage', "
		"p.lineage, 'event_type', p.event_type, 'keep', p.keep) ORDER BY p.log_index), '[]') "
		"FROM policy AS p WHERE p.\"then\" = 'purge' AND p.log_index <= $1";
	Oid types[] = {INT8OID};
	Datum values[] = {Int64GetDatum(order->month->request_id)};
	char root_hex[AT_HASH_LEN * 2 + 1] = {0};
	StringInfoData json;
	AtHash root;

	if (!at_merkle_root(&order->tree, &root))
		at_hash_failed();
	if (at_debug_point_is_on("purge-wrong-root"))
		root.bytes[0] ^= 1;
	hex_encode((const char *) &root, AT_HASH_LEN, root_hex);
	initStringInfo(&json);
	appendStringInfo(&json, "{\"request\":" INT64_FORMAT ",\"approval\":" INT64_FORMAT,
					 order->month->request_id, order->month->approval_id);
	appendStringInfoString(&json, ",\"requested_by\":");
	escape_json(&json, order->month->requested_by);
	appendStringInfoString(&json, ",\"approved_by\":");
	escape_json(&json, order->month->approved_by);
	appendStringInfo(&json,
					 ",\"from\":\"%s\",\"until\":\"%s\",\"events\":" UINT64_FORMAT
					 ",\"transactions\":" UINT64_FORMAT
					 ",\"sessions\":%d,\"batches\":" UINT64_FORMAT ",\"first_batch\":" INT64_FORMAT
					 ",\"last_batch\":" INT64_FORMAT ",\"leaves_root\":\"%s\"",
					 order->month->from, order->month->until, order->events, order->transactions,
					 order->sessions.len / AT_SESSION_LEN, order->batches, order->first_batch,
					 order->last_batch, root_hex);
	append_hash(&json, "gaps_sha256", order->gaps.data, order->gaps.len);
	append_hash(&json, "sessions_sha256", order->sessions.data, order->sessions.len);
	appendStringInfo(&json, ",\"policies\":%s}",
					 at_owner_value(policies_query, lengthof(types), types, values));
	return json.data;
}

/* Holds, or longer policies, keep all that was asked for. */
static void
seal_nothing(AtControl *control, const AtPurgeMonth *month)
{
	char *certificate =
		psprintf("{\"request\":" INT64_FORMAT ",\"from\":\"%s\",\"nothing\":true,\"why\":\"nothing "
				 "of it has expired that no hold keeps\"}",
				 month->request_id, month->from);

	(void) at_deletion_append(control, AT_KIND_PURGE_CANCELLED, AT_PHASE_CANCELLED, 0, certificate,
							  NULL, NULL);
}
