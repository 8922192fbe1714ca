/*-------------------------------------------------------------------------
 * verify_heap.c
 *		Is anything stored that no index led to?
 *
 * The earlier steps find rows through indexes and count them. Here the
 * tables are counted from one end to the other; only where they have more
 * rows than were seen is each row looked at, and asked whether an index and
 * a transaction lead to it. Targets are few: each is looked at.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xlog.h"
#include "miscadmin.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

#include "base/catalog.h"
#include "base/columns.h"
#include "core/bytes.h"
#include "ledger/alert_action.h"
#include "ledger/alert_seal.h"
#include "ledger/log_read.h"
#include "ledger/scan.h"
#include "seal/verify.h"

/* Room for events about alerts, at first: a power of two. */
#define MIN_ACTIONS 64

typedef struct HeapCheck
{
	AtVerify *verify;
	MemoryContext row_context;
	AtTransactionReader *by_tx_id;
	AtTransactionReader *by_xid;
	AtEventReader *events;

	/* of the last event */
	uint64 tx_id;
	bool has_transaction;
	bool any_orphan; /* event without a transaction */

	HTAB *sessions; /* that a transaction brought */
	HTAB *targets;  /* that were met */
} HeapCheck;

static void collect_action(TupleTableSlot *slot, void *arg);
static void add_name(AtVerify *verify, AtEventNames *names, TupleTableSlot *slot);
static void check_transaction(TupleTableSlot *slot, void *arg);
static void check_event(TupleTableSlot *slot, void *arg);
static void collect_session(TupleTableSlot *slot, void *arg);
static void collect_purged(HeapCheck *check);
static void check_session(TupleTableSlot *slot, void *arg);
static void check_target(TupleTableSlot *slot, void *arg);
static void compare_count(AtVerify *verify, AtLedgerTable table, uint64 seen, AtThing thing);

