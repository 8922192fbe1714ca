/*-------------------------------------------------------------------------
 * carry_out.c
 *		The rows that an order names go.
 *
 * All in one transaction: rows of events and transactions, what audit.volume
 * counted of them, the record of the log. What went must be what the order
 * has, or nothing goes.
 *
 * Locks: that of passes on audit.log_entry, taken by the caller before; then
 * AccessExclusiveLock on the partitions that lose rows, each for no longer than
 * it takes to write the rows that stay; then RowExclusiveLock on audit.volume.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "base/catalog.h"
#include "base/debug_point.h"
#include "base/errors.h"
#include "core/json_text.h"
#include "ledger/datum.h"
#include "ledger/let_go.h"
#include "ledger/log_read.h"
#include "ledger/owner_query.h"
#include "retention/keeper.h"
#include "retention/purge.h"

/* A leaf that goes, by its name. */
typedef struct LeafName
{
	uint64 tx_id;
	uint64 ordinal; /* 0: the transaction itself; 64 bits, so that there is no padding */
} LeafName;

/* An order being carried out. */
typedef struct Work
{
	const AtDeletion *order;
	HTAB *names;
	uint64 nevents;
	Datum tx_ids; /* of events */
	Datum ordinals;

	/* what has gone */
	uint64 events;
	uint64 transactions;
	int64 bytes;
} Work;

static const AtDeletion *find_order(const AtGaps *gaps, int64 deletion_id);
static void load_names(Work *work, const AtGaps *all, Snapshot snapshot);
static void add_ghosts(Work *work, const AtGhost *ghosts, uint64 count, Datum *tx_ids,
					   Datum *ordinals);
static void lower_volume(const Work *work);
static bool is_named(uint64 tx_id, uint32 ordinal, void *arg);
static uint64 let_go(Work *work, AtLedgerTable table);
static uint64 ordered(const Work *work, const char *member);

void
at_purge_carry_out(AtControl *control, const AtPurgeMonth *month)
{
	AtGaps *gaps = at_gaps_read(GetActiveSnapshot());
	Work work = {.order = find_order(gaps, month->deletion_id)};
	char *certificate;

	load_names(&work, gaps, GetActiveSnapshot());
	at_debug_point("purge-before");
	lower_volume(&work);
	work.events = let_go(&work, AT_LEDGER_EVENT);
	at_debug_point("purge-events-gone");
	work.transactions = let_go(&work, AT_LEDGER_TRANSACTION);
	at_debug_point("purge-gone");
	if (work.events != ordered(&work, "events") ||
		work.transactions != ordered(&work, "transactions"))
		ereport(ERROR, (errcode(ERRCODE_AT_INTEGRITY),
						errmsg("what is there is not what deletion " INT64_FORMAT " is to remove",
							   month->deletion_id),
						errdetail("There are " UINT64_FORMAT " events and " UINT64_FORMAT
								  " transactions of it; the order has " UINT64_FORMAT
								  " and " UINT64_FORMAT ".",
								  work.events, work.transactions, ordered(&work, "events"),
								  ordered(&work, "transactions")),
						errhint("SELECT * FROM audit.verify();")));
	certificate = psprintf("{\"deletion\":" INT64_FORMAT ",\"request\":" INT64_FORMAT
						   ",\"from\":\"%s\",\"events\":" UINT64_FORMAT
						   ",\"transactions\":" UINT64_FORMAT ",\"bytes\":" INT64_FORMAT "}",
						   month->deletion_id, month->request_id, month->from, work.events,
						   work.transactions, work.bytes);
	(void) at_deletion_append(control, AT_KIND_PURGED, AT_PHASE_DONE, month->deletion_id,
							  certificate, NULL, NULL);
	at_debug_point("purge-before-commit");
	at_keeper_did(work.events,
				  "deletion " INT64_FORMAT " carried out: " UINT64_FORMAT " events of %s",
				  month->deletion_id, work.events, month->from);
}

static const AtDeletion *
find_order(const AtGaps *gaps, int64 deletion_id)
{
	for (int i = 0; i < gaps->ndeletions; i++)
		if (gaps->deletion[i].log_index == deletion_id && gaps->deletion[i].problem == NULL)
			return &gaps->deletion[i];
	ereport(ERROR, (errcode(ERRCODE_AT_INTEGRITY),
					errmsg("the log does not vouch for deletion " INT64_FORMAT, deletion_id),
					errhint("SELECT * FROM audit.verify();")));
}

