/*-------------------------------------------------------------------------
 * patient_lock.c
 *		Locks that nobody is to wait behind.
 *
 * Who asks for AccessExclusiveLock has all others wait behind. So it asks for
 * no longer than those can bear, in a subtransaction whose end gives back what it had.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/guc.h"
#include "utils/resowner.h"
#include "utils/timestamp.h"

#include "ledger/patient_lock.h"

/* In ms: for all of the locks; between attempts; how long it is tried in all. */
#define LOCKS_WITHIN 30
#define PAUSE_MIN    100
#define PAUSE_MAX    2000
#define TRY_FOR      (120 * 1000)

static bool try_locks(List *oids);

void
at_lock_patiently(List *oids)
{
	TimestampTz give_up = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), TRY_FOR);
	long pause = PAUSE_MIN;

	while (!try_locks(oids))
	{
		if (GetCurrentTimestamp() >= give_up)
			ereport(ERROR,
					(errcode(ERRCODE_LOCK_NOT_AVAILABLE),
					 errmsg("partitions of the ledger are in use"),
					 errdetail("Somebody has read or written them, or their tables, all the time."),
					 errhint("Try again when less is read; see pg_locks.")));
		pg_usleep(pause * 1000L);
		CHECK_FOR_INTERRUPTS();
		pause = Min(pause * 2, PAUSE_MAX);
	}
}

/* All of the locks, or none, within the time. */
static bool
try_locks(List *oids)
{
	TimestampTz end = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), LOCKS_WITHIN);
	MemoryContext save = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	volatile bool done = false;

	BeginInternalSubTransaction(NULL);
	PG_TRY();
	{
		ListCell *cell;

		foreach (cell, oids)
		{
			long left = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), end);

			(void) set_config_option("lock_timeout", psprintf("%ld", Max(left, 1)), PGC_SUSET,
									 PGC_S_SESSION, GUC_ACTION_LOCAL, true, 0, false);
			LockRelationOid(lfirst_oid(cell), AccessExclusiveLock);
		}
		(void) set_config_option("lock_timeout", "0", PGC_SUSET, PGC_S_SESSION, GUC_ACTION_LOCAL,
								 true, 0, false);
		ReleaseCurrentSubTransaction();
		done = true;
	}
	PG_CATCH();
	{
		ErrorData *error;

		MemoryContextSwitchTo(save);
		error = CopyErrorData();
		if (error->sqlerrcode != ERRCODE_LOCK_NOT_AVAILABLE &&
			error->sqlerrcode != ERRCODE_T_R_DEADLOCK_DETECTED)
			PG_RE_THROW();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(save);
	CurrentResourceOwner = owner;
	return done;
}