void
at_verify_heap(AtVerify *verify)
{
	Snapshot snapshot = verify->snapshot;
	HASHCTL control = {
		.keysize = sizeof(int64), .entrysize = sizeof(int64), .hcxt = CurrentMemoryContext};
	HASHCTL target_control = {
		.keysize = sizeof(int32), .entrysize = sizeof(int32), .hcxt = CurrentMemoryContext};
	HeapCheck check = {.verify = verify};

	check.row_context =
		AllocSetContextCreate(CurrentMemoryContext, "audit row", ALLOCSET_DEFAULT_SIZES);
	check.by_tx_id = at_transaction_finder_open(snapshot);
	check.by_xid = at_transaction_reader_open(snapshot);
	check.events = at_event_reader_open(snapshot);

	if (at_scan_heap(AT_LEDGER_TRANSACTION, snapshot, NULL, NULL) > verify->transactions)
		at_scan_heap(AT_LEDGER_TRANSACTION, snapshot, check_transaction, &check);
	if (at_scan_heap(AT_LEDGER_EVENT, snapshot, collect_action, verify) > verify->events)
		at_scan_heap(AT_LEDGER_EVENT, snapshot, check_event, &check);

	/* a session may have come with a transaction that is not there any more */
	bool lost = check.any_orphan || at_findings_miss_transaction(verify->findings);

	if (!lost && at_scan_heap(AT_LEDGER_SESSION, snapshot, NULL, NULL) > verify->sessions)
	{
		check.sessions =
			hash_create("audit sessions", 256, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
		at_scan_heap(AT_LEDGER_TRANSACTION, snapshot, collect_session, &check);
		collect_purged(&check);
		at_scan_heap(AT_LEDGER_SESSION, snapshot, check_session, &check);
	}
	check.targets =
		hash_create("audit targets", 64, &target_control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	at_scan_heap(AT_LEDGER_TARGET, snapshot, check_target, &check);
	compare_count(verify, AT_LEDGER_LOG_ENTRY, verify->entries, AT_THING_BATCH);
	compare_count(verify, AT_LEDGER_CHECKPOINT, verify->checkpoints, AT_THING_CHECKPOINT);
	compare_count(verify, AT_LEDGER_LEAF_TILE, verify->tiles, AT_THING_TILE);
	compare_count(verify, AT_LEDGER_LOG_TILE, verify->log_tiles, AT_THING_LOG_TILE);

	at_transaction_reader_close(check.by_tx_id);
	at_transaction_reader_close(check.by_xid);
	at_event_reader_close(check.events);
}

/* An event about alerts; see verify_alert_action.c and verify_alert.c. */
static void
collect_action(TupleTableSlot *slot, void *arg)
{
	AtVerify *verify = arg;
	bool isnull;
	char op = DatumGetChar(slot_getattr(slot, Anum_event_op, &isnull));

	if (op == AT_ALERT_ACTION_OP)
		add_name(verify, &verify->actions, slot);
	else if (op == AT_ALERT_SEAL_OP)
		add_name(verify, &verify->seals, slot);
}

static void
add_name(AtVerify *verify, AtEventNames *names, TupleTableSlot *slot)
{
	uint64 count = names->count;
	bool isnull;

	if (count == 0)
		names->name = MemoryContextAlloc(verify->context, sizeof(AtEventName) * MIN_ACTIONS);
	else if (count >= MIN_ACTIONS && (count & (count - 1)) == 0)
		names->name = repalloc_huge(names->name, sizeof(AtEventName) * count * 2);
	names->name[names->count++] = (AtEventName){
		.tx_id = DatumGetInt64(slot_getattr(slot, Anum_event_tx_id, &isnull)),
		.ordinal = DatumGetInt32(slot_getattr(slot, Anum_event_ordinal, &isnull)),
	};
}

/* Is it of an incarnation that the sealer will begin for it, when it begins that of this copy? */
static bool
will_be_listed(uint64 tx_id)
{
	return !at_incarnation_begun() && at_tx_id_incarnation(tx_id) >= at_incarnation_listed();
}

/* Why the transaction was not met where it should have been; NULL if it was. */
static const char *
question_transaction(HeapCheck *check, TupleTableSlot *slot)
{
	AtVerify *verify = check->verify;
	uint64 tx_id = DatumGetInt64(slot->tts_values[Anum_transaction_tx_id - 1]);
	int64 xid = DatumGetInt64(slot->tts_values[Anum_transaction_xid - 1]);
	uint64 server = DatumGetInt64(slot->tts_values[Anum_transaction_system_identifier - 1]);
	Oid database = DatumGetObjectId(slot->tts_values[Anum_transaction_database_oid - 1]);
	AtSettled from = {.xmax = xid};
	AtSettled to = {.xmax = xid + 1};
	AtWindow window = at_window_here();
	bool known = server == window.system_identifier && database == window.database_oid;
	const AtTransactionRow *row;

	if (xid < 1 || xid >= AT_XIDS_PER_INCARNATION)
		return "its xid is out of range";
	for (int i = 0; i < verify->lives.count; i++)
	{
		const AtLife *life = &verify->lives.life[i];

		if (life->origin.system_identifier != server || life->origin.database_oid != database)
			continue;
		if (i < verify->lives.count - 1 && life->end != NULL && !at_settled_has(life->end, xid))
			return "its incarnation had ended before";
		known = true;
		window.incarnation = life->origin.incarnation;
	}
	if (!known && will_be_listed(tx_id))
	{
		known = true;
		window.incarnation = at_tx_id_incarnation(tx_id);
	}
	if (!known)
		return "it is of a server or database that the log does not know";

	window.system_identifier = server;
	window.database_oid = database;
	window.from = &from;
	window.to = &to;
	at_transaction_reader_start(check->by_xid, &window);
	while ((row = at_transaction_reader_next(check->by_xid)) != NULL)
		if (row->relid == slot->tts_tableOid &&
			ItemPointerEquals(unconstify(ItemPointerData *, &row->tid), &slot->tts_tid))
			return NULL;
	return "no index leads to it";
}

static void
check_transaction(TupleTableSlot *slot, void *arg)
{
	HeapCheck *check = arg;
	MemoryContext save = MemoryContextSwitchTo(check->row_context);
	const char *why;

	slot_getallattrs(slot);

	uint64 tx_id = DatumGetInt64(slot->tts_values[Anum_transaction_tx_id - 1]);

	why = question_transaction(check, slot);
	if (why != NULL && !at_findings_unindexed(check->verify->findings, tx_id, 0))
		at_findings_add(check->verify->findings,
						&(AtFinding){.thing = AT_THING_TRANSACTION,
									 .fault = AT_FAULT_ADDED,
									 .object = psprintf(UINT64_FORMAT, tx_id),
									 .place = psprintf("transaction " UINT64_FORMAT, tx_id),
									 .log_index = AT_UNSEALED,
									 .detail = why});
	MemoryContextSwitchTo(save);
	MemoryContextReset(check->row_context);
}

/* Does a transaction of this name stand, or is its loss known already? */
static bool
has_transaction(HeapCheck *check, uint64 tx_id)
{
	if (check->tx_id != tx_id)
	{
		check->tx_id = tx_id;
		at_transaction_finder_start(check->by_tx_id, tx_id);
		check->has_transaction = at_transaction_reader_next(check->by_tx_id) != NULL ||
								 at_findings_misses(check->verify->findings, tx_id, 0);
	}
	return check->has_transaction;
}

/* Has the log come to it? */
static bool
is_sealed(const AtVerify *verify, uint64 tx_id)
{
	int32 incarnation = at_tx_id_incarnation(tx_id);

	for (int i = 0; i < verify->lives.count; i++)
	{
		const AtLife *life = &verify->lives.life[i];

		if (life->origin.incarnation == incarnation)
			return life->end != NULL &&
				   at_settled_has(life->end, tx_id - at_tx_id_base(incarnation));
	}
	return false;
}

/* Of what is sealed the index counts alone. */
static bool
is_indexed(HeapCheck *check, TupleTableSlot *slot, uint64 tx_id, uint32 ordinal)
{
	const AtEventRow *row;

	at_event_reader_start(check->events,
						  is_sealed(check->verify, tx_id) ? AT_EVENTS_INDEXED : AT_EVENTS_UNSEALED,
						  tx_id, ordinal);
	while ((row = at_event_reader_next(check->events)) != NULL && row->place == ordinal)
		if (row->relid == slot->tts_tableOid &&
			ItemPointerEquals(unconstify(ItemPointerData *, &row->tid), &slot->tts_tid))
			return true;
	return false;
}

static void
check_event(TupleTableSlot *slot, void *arg)
{
	HeapCheck *check = arg;
	MemoryContext save = MemoryContextSwitchTo(check->row_context);
	const char *why = NULL;

	slot_getallattrs(slot);

	uint64 tx_id = DatumGetInt64(slot->tts_values[Anum_event_tx_id - 1]);
	uint32 ordinal = DatumGetInt32(slot->tts_values[Anum_event_ordinal - 1]);

	if (!has_transaction(check, tx_id))
	{
		check->any_orphan = true;
		why = "it has no transaction";
	}
	else if (!is_indexed(check, slot, tx_id, ordinal) &&
			 !at_findings_unindexed(check->verify->findings, tx_id, ordinal))
		why = "no index leads to it";
	if (why != NULL)
		at_findings_add(
			check->verify->findings,
			&(AtFinding){.thing = AT_THING_EVENT,
						 .fault = AT_FAULT_ADDED,
						 .object = psprintf(UINT64_FORMAT ".%u", tx_id, ordinal),
						 .place = psprintf("event " UINT64_FORMAT ".%u", tx_id, ordinal),
						 .log_index = AT_UNSEALED,
						 .detail = why});
	MemoryContextSwitchTo(save);
	MemoryContextReset(check->row_context);
}

static void
collect_session(TupleTableSlot *slot, void *arg)
{
	HeapCheck *check = arg;

	slot_getallattrs(slot);

	int64 session_id = DatumGetInt64(slot->tts_values[Anum_transaction_session_id - 1]);

	if (!slot->tts_isnull[Anum_transaction_session_digest - 1])
		hash_search(check->sessions, &session_id, HASH_ENTER, NULL);
}

/* Those that a purged transaction brought. */
static void
collect_purged(HeapCheck *check)
{
	const AtGaps *gaps = check->verify->gaps;

	for (int i = 0; i < gaps->ndeletions; i++)
	{
		const AtDeletion *deletion = &gaps->deletion[i];

		if (deletion->problem != NULL || !at_deletion_is_done(gaps, deletion->deletion_id))
			continue;
		for (size_t at = 0; at < deletion->sessions_len; at += AT_SESSION_LEN)
		{
			int64 session_id = at_get_u64(deletion->sessions + at);

			hash_search(check->sessions, &session_id, HASH_ENTER, NULL);
		}
	}
}

static void
check_session(TupleTableSlot *slot, void *arg)
{
	HeapCheck *check = arg;
	bool known;

	slot_getallattrs(slot);

	int64 session_id = DatumGetInt64(slot->tts_values[Anum_session_session_id - 1]);

	/* the first row of a name takes it out, so that a second one stands alone */
	hash_search(check->sessions, &session_id, HASH_REMOVE, &known);
	if (!known)
		at_findings_add(check->verify->findings,
						&(AtFinding){.thing = AT_THING_SESSION,
									 .fault = AT_FAULT_ADDED,
									 .object = psprintf(INT64_FORMAT, session_id),
									 .place = psprintf("session " INT64_FORMAT, session_id),
									 .detail = "no transaction brought it"});
}

/* A target stands once, and a recorded transaction defined it. */
static void
check_target(TupleTableSlot *slot, void *arg)
{
	HeapCheck *check = arg;
	MemoryContext save = MemoryContextSwitchTo(check->row_context);
	bool again;

	slot_getallattrs(slot);

	int32 target_id = DatumGetInt32(slot->tts_values[Anum_target_target_id - 1]);
	uint64 tx_id = DatumGetInt64(slot->tts_values[Anum_target_tx_id - 1]);

	hash_search(check->targets, &target_id, HASH_ENTER, &again);
	if (again || !has_transaction(check, tx_id))
		at_findings_add(
			check->verify->findings,
			&(AtFinding){.thing = AT_THING_TARGET,
						 .fault = again ? AT_FAULT_DUPLICATED : AT_FAULT_ADDED,
						 .object = psprintf("%d", target_id),
						 .place = psprintf("target %d", target_id),
						 .detail = again ? NULL
										 : psprintf("there is no transaction " UINT64_FORMAT
													" that defined it",
													tx_id)});
	MemoryContextSwitchTo(save);
	MemoryContextReset(check->row_context);
}

/* A table of the log itself: rows without an entry in its index. */
static void
compare_count(AtVerify *verify, AtLedgerTable table, uint64 seen, AtThing thing)
{
	uint64 count = at_scan_heap(table, verify->snapshot, NULL, NULL);

	if (count > seen)
		at_findings_add(
			verify->findings,
			&(AtFinding){.thing = thing,
						 .fault = AT_FAULT_ADDED,
						 .place = psprintf("%s.%s", AT_SCHEMA, at_ledger_names[table]),
						 .expected = psprintf(UINT64_FORMAT " rows", seen),
						 .found = psprintf(UINT64_FORMAT " rows", count),
						 .detail = "there are rows that no index and no entry leads to"});
}
