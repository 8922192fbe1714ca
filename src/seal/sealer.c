/*-------------------------------------------------------------------------
 * sealer.c
 *		Binding settled transactions into the one global log.
 *
 * Invariant: a committed transaction is sealed exactly once. The window of a
 * batch is the difference of two snapshots, and one REPEATABLE READ snapshot
 * serves all that a pass reads: the head of the log, the transactions and
 * the window's end. Under READ COMMITTED a transaction that commits between
 * two of these reads would be lost for ever.
 *
 * Locks: that of passes on audit.log_entry, taken before the snapshot and
 * held to the end of the transaction, so that passes follow one another and
 * each sees the entry of the one before. Writers, readers and the upkeep of
 * the table never wait for it. Then RowExclusiveLock on the ledger's tables.
 *
 * Caveat: an entry has room for the ids of some thousands of transactions that
 * run. If there are more, a batch ends at the first that has no room; what
 * came after it is sealed when some of those before it have ended.
 *
 * Caveat: where rows were restored from another server, the log first
 * closes that incarnation and begins a new one, once the first transaction
 * of this server has been recorded. A restore that is still under way is
 * thereby left alone.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "miscadmin.h"
#include "utils/guc.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "base/catalog.h"
#include "base/clock.h"
#include "base/debug_point.h"
#include "base/guc.h"
#include "base/pace.h"
#include "base/worker.h"
#include "ledger/datum.h"
#include "ledger/log_read.h"
#include "seal/anchor.h"
#include "seal/batch.h"
#include "seal/configured.h"
#include "seal/heartbeat.h"
#include "seal/keying.h"
#include "seal/lifting.h"
#include "seal/publish.h"
#include "seal/sealer.h"
#include "seal/start.h"
#include "seal/timeline.h"
#include "seal/verifier.h"
#include "seal/yield.h"

/* What a pass works with. */
typedef struct Pass
{
	Snapshot snapshot;
	char *snapshot_text;
	AtLogHead head;
	AtIncarnation current; /* the last one of the ledger */
	bool is_ours;          /* it was begun in this server and database */
	bool careful;          /* deferred indexes may have entries of what is not sealed */
} Pass;

/* Right after an error: the next pass is careful. */
static struct
{
	bool passed; /* the last pass of this process was committed */
} sealer;

static long run_pass(void);
static void seal_settled(void);
static void lock_tables(void);
static bool anything_of_ours(const Pass *pass);
static void begin_incarnation(Pass *pass);
static void follow_incarnation(Pass *pass, const AtIncarnation *next);
static void seal_window(Pass *pass, const char *snapshot_text);

void
at_seal_init(void)
{
	at_worker_register(AT_WORKER_SEALER, run_pass);
	at_worker_register(AT_WORKER_VERIFIER, at_verifier_pass);
	at_anchor_init();
	at_yield_init();
}

/*
 * From the beginning of a pass to that of the next: under a load that takes the sealer most of an
 * interval, a rest of one in between would let twice as much pile up, and take it the longer.
 */
static long
run_pass(void)
{
	int64 next = at_clock_ms() + at_guc_seal_interval;

	if (RecoveryInProgress())
		return at_guc_seal_interval;

	/* what was sealed and not published comes first: see publish.h */
	if (!at_publish_is_done())
		at_publish();
	seal_settled();
	at_publish();
	return Max(next - at_clock_ms(), 0);
}

/* SET LOCAL */
static void
set_local(const char *name, const char *value)
{
	(void) set_config_option(name, value, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_LOCAL, true, 0,
							 false);
}

