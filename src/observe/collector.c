/*-------------------------------------------------------------------------
 * collector.c
 *		The worker that records what other sessions told by way of the ring.
 *
 * Invariant: each record becomes one event. It is removed from the ring when the
 * transaction of its event has been committed. Before the commit the ring is told which
 * transaction that is: a collector that finds a record with such a mark, because the one before
 * was killed or failed, looks in the trail whether it is there, and removes the record or goes on
 * as if there were no mark. What follows each other and has the same origin
 * is one transaction; its row has the identity of the origin.
 *
 * An error leaves the records where they are, and the next pass tries again:
 * while the disk is full, say, the ring fills up, and then its users wait.
 *
 * Locks: as any writer of the ledger.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "commands/dbcommands.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "base/catalog.h"
#include "base/debug_point.h"
#include "base/ring.h"
#include "base/worker.h"
#include "ledger/datum.h"
#include "ledger/dispatch.h"
#include "ledger/kind.h"
#include "ledger/read.h"
#include "ledger/target.h"
#include "ledger/transaction.h"
#include "observe/collector.h"
#include "observe/forward.h"
#include "observe/receive.h"
#include "observe/record.h"

/* A wake-up comes with each record; this is for one that was lost. */
#define IDLE_MS 1000

/* After there was something: until then nobody wakes it, so that what comes meanwhile is one batch.
 */
#define SOON_MS 100

#define BATCH_SIZE (128 * 1024)

/* A batch on its way into the trail. */
typedef struct Work
{
	AtRecord *entry;
	int count;
	int left;     /* not taken yet */
	uint64 *done; /* numbers of what was committed, and is still in the ring */
	int ndone;
	AtTarget target; /* of the event before */
} Work;

/* As the skeleton of workers has set it: durable. */
static int configured_commit;

/* The name of this database, for as long as a pass. */
static NameData served;

static bool is_wanted(void);
static long run_pass(void);
static bool serve(void);
static void record_batch(const AtRingBatch *batch);
static void read_entries(const AtRingBatch *batch, Work *work);
static void drop_recorded(Work *work);
static void drop_sent(Work *work);
static void drop_groups(Work *work, int until, int groups);
static bool is_recorded(AtTransactionReader *trail, const AtRingWriter *writer);
static void settle(int code, Datum arg);
static void record_group(Work *work, int first);
static void begin_group(const AtOrigin *origin);
static void end_group(Work *work, int ndone);
static void tell_loss(void);
static void see_told(const AtRingWriter *writer);
static char *write_loss(const AtRingLoss *loss);

void
at_collector_init(void)
{
	at_worker_register(AT_WORKER_COLLECTOR, run_pass);
	at_worker_register_wanted(AT_WORKER_COLLECTOR, is_wanted);
}

static bool
is_wanted(void)
{
	return !RecoveryInProgress() || at_forward_is_wanted();
}

static long
run_pass(void)
{
	AtRingBatch batch = {.buffer = palloc(BATCH_SIZE), .size = BATCH_SIZE};
	MemoryContext save = CurrentMemoryContext;
	MemoryContext memory = AllocSetContextCreate(save, "audit_trail batch", ALLOCSET_DEFAULT_SIZES);

	if (!serve())
		return IDLE_MS;
	if (RecoveryInProgress())
		return at_forward_pass(NameStr(served), &batch);
	if (configured_commit == 0)
		configured_commit = synchronous_commit;
	for (at_ring_read(&batch); batch.count > 0; at_ring_read(&batch))
	{
		MemoryContextSwitchTo(memory);
		record_batch(&batch);
		MemoryContextSwitchTo(save);
		MemoryContextReset(memory);
		batch.looks_again = true;
	}
	tell_loss();
	return batch.looks_again ? SOON_MS : IDLE_MS;
}

/* Say whose records we take, as long as there is a ledger; the database may get another name. */
static bool
serve(void)
{
	MemoryContext save = CurrentMemoryContext;
	bool begun;

	StartTransactionCommand();
	begun = at_incarnation_begun();
	if (begun)
	{
		namestrcpy(&served, get_database_name(MyDatabaseId));
		at_ring_serve(NameStr(served));
	}
	else
		at_ring_leave();
	CommitTransactionCommand();
	MemoryContextSwitchTo(save);
	return begun;
}