/* The names of the leaves, as the tiles tell them. */
static void
load_names(Work *work, const AtGaps *all, Snapshot snapshot)
{
	HASHCTL hash = {
		.keysize = sizeof(LeafName), .entrysize = sizeof(LeafName), .hcxt = CurrentMemoryContext};
	AtTileReader *tiles = at_tile_reader_open(snapshot);
	AtGaps mine = {0};
	uint64 leaves = ordered(work, "events") + ordered(work, "transactions");
	Datum *tx_ids = palloc_extended(sizeof(Datum) * (leaves + 1), MCXT_ALLOC_HUGE);
	Datum *ordinals = palloc_extended(sizeof(Datum) * (leaves + 1), MCXT_ALLOC_HUGE);
	int64 last = -1;

	work->names = hash_create("audit purge", 1024, &hash, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	mine.gap = palloc_extended(sizeof(AtGap) * (all->count + 1), MCXT_ALLOC_HUGE);
	for (uint64 i = 0; i < all->count; i++)
		if (all->gap[i].deletion_id == work->order->deletion_id)
			mine.gap[mine.count++] = all->gap[i];
	for (uint64 i = 0; i < mine.count; i++)
	{
		AtGhost *ghosts;
		uint64 count;

		CHECK_FOR_INTERRUPTS();
		if ((int64) mine.gap[i].log_index == last)
			continue;
		last = mine.gap[i].log_index;
		count = at_gaps_ghosts(&mine, tiles, last, &ghosts);
		if (hash_get_num_entries(work->names) + count > leaves)
			ereport(ERROR, (errcode(ERRCODE_AT_INTEGRITY),
							errmsg("deletion " INT64_FORMAT " names more leaves than it counts",
								   work->order->deletion_id)));
		add_ghosts(work, ghosts, count, tx_ids, ordinals);
	}
	at_tile_reader_close(tiles);
	work->tx_ids = PointerGetDatum(construct_array(tx_ids, work->nevents, INT8OID, sizeof(int64),
												   FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
	work->ordinals = PointerGetDatum(
		construct_array(ordinals, work->nevents, INT4OID, sizeof(int32), true, TYPALIGN_INT));
}

static void
add_ghosts(Work *work, const AtGhost *ghosts, uint64 count, Datum *tx_ids, Datum *ordinals)
{
	for (uint64 i = 0; i < count; i++)
	{
		LeafName name = {.tx_id = ghosts[i].tx_id, .ordinal = ghosts[i].ordinal};

		hash_search(work->names, &name, HASH_ENTER, NULL);
		if (ghosts[i].ordinal == 0)
			continue;
		tx_ids[work->nevents] = Int64GetDatum(ghosts[i].tx_id);
		ordinals[work->nevents++] = Int32GetDatum(ghosts[i].ordinal);
	}
}

/* What was counted of them, as audit.count_sealed() counts. */
static void
lower_volume(const Work *work)
{
	static const char lower[] =
		"WITH gone AS (SELECT pg_catalog.date_trunc('hour', e.occurred_at, 'UTC') AS hour, "
		"e.target_id, e.op, coalesce(e.event_type, '') COLLATE \"C\" AS event_type, "
		"(CASE WHEN c.now ? 'actor' THEN coalesce(c.now ->> 'actor', t.db_user) ELSE t.actor END) "
		"COLLATE \"C\" AS actor, pg_catalog.count(*) AS events "
		"FROM ROWS FROM (unnest($1), unnest($2)) AS n (tx_id, ordinal) "
		"JOIN audit.event AS e ON e.tx_id = n.tx_id AND e.ordinal = n.ordinal "
		"JOIN audit.transaction AS t ON t.tx_at = e.tx_at AND t.tx_id = e.tx_id "
		"LEFT JOIN LATERAL (SELECT audit.to_jsonb(e.extra) -> 'context' AS now) AS c "
		"ON audit.has_context(e.extra) GROUP BY 1, 2, 3, 4, 5) "
		"UPDATE audit.volume AS v SET events = v.events - g.events FROM gone AS g "
		"WHERE v.hour = g.hour AND v.target_id = g.target_id AND v.op = g.op "
		"AND v.event_type = g.event_type AND v.actor = g.actor";
	Oid types[] = {INT8ARRAYOID, INT4ARRAYOID};
	Datum values[] = {work->tx_ids, work->ordinals};

	(void) at_owner_execute(lower, lengthof(types), types, values);
	(void) at_owner_execute("DELETE FROM audit.volume WHERE events = 0", 0, NULL, NULL);
}

static bool
is_named(uint64 tx_id, uint32 ordinal, void *arg)
{
	Work *work = arg;
	LeafName name = {.tx_id = tx_id, .ordinal = ordinal};

	return hash_search(work->names, &name, HASH_FIND, NULL) != NULL;
}

static uint64
let_go(Work *work, AtLedgerTable table)
{
	List *leaves = at_ledger_leaves(table);
	uint64 count = 0;
	ListCell *cell;

	foreach (cell, leaves)
	{
		int64 bytes;

		CHECK_FOR_INTERRUPTS();
		count += at_let_go(lfirst_oid(cell), is_named, work, &bytes);
		work->bytes += bytes;
	}
	return count;
}

/* A number of the certificate. */
static uint64
ordered(const Work *work, const char *member)
{
	AtText value;
	uint64_t number;

	if (!at_json_text_find(at_text(work->order->certificate), member, &value) ||
		!at_text_decimal(value, &number))
		elog(ERROR, "the certificate of a deletion has no number \"%s\"", member);
	return number;
}
