/*-------------------------------------------------------------------------
 * ring.c
 *		Records that survive a rollback, in shared memory.
 *
 * A record is a chain of cells, and all records are one list, the oldest
 * first (base/ring_cells.h). A collector walks the list and takes what is its database's, so a
 * database without one holds up nobody, as long as there are cells.
 *
 * The cells and what is known of each database are in the file and outlive the server; the
 * lock and the list are in its shared memory, and made anew whenever that is, from the cells alone.
 * So it does not matter where a process was killed. In the file nothing
 * is changed in steps of which one without the other would be wrong.
 *
 * Locks: one LWLock (tranche "audit_trail ring") for everything, held while a
 * record is copied. Nothing raises an error, waits or runs others' code
 * under it.
 *
 * Caveats: the list is walked as a whole to find the records of one database.
 * It is as long as the collectors are behind, which is short. The kernel writes the file's changed
 * pages to disk every half minute or so; where that is too much, pg_dynshmem may be in memory
 *(tmpfs).
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
#include "base/ring_cells.h"
#include "base/ring_file.h"
#include "base/ring_share.h"
#include "base/shmem.h"
#include "base/worker.h"

#define AT_RING_TRANCHE "audit_trail ring"

/* How often somebody who waits for room looks for it. */
#define POLL_MS 5

/* How often somebody who waits for a record wakes the collector again. */
#define WAIT_MS 1000

#define KEPT_SIZE TYPEALIGN(AT_CELL_SIZE, sizeof(AtRingKept))

typedef struct Ring
{
	LWLock *lock; /* of all of this, and of what is in the file */
	AtCells cells;
	ConditionVariable removed; /* broadcast when records were removed */
} Ring;

/* The head of a record in a batch; the record follows. */
typedef struct BatchHead
{
	uint64 number;
	uint32 len;
	uint32 cell;
	AtRingWriter writer;
} BatchHead;

/* Set by the start-up hook in the postmaster, inherited by everyone. */
static Ring *ring = NULL;
static AtRingKept *kept = NULL;

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
static void take_file(void);
static bool owes_aside(void);
static void set_aside(Size wanted, AtRingFile *file, AtRingAside *aside);
static uint32 rebuild(char *area, Size size);
static void note_found(const AtCellRecord *record, uint32 ncells);
static bool try_put(Oid database, const char *record, Size len, bool *looks);
static void count_loss(Oid database, AtRingOutcome outcome);
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
	RequestAddinShmemSpace(MAXALIGN(sizeof(Ring)));
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
	ring = ShmemInitStruct(AT_RING_TRANCHE, sizeof(Ring), &found);
	if (!found)
	{
		memset(ring, 0, sizeof(Ring));
		ring->lock = &GetNamedLWLockTranche(AT_RING_TRANCHE)->lock;
		ConditionVariableInit(&ring->removed);
		take_file();
	}
	LWLockRelease(AddinShmemInitLock);
}

/* What the last scan of the cells came upon. */
static struct
{
	uint32 whole;
	uint32 broken;
	uint32 of_share[AT_MAX_DATABASES]; /* of each database, both */
} scanned;

/*
 * Bring the list up to the file. One that may tell what is recorded already, or somewhere else, is
 * not used, unless nothing is in it.
 */
static void
take_file(void)
{
	Size wanted = KEPT_SIZE + mul_size(AT_CELL_SIZE, at_guc_ring_size); /* which is in kB */
	AtRingFile file;
	AtRingAside aside;
	uint32 needed;

	at_ring_file_open(wanted, &file, &aside);
	needed = rebuild(file.area, file.size);
	if (file.doubt != NULL && scanned.whole + scanned.broken > 0)
	{
		needed = 0;
		set_aside(wanted, &file, &aside);
	}
	else if (file.doubt != NULL)
		memset(kept, 0, sizeof(AtRingKept));
	if (aside.file[0] != '\0')
		kept->aside = aside;
	else if (file.doubt == NULL && !owes_aside())
		memset(&kept->aside, 0, sizeof(kept->aside));
	if (scanned.broken > 0)
		ereport(LOG, (errmsg("records for the audit trail were not finished when the server ended: "
							 "%u of %u",
							 scanned.broken, scanned.broken + scanned.whole)));
	if (file.was > wanted && KEPT_SIZE + (Size) needed * AT_CELL_SIZE <= wanted)
	{
		at_ring_file_truncate(wanted, &file);
		(void) rebuild(file.area, file.size);
	}
	else if (file.was > wanted)
		ereport(LOG,
				(errmsg("file \"%s\" keeps its size, as there are records in it", AT_RING_FILE),
				 errhint("audit_trail.ring_size counts from the next start on.")));
	if (kept->number == 0 && !pg_strong_random(kept->id, AT_RING_ID))
		elog(FATAL, "could not make an id of the ring");
}