/*
 * Those of one origin make one transaction, in the order of the first of each. Only the last one
 * waits for the disk, which has the others then too. Whatever ends this, what was committed leaves
 * the ring.
 */
static void
record_batch(const AtRingBatch *batch)
{
	Work work = {.count = 0};

	read_entries(batch, &work);
	PG_ENSURE_ERROR_CLEANUP(settle, PointerGetDatum(&work));
	{
		drop_recorded(&work);
		drop_sent(&work);
		for (int i = 0; i < work.count; i++)
		{
			CHECK_FOR_INTERRUPTS();
			if (!work.entry[i].taken)
				record_group(&work, i);
		}
	}
	PG_END_ENSURE_ERROR_CLEANUP(settle, PointerGetDatum(&work));
	settle(0, PointerGetDatum(&work));
	at_ring_recorded(work.entry[work.count - 1].ring.number, true);
}

/* A record that says nothing, as one of another release may: it must not be in the way of others.
 */
static void
give_up(Work *work, AtRecord *entry)
{
	elog(LOG, "record " UINT64_FORMAT " of the ring cannot be read", entry->ring.number);
	at_ring_count_broken();
	entry->taken = true;
	work->done[work->ndone++] = entry->ring.number;
}

static void
read_entries(const AtRingBatch *batch, Work *work)
{
	Size at = 0;

	work->entry = palloc0(sizeof(AtRecord) * batch->count);
	work->done = palloc(sizeof(uint64) * batch->count);
	for (AtRingRecord ring; at_ring_batch_next(batch, &at, &ring); work->count++)
		if (!at_record_read(&ring, &work->entry[work->count]))
			give_up(work, &work->entry[work->count]);
	work->left = work->count - work->ndone;
}

/* Begin a transaction in the memory context that is the current one. */
static void
begin(void)
{
	MemoryContext save = CurrentMemoryContext;

	StartTransactionCommand();
	MemoryContextSwitchTo(save);
	PushActiveSnapshot(GetTransactionSnapshot());
}

static void
end(void)
{
	MemoryContext save = CurrentMemoryContext;

	PopActiveSnapshot();
	CommitTransactionCommand();
	MemoryContextSwitchTo(save);
}

/* What somebody before us has recorded is not recorded again. */
static void
drop_recorded(Work *work)
{
	AtTransactionReader *trail = NULL;

	for (int i = 0; i < work->count; i++)
	{
		AtRecord *entry = &work->entry[i];

		if (entry->taken || entry->ring.writer.tx_id == 0)
			continue;
		if (trail == NULL)
		{
			begin();
			trail = at_transaction_finder_open(GetActiveSnapshot());
		}
		if (is_recorded(trail, &entry->ring.writer))
		{
			entry->taken = true;
			work->left--;
			work->done[work->ndone++] = entry->ring.number;
		}
	}
	if (trail != NULL)
	{
		at_transaction_reader_close(trail);
		end();
	}
}

/* Its row is there if it was committed. After a crash another one may have its name, and another
 * time. */
static bool
is_recorded(AtTransactionReader *trail, const AtRingWriter *writer)
{
	const AtTransactionRow *row;

	at_transaction_finder_start(trail, writer->tx_id);
	while ((row = at_transaction_reader_next(trail)) != NULL)
		if (row->body.tx_at == at_unix_microseconds(writer->tx_at))
			return true;
	return false;
}

/*
 * What was sent to another server, whose place this one has taken, may be in the trail that it has
 * left. After that nothing more comes from there.
 */
static void
drop_sent(Work *work)
{
	static bool was_looked_at = false;
	AtReceived sent;
	int until = 0;
	bool found;

	if (was_looked_at)
		return;
	begin();
	found = at_receive_read_state(at_forward_stream(), &sent);
	end();
	while (found && until < work->count && work->entry[until].ring.number <= sent.last)
		until++;
	if (until > 0 && until == sent.records && work->entry[0].ring.number == sent.first)
		drop_groups(work, until, sent.groups);
	was_looked_at = true;
}

static void
drop_groups(Work *work, int until, int groups)
{
	for (int i = 0, group = 0; i < until && group < groups; i++)
		if (!work->entry[i].taken)
			work->left -= at_record_take_group(work->entry, i, until, ++group);
	for (int i = 0; i < until; i++)
		if (work->entry[i].group > 0)
			work->done[work->ndone++] = work->entry[i].ring.number;
}

