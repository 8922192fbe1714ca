/*-------------------------------------------------------------------------
 * shmem.c
 *		What processes share: one slot a database.
 *
 * Invariant: a worker's pid stands in its slot from before it connects to the database until after
 * it has left the server's list of processes there. So a slot without pids that refuses new ones
 * means a database without workers, which is what DROP DATABASE wants to see.
 *
 * Locks: everything is protected by one LWLock (tranche "audit_trail"), held for a few
 * instructions, but for what is marked as read without it: the latches, the wake-up flags, the
 * times of queries, the pace of the sealer and the generation. A latch that is read while its
 * owner leaves may by then be another process's; that process wakes up once for nothing. Nothing
 * raises an error under the lock.
 *
 * Caveat: a slot is found by looking at all of them. There are few, and at_worker_wake(), which is
 * called often, remembers its slot.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <signal.h>

#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "port/atomics.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"
#include "utils/timestamp.h"

#include "base/shmem.h"

#define AT_TRANCHE "audit_trail"

/* Until an occasional worker first comes to a database: others start before it. */
#define AT_FIRST_DUE_MS 60000

typedef struct AtSharedWorker
{
	/* under the lock */
	AtWorkerStatus status;
	bool left_quietly;
	TimestampTz due_at;
	uint64 requested; /* how many passes were asked for */
	uint64 taken;     /* value of requested when the running pass began */
	uint64 ended;     /* requests up to this one have seen a pass begin after them, and end */
	uint64 succeeded; /* the same, and without an error */

	/* without */
	Latch *volatile latch; /* NULL: no worker */
	pg_atomic_uint32 woken;
} AtSharedWorker;

typedef struct AtSharedDatabase
{
	/* under the lock */
	Oid database; /* InvalidOid: the slot is free */
	AtPresence presence;
	uint32 announcements;
	bool closed;
	int holds;
	AtSharedWorker worker[AT_WORKER_KINDS];
	AtAnchorStatus anchor;
	AtPrimaryStatus primary;
	AtKeeperStatus keeper;

	/* without */
	AtQueryTimes query_times;
	AtPace pace;

	/* has its own */
	ConditionVariable changed;
} AtSharedDatabase;

typedef struct AtShared
{
	LWLock *lock;

	/* under the lock */
	int launcher_pid; /* 0: not running */
	TimestampTz starved_since;

	/* without */
	Latch *volatile launcher_latch;
	pg_atomic_uint64 generation;

	AtSharedDatabase slot[AT_MAX_DATABASES];
} AtShared;

/* Set by the start-up hook in the postmaster, inherited by everyone. */
static AtShared *at_shared = NULL;
static shmem_request_hook_type at_previous_request_hook = NULL;
static shmem_startup_hook_type at_previous_startup_hook = NULL;

PG_FUNCTION_INFO_V1(at_is_preloaded);

static void at_shmem_request(void);
static void at_shmem_startup(void);
static void at_shmem_clear(AtShared *shared);
static int at_slot_search(Oid database);
static int at_slot_search_or_take(Oid database);
static void at_slot_reset(AtSharedDatabase *slot, Oid database);
static bool at_slot_is_used(const AtSharedDatabase *slot);
static void at_status_set_failure(AtWorkerStatus *status, const ErrorData *edata);

void
at_shmem_init(void)
{
	at_previous_request_hook = shmem_request_hook;
	shmem_request_hook = at_shmem_request;
	at_previous_startup_hook = shmem_startup_hook;
	shmem_startup_hook = at_shmem_startup;
}

bool
at_shmem_ready(void)
{
	return at_shared != NULL;
}

/* audit.is_preloaded() */
Datum
at_is_preloaded(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(at_shmem_ready());
}

static void
at_shmem_request(void)
{
	if (at_previous_request_hook)
		at_previous_request_hook();
	RequestAddinShmemSpace(MAXALIGN(sizeof(AtShared)));
	RequestNamedLWLockTranche(AT_TRANCHE, 1);
}

/* Runs at start, and again when the postmaster recovers from a crash. */
static void
at_shmem_startup(void)
{
	bool found;

	if (at_previous_startup_hook)
		at_previous_startup_hook();

	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	at_shared = ShmemInitStruct("audit_trail", sizeof(AtShared), &found);
	if (!found)
		at_shmem_clear(at_shared);
	LWLockRelease(AddinShmemInitLock);
}

