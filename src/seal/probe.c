/*-------------------------------------------------------------------------
 * probe.c
 *		Batches checked by several processes.
 *
 * The work is cut into stretches of the log. Each process takes the next one
 * until there are none; where the window of its first batch begins it reads
 * from the entry before. Workers share the snapshot of the leader, as in every
 * parallel query, and so see what it sees.
 *
 * The plan lies in shared memory. A state is written by the one process that
 * has taken the stretch. Counters are atomic.
 *
 * A batch is not divided: one huge transaction is one process's work.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/parallel.h"
#include "access/xact.h"
#include "miscadmin.h"
#include "optimizer/optimizer.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "base/debug_point.h"
#include "seal/memory.h"
#include "seal/probe.h"
#include "seal/progress.h"

#define KEY_PROBE 1

/* Fewer events than this are not worth another process. */
#define EVENTS_A_WORKER 50000

/* Stretches a process, so that all end at about the same time; entries in one. */
#define STRETCHES   32
#define LONGEST     1024
#define MAX_TARGETS 8192

/* How often what was done is remembered. */
#define REMEMBER_MS 5000

typedef struct Shared
{
	uint64 first;
	uint64 size;
	uint32 stretch;
	pg_atomic_uint64 next;

	/* of what is done, with what was done before */
	pg_atomic_uint64 done_batches;
	pg_atomic_uint64 done_events;

	/* of what is fine */
	pg_atomic_uint64 batches;
	pg_atomic_uint64 transactions;
	pg_atomic_uint64 events;
	pg_atomic_uint64 sessions;
	pg_atomic_uint64 tiles;
	pg_atomic_uint64 purged_transactions;
	pg_atomic_uint64 purged_events;

	/* targets that are as they were sealed */
	pg_atomic_uint32 ntargets; /* may be more than there is room for */
	int32 target[MAX_TARGETS];

	uint8 state[FLEXIBLE_ARRAY_MEMBER];
} Shared;

PGDLLEXPORT void at_probe_worker_main(dsm_segment *segment, shm_toc *toc);

static int choose_workers(const AtVerify *verify, const AtProbePlan *plan);
static void run_alone(AtVerify *verify, AtProbePlan *plan);
static void run_parallel(AtVerify *verify, AtProbePlan *plan, int workers);
static void init_shared(Shared *shared, const AtProbePlan *plan, int workers);
static void collect(AtVerify *verify, AtProbePlan *plan, Shared *shared);
static void work(AtVerify *verify, Shared *shared, bool is_leader);
static void probe_stretch(AtVerify *verify, Shared *shared, uint64 from, uint64 to);
static void probe_batch(AtVerify *verify, Shared *shared, AtLives *lives, uint64 log_index);
static void share_targets(AtVerify *verify, Shared *shared);

void
at_probe_run(AtVerify *verify, AtProbePlan *plan)
{
	int workers = choose_workers(verify, plan);

	if (plan->batches == 0)
		return;
	if (workers > 0)
		run_parallel(verify, plan, workers);
	else
		run_alone(verify, plan);
}

/* As many as maintenance commands may have, unless asked otherwise; none for little work. */
static int
choose_workers(const AtVerify *verify, const AtProbePlan *plan)
{
	int workers = verify->scope->workers;

	if (IsInParallelMode() || plan->batches < 2)
		return 0;
	if (workers < 0)
		workers = Min(max_parallel_maintenance_workers, plan->events / EVENTS_A_WORKER);
	return Min(workers, plan->batches - 1);
}

static Size
shared_size(const AtProbePlan *plan)
{
	return add_size(offsetof(Shared, state), plan->size - plan->first);
}

static void
run_alone(AtVerify *verify, AtProbePlan *plan)
{
	Shared *shared = MemoryContextAllocHuge(CurrentMemoryContext, shared_size(plan));

	init_shared(shared, plan, 0);
	work(verify, shared, true);
	collect(verify, plan, shared);
	pfree(shared);
}

static void
run_parallel(AtVerify *verify, AtProbePlan *plan, int workers)
{
	ParallelContext *context;
	Shared *shared;

	EnterParallelMode();
	context = CreateParallelContext("audit_trail", "at_probe_worker_main", workers);
	shm_toc_estimate_chunk(&context->estimator, shared_size(plan));
	shm_toc_estimate_keys(&context->estimator, 1);
	InitializeParallelDSM(context);
	shared = shm_toc_allocate(context->toc, shared_size(plan));
	init_shared(shared, plan, workers);
	shm_toc_insert(context->toc, KEY_PROBE, shared);
	LaunchParallelWorkers(context);
	at_progress_workers(context->nworkers_launched);

	work(verify, shared, true);
	WaitForParallelWorkersToFinish(context);
	collect(verify, plan, shared);
	DestroyParallelContext(context);
	ExitParallelMode();
	at_progress_workers(0);
}

static void
init_shared(Shared *shared, const AtProbePlan *plan, int workers)
{
	uint64 length = plan->size - plan->first;

	memset(shared, 0, offsetof(Shared, state));
	shared->first = plan->first;
	shared->size = plan->size;
	shared->stretch = Min(Max(length / (STRETCHES * (workers + 1)), 1), LONGEST);
	pg_atomic_init_u64(&shared->next, plan->first);
	pg_atomic_init_u64(&shared->done_batches, plan->batches_before);
	pg_atomic_init_u64(&shared->done_events, plan->events_before);
	pg_atomic_init_u64(&shared->batches, 0);
	pg_atomic_init_u64(&shared->transactions, 0);
	pg_atomic_init_u64(&shared->events, 0);
	pg_atomic_init_u64(&shared->sessions, 0);
	pg_atomic_init_u64(&shared->tiles, 0);
	pg_atomic_init_u64(&shared->purged_transactions, 0);
	pg_atomic_init_u64(&shared->purged_events, 0);
	pg_atomic_init_u32(&shared->ntargets, 0);
	memcpy(shared->state, plan->state, length);
}

