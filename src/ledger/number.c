/*-------------------------------------------------------------------------
 * number.c
 *		Numbers from the ledger's sequences.
 *
 * nextval() alone is not safe under wal_level = minimal: in the transaction
 * that creates the sequence it writes no WAL, but notes on the page that the
 * next 32 numbers are in the WAL already. After a crash they are drawn again
 * (PostgreSQL 15; CREATE SEQUENCE and nextval() in one transaction show it).
 * The ledger's first numbers are drawn in the transaction that creates it.
 *
 * setval() asks no hook, and who may write all tables may set all sequences: it
 * would make each write fail that needs a number. So a number is looked up in
 * the table that it is for, and one that is there already means that the sequence was
 * set back: then it is set behind the largest. The sequences begin again at their
 * end, so that it does not help to set one there either.
 *
 * Alerts are raised in each transaction of some, so a session draws a block of their
 * numbers at once, and looks up all of it: none is in use. Others, to whom a sequence that was set
 * back gives the same block, see the rows that were raised with it, and meet the lock
 * that names it.
 *
 * Locks: whoever sets a sequence right holds ShareUpdateExclusiveLock on it meanwhile. A session
 * holds the lock that names its block, an object "in" the sequence, until it draws the next.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "access/table.h"
#include "access/xlog.h"
#include "commands/sequence.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "storage/lock.h"
#include "utils/fmgroids.h"
#include "utils/fmgrprotos.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "base/catalog.h"
#include "base/compat.h"
#include "base/errors.h"
#include "ledger/attempt.h"
#include "ledger/number.h"
#include "ledger/owner.h"

/* Numbers that sessions may have drawn and not used yet when a sequence is set right. */
#define AHEAD 1000

/* A sequence, and the unique index on the numbers of the table that it is for. */
typedef struct Numbered
{
	const char *sequence;
	AtLedgerTable table;
	const char *index;
	bool is_int;
	bool in_blocks; /* it ascends by AT_NUMBER_BLOCK; a block ends at a multiple of that */
} Numbered;

/*
 * Right after an error: a block is set only when its lock is held and it was looked up. A lock
 * without a block keeps numbers from others that nobody has.
 */
static struct
{
	Oid sequence; /* the numbers of another one of the name are its own */
	int64 next;
	int64 last; /* of the block that is locked; 0: there is none */
} block;

static const Numbered numbered[] = {
	{"session_id_seq", AT_LEDGER_SESSION, "session_pkey", false, false},
	{"target_id_seq", AT_LEDGER_TARGET, "target_pkey", true, false},
	{"alert_id_seq", AT_LEDGER_ALERT, "alert_pkey", false, true},
	{"alert_action_id_seq", AT_LEDGER_ALERT_ACTION, "alert_action_pkey", false, false},
	{"keeper_run_id_seq", AT_LEDGER_KEEPER_RUN, "keeper_run_pkey", false, false},
};

static const Numbered *find_numbered(const char *sequence);
static int64 draw_right(const Numbered *of, Oid sequence);
static bool take(const Numbered *of, Oid sequence, int64 number);
static bool has_block(Oid sequence);
static bool lock_block(Oid sequence, int64 last);
static void unlock_block(Oid sequence, int64 last);
static int64 last_of_block(const Numbered *of, int64 number);
static int64 before_next(const Numbered *of, int64 number);
static void tell(const Numbered *of, int64 number);
static bool is_used(const Numbered *of, int64 first, int64 last);
static int64 largest_used(const Numbered *of);
static void init_key(const Numbered *of, ScanKey key, StrategyNumber strategy, int64 number);
static void set_to(Oid sequence, int64 number);
static void forget_logged(Oid sequence, int64 number);

int64
at_number_draw(const char *sequence)
{
	Oid relid = at_audit_relid(sequence);
	const Numbered *of = find_numbered(sequence);
	int64 number;

	if (of != NULL && of->in_blocks && has_block(relid))
		return block.next++;
	number = nextval_internal(relid, false);
	if (of != NULL && !take(of, relid, number))
	{
		tell(of, number);
		number = draw_right(of, relid);
	}
	if (!XLogIsNeeded())
		forget_logged(relid, number);
	return number;
}

static const Numbered *
find_numbered(const char *sequence)
{
	for (int i = 0; i < lengthof(numbered); i++)
		if (strcmp(numbered[i].sequence, sequence) == 0)
			return &numbered[i];
	return NULL;
}

/* Another session may have set it right meanwhile. What this one has cached of it goes. */
static int64
draw_right(const Numbered *of, Oid sequence)
{
	int64 number;

	LockRelationOid(sequence, ShareUpdateExclusiveLock);
	number = nextval_internal(sequence, false);
	if (!take(of, sequence, number))
	{
		set_to(sequence, before_next(of, largest_used(of) + AHEAD));
		do
		{
			CHECK_FOR_INTERRUPTS();
			number = nextval_internal(sequence, false);
		} while (!take(of, sequence, number));
	}
	UnlockRelationOid(sequence, ShareUpdateExclusiveLock);
	return number;
}

/* Take a number, and what is left of its block; false if one of them is in use. */
static bool
take(const Numbered *of, Oid sequence, int64 number)
{
	int64 last = last_of_block(of, number);

	if (!of->in_blocks)
		return !is_used(of, number, number);
	if (!lock_block(sequence, last))
		return false;
	if (is_used(of, number, last))
	{
		unlock_block(sequence, last);
		return false;
	}
	unlock_block(block.sequence, block.last);
	block.sequence = sequence;
	block.next = number + 1;
	block.last = last;
	return true;
}