/* Is there a database that was not told of the file that was set aside? */
static bool
owes_aside(void)
{
	for (int i = 0; i < AT_MAX_DATABASES; i++)
		if (kept->share[i].lost.files != kept->share[i].told.files)
			return true;
	return false;
}

/* The records of each database in the old file are counted in the new one. */
static void
set_aside(Size wanted, AtRingFile *file, AtRingAside *aside)
{
	AtRingShare *old = palloc(sizeof(kept->share));
	uint32 count[AT_MAX_DATABASES];

	memcpy(old, kept->share, sizeof(kept->share));
	memcpy(count, scanned.of_share, sizeof(count));
	at_ring_file_replace(wanted, file->doubt, file, aside);
	(void) rebuild(file->area, file->size);
	kept->aside = *aside;
	for (int i = 0; i < AT_MAX_DATABASES; i++)
		if (count[i] > 0)
			at_ring_share_of(kept, old[i].database)->lost.aside = count[i];
	pfree(old);
}

/* Make the list from the cells; returns how many must be there to keep all. */
static uint32
rebuild(char *area, Size size)
{
	kept = (AtRingKept *) area;
	memset(&scanned, 0, sizeof(scanned));
	for (int i = 0; i < AT_MAX_DATABASES; i++)
	{
		kept->share[i].cells = 0;
		kept->share[i].looks = false;
		NameStr(kept->share[i].name)[NAMEDATALEN - 1] = '\0';
	}
	return at_cells_rebuild(&ring->cells, area + KEPT_SIZE, (size - KEPT_SIZE) / AT_CELL_SIZE,
							note_found);
}

/* What a broken record says of itself may be wrong. */
static void
note_found(const AtCellRecord *record, uint32 ncells)
{
	AtRingShare *share = ncells > 0 ? at_ring_share_of(kept, record->database)
									: at_ring_share_find(kept, record->database);

	if (ncells > 0)
	{
		scanned.whole++;
		kept->number = Max(kept->number, record->number);
	}
	else
		scanned.broken++;
	if (share == NULL)
		return;
	scanned.of_share[share - kept->share]++;
	share->cells += ncells;
	if (ncells == 0)
		share->lost.broken++;
}

AtRingOutcome
at_ring_put(Oid database, const char *record, Size len, AtRingPatience patience)
{
	bool fits = len <= AT_RING_MAX_RECORD;
	bool drops = patience == AT_RING_AS_SET && at_guc_ring_full == AT_RING_FULL_DROP;
	bool waits = fits && !drops && patience != AT_RING_AT_ONCE;
	AtRingOutcome otherwise = fits && drops ? AT_RING_DROPPED : AT_RING_LATE;
	int64 until;

	if (ring == NULL)
		return AT_RING_LATE;
	until = at_clock_ms() + (waits ? at_guc_ring_timeout : 0);
	for (;;)
	{
		bool last_try = at_clock_ms() >= until;
		bool looks = false;
		bool done = fits && try_put(database, record, len, &looks);

		if (!looks || !done)
			at_worker_wake_in(database, AT_WORKER_COLLECTOR);
		if (done)
			return AT_RING_TAKEN;
		if (last_try)
			break;
		pg_usleep(POLL_MS * 1000L);
	}
	count_loss(database, otherwise);
	return otherwise;
}

/* Put a record if there is room. */
static bool
try_put(Oid database, const char *record, Size len, bool *looks)
{
	uint32 need = at_cells_needed(len);
	bool done = false;
	AtRingShare *share;

	LWLockAcquire(ring->lock, LW_EXCLUSIVE);
	share = at_ring_share_of(kept, database);
	if (share != NULL && need <= ring->cells.nunused &&
		share->cells + need <= (ring->cells.count + 1) / 2)
	{
		last_put.database = database;
		last_put.number = ++kept->number;
		at_cells_append(&ring->cells, last_put.number, database, record, len);
		share->cells += need;
		done = true;
		*looks = share->looks && share->cells < ring->cells.count / 8;
	}
	LWLockRelease(ring->lock);
	return done;
}

static void
count_loss(Oid database, AtRingOutcome outcome)
{
	AtRingShare *share;

	LWLockAcquire(ring->lock, LW_EXCLUSIVE);
	share = at_ring_share_of(kept, database);
	if (share != NULL && outcome == AT_RING_LATE)
		share->lost.late++;
	else if (share != NULL)
		share->lost.dropped++;
	LWLockRelease(ring->lock);
}