static int
compare_numbers(const void *a, const void *b)
{
	uint64 left = *(const uint64 *) a;
	uint64 right = *(const uint64 *) b;

	return left < right ? -1 : left > right;
}

/* What was committed is flushed, and leaves the ring. */
static void
settle(int code, Datum arg)
{
	Work *work = (Work *) DatumGetPointer(arg);

	if (work->ndone == 0)
		return;
	XLogFlush(XactLastCommitEnd);
	qsort(work->done, work->ndone, sizeof(uint64), compare_numbers);
	at_ring_remove(work->done, work->ndone);
	work->ndone = 0;
}

/* The running transaction, which has events. */
static AtRingWriter
name_writer(void)
{
	const AtTransaction *tx = at_transaction_join();

	return (AtRingWriter){.tx_id = tx->tx_id, .tx_at = tx->tx_at};
}

/* All of the same origin as the first. */
static void
record_group(Work *work, int first)
{
	AtOrigin *origin = work->entry[first].origin;
	int group = first + 1;
	int taken = work->ndone;
	AtRingWriter writer;

	at_record_clean_origin(origin);
	begin_group(origin);
	work->left -= at_record_take_group(work->entry, first, work->count, group);
	for (int i = first; i < work->count; i++)
	{
		AtRecord *entry = &work->entry[i];

		if (entry->group != group)
			continue;
		at_record_append(entry, &work->target, NULL);
		writer = name_writer();
		at_ring_set_writer(&entry->ring, &writer);
		work->done[taken++] = entry->ring.number;
	}
	end_group(work, taken);
}

static void
begin_group(const AtOrigin *origin)
{
	begin();
	if (!at_incarnation_begun())
		elog(ERROR, "there is no ledger any more");
	at_transaction_act_for(origin);
}

/* Nobody can end the process before it is known which records were committed. */
static void
end_group(Work *work, int ndone)
{
	MemoryContext save = CurrentMemoryContext;

	at_debug_point("collector-before-commit");
	PopActiveSnapshot();
	HOLD_INTERRUPTS();
	synchronous_commit = work->left > 0 ? SYNCHRONOUS_COMMIT_OFF : configured_commit;
	CommitTransactionCommand();
	synchronous_commit = configured_commit;
	work->ndone = ndone;
	at_debug_kill("collector-after-commit");
	RESUME_INTERRUPTS();
	MemoryContextSwitchTo(save);
}

/* Records that no trail gets: how many is an event. */
static void
tell_loss(void)
{
	AtRingWriter writer = at_ring_loss_teller();
	AtRingLoss loss;

	if (writer.tx_id != 0)
		see_told(&writer);
	loss = at_ring_loss();
	if (loss.dropped == 0 && loss.late == 0 && loss.broken == 0 && loss.files == 0)
		return;
	begin();
	(void) at_kind_append("attempt", 'R', "audit.lost", NULL, write_loss(&loss));
	writer = name_writer();
	at_ring_loss_telling(&loss, &writer);
	PopActiveSnapshot();
	HOLD_INTERRUPTS();
	CommitTransactionCommand();
	at_debug_kill("collector-after-telling");
	at_ring_loss_told();
	RESUME_INTERRUPTS();
}

/* Somebody before us may have told, and not come to say so. */
static void
see_told(const AtRingWriter *writer)
{
	AtTransactionReader *trail;

	begin();
	trail = at_transaction_finder_open(GetActiveSnapshot());
	if (is_recorded(trail, writer))
		at_ring_loss_told();
	at_transaction_reader_close(trail);
	end();
}

static char *
write_loss(const AtRingLoss *loss)
{
	const AtRingAside *aside = at_ring_aside();
	StringInfoData values;

	initStringInfo(&values);
	at_member_number(&values, "lost", loss->dropped + loss->broken);
	at_member_number(&values, "in_server_log", loss->late);
	if (loss->broken > 0)
		at_member_number(&values, "unfinished", loss->broken);
	if (loss->files > 0)
	{
		at_member_number(&values, "set_aside", loss->aside);
		at_member_text(&values, "file", aside->file);
		at_member_text(&values, "reason", aside->reason);
	}
	return values.data;
}
