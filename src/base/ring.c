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
#include "storage/ipc.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"

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
	uint64 lost; /* records, that nobody has told of */
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
} Ring;

/* The head of a record in a batch; the record follows. */
typedef struct BatchHead
{
	uint64 number;
	uint32 len;
} BatchHead;

/* Set by the start-up hook in the postmaster, inherited by everyone. */
static Ring *ring = NULL;
static shmem_request_hook_type previous_request_hook = NULL;
static shmem_startup_hook_type previous_startup_hook = NULL;

static void request(void);
static void start_up(void);
static uint32 count_cells(void);
static Size ring_size(void);
static void clear(void);
static bool try_put(const char *record, Size len, bool last_try);
static Share *share_of(Oid database);
static void fill_cells(const Record *head, const char *record);
static void copy_record(uint32 cell, char *to);
static void remove_records(Oid database, uint64 last);

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
}

static char *
cell_data(uint32 cell)
{
	return ring->cells + (Size) cell * CELL_SIZE;
}

bool
at_ring_put(const char *record, Size len)
{
	int64 until;

	if (ring == NULL || !OidIsValid(MyDatabaseId) || len > AT_RING_MAX_RECORD)
		return false;
	until = at_clock_ms() + at_guc_ring_timeout;
	for (;;)
	{
		bool last_try = at_clock_ms() >= until;
		bool done = try_put(record, len, last_try);

		at_worker_wake(AT_WORKER_COLLECTOR);
		if (done || last_try)
			return done;
		pg_usleep(POLL_MS * 1000L);
	}
}

/* Put a record if there is room; if not, and there will be no other try, it is counted. */
static bool
try_put(const char *record, Size len, bool last_try)
{
	uint32 need = (HEAD_SIZE + len + CELL_SIZE - 1) / CELL_SIZE;
	bool done = false;
	Share *share;

	LWLockAcquire(ring->lock, LW_EXCLUSIVE);
	share = share_of(MyDatabaseId);
	if (share != NULL && need <= ring->nunused && share->cells + need <= (ring->ncells + 1) / 2)
	{
		Record head = {
			.number = ++ring->number, .database = MyDatabaseId, .len = len, .next = NO_CELL};

		fill_cells(&head, record);
		share->cells += need;
		done = true;
	}
	else if (share != NULL && last_try)
		share->lost++;
	LWLockRelease(ring->lock);
	return done;
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
		if (unused == NULL && share->cells == 0 && share->lost == 0)
			unused = share;
	}
	if (unused != NULL)
		unused->database = database;
	return unused;
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

void
at_ring_read(AtRingBatch *batch)
{
	batch->count = 0;
	batch->used = 0;

	LWLockAcquire(ring->lock, LW_SHARED);
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
at_ring_remove(uint64 last)
{
	remove_records(MyDatabaseId, last);
}

void
at_ring_forget(Oid database)
{
	if (ring == NULL)
		return;
	remove_records(database, PG_UINT64_MAX);

	LWLockAcquire(ring->lock, LW_EXCLUSIVE);
	for (int i = 0; i < AT_MAX_DATABASES; i++)
		if (ring->share[i].database == database)
			ring->share[i].lost = 0;
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

static void
remove_records(Oid database, uint64 last)
{
	uint32 kept = NO_CELL; /* the last record that stays, of those before the present one */

	LWLockAcquire(ring->lock, LW_EXCLUSIVE);
	for (uint32 cell = ring->first; cell != NO_CELL;)
	{
		const Record *head = (const Record *) cell_data(cell);
		uint32 next = head->next;

		if (head->number > last)
			break;
		if (head->database != database)
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

uint64
at_ring_lost(void)
{
	uint64 lost = 0;

	LWLockAcquire(ring->lock, LW_SHARED);
	for (int i = 0; i < AT_MAX_DATABASES; i++)
		if (ring->share[i].database == MyDatabaseId)
			lost = ring->share[i].lost;
	LWLockRelease(ring->lock);
	return lost;
}

void
at_ring_lost_told(uint64 count)
{
	LWLockAcquire(ring->lock, LW_EXCLUSIVE);
	for (int i = 0; i < AT_MAX_DATABASES; i++)
		if (ring->share[i].database == MyDatabaseId)
			ring->share[i].lost -= Min(count, ring->share[i].lost);
	LWLockRelease(ring->lock);
}