static void
at_shmem_clear(AtShared *shared)
{
	memset(shared, 0, sizeof(AtShared));
	shared->lock = &GetNamedLWLockTranche(AT_TRANCHE)->lock;
	pg_atomic_init_u64(&shared->generation, 1);
	for (int i = 0; i < AT_MAX_DATABASES; i++)
	{
		ConditionVariableInit(&shared->slot[i].changed);
		at_query_times_init(&shared->slot[i].query_times);
		at_pace_init(&shared->slot[i].pace);
		for (int kind = 0; kind < AT_WORKER_KINDS; kind++)
			pg_atomic_init_u32(&shared->slot[i].worker[kind].woken, 0);
	}
}

int
at_slot_find(Oid database)
{
	int slot;

	LWLockAcquire(at_shared->lock, LW_SHARED);
	slot = at_slot_search(database);
	LWLockRelease(at_shared->lock);
	return slot;
}

int
at_slot_claim(Oid database)
{
	int slot;

	LWLockAcquire(at_shared->lock, LW_EXCLUSIVE);
	slot = at_slot_search_or_take(database);
	LWLockRelease(at_shared->lock);
	return slot;
}

/* The database's slot, which is a new one if need be; the caller holds the lock. */
static int
at_slot_search_or_take(Oid database)
{
	int slot = at_slot_search(database);

	if (slot >= 0)
		return slot;
	slot = at_slot_search(InvalidOid);
	if (slot >= 0)
		at_slot_reset(&at_shared->slot[slot], database);
	return slot;
}

/* First slot of a database, or first free one; the caller holds the lock. */
static int
at_slot_search(Oid database)
{
	for (int i = 0; i < AT_MAX_DATABASES; i++)
		if (at_shared->slot[i].database == database)
			return i;
	return -1;
}

/* Give a slot to a database, or free it (InvalidOid); the caller holds the lock. */
static void
at_slot_reset(AtSharedDatabase *slot, Oid database)
{
	slot->database = database;
	slot->presence = AT_PRESENCE_UNKNOWN;
	slot->announcements = 0;
	slot->closed = false;
	slot->holds = 0;
	memset(&slot->anchor, 0, sizeof(slot->anchor));
	memset(&slot->primary, 0, sizeof(slot->primary));
	memset(&slot->keeper, 0, sizeof(slot->keeper));
	for (int kind = 0; kind < AT_WORKER_KINDS; kind++)
	{
		AtSharedWorker *worker = &slot->worker[kind];

		memset(&worker->status, 0, sizeof(AtWorkerStatus));
		worker->left_quietly = false;
		worker->due_at = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), AT_FIRST_DUE_MS);
		worker->requested = worker->taken = worker->ended = worker->succeeded = 0;
		worker->latch = NULL;
		pg_atomic_write_u32(&worker->woken, 0);
	}
	at_query_times_reset(&slot->query_times);
	at_pace_reset(&slot->pace);
	pg_atomic_fetch_add_u64(&at_shared->generation, 1);
}

bool
at_slot_view(int slot, AtSlotView *view)
{
	const AtSharedDatabase *shared = &at_shared->slot[slot];

	LWLockAcquire(at_shared->lock, LW_SHARED);
	*view = (AtSlotView){
		.database = shared->database,
		.presence = shared->presence,
		.announcements = shared->announcements,
		.closed = shared->closed,
		.holds = shared->holds,
	};
	for (int kind = 0; kind < AT_WORKER_KINDS; kind++)
	{
		view->worker[kind] = shared->worker[kind].status;
		view->left_quietly[kind] = shared->worker[kind].left_quietly;
		view->requested[kind] = shared->worker[kind].requested > shared->worker[kind].ended;
		view->due_at[kind] = shared->worker[kind].due_at;
	}
	LWLockRelease(at_shared->lock);
	return OidIsValid(view->database);
}

bool
at_slot_free(int slot, const AtSlotView *view)
{
	AtSharedDatabase *shared = &at_shared->slot[slot];
	bool freed;

	LWLockAcquire(at_shared->lock, LW_EXCLUSIVE);
	freed = shared->database == view->database && shared->announcements == view->announcements &&
			!at_slot_is_used(shared);
	if (freed)
		at_slot_reset(shared, InvalidOid);
	LWLockRelease(at_shared->lock);
	return freed;
}

