/*-------------------------------------------------------------------------
 * ring.c
 *		Records that survive a rollback, in shared memory.
 *
 * The memory is cut into cells. A record is a chain of cells, and all records
 * are one list, the oldest first; the cells that are left are another.
 * A collector walks the list and takes what is its database's, so a
 * database without one holds up nobody, as long as there are cells.
 *
 * Locks: one LWLock (tranche "audit_trail ring") for everything, held while a
 * record is copied. Nothing raises an error, waits or runs others' code
 * under it, so a process cannot end with a record half written.
 *
 * Caveat: the list is walked as a whole to find the records of one database.
 * It is as long as the collectors are behind, which is short.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "pgstat.h"
#include "storage/condition_variable.h"
#include "storage/ipc.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"
#include "utils/builtins.h"

#include "base/clock.h"
#include "base/guc.h"
#include "base/ring.h"
#include "base/shmem.h"
#include "base/worker.h"

#define AT_RING_TRANCHE "audit_trail ring"

#define CELL_SIZE 1024
#define NO_CELL   PG_UINT32_MAX

/* How often somebody who waits for room looks for it. */
#define POLL_MS 5

/* How often somebody who waits for a record wakes the collector again. */
#define WAIT_MS 1000

/* The head of a record, in its first cell. */
typedef struct Record
{
	uint64 number;
	Oid database;
	uint32 len;
	uint32 next; /* first cell of the next record */
} Record;

#define HEAD_SIZE MAXALIGN(sizeof(Record))

/* What one database has in the ring. */
typedef struct Share
{
	Oid database; /* InvalidOid: unused */
	uint32 cells;
	AtRingLoss loss; /* that nobody has told of */
	uint64 recorded; /* all records up to this number were removed */
	bool served;     /* it has a collector, or had one when the server was stopped */
	bool looks;      /* the collector will soon look by itself: nobody needs to wake it */
	NameData name;   /* right while it is served */
} Share;

typedef struct Ring
{
	/* constant */
	LWLock *lock;
	uint32 ncells;
	uint32 *following; /* of each cell, the next one of its chain */
	char *cells;

	/* under the lock */
	uint32 unused; /* first of the chain of unused cells */
	uint32 nunused;
	uint32 first; /* first cells of the oldest and the newest record */
	uint32 last;
	uint64 number; /* of the newest record */
	Share share[AT_MAX_DATABASES];

	ConditionVariable removed; /* broadcast when records were removed */
} Ring;

/* The head of a record in a batch; the record follows. */
typedef struct BatchHead
{
	uint64 number;
	uint32 len;
} BatchHead;

/* Set by the start-up hook in the postmaster, inherited by everyone. */
static Ring *ring = NULL;
/* What this process has put last. */
static struct
{
	Oid database;
	uint64 number; /* 0: nothing */
} last_put;

static shmem_request_hook_type previous_request_hook = NULL;
static shmem_startup_hook_type previous_startup_hook = NULL;

static void request(void);
static void start_up(void);
static uint32 count_cells(void);
static Size ring_size(void);
static void clear(void);
static bool try_put(Oid database, const char *record, Size len, bool last_try, bool *looks);
static void count_loss(Share *share);
static Share *share_of(Oid database);
static void fill_cells(const Record *head, const char *record);
static void copy_record(uint32 cell, char *to);
static void remove_records(Oid database, const uint64 *numbers, int count);

void
at_ring_init(void)
{
	previous_request_hook = shmem_request_hook;
	shmem_request_hook = request;
	previous_startup_hook = shmem_startup_hook;
	shmem_startup_hook = start_up;
}

bool
at_ring_ready(void)
{
	return ring != NULL;
}

static void
request(void)
{
	if (previous_request_hook)
		previous_request_hook();
	RequestAddinShmemSpace(ring_size());
	RequestNamedLWLockTranche(AT_RING_TRANCHE, 1);
}

/* Runs at start, and again when the postmaster recovers from a crash. */
static void
start_up(void)
{
	bool found;

	if (previous_startup_hook)
		previous_startup_hook();

	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	ring = ShmemInitStruct(AT_RING_TRANCHE, ring_size(), &found);
	if (!found)
		clear();
	LWLockRelease(AddinShmemInitLock);
}

