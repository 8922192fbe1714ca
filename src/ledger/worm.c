/*-------------------------------------------------------------------------
 * worm.c
 *		Table access method audit_worm.
 *
 * The routine is a copy of heap's in which the callbacks that could touch a
 * stored row are replaced. TOAST tables inherit the access method: heap
 * writes them without asking it, and maintenance asks it as for any table.
 *
 * Index builds are our own, see worm_index.h.
 *
 * Caveats, which the guard has to cover: ALTER TABLE ... SET ACCESS METHOD
 * copies the rows into a table that we know nothing of, DROP TABLE does not
 * ask the access method, and an UPDATE or DELETE that finds no row is not
 * noticed.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "catalog/catalog.h"
#include "catalog/namespace.h"
#include "catalog/partition.h"
#include "executor/executor.h"
#include "storage/bufmgr.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/relcache.h"
#include "utils/snapmgr.h"

#include "base/catalog.h"
#include "base/compat.h"
#include "base/errors.h"
#include "ledger/attempt.h"
#include "ledger/worm.h"
#include "ledger/worm_index.h"

/* What somebody tried, and what we say to it. */
typedef struct AtDeed
{
	const char *name;
	const char *detail;
	const char *hint;
} AtDeed;

static const AtDeed at_deed_insert = {
	"insert into",
	"Only the audit trail itself adds rows to its ledger.",
	"To record an event, change an audited table.",
};
static const AtDeed at_deed_update = {
	"update",
	"Rows of the audit ledger are never changed.",
	"Correct the audited row itself: that is recorded as a new event.",
};
static const AtDeed at_deed_delete = {
	"delete from",
	"Rows of the audit ledger are never removed by a command.",
	"To stop recording a table, use SELECT audit.disable(...); what is recorded stays.",
};
static const AtDeed at_deed_truncate = {
	"truncate",
	"Rows of the audit ledger are never removed by a command.",
	"To stop recording a table, use SELECT audit.disable(...); what is recorded stays.",
};
static const AtDeed at_deed_lock = {
	"lock rows of",
	"Rows of the audit ledger never change, so there is nothing to lock.",
	"Use SELECT without FOR UPDATE or FOR SHARE.",
};
static const AtDeed at_deed_rewrite = {
	"rewrite",
	"A rewrite would replace the stored rows by copies of them.",
	"Use VACUUM without FULL, and REINDEX.",
};

static TableAmRoutine at_worm_routine; /* filled by at_worm_handler(), then constant */

/* The table that at_worm_empty() is at; else InvalidOid, whatever error ended it. */
static Oid at_worm_emptied = InvalidOid;

PG_FUNCTION_INFO_V1(at_worm_handler);

static void at_worm_fill(TableAmRoutine *routine);

bool
at_is_worm(Relation rel)
{
	return rel->rd_tableam == &at_worm_routine;
}

Datum
at_worm_handler(PG_FUNCTION_ARGS)
{
	if (at_worm_routine.type != T_TableAmRoutine)
		at_worm_fill(&at_worm_routine);
	PG_RETURN_POINTER(&at_worm_routine);
}

/* ---- what is refused ---- */

/*
 * Name of a table as its users know it: a partition goes by its root's, and
 * the transient heap of a rewrite by that of the table being rewritten.
 */
static char *
at_worm_name(Relation rel)
{
	Oid known_as = rel->rd_rel->relrewrite;
	char *name;

	/* relrewrite is set a moment after the heap was made */
	if (!OidIsValid(known_as))
		(void) sscanf(RelationGetRelationName(rel), "pg_temp_%u", &known_as);
	if (!OidIsValid(known_as) && rel->rd_rel->relispartition)
		known_as = llast_oid(get_partition_ancestors(RelationGetRelid(rel)));
	name = OidIsValid(known_as) ? get_rel_name(known_as) : NULL;
	return name != NULL ? name : RelationGetRelationName(rel);
}