Oid
at_ring_addressee(Oid database, const char *name)
{
	Oid found = InvalidOid;

	if (ring == NULL)
		return InvalidOid;
	LWLockAcquire(ring->lock, LW_SHARED);
	if (!OidIsValid(database) && name != NULL)
		found = at_ring_share_served_as(kept, name);
	for (int i = 0; i < AT_MAX_DATABASES && OidIsValid(database); i++)
		if (kept->share[i].served && kept->share[i].database == database)
			found = database;
	if (!OidIsValid(found) && at_guc_cluster_database[0] != '\0')
		found = at_ring_share_served_as(kept, at_guc_cluster_database);
	LWLockRelease(ring->lock);
	return found;
}

void
at_ring_serve(const char *name)
{
	AtRingShare *share;

	LWLockAcquire(ring->lock, LW_EXCLUSIVE);
	at_ring_file_leads();
	share = at_ring_share_of(kept, MyDatabaseId);
	if (share != NULL)
	{
		namestrcpy(&share->name, name);
		share->served = true;
	}
	LWLockRelease(ring->lock);
}

void
at_ring_leave(void)
{
	LWLockAcquire(ring->lock, LW_EXCLUSIVE);
	for (int i = 0; i < AT_MAX_DATABASES; i++)
		if (kept->share[i].database == MyDatabaseId)
			kept->share[i].served = false;
	LWLockRelease(ring->lock);
}

/* Has it been removed, or forgotten with its database? */
static bool
is_recorded(Oid database, uint64 number, bool *logged)
{
	const AtRingShare *share;
	bool recorded;

	LWLockAcquire(ring->lock, LW_SHARED);
	share = at_ring_share_find(kept, database);
	recorded = share == NULL || share->recorded >= number;
	*logged = share != NULL && share->logged >= number;
	LWLockRelease(ring->lock);
	return recorded;
}

AtRingFate
at_ring_wait(int64 timeout)
{
	int64 until = at_clock_ms() + timeout;
	bool logged = false; /* perhaps only others were, right behind it */
	bool recorded;
	int64 left;

	if (ring == NULL || last_put.number == 0)
		return AT_RING_RECORDED;
	at_worker_wake_in(last_put.database, AT_WORKER_COLLECTOR);
	ConditionVariablePrepareToSleep(&ring->removed);
	while (!(recorded = is_recorded(last_put.database, last_put.number, &logged)) &&
		   (left = until - at_clock_ms()) > 0)
		if (ConditionVariableTimedSleep(&ring->removed, Min(left, WAIT_MS), PG_WAIT_EXTENSION))
			at_worker_wake_in(last_put.database, AT_WORKER_COLLECTOR);
	ConditionVariableCancelSleep();
	if (!recorded)
		return AT_RING_WAITING;
	return logged ? AT_RING_LOGGED : AT_RING_RECORDED;
}

const uint8 *
at_ring_id(void)
{
	return kept->id;
}