static uint32
count_cells(void)
{
	return at_guc_ring_size; /* in kB */
}

static Size
ring_size(void)
{
	Size size = MAXALIGN(sizeof(Ring));

	size = add_size(size, MAXALIGN(mul_size(sizeof(uint32), count_cells())));
	return add_size(size, mul_size(CELL_SIZE, count_cells()));
}

static void
clear(void)
{
	memset(ring, 0, sizeof(Ring));
	ring->lock = &GetNamedLWLockTranche(AT_RING_TRANCHE)->lock;
	ring->ncells = count_cells();
	ring->following = (uint32 *) ((char *) ring + MAXALIGN(sizeof(Ring)));
	ring->cells = (char *) ring->following + MAXALIGN(sizeof(uint32) * ring->ncells);
	for (uint32 i = 0; i < ring->ncells; i++)
		ring->following[i] = i + 1 < ring->ncells ? i + 1 : NO_CELL;
	ring->nunused = ring->ncells;
	ring->first = ring->last = NO_CELL;
	ConditionVariableInit(&ring->removed);
}

static char *
cell_data(uint32 cell)
{
	return ring->cells + (Size) cell * CELL_SIZE;
}

AtRingOutcome
at_ring_put(Oid database, const char *record, Size len)
{
	bool waits = at_guc_ring_full == AT_RING_FULL_WAIT;
	int64 until;

	if (ring == NULL || len > AT_RING_MAX_RECORD)
		return AT_RING_LATE;
	until = at_clock_ms() + (waits ? at_guc_ring_timeout : 0);
	for (;;)
	{
		bool last_try = at_clock_ms() >= until;
		bool looks = false;
		bool done = try_put(database, record, len, last_try, &looks);

		if (!looks || !done)
			at_worker_wake_in(database, AT_WORKER_COLLECTOR);
		if (done)
			return AT_RING_TAKEN;
		if (last_try)
			return waits ? AT_RING_LATE : AT_RING_DROPPED;
		pg_usleep(POLL_MS * 1000L);
	}
}

/* Put a record if there is room; if not, and there will be no other try, it is counted. */
static bool
try_put(Oid database, const char *record, Size len, bool last_try, bool *looks)
{
	uint32 need = (HEAD_SIZE + len + CELL_SIZE - 1) / CELL_SIZE;
	bool done = false;
	Share *share;

	LWLockAcquire(ring->lock, LW_EXCLUSIVE);
	share = share_of(database);
	if (share != NULL && need <= ring->nunused && share->cells + need <= (ring->ncells + 1) / 2)
	{
		Record head = {.number = ++ring->number, .database = database, .len = len, .next = NO_CELL};

		fill_cells(&head, record);
		share->cells += need;
		done = true;
		*looks = share->looks && share->cells < ring->ncells / 8;
		last_put.database = database;
		last_put.number = head.number;
	}
	else if (share != NULL && last_try)
		count_loss(share);
	LWLockRelease(ring->lock);
	return done;
}

/* The caller holds the lock. */
static void
count_loss(Share *share)
{
	if (at_guc_ring_full == AT_RING_FULL_WAIT)
		share->loss.late++;
	else
		share->loss.dropped++;
}

/* Is there nothing to be remembered of a database? */
static bool
is_unused(const Share *share)
{
	return share->cells == 0 && !share->served && share->loss.dropped == 0 && share->loss.late == 0;
}

/* The share of a database, a new one if need be; NULL if all are taken. The caller holds the lock.
 */
static Share *
share_of(Oid database)
{
	Share *unused = NULL;

	for (int i = 0; i < AT_MAX_DATABASES; i++)
	{
		Share *share = &ring->share[i];

		if (share->database == database)
			return share;
		if (unused == NULL && is_unused(share))
			unused = share;
	}
	if (unused != NULL)
		unused->database = database;
	return unused;
}

/* The database that is served under this name. The caller holds the lock. */
static Oid
served_as(const char *name)
{
	for (int i = 0; i < AT_MAX_DATABASES; i++)
		if (ring->share[i].served && strcmp(NameStr(ring->share[i].name), name) == 0)
			return ring->share[i].database;
	return InvalidOid;
}