/* Does a worker or a session count on the slot? The caller holds the lock. */
static bool
at_slot_is_used(const AtSharedDatabase *slot)
{
	for (int kind = 0; kind < AT_WORKER_KINDS; kind++)
		if (slot->worker[kind].status.pid != 0)
			return true;
	return slot->holds > 0;
}

void
at_slot_announce(Oid database)
{
	int slot = at_slot_claim(database);

	if (slot >= 0)
	{
		AtSharedDatabase *shared = &at_shared->slot[slot];

		LWLockAcquire(at_shared->lock, LW_EXCLUSIVE);
		if (shared->database == database)
		{
			shared->announcements++;
			if (shared->presence == AT_PRESENCE_NO)
				shared->presence = AT_PRESENCE_UNKNOWN;
		}
		LWLockRelease(at_shared->lock);
	}
	at_launcher_wake();
}

void
at_slot_close(int slot, bool closed)
{
	LWLockAcquire(at_shared->lock, LW_EXCLUSIVE);
	at_shared->slot[slot].closed = closed;
	LWLockRelease(at_shared->lock);
}

int
at_slot_hold(Oid database)
{
	int slot;

	LWLockAcquire(at_shared->lock, LW_EXCLUSIVE);
	slot = at_slot_search_or_take(database);
	if (slot >= 0)
		at_shared->slot[slot].holds++;
	LWLockRelease(at_shared->lock);
	return slot;
}

/* A slot that was claimed for the hold alone is given back. */
void
at_slot_release(int slot)
{
	AtSharedDatabase *shared = &at_shared->slot[slot];

	LWLockAcquire(at_shared->lock, LW_EXCLUSIVE);
	shared->holds--;
	if (shared->presence == AT_PRESENCE_UNKNOWN && shared->announcements == 0 &&
		!at_slot_is_used(shared))
		at_slot_reset(shared, InvalidOid);
	LWLockRelease(at_shared->lock);
	at_launcher_wake();
}

/* Under the lock, so that no pid can be another process's by now. */
int
at_slot_signal(int slot, int signal)
{
	int count = 0;

	LWLockAcquire(at_shared->lock, LW_SHARED);
	for (int kind = 0; kind < AT_WORKER_KINDS; kind++)
	{
		int pid = at_shared->slot[slot].worker[kind].status.pid;

		if (pid == 0)
			continue;
		count++;
		if (signal != 0)
			kill(pid, signal);
	}
	LWLockRelease(at_shared->lock);
	return count;
}

ConditionVariable *
at_slot_changed(int slot)
{
	return &at_shared->slot[slot].changed;
}

bool
at_slot_attach(int slot, Oid database, AtWorkerKind kind)
{
	AtSharedDatabase *shared = &at_shared->slot[slot];
	AtSharedWorker *worker = &shared->worker[kind];
	bool welcome;

	LWLockAcquire(at_shared->lock, LW_EXCLUSIVE);
	welcome = shared->database == database && !shared->closed && shared->holds == 0 &&
			  worker->status.pid == 0;
	if (welcome)
	{
		worker->status.pid = MyProcPid;
		worker->left_quietly = false;
		worker->latch = MyLatch;
	}
	LWLockRelease(at_shared->lock);
	return welcome;
}

void
at_slot_detach(int slot, AtWorkerKind kind, bool quietly)
{
	AtSharedWorker *worker = &at_shared->slot[slot].worker[kind];

	LWLockAcquire(at_shared->lock, LW_EXCLUSIVE);
	worker->status.pid = 0;
	worker->left_quietly = quietly;
	worker->latch = NULL;
	LWLockRelease(at_shared->lock);

	ConditionVariableBroadcast(at_slot_changed(slot));
	at_launcher_wake();
}

bool
at_slot_must_leave(int slot)
{
	const AtSharedDatabase *shared = &at_shared->slot[slot];
	bool leave;

	LWLockAcquire(at_shared->lock, LW_SHARED);
	leave = shared->closed || shared->holds > 0;
	LWLockRelease(at_shared->lock);
	return leave;
}