pg_noreturn static void
at_worm_refuse(Relation rel, const AtDeed *deed)
{
	char *name = at_worm_name(rel);
	char *message = psprintf("cannot %s \"%s\": it is write-once", deed->name, name);

	at_attempt_tell(ERRCODE_AT_WRITE_ONCE, message, psprintf("table %s.%s", AT_SCHEMA, name));
	ereport(ERROR, (errcode(ERRCODE_AT_WRITE_ONCE), errmsg_internal("%s", message),
					errdetail_internal("%s", deed->detail), errhint("%s", deed->hint)));
}

void
at_worm_refuse_command(Relation rel, CmdType command)
{
	switch (command)
	{
		case CMD_SELECT:
			at_worm_refuse(rel, &at_deed_lock);
		case CMD_INSERT:
			at_worm_refuse(rel, &at_deed_insert);
		case CMD_DELETE:
			at_worm_refuse(rel, &at_deed_delete);
		case CMD_UTILITY:
			at_worm_refuse(rel, &at_deed_truncate);
		default:
			at_worm_refuse(rel, &at_deed_update);
	}
}

/* Rows from outside are welcome only while a dump is being restored. */
static void
at_worm_check_insert(Relation rel)
{
	/* ALTER TABLE fills the new heap of a table by ordinary inserts */
	if (OidIsValid(rel->rd_rel->relrewrite))
		at_worm_refuse(rel, &at_deed_rewrite);
	/* a dump has all tables before the first row, so a table that is missing was renamed */
	(void) at_ledger_relid(AT_LEDGER_INCARNATION);
	if (at_incarnation_begun())
		at_worm_refuse(rel, &at_deed_insert);
}

static void
at_worm_tuple_insert(Relation rel, TupleTableSlot *slot, CommandId cid, int options,
					 struct BulkInsertStateData *bistate)
{
	at_worm_check_insert(rel);
	GetHeapamTableAmRoutine()->tuple_insert(rel, slot, cid, options, bistate);
}

static void
at_worm_multi_insert(Relation rel, TupleTableSlot **slots, int nslots, CommandId cid, int options,
					 struct BulkInsertStateData *bistate)
{
	at_worm_check_insert(rel);
	GetHeapamTableAmRoutine()->multi_insert(rel, slots, nslots, cid, options, bistate);
}

static void
at_worm_tuple_insert_speculative(Relation rel, TupleTableSlot *slot, CommandId cid, int options,
								 struct BulkInsertStateData *bistate, uint32 specToken)
{
	at_worm_refuse(rel, &at_deed_insert);
}

static void
at_worm_tuple_complete_speculative(Relation rel, TupleTableSlot *slot, uint32 specToken,
								   bool succeeded)
{
	at_worm_refuse(rel, &at_deed_insert);
}

static TM_Result
at_worm_tuple_delete(Relation rel, ItemPointer tid, CommandId cid, Snapshot snapshot,
					 Snapshot crosscheck, bool wait, TM_FailureData *tmfd, bool changingPart)
{
	at_worm_refuse(rel, &at_deed_delete);
	return TM_Invisible; /* not reached */
}

static TM_Result
at_worm_tuple_update(Relation rel, ItemPointer otid, TupleTableSlot *slot, CommandId cid,
					 Snapshot snapshot, Snapshot crosscheck, bool wait, TM_FailureData *tmfd,
					 LockTupleMode *lockmode, TU_UpdateIndexes *update_indexes)
{
	at_worm_refuse(rel, &at_deed_update);
	return TM_Invisible; /* not reached */
}

static TM_Result
at_worm_tuple_lock(Relation rel, ItemPointer tid, Snapshot snapshot, TupleTableSlot *slot,
				   CommandId cid, LockTupleMode mode, LockWaitPolicy wait_policy, uint8 flags,
				   TM_FailureData *tmfd)
{
	at_worm_refuse(rel, &at_deed_lock);
	return TM_Invisible; /* not reached */
}

static void
at_worm_copy_for_cluster(Relation table, Relation copy, Relation index, bool use_sort,
						 TransactionId oldest_xmin, TransactionId *xid_cutoff,
						 MultiXactId *multi_cutoff, double *num_tuples, double *tups_vacuumed,
						 double *tups_recently_dead)
{
	at_worm_refuse(table, &at_deed_rewrite);
}

/* ---- storage: a new table, or TRUNCATE ---- */