Oid
at_ring_addressee(Oid database, const char *name)
{
	Oid found = InvalidOid;

	if (ring == NULL)
		return InvalidOid;
	LWLockAcquire(ring->lock, LW_SHARED);
	if (!OidIsValid(database) && name != NULL)
		found = served_as(name);
	for (int i = 0; i < AT_MAX_DATABASES && OidIsValid(database); i++)
		if (ring->share[i].served && ring->share[i].database == database)
			found = database;
	if (!OidIsValid(found) && at_guc_cluster_database[0] != '\0')
		found = served_as(at_guc_cluster_database);
	LWLockRelease(ring->lock);
	return found;
}

void
at_ring_serve(const char *name)
{
	Share *share;

	LWLockAcquire(ring->lock, LW_EXCLUSIVE);
	share = share_of(MyDatabaseId);
	if (share != NULL)
	{
		share->served = true;
		namestrcpy(&share->name, name);
	}
	LWLockRelease(ring->lock);
}

void
at_ring_leave(void)
{
	LWLockAcquire(ring->lock, LW_EXCLUSIVE);
	for (int i = 0; i < AT_MAX_DATABASES; i++)
		if (ring->share[i].database == MyDatabaseId)
			ring->share[i].served = false;
	LWLockRelease(ring->lock);
}

/* Take cells for a record, and append it to the list. The caller holds the lock. */
static void
fill_cells(const Record *head, const char *record)
{
	uint32 first = ring->unused;
	uint32 cell = first;
	Size at = 0;

	memcpy(cell_data(cell), head, sizeof(Record));
	for (Size room = CELL_SIZE - HEAD_SIZE;; room = CELL_SIZE)
	{
		Size part = Min(room, head->len - at);

		memcpy(cell_data(cell) + (CELL_SIZE - room), record + at, part);
		at += part;
		ring->nunused--;
		if (at == head->len)
			break;
		cell = ring->following[cell];
	}
	ring->unused = ring->following[cell];
	ring->following[cell] = NO_CELL;

	if (ring->last == NO_CELL)
		ring->first = first;
	else
		((Record *) cell_data(ring->last))->next = first;
	ring->last = first;
}

/* Has it been removed, or forgotten with its database? */
static bool
is_recorded(Oid database, uint64 number)
{
	bool recorded = true;

	LWLockAcquire(ring->lock, LW_SHARED);
	for (int i = 0; i < AT_MAX_DATABASES; i++)
		if (ring->share[i].database == database)
			recorded = ring->share[i].recorded >= number;
	LWLockRelease(ring->lock);
	return recorded;
}

void
at_ring_wait(void)
{
	if (ring == NULL || last_put.number == 0)
		return;
	at_worker_wake_in(last_put.database, AT_WORKER_COLLECTOR);
	ConditionVariablePrepareToSleep(&ring->removed);
	while (!is_recorded(last_put.database, last_put.number))
		if (ConditionVariableTimedSleep(&ring->removed, WAIT_MS, PG_WAIT_EXTENSION))
			at_worker_wake_in(last_put.database, AT_WORKER_COLLECTOR);
	ConditionVariableCancelSleep();
}

void
at_ring_read(AtRingBatch *batch)
{
	batch->count = 0;
	batch->used = 0;

	LWLockAcquire(ring->lock, LW_EXCLUSIVE);
	for (uint32 cell = ring->first; cell != NO_CELL;)
	{
		const Record *head = (const Record *) cell_data(cell);

		if (head->database == MyDatabaseId)
		{
			Size need = MAXALIGN(sizeof(BatchHead)) + MAXALIGN(head->len);
			BatchHead *copy = (BatchHead *) (batch->buffer + batch->used);

			if (batch->used + need > batch->size)
				break;
			copy->number = head->number;
			copy->len = head->len;
			copy_record(cell, (char *) copy + MAXALIGN(sizeof(BatchHead)));
			batch->used += need;
			batch->count++;
		}
		cell = head->next;
	}
	for (int i = 0; i < AT_MAX_DATABASES; i++)
		if (ring->share[i].database == MyDatabaseId)
			ring->share[i].looks = batch->count > 0 || batch->looks_again;
	LWLockRelease(ring->lock);
}