uint32
at_slot_announcements(int slot)
{
	uint32 announcements;

	LWLockAcquire(at_shared->lock, LW_SHARED);
	announcements = at_shared->slot[slot].announcements;
	LWLockRelease(at_shared->lock);
	return announcements;
}

/* What a worker found counts only if nothing was announced since it began to look. */
void
at_slot_found(int slot, bool present, uint32 announcements)
{
	AtSharedDatabase *shared = &at_shared->slot[slot];
	AtPresence presence = present ? AT_PRESENCE_YES : AT_PRESENCE_NO;
	bool changed;

	LWLockAcquire(at_shared->lock, LW_EXCLUSIVE);
	changed = shared->presence != presence && (present || shared->announcements == announcements);
	if (changed)
		shared->presence = presence;
	LWLockRelease(at_shared->lock);
	if (changed)
		at_launcher_wake();
}

bool
at_slot_is_requested(int slot, AtWorkerKind kind)
{
	const AtSharedWorker *worker = &at_shared->slot[slot].worker[kind];
	bool requested;

	LWLockAcquire(at_shared->lock, LW_SHARED);
	requested = worker->requested > worker->ended;
	LWLockRelease(at_shared->lock);
	return requested;
}

void
at_slot_set_due(int slot, AtWorkerKind kind, TimestampTz due_at)
{
	LWLockAcquire(at_shared->lock, LW_EXCLUSIVE);
	at_shared->slot[slot].worker[kind].due_at = due_at;
	LWLockRelease(at_shared->lock);
}

/* Copy one of the statuses to a slot, or else from it; without a slot it is zero. */
static void
copy_status(int slot, size_t offset, void *status, size_t size, bool to_slot)
{
	if (slot < 0 && !to_slot)
		memset(status, 0, size);
	if (slot < 0)
		return;
	LWLockAcquire(at_shared->lock, to_slot ? LW_EXCLUSIVE : LW_SHARED);
	if (to_slot)
		memcpy((char *) &at_shared->slot[slot] + offset, status, size);
	else
		memcpy(status, (char *) &at_shared->slot[slot] + offset, size);
	LWLockRelease(at_shared->lock);
}

void
at_slot_set_anchor(int slot, const AtAnchorStatus *status)
{
	copy_status(slot, offsetof(AtSharedDatabase, anchor), (void *) status, sizeof(*status), true);
}

void
at_slot_get_anchor(int slot, AtAnchorStatus *status)
{
	copy_status(slot, offsetof(AtSharedDatabase, anchor), status, sizeof(*status), false);
}

void
at_slot_set_primary(int slot, const AtPrimaryStatus *status)
{
	copy_status(slot, offsetof(AtSharedDatabase, primary), (void *) status, sizeof(*status), true);
}

void
at_slot_get_primary(int slot, AtPrimaryStatus *status)
{
	copy_status(slot, offsetof(AtSharedDatabase, primary), status, sizeof(*status), false);
}

void
at_slot_set_keeper(int slot, const AtKeeperStatus *status)
{
	copy_status(slot, offsetof(AtSharedDatabase, keeper), (void *) status, sizeof(*status), true);
}

void
at_slot_get_keeper(int slot, AtKeeperStatus *status)
{
	copy_status(slot, offsetof(AtSharedDatabase, keeper), status, sizeof(*status), false);
}

/* The exchange is a full barrier: what the waker did before is seen by the pass that follows. */
bool
at_slot_take_wake(int slot, AtWorkerKind kind)
{
	return pg_atomic_exchange_u32(&at_shared->slot[slot].worker[kind].woken, 0) != 0;
}

void
at_slot_pass_begin(int slot, AtWorkerKind kind)
{
	AtSharedWorker *worker = &at_shared->slot[slot].worker[kind];

	LWLockAcquire(at_shared->lock, LW_EXCLUSIVE);
	worker->taken = worker->requested;
	LWLockRelease(at_shared->lock);
}