/* The snapshot comes last: see the head of this file. */
static void
seal_settled(void)
{
	StartTransactionCommand();
	XactIsoLevel = XACT_REPEATABLE_READ;
	if (synchronous_commit < SYNCHRONOUS_COMMIT_ON)
		set_local("synchronous_commit", "on");
	if (at_ledger_exists())
	{
		Pass pass = {.careful = !sealer.passed};

		sealer.passed = false;

		at_ledger_lock_passes(AT_LEDGER_LOG_ENTRY);
		lock_tables();
		at_pace_begin(pass.careful);
		PushActiveSnapshot(GetTransactionSnapshot());
		pass.snapshot = GetActiveSnapshot();
		pass.snapshot_text = at_settled_now_within(AT_MAX_SNAPSHOT);
		at_debug_point("sealer-picked");

		at_log_head_read(pass.snapshot, &pass.head);
		pass.is_ours = at_incarnation_read_last(pass.snapshot, &pass.current);
		if (!pass.is_ours && anything_of_ours(&pass))
			begin_incarnation(&pass);
		if (pass.is_ours)
		{
			at_timeline_seal(&pass.head, pass.current.incarnation);
			at_start_seal(&pass.head, pass.current.incarnation);
			seal_window(&pass, pass.snapshot_text);
			at_lifting_seal(&pass.head, pass.current.incarnation);
			at_configured_seal(&pass.head, pass.current.incarnation);
			at_keying_seal(&pass.head, pass.current.incarnation);
			at_heartbeat_seal(&pass.head, pass.current.incarnation);
		}
		at_debug_point("sealer-before-commit");
		PopActiveSnapshot();
	}
	CommitTransactionCommand();
	sealer.passed = true;
	at_pace_end();
	at_timeline_sealed();
	at_start_sealed();
	at_lifting_sealed();
	at_configured_sealed();
	at_keying_sealed();
}

static void
lock_tables(void)
{
	static const AtLedgerTable tables[] = {
		AT_LEDGER_EVENT,     AT_LEDGER_TRANSACTION, AT_LEDGER_SESSION,   AT_LEDGER_LOG_ENTRY,
		AT_LEDGER_LEAF_TILE, AT_LEDGER_LOG_TILE,    AT_LEDGER_CHECKPOINT};

	at_ledger_lock_to_write(tables, lengthof(tables));
}

/* Has a transaction of this server and database been recorded? */
static bool
anything_of_ours(const Pass *pass)
{
	AtWindow window = at_window_here();
	AtTransactionReader *reader = at_transaction_reader_open(pass->snapshot);

	at_transaction_reader_start(reader, &window);

	bool found = at_transaction_reader_next(reader) != NULL;

	at_transaction_reader_close(reader);
	return found;
}

/*
 * Close the incarnation that was restored, and begin one here; in between, those that
 * copies had not begun yet when they were copied.
 */
static void
begin_incarnation(Pass *pass)
{
	int32 here = at_incarnation_here();
	AtIncarnation next = pass->current;

	pass->careful = true; /* a restore may have brought them */
	while (++next.incarnation < here)
	{
		if (!at_incarnation_origin(pass->snapshot, next.incarnation, &next.system_identifier,
								   &next.database_oid))
			continue;
		next.reason = "recorded in a copy that was copied before it was begun";
		follow_incarnation(pass, &next);
	}
	next.system_identifier = GetSystemIdentifier();
	next.database_oid = MyDatabaseId;
	next.reason = "recorded in another server or database than before";
	follow_incarnation(pass, &next);
	pass->is_ours = true;
}

/* Close the current incarnation, and begin another. */
static void
follow_incarnation(Pass *pass, const AtIncarnation *next)
{
	seal_window(pass, NULL);
	at_log_append_incarnation(next);
	at_log_append_control(&pass->head, next->incarnation, AT_KIND_INCARNATION,
						  "1:1:", at_log_origin_payload(next));
	pass->current = *next;
}

/* Seal what ended in the current incarnation since its last batch. */
static void
seal_window(Pass *pass, const char *snapshot_text)
{
	AtSettled to;
	AtWindow window = {
		.incarnation = pass->current.incarnation,
		.system_identifier = pass->current.system_identifier,
		.database_oid = pass->current.database_oid,
		.from = at_log_window_end(pass->snapshot, pass->current.incarnation),
		.to = snapshot_text ? &to : NULL,
	};

	if (snapshot_text != NULL && !at_settled_parse(at_span_of(snapshot_text), &to))
		elog(ERROR, "unexpected snapshot \"%s\"", snapshot_text);
	at_batch_seal(&pass->head, pass->current.incarnation, &window, snapshot_text, pass->snapshot,
				  pass->careful);
}