static int64
last_of_block(const Numbered *of, int64 number)
{
	if (!of->in_blocks || number > PG_INT64_MAX - AT_NUMBER_BLOCK)
		return number;
	return number + (AT_NUMBER_BLOCK - number % AT_NUMBER_BLOCK) % AT_NUMBER_BLOCK;
}

/* What a sequence is set to that is to go on behind a number, with a whole block. */
static int64
before_next(const Numbered *of, int64 number)
{
	return of->in_blocks ? last_of_block(of, number) + 1 : number;
}

/* Of the locks that outlive transactions and end with the session, as advisory ones do. */
static LOCKTAG
block_tag(Oid sequence, int64 last)
{
	uint64 number = last / AT_NUMBER_BLOCK;
	LOCKTAG tag;

	SET_LOCKTAG_OBJECT(tag, MyDatabaseId, sequence, (uint32) number, (uint16) (number >> 32));
	tag.locktag_lockmethodid = USER_LOCKMETHOD;
	return tag;
}

/* Is a number left that nobody else can have? DISCARD ALL takes the lock from us. */
static bool
has_block(Oid sequence)
{
	LOCKTAG tag = block_tag(sequence, block.last);

	return block.sequence == sequence && block.next <= block.last &&
		   LockHeldByMe(&tag, ExclusiveLock, false);
}

/* Lock it for the session; false if another one has it, or this one. */
static bool
lock_block(Oid sequence, int64 last)
{
	LOCKTAG tag = block_tag(sequence, last);

	return !LockHeldByMe(&tag, ExclusiveLock, false) &&
		   LockAcquire(&tag, ExclusiveLock, true, true) != LOCKACQUIRE_NOT_AVAIL;
}

static void
unlock_block(Oid sequence, int64 last)
{
	LOCKTAG tag = block_tag(sequence, last);

	if (LockHeldByMe(&tag, ExclusiveLock, false))
		LockRelease(&tag, ExclusiveLock, true);
}

/* Who did it is not known: the record says so, and is of the session that met it. */
static void
tell(const Numbered *of, int64 number)
{
	const char *message =
		psprintf("sequence audit.%s was set back: number " INT64_FORMAT " is in use already",
				 of->sequence, number);

	ereport(LOG, (errmsg_internal("%s", message)));
	if (MyBackendType == B_BACKEND)
		at_attempt_tell(ERRCODE_AT_GUARDED, message, psprintf("sequence audit.%s", of->sequence));
}

/* By anybody, also in a transaction that is running or was rolled back. */
static bool
is_used(const Numbered *of, int64 first, int64 last)
{
	Relation rel = table_open(at_ledger_relid(of->table), AccessShareLock);
	ScanKeyData key[2];
	SysScanDesc scan;
	bool found;

	init_key(of, &key[0], BTGreaterEqualStrategyNumber, first);
	init_key(of, &key[1], BTLessEqualStrategyNumber, last);
	scan =
		systable_beginscan(rel, at_audit_relid(of->index), true, SnapshotAny, lengthof(key), key);
	found = HeapTupleIsValid(systable_getnext(scan));
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return found;
}

/* In the lower half: who sets the sequence near its end has some in the upper one. */
static int64
largest_used(const Numbered *of)
{
	Relation rel = table_open(at_ledger_relid(of->table), AccessShareLock);
	Relation index = index_open(at_audit_relid(of->index), AccessShareLock);
	int64 largest = 0;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple tuple;
	bool isnull;

	init_key(of, &key, BTLessStrategyNumber, of->is_int ? PG_INT32_MAX / 2 : PG_INT64_MAX / 2);
	scan = systable_beginscan_ordered(rel, index, SnapshotAny, 1, &key);
	tuple = systable_getnext_ordered(scan, BackwardScanDirection);
	if (HeapTupleIsValid(tuple))
	{
		Datum value =
			heap_getattr(tuple, index->rd_index->indkey.values[0], RelationGetDescr(rel), &isnull);

		largest = of->is_int ? DatumGetInt32(value) : DatumGetInt64(value);
	}
	systable_endscan_ordered(scan);
	index_close(index, AccessShareLock);
	table_close(rel, AccessShareLock);
	return largest;
}

/* The column of a key is that of the index, or of the table if a scan looks it up. */
static void
init_key(const Numbered *of, ScanKey key, StrategyNumber strategy, int64 number)
{
	RegProcedure of_int[] = {F_INT4LT, F_INT4LE, F_INT4EQ, F_INT4GE};
	RegProcedure of_bigint[] = {F_INT8LT, F_INT8LE, F_INT8EQ, F_INT8GE};

	if (of->is_int)
		ScanKeyInit(key, 1, strategy, of_int[strategy - 1], Int32GetDatum((int32) number));
	else
		ScanKeyInit(key, 1, strategy, of_bigint[strategy - 1], Int64GetDatum(number));
}

static void
set_to(Oid sequence, int64 number)
{
	AtOwnerState state;

	at_owner_enter(&state);
	DirectFunctionCall2(setval_oid, ObjectIdGetDatum(sequence), Int64GetDatum(number));
	at_owner_leave(&state);
}

/* setval() clears the page's note, so that the next nextval() writes WAL. */
static void
forget_logged(Oid sequence, int64 number)
{
	Relation rel = relation_open(sequence, AccessShareLock);
	bool logged = RelationNeedsWAL(rel);

	relation_close(rel, NoLock);
	if (!logged)
		set_to(sequence, number);
}