/* All processes are done. */
static void
collect(AtVerify *verify, AtProbePlan *plan, Shared *shared)
{
	verify->batches += pg_atomic_read_u64(&shared->batches);
	verify->transactions += pg_atomic_read_u64(&shared->transactions);
	verify->events += pg_atomic_read_u64(&shared->events);
	verify->sessions += pg_atomic_read_u64(&shared->sessions);
	verify->tiles += pg_atomic_read_u64(&shared->tiles);
	verify->purged_transactions += pg_atomic_read_u64(&shared->purged_transactions);
	verify->purged_events += pg_atomic_read_u64(&shared->purged_events);
	for (int i = 0; i < Min(pg_atomic_read_u32(&shared->ntargets), MAX_TARGETS); i++)
		at_findings_target_is_fine(verify->findings, shared->target[i]);
	memcpy(plan->state, shared->state, plan->size - plan->first);
}

void
at_probe_worker_main(dsm_segment *segment, shm_toc *toc)
{
	Shared *shared = shm_toc_lookup(toc, KEY_PROBE, false);
	AtScope scope = {.workers = 0};
	AtVerify *verify = at_verify_begin(&scope, NULL, GetActiveSnapshot(), false);

	verify->incarnation = at_incarnations_read(verify->snapshot, &verify->nincarnations);
	work(verify, shared, false);
}

/* Take stretches until there are none. */
static void
work(AtVerify *verify, Shared *shared, bool is_leader)
{
	TimestampTz remembered_at = GetCurrentTimestamp();

	for (;;)
	{
		uint64 from = pg_atomic_fetch_add_u64(&shared->next, shared->stretch);

		if (from >= shared->size)
			break;
		probe_stretch(verify, shared, from, Min(from + shared->stretch, shared->size));
		if (is_leader)
			at_progress_done(pg_atomic_read_u64(&shared->done_batches),
							 pg_atomic_read_u64(&shared->done_events));
		at_debug_point("verify-stretch");
		if (is_leader &&
			TimestampDifferenceExceeds(remembered_at, GetCurrentTimestamp(), REMEMBER_MS))
		{
			at_memory_save(verify, shared->state, shared->first, shared->size);
			remembered_at = GetCurrentTimestamp();
		}
	}
	share_targets(verify, shared);
	at_verify_close(verify);
}

static void
probe_stretch(AtVerify *verify, Shared *shared, uint64 from, uint64 to)
{
	MemoryContext context =
		AllocSetContextCreate(CurrentMemoryContext, "audit stretch", ALLOCSET_DEFAULT_SIZES);
	MemoryContext batch_context =
		AllocSetContextCreate(context, "audit batch", ALLOCSET_DEFAULT_SIZES);
	MemoryContext save = MemoryContextSwitchTo(batch_context);
	AtLives lives = {.context = context};

	for (uint64 i = from; i < to; i++)
	{
		/* the lives know no window that was passed over */
		if (shared->state[i - shared->first] != AT_PROBE_TODO)
		{
			lives = (AtLives){.context = context};
			continue;
		}
		CHECK_FOR_INTERRUPTS();
		MemoryContextReset(batch_context);
		probe_batch(verify, shared, &lives, i);
	}
	MemoryContextSwitchTo(save);
	MemoryContextDelete(context);
}

static void
probe_batch(AtVerify *verify, Shared *shared, AtLives *lives, uint64 log_index)
{
	AtBatch batch = {.log_index = log_index};
	AtProbeState state = AT_PROBE_AGAIN;
	AtProbeCount count = {0};

	if (at_verify_read_batch(verify, log_index, &batch) && batch.is_events)
	{
		AtLife *life = at_verify_life(verify, lives, batch.entry.incarnation, log_index);
		AtWindow window = at_verify_window(life, batch.end);

		if (at_verify_probe(verify, &batch, &window, &count))
			state = AT_PROBE_FINE;
		at_verify_end_window(lives, life, batch.end);
	}
	shared->state[log_index - shared->first] = state;
	pg_atomic_fetch_add_u64(&shared->done_batches, 1);
	pg_atomic_fetch_add_u64(&shared->done_events, batch.entry.event_count);
	if (state != AT_PROBE_FINE)
		return;
	pg_atomic_fetch_add_u64(&shared->batches, 1);
	pg_atomic_fetch_add_u64(&shared->transactions, count.transactions);
	pg_atomic_fetch_add_u64(&shared->events, count.events);
	pg_atomic_fetch_add_u64(&shared->sessions, count.sessions);
	pg_atomic_fetch_add_u64(&shared->tiles, count.tiles);
	pg_atomic_fetch_add_u64(&shared->purged_transactions, count.purged_transactions);
	pg_atomic_fetch_add_u64(&shared->purged_events, count.purged_events);
}

/* Tell the leader which targets were met as they were sealed, as far as there is room. */
static void
share_targets(AtVerify *verify, Shared *shared)
{
	int32 *targets;
	uint32 count = at_findings_fine_targets(verify->findings, &targets);
	uint32 at = pg_atomic_fetch_add_u32(&shared->ntargets, count);

	for (uint32 i = 0; i < count && at + i < MAX_TARGETS; i++)
		shared->target[at + i] = targets[i];
}