/* The caller holds the lock. */
static void
copy_record(uint32 cell, char *to)
{
	Size left = ((const Record *) cell_data(cell))->len;

	for (Size room = CELL_SIZE - HEAD_SIZE;; room = CELL_SIZE)
	{
		Size part = Min(room, left);

		memcpy(to, cell_data(cell) + (CELL_SIZE - room), part);
		to += part;
		left -= part;
		if (left == 0)
			return;
		cell = ring->following[cell];
	}
}

bool
at_ring_batch_next(const AtRingBatch *batch, Size *at, AtRingRecord *record)
{
	const BatchHead *head = (const BatchHead *) (batch->buffer + *at);

	if (*at >= batch->used)
		return false;
	*record = (AtRingRecord){
		.number = head->number,
		.data = (const char *) head + MAXALIGN(sizeof(BatchHead)),
		.len = head->len,
	};
	*at += MAXALIGN(sizeof(BatchHead)) + MAXALIGN(head->len);
	return true;
}

void
at_ring_remove(const uint64 *numbers, int count)
{
	remove_records(MyDatabaseId, numbers, count);
}

void
at_ring_recorded(uint64 last)
{
	LWLockAcquire(ring->lock, LW_EXCLUSIVE);
	for (int i = 0; i < AT_MAX_DATABASES; i++)
		if (ring->share[i].database == MyDatabaseId)
			ring->share[i].recorded = last;
	LWLockRelease(ring->lock);
	ConditionVariableBroadcast(&ring->removed);
}

void
at_ring_forget(Oid database)
{
	if (ring == NULL)
		return;
	remove_records(database, NULL, 0);

	LWLockAcquire(ring->lock, LW_EXCLUSIVE);
	for (int i = 0; i < AT_MAX_DATABASES; i++)
		if (ring->share[i].database == database)
		{
			ring->share[i].served = false;
			ring->share[i].loss = (AtRingLoss){0};
		}
	LWLockRelease(ring->lock);
}

/* Give the cells of a record back; returns how many. The caller holds the lock. */
static uint32
free_record(uint32 first)
{
	uint32 count = 1;
	uint32 cell = first;

	for (; ring->following[cell] != NO_CELL; count++)
		cell = ring->following[cell];
	ring->following[cell] = ring->unused;
	ring->unused = first;
	ring->nunused += count;
	return count;
}

/* Those of a database with these numbers; all, without numbers. */
static void
remove_records(Oid database, const uint64 *numbers, int count)
{
	int i = 0;
	uint32 kept = NO_CELL; /* the last record that stays, of those before the present one */

	LWLockAcquire(ring->lock, LW_EXCLUSIVE);
	for (uint32 cell = ring->first; cell != NO_CELL;)
	{
		const Record *head = (const Record *) cell_data(cell);
		uint32 next = head->next;

		while (numbers != NULL && i < count && numbers[i] < head->number)
			i++;
		if (numbers != NULL && i == count)
			break;
		if (head->database != database || (numbers != NULL && numbers[i] != head->number))
			kept = cell;
		else
		{
			if (kept == NO_CELL)
				ring->first = next;
			else
				((Record *) cell_data(kept))->next = next;
			if (ring->last == cell)
				ring->last = kept;
			share_of(database)->cells -= free_record(cell);
		}
		cell = next;
	}
	LWLockRelease(ring->lock);
}

AtRingLoss
at_ring_loss(void)
{
	AtRingLoss loss = {0};

	LWLockAcquire(ring->lock, LW_SHARED);
	for (int i = 0; i < AT_MAX_DATABASES; i++)
		if (ring->share[i].database == MyDatabaseId)
			loss = ring->share[i].loss;
	LWLockRelease(ring->lock);
	return loss;
}

void
at_ring_loss_told(const AtRingLoss *loss)
{
	LWLockAcquire(ring->lock, LW_EXCLUSIVE);
	for (int i = 0; i < AT_MAX_DATABASES; i++)
	{
		Share *share = &ring->share[i];

		if (share->database != MyDatabaseId)
			continue;
		share->loss.dropped -= Min(loss->dropped, share->loss.dropped);
		share->loss.late -= Min(loss->late, share->loss.late);
	}
	LWLockRelease(ring->lock);
}