/* Has the table no row, neither a committed one nor one of this transaction? */
static bool
at_worm_is_empty(Relation rel)
{
	bool empty = RelationGetNumberOfBlocks(rel) == 0;

	if (!empty)
	{
		TupleTableSlot *slot = table_slot_create(rel, NULL);
		TableScanDesc scan = table_beginscan_strat(rel, SnapshotSelf, 0, NULL, true, false);

		empty = !table_scan_getnextslot(scan, ForwardScanDirection, slot);
		table_endscan(scan);
		ExecDropSingleTupleTableSlot(slot);
	}
	return empty;
}

/* The access method is for the ledger: not for tables that vanish, and not for those of others. */
static void
at_worm_check_new(Relation rel, char persistence)
{
	Oid schema = RelationGetNamespace(rel);

	if (persistence != RELPERSISTENCE_PERMANENT)
		ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						errmsg("table \"%s\" cannot be temporary or unlogged", at_worm_name(rel)),
						errdetail("Its access method, audit_worm, keeps what is written.")));
	if (!IsToastNamespace(schema) && schema != get_namespace_oid(AT_SCHEMA, true))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("table \"%s\" cannot use the access method audit_worm", at_worm_name(rel)),
				 errdetail("It serves the audit ledger, in the schema " AT_SCHEMA "."),
				 errhint("Leave out USING, or check default_table_access_method.")));
}

static void
at_worm_set_new_filelocator(Relation rel, const RelFileLocator *locator, char persistence,
							TransactionId *freeze_xid, MultiXactId *min_multi)
{
	/* TRUNCATE keeps the old storage until commit; a new table has none but this */
	bool is_new = RelFileLocatorEquals(rel->rd_locator, *locator);

	if (is_new)
		at_worm_check_new(rel, persistence);
	else if (at_worm_emptied != RelationGetRelid(rel) && !at_worm_is_empty(rel))
		at_worm_refuse(rel, &at_deed_truncate);
	GetHeapamTableAmRoutine()->relation_set_new_filelocator(rel, locator, persistence, freeze_xid,
															min_multi);
}

static void
at_worm_renew(Relation rel)
{
	at_worm_emptied = RelationGetRelid(rel);
	PG_TRY();
	{
		RelationSetNewRelfilenumber(rel, rel->rd_rel->relpersistence);
	}
	PG_FINALLY();
	{
		at_worm_emptied = InvalidOid;
	}
	PG_END_TRY();
}

void
at_worm_empty(Relation rel)
{
	Oid toast = rel->rd_rel->reltoastrelid;

	Assert(at_is_worm(rel));
	at_worm_renew(rel);
	if (OidIsValid(toast))
	{
		Relation other = table_open(toast, AccessExclusiveLock);

		at_worm_renew(other);
		table_close(other, NoLock);
	}
}

/* TRUNCATE of a table that this transaction created; pg_restore --jobs does it before COPY. */
static void
at_worm_nontransactional_truncate(Relation rel)
{
	if (!at_worm_is_empty(rel))
		at_worm_refuse(rel, &at_deed_truncate);
	GetHeapamTableAmRoutine()->relation_nontransactional_truncate(rel);
}

static void
at_worm_fill(TableAmRoutine *routine)
{
	TableAmRoutine filled = *GetHeapamTableAmRoutine();

	filled.tuple_insert = at_worm_tuple_insert;
	filled.multi_insert = at_worm_multi_insert;
	filled.tuple_insert_speculative = at_worm_tuple_insert_speculative;
	filled.tuple_complete_speculative = at_worm_tuple_complete_speculative;
	filled.tuple_delete = at_worm_tuple_delete;
	filled.tuple_update = at_worm_tuple_update;
	filled.tuple_lock = at_worm_tuple_lock;
	filled.relation_copy_for_cluster = at_worm_copy_for_cluster;
	filled.relation_set_new_filelocator = at_worm_set_new_filelocator;
	filled.relation_nontransactional_truncate = at_worm_nontransactional_truncate;
	filled.index_build_range_scan = at_worm_index_build_range_scan;
	filled.index_validate_scan = at_worm_index_validate_scan;
	*routine = filled;
}