void
at_slot_pass_end(int slot, AtWorkerKind kind, const ErrorData *edata)
{
	AtSharedWorker *worker = &at_shared->slot[slot].worker[kind];
	TimestampTz now = GetCurrentTimestamp();

	LWLockAcquire(at_shared->lock, LW_EXCLUSIVE);
	worker->ended = worker->taken;
	worker->status.pass_ended_at = now;
	if (edata != NULL)
		at_status_set_failure(&worker->status, edata);
	else
	{
		worker->succeeded = worker->taken;
		worker->status.failures = 0;
	}
	LWLockRelease(at_shared->lock);

	ConditionVariableBroadcast(at_slot_changed(slot));
}

static void
at_status_set_failure(AtWorkerStatus *status, const ErrorData *edata)
{
	const char *message = edata->message ? edata->message : "missing error text";
	int length = pg_mbcliplen(message, strlen(message), AT_MESSAGE_LENGTH - 1);

	status->failures++;
	status->sqlstate = edata->sqlerrcode;
	memcpy(status->message, message, length);
	status->message[length] = '\0';
}

/*
 * The barrier orders the caller's work before the look at the flag: if the
 * flag is still up, the worker has yet to take it, and will see that work.
 */
void
at_slot_wake(int slot, AtWorkerKind kind)
{
	AtSharedWorker *worker = &at_shared->slot[slot].worker[kind];
	Latch *latch;

	pg_memory_barrier();
	if (pg_atomic_read_u32(&worker->woken) == 0)
		pg_atomic_exchange_u32(&worker->woken, 1);
	latch = worker->latch;
	if (latch != NULL)
		SetLatch(latch);
}

uint64
at_slot_request(int slot, AtWorkerKind kind)
{
	uint64 ticket;
	bool none;

	LWLockAcquire(at_shared->lock, LW_EXCLUSIVE);
	ticket = ++at_shared->slot[slot].worker[kind].requested;
	none = at_shared->slot[slot].worker[kind].status.pid == 0;
	LWLockRelease(at_shared->lock);
	at_slot_wake(slot, kind);
	if (none)
		at_launcher_wake(); /* it may be an occasional one */
	return ticket;
}

AtRequestState
at_slot_request_state(int slot, AtWorkerKind kind, uint64 ticket)
{
	const AtSharedWorker *worker = &at_shared->slot[slot].worker[kind];
	AtRequestState state;

	LWLockAcquire(at_shared->lock, LW_SHARED);
	if (worker->succeeded >= ticket)
		state = AT_REQUEST_DONE;
	else if (worker->ended >= ticket)
		state = AT_REQUEST_FAILED;
	else
		state = worker->status.pid != 0 ? AT_REQUEST_PENDING : AT_REQUEST_NO_WORKER;
	LWLockRelease(at_shared->lock);
	return state;
}

AtQueryTimes *
at_slot_query_times(int slot)
{
	return &at_shared->slot[slot].query_times;
}

AtPace *
at_slot_pace(int slot)
{
	return &at_shared->slot[slot].pace;
}

uint64
at_slot_generation(void)
{
	return pg_atomic_read_u64(&at_shared->generation);
}

void
at_launcher_attach(void)
{
	LWLockAcquire(at_shared->lock, LW_EXCLUSIVE);
	at_shared->launcher_pid = MyProcPid;
	at_shared->launcher_latch = MyLatch;
	LWLockRelease(at_shared->lock);
}

void
at_launcher_detach(void)
{
	LWLockAcquire(at_shared->lock, LW_EXCLUSIVE);
	at_shared->launcher_pid = 0;
	at_shared->launcher_latch = NULL;
	LWLockRelease(at_shared->lock);
}

void
at_launcher_wake(void)
{
	Latch *latch = at_shared->launcher_latch;

	if (latch != NULL)
		SetLatch(latch);
}

int
at_launcher_pid(void)
{
	int pid;

	LWLockAcquire(at_shared->lock, LW_SHARED);
	pid = at_shared->launcher_pid;
	LWLockRelease(at_shared->lock);
	return pid;
}

void
at_launcher_set_starved(TimestampTz since)
{
	LWLockAcquire(at_shared->lock, LW_EXCLUSIVE);
	at_shared->starved_since = since;
	LWLockRelease(at_shared->lock);
}

TimestampTz
at_launcher_starved(void)
{
	TimestampTz since;

	LWLockAcquire(at_shared->lock, LW_SHARED);
	since = at_shared->starved_since;
	LWLockRelease(at_shared->lock);
	return since;
}
