/*-------------------------------------------------------------------------
 * pace.c
 *		Whether the sealer is behind, and would get on if others left it the processor.
 *
 * Wants the processor: since its pass began it was given less than half of one. A pass that has
 * more to do than fits into an interval, on a machine with processors to spare, is not sped up by
 * anybody's waiting.
 *
 * Locks: none. The two times are written by the sealer alone and read one by one; whoever reads
 * the one before and the other after a change waits once too often, or once too seldom.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <sys/resource.h>

#include "utils/timestamp.h"

#include "base/guc.h"
#include "base/pace.h"
#include "base/shmem.h"

/* Nothing is late. */
#define NEVER ((uint64) PG_INT64_MAX)

/* How long what the sealer said of itself is believed. */
#define BELIEVED_MS 1000

/* A wait: one millisecond, and one more for so many that the sealer is late, up to the longest. */
#define STEP_MS    200
#define LONGEST_MS 5

/* Right after an error: the next pass begins anew. */
static struct
{
	/* of the pass that runs; 0: none */
	TimestampTz began_at;
	int64 processor_us; /* what the process had had by then */
} pace;

static AtPace *shared_pace(void);
static int64 processor_time(void);

void
at_pace_init(AtPace *shared)
{
	pg_atomic_init_u64(&shared->late_at, NEVER);
	pg_atomic_init_u64(&shared->until, 0);
}

void
at_pace_reset(AtPace *shared)
{
	pg_atomic_write_u64(&shared->late_at, NEVER);
	pg_atomic_write_u64(&shared->until, 0);
}

void
at_pace_begin(bool after_failure)
{
	AtPace *shared = shared_pace();

	if (shared == NULL)
		return;
	pace.began_at = GetCurrentTimestamp();
	pace.processor_us = processor_time();
	if (after_failure)
		pg_atomic_write_u64(&shared->late_at, NEVER);
	pg_atomic_write_u64(&shared->until, TimestampTzPlusMilliseconds(pace.began_at, BELIEVED_MS));
}

void
at_pace_go_on(void)
{
	AtPace *shared = shared_pace();

	if (shared == NULL || pace.began_at == 0)
		return;

	TimestampTz now = GetCurrentTimestamp();
	bool wants_more = (processor_time() - pace.processor_us) * 2 < now - pace.began_at;

	pg_atomic_write_u64(&shared->until,
						wants_more ? TimestampTzPlusMilliseconds(now, BELIEVED_MS) : 0);
}

void
at_pace_end(void)
{
	AtPace *shared = shared_pace();
	int64 in_time = (int64) at_guc_seal_interval + at_guc_seal_lag_limit;

	if (shared == NULL || pace.began_at == 0)
		return;
	pg_atomic_write_u64(&shared->late_at, TimestampTzPlusMilliseconds(pace.began_at, in_time));
	pace.began_at = 0;
}

long
at_pace_wait(TimestampTz committed_at)
{
	AtPace *shared;

	if (at_guc_seal_lag_limit == 0 || (shared = shared_pace()) == NULL)
		return 0;

	TimestampTz late_at = (TimestampTz) pg_atomic_read_u64(&shared->late_at);

	if (likely(committed_at < late_at) ||
		committed_at >= (TimestampTz) pg_atomic_read_u64(&shared->until))
		return 0;
	return Min(1 + (committed_at - late_at) / 1000 / STEP_MS, LONGEST_MS);
}

/* That of this database; NULL if it has no slot. */
static AtPace *
shared_pace(void)
{
	int slot = at_shmem_ready() ? at_worker_slot() : -1;

	return slot < 0 ? NULL : at_slot_pace(slot);
}

/* What this process has had, in microseconds. */
static int64
processor_time(void)
{
	struct rusage usage;

	if (getrusage(RUSAGE_SELF, &usage) != 0)
		return 0;
	return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * USECS_PER_SEC +
		   usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
}
