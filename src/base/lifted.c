/*-------------------------------------------------------------------------
 * lifted.c
 *		Whether the guard is lifted, as all processes have it.
 *
 * The postmaster reads the configuration file before it has others read it, and new processes
 * inherit what it has read. It alone writes here, atomically and without a lock; and it keeps
 * what it knows to itself as well, for the shared memory that comes after a crash.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "port/atomics.h"
#include "storage/ipc.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"
#include "utils/timestamp.h"

#include "base/guc.h"
#include "base/lifted.h"

typedef struct Shared
{
	pg_atomic_uint32 is_lifted;
	pg_atomic_uint64 count;
	pg_atomic_uint64 last_at;
} Shared;

static struct
{
	Shared *shared; /* set in the postmaster, inherited by everyone; NULL: there is none */
	bool is_lifted; /* these two in the postmaster only */
	AtLiftings liftings;

	shmem_request_hook_type next_request;
	shmem_startup_hook_type next_startup;
} lifted;

static void request(void);
static void startup(void);

void
at_lifted_init(void)
{
	lifted.next_request = shmem_request_hook;
	shmem_request_hook = request;
	lifted.next_startup = shmem_startup_hook;
	shmem_startup_hook = startup;
}

static void
request(void)
{
	if (lifted.next_request)
		lifted.next_request();
	RequestAddinShmemSpace(MAXALIGN(sizeof(Shared)));
}

static void
startup(void)
{
	bool found;

	if (lifted.next_startup)
		lifted.next_startup();
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	lifted.shared = ShmemInitStruct("audit_trail guard", sizeof(Shared), &found);
	if (!found)
	{
		pg_atomic_init_u32(&lifted.shared->is_lifted, lifted.is_lifted);
		pg_atomic_init_u64(&lifted.shared->count, lifted.liftings.count);
		pg_atomic_init_u64(&lifted.shared->last_at, (uint64) lifted.liftings.last_at);
	}
	LWLockRelease(AddinShmemInitLock);
}

void
at_guard_read(bool is_on)
{
	if (IsUnderPostmaster)
		return;
	if (!is_on && !lifted.is_lifted)
	{
		lifted.liftings.count++;
		lifted.liftings.last_at = GetCurrentTimestamp();
	}
	lifted.is_lifted = !is_on;
	if (lifted.shared == NULL)
		return;
	pg_atomic_write_u64(&lifted.shared->last_at, (uint64) lifted.liftings.last_at);
	pg_write_barrier();
	pg_atomic_write_u64(&lifted.shared->count, lifted.liftings.count);
	pg_write_barrier();
	pg_atomic_write_u32(&lifted.shared->is_lifted, lifted.is_lifted);
}

bool
at_guard_is_lifted(void)
{
	return lifted.shared != NULL ? pg_atomic_read_u32(&lifted.shared->is_lifted) != 0
								 : !at_guc_guard;
}

/* One that comes between is counted by the next look. */
AtLiftings
at_guard_liftings(void)
{
	AtLiftings liftings = {0};

	if (lifted.shared == NULL)
		return liftings;
	liftings.count = pg_atomic_read_u64(&lifted.shared->count);
	pg_read_barrier();
	liftings.last_at = (TimestampTz) pg_atomic_read_u64(&lifted.shared->last_at);
	return liftings;
}