void
at_ring_read(AtRingBatch *batch)
{
	AtCellRecord record;

	batch->count = 0;
	batch->used = 0;

	LWLockAcquire(ring->lock, LW_EXCLUSIVE);
	for (bool more = at_cells_first(&ring->cells, &record); more;
		 more = at_cells_next(&ring->cells, &record, &record))
	{
		Size need = MAXALIGN(sizeof(BatchHead)) + MAXALIGN(record.len);
		BatchHead *copy = (BatchHead *) (batch->buffer + batch->used);

		if (record.database != MyDatabaseId)
			continue;
		if (batch->used + need > batch->size)
			break;
		*copy = (BatchHead){
			.number = record.number,
			.len = record.len,
			.cell = record.cell,
			.writer = record.writer,
		};
		at_cells_copy(&ring->cells, &record, (char *) copy + MAXALIGN(sizeof(BatchHead)));
		batch->used += need;
		batch->count++;
	}
	for (int i = 0; i < AT_MAX_DATABASES; i++)
		if (kept->share[i].database == MyDatabaseId)
			kept->share[i].looks = batch->count > 0 || batch->looks_again;
	LWLockRelease(ring->lock);
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
		.writer = head->writer,
		.cell = head->cell,
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
at_ring_set_writer(const AtRingRecord *record, const AtRingWriter *writer)
{
	LWLockAcquire(ring->lock, LW_EXCLUSIVE);
	at_cells_set_writer(&ring->cells, record->cell, record->number, writer);
	LWLockRelease(ring->lock);
}

void
at_ring_recorded(uint64 last, bool in_trail)
{
	AtRingShare *share;

	LWLockAcquire(ring->lock, LW_EXCLUSIVE);
	share = at_ring_share_find(kept, MyDatabaseId);
	if (share != NULL)
		share->recorded = last;
	if (share != NULL && !in_trail)
		share->logged = last;
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
		if (kept->share[i].database == database)
		{
			kept->share[i].served = false;
			kept->share[i].told = kept->share[i].lost;
		}
	LWLockRelease(ring->lock);
}

/* Those of a database with these numbers; all, without numbers. */
static void
remove_records(Oid database, const uint64 *numbers, int count)
{
	int i = 0;
	uint32 previous = AT_NO_CELL; /* the last record that stays, of those before the present one */
	AtCellRecord record;
	AtCellRecord next;

	LWLockAcquire(ring->lock, LW_EXCLUSIVE);
	for (bool more = at_cells_first(&ring->cells, &record); more; record = next)
	{
		more = at_cells_next(&ring->cells, &record, &next);
		while (numbers != NULL && i < count && numbers[i] < record.number)
			i++;
		if (numbers != NULL && i == count)
			break;
		if (record.database != database || (numbers != NULL && numbers[i] != record.number))
			previous = record.cell;
		else
			at_ring_share_of(kept, database)->cells -=
				at_cells_remove(&ring->cells, &record, previous);
	}
	LWLockRelease(ring->lock);
}

void
at_ring_count_broken(void)
{
	AtRingShare *share;

	LWLockAcquire(ring->lock, LW_EXCLUSIVE);
	share = at_ring_share_find(kept, MyDatabaseId);
	if (share != NULL)
		share->lost.broken++;
	LWLockRelease(ring->lock);
}

AtRingLoss
at_ring_loss(void)
{
	AtRingLoss loss = {0};
	const AtRingShare *share;

	LWLockAcquire(ring->lock, LW_SHARED);
	share = at_ring_share_find(kept, MyDatabaseId);
	if (share != NULL)
		loss = (AtRingLoss){
			.dropped = share->lost.dropped - share->told.dropped,
			.late = share->lost.late - share->told.late,
			.broken = share->lost.broken - share->told.broken,
			.aside = share->lost.aside - share->told.aside,
			.files = share->lost.files - share->told.files,
		};
	LWLockRelease(ring->lock);
	return loss;
}

const AtRingAside *
at_ring_aside(void)
{
	return &kept->aside;
}

/* The teller goes first and comes last: it is right only with what it tells. */
void
at_ring_loss_telling(const AtRingLoss *loss, const AtRingWriter *writer)
{
	AtRingShare *share;

	LWLockAcquire(ring->lock, LW_EXCLUSIVE);
	share = at_ring_share_find(kept, MyDatabaseId);
	if (share != NULL)
	{
		share->teller = (AtRingWriter){0};
		pg_write_barrier();
		share->telling = (AtRingLoss){
			.dropped = share->told.dropped + loss->dropped,
			.late = share->told.late + loss->late,
			.broken = share->told.broken + loss->broken,
			.aside = share->told.aside + loss->aside,
			.files = share->told.files + loss->files,
		};
		pg_write_barrier();
		share->teller = *writer;
	}
	LWLockRelease(ring->lock);
}

/* It does not matter if this is done again, wherever it was cut short. */
void
at_ring_loss_told(void)
{
	AtRingShare *share;

	LWLockAcquire(ring->lock, LW_EXCLUSIVE);
	share = at_ring_share_find(kept, MyDatabaseId);
	if (share != NULL)
	{
		share->told = share->telling;
		pg_write_barrier();
		share->teller = (AtRingWriter){0};
	}
	LWLockRelease(ring->lock);
}

AtRingWriter
at_ring_loss_teller(void)
{
	AtRingWriter writer = {0};
	const AtRingShare *share;

	LWLockAcquire(ring->lock, LW_SHARED);
	share = at_ring_share_find(kept, MyDatabaseId);
	if (share != NULL)
		writer = share->teller;
	LWLockRelease(ring->lock);
	return writer;
}

int
at_ring_databases(Oid *databases)
{
	int count = 0;

	if (ring == NULL)
		return 0;
	LWLockAcquire(ring->lock, LW_SHARED);
	for (int i = 0; i < AT_MAX_DATABASES; i++)
		if (OidIsValid(kept->share[i].database) && !at_ring_share_is_unused(&kept->share[i]))
			databases[count++] = kept->share[i].database;
	LWLockRelease(ring->lock);
	return count;
}
