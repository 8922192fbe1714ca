/*-------------------------------------------------------------------------
 * truncate.c
 *		TRUNCATE: the rows that a relation loses, and that it was emptied.
 *
 * The rows must be read after all BEFORE TRUNCATE triggers, those of other
 * tables that the command empties too, since any of them may still change
 * rows; and before the relation gives them up. In between PostgreSQL calls
 * nobody but the access method. So our BEFORE trigger lends the relation a
 * routine that is its own but for the two callbacks that empty a relation:
 * they give the own one back, read the rows, and go on as asked.
 *
 * When the relcache rebuilds an entry it puts the own routine back; the
 * invalidation callback, which comes right after, lends again. Should a loan
 * get lost all the same, the AFTER trigger sees it and fails the command.
 * A loan that is left over does no harm: it passes everything on.
 *
 * Locks: those of TRUNCATE. Under its AccessExclusiveLock the rows that
 * SnapshotSelf sees are all there are, whatever snapshot the command has.
 *
 * Memory: of one row; and a few words a relation until the command's end.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_inherits.h"
#include "commands/trigger.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "base/compat.h"
#include "base/errors.h"
#include "base/json_scan.h"
#include "base/names.h"
#include "base/relation_change.h"
#include "capture/delta.h"
#include "capture/filter.h"
#include "capture/row.h"
#include "capture/told.h"
#include "capture/trigger.h"
#include "capture/truncate.h"
#include "ledger/event.h"
#include "ledger/hooks.h"
#include "ledger/maintenance.h"

/* A routine to lend in the place of an access method's own; one each, for ever. */
typedef struct Loan
{
	TableAmRoutine routine;
	const TableAmRoutine *own;
} Loan;

/* A relation that a running TRUNCATE empties. */
typedef struct Emptied
{
	Oid relid;
	int level;    /* of nesting, at which it stands or falls */
	bool skipped; /* as maintenance */
	bool done;    /* its own event is written */
	Relation rel; /* open, has the loan; NULL: its rows are read, or stored below it */
	Loan *loan;   /* NULL: it has no storage */
	uint64 rows;  /* that it has lost */
} Emptied;

/* Right after an error: what a subtransaction has begun is ended with it, by level. */
static struct
{
	List *loans;   /* in TopMemoryContext */
	List *emptied; /* in TopTransactionContext */
} truncating;

PG_FUNCTION_INFO_V1(at_capture);

static void expect(Relation rel);
static Loan *find_loan(const TableAmRoutine *own);
static void set_new_filelocator(Relation rel, const RelFileLocator *locator, char persistence,
								TransactionId *freeze_xid, MultiXactId *min_multi);
static void nontransactional_truncate(Relation rel);
static const TableAmRoutine *read_rows(Relation rel);
static void tell_rows(Relation rel, Emptied *emptied);
static void tell_row(const AtPolicy *policy, TupleTableSlot *row);
static void tell_emptied(Relation rel);
static uint64 rows_lost(Oid relid);
static void lend_again(Datum arg, Oid relid);
static void end_transaction(XactEvent event, void *arg);
static void end_subtransaction(SubXactEvent event, SubTransactionId id, SubTransactionId parent,
							   void *arg);

void
at_truncate_init(void)
{
	at_relation_change_register(lend_again);
	RegisterXactCallback(end_transaction, NULL);
	RegisterSubXactCallback(end_subtransaction, NULL);
}

/* The trigger function, which only TRUNCATE calls: before and after. */
Datum
at_capture(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	ErrorContextCallback context = {.callback = at_row_error_context,
									.previous = error_context_stack};

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
						errmsg("audit.capture() can only be called as a trigger"),
						errhint("SELECT audit.enable('your_table');")));

	bool before = TRIGGER_FIRED_BEFORE(trigger->tg_event);
	int ours = before ? AT_TRIGGER_BEFORE_TRUNCATE : AT_TRIGGER_TRUNCATE;

	if (!at_trigger_is_ours(trigger->tg_trigger, &at_triggers[ours]))
		ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
						errmsg("audit.capture() can only be fired by an audit trigger"),
						errdetail("It captures a TRUNCATE; changes of rows are captured by the "
								  "conditions of triggers."),
						errhint("Drop trigger \"%s\" and use audit.enable().",
								trigger->tg_trigger->tgname)));

	context.arg = trigger->tg_relation;
	error_context_stack = &context;
	if (before)
		expect(trigger->tg_relation);
	else
		tell_emptied(trigger->tg_relation);
	error_context_stack = context.previous;
	PG_RETURN_POINTER(NULL);
}

/* ---- before ---- */

/* Are all commands over that have noted something here? */
static bool
all_done(void)
{
	ListCell *cell;

	foreach (cell, truncating.emptied)
		if (!((Emptied *) lfirst(cell))->done)
			return false;
	return true;
}

static Emptied *
find_emptied(Oid relid)
{
	ListCell *cell;

	foreach (cell, truncating.emptied)
		if (((Emptied *) lfirst(cell))->relid == relid)
			return lfirst(cell);
	return NULL;
}

/* The relation is about to be emptied: have its rows read right before. */
static void
expect(Relation rel)
{
	const AtPolicy *policy = at_row_policy(rel);
	Oid relid = RelationGetRelid(rel);
	MemoryContext save;
	Emptied *emptied;

	if (policy == NULL)
		return;
	save = MemoryContextSwitchTo(TopTransactionContext);
	if (all_done())
	{
		list_free_deep(truncating.emptied);
		truncating.emptied = NIL;
	}
	emptied = find_emptied(relid);
	if (emptied == NULL)
	{
		emptied = palloc0(sizeof(Emptied));
		truncating.emptied = lappend(truncating.emptied, emptied);
	}
	*emptied = (Emptied){.relid = relid, .level = GetCurrentTransactionNestLevel()};
	MemoryContextSwitchTo(save);

	emptied->skipped = at_maintenance_skips(policy->schema, policy->table, 'T');
	if (emptied->skipped || rel->rd_tableam == NULL)
		return;
	emptied->loan = find_loan(rel->rd_tableam);
	emptied->rel = rel;
	rel->rd_tableam = &emptied->loan->routine;
}

/* The loan for a routine, or the one that it is already. */
static Loan *
find_loan(const TableAmRoutine *own)
{
	MemoryContext save = MemoryContextSwitchTo(TopMemoryContext);
	ListCell *cell;
	Loan *loan;

	foreach (cell, truncating.loans)
	{
		loan = lfirst(cell);
		if (loan->own == own || &loan->routine == own)
		{
			MemoryContextSwitchTo(save);
			return loan;
		}
	}
	loan = palloc(sizeof(Loan));
	loan->own = own;
	loan->routine = *own;
	loan->routine.relation_set_new_filelocator = set_new_filelocator;
	loan->routine.relation_nontransactional_truncate = nontransactional_truncate;
	truncating.loans = lappend(truncating.loans, loan);
	MemoryContextSwitchTo(save);
	return loan;
}

/* A relation's entry in the relcache may have been rebuilt. Allocates nothing. */
static void
lend_again(Datum arg, Oid relid)
{
	ListCell *cell;

	foreach (cell, truncating.emptied)
	{
		Emptied *emptied = lfirst(cell);

		if (emptied->rel != NULL && (!OidIsValid(relid) || relid == emptied->relid))
			emptied->rel->rd_tableam = &emptied->loan->routine;
	}
}

static void
give_back(Emptied *emptied)
{
	if (emptied->rel != NULL)
		emptied->rel->rd_tableam = emptied->loan->own;
	emptied->rel = NULL;
}

/* ---- right before the rows are gone ---- */

static void
set_new_filelocator(Relation rel, const RelFileLocator *locator, char persistence,
					TransactionId *freeze_xid, MultiXactId *min_multi)
{
	read_rows(rel)->relation_set_new_filelocator(rel, locator, persistence, freeze_xid, min_multi);
}

static void
nontransactional_truncate(Relation rel)
{
	read_rows(rel)->relation_nontransactional_truncate(rel);
}

/* Returns the relation's own routine. */
static const TableAmRoutine *
read_rows(Relation rel)
{
	const TableAmRoutine *own = find_loan(rel->rd_tableam)->own;
	Emptied *emptied = find_emptied(RelationGetRelid(rel));
	ErrorContextCallback context = {
		.callback = at_row_error_context, .arg = rel, .previous = error_context_stack};

	if (emptied == NULL || emptied->rel != rel)
	{
		rel->rd_tableam = own;
		return own;
	}
	give_back(emptied);
	error_context_stack = &context;
	tell_rows(rel, emptied);
	error_context_stack = context.previous;
	return own;
}

static void
tell_rows(Relation rel, Emptied *emptied)
{
	const AtPolicy *policy = at_row_policy(rel);
	MemoryContext per_row = AllocSetContextCreate(CurrentMemoryContext, "audit_trail emptied row",
												  ALLOCSET_DEFAULT_SIZES);
	TupleTableSlot *slot = table_slot_create(rel, NULL);
	TableScanDesc scan = table_beginscan(rel, SnapshotSelf, 0, NULL);

	while (table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		MemoryContext save = MemoryContextSwitchTo(per_row);

		CHECK_FOR_INTERRUPTS();
		emptied->rows++;
		if (policy->tell_truncated)
			tell_row(policy, slot);
		MemoryContextSwitchTo(save);
		MemoryContextReset(per_row);
	}
	table_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	MemoryContextDelete(per_row);
}

static void
tell_row(const AtPolicy *policy, TupleTableSlot *row)
{
	AtEvent event;
	AtDelta delta;

	if (policy->filter != NULL && !at_filter_accepts(policy->filter, row, NULL))
		return;
	at_row_event(&event, policy, 'T');
	at_delta_row(policy, row, false, &delta);
	event.record_key = delta.record_key;
	event.old_values = delta.old_values;
	event.extra = delta.extra;
	if (policy->place_json != NULL)
		at_row_add_extra(&event.extra, policy->place_json);
	at_row_add_query(&event.extra, policy);

	AtEventName name = at_event_append(&event);

	if (policy->watched & at_op_bit('T'))
		at_told_row(policy, &(AtRowChange){.op = 'T', .old_row = row}, &delta, &event, name);
}

/* ---- after ---- */

/* One event a relation emptied; a partition or child is named beside its table. */
static void
tell_emptied(Relation rel)
{
	const AtPolicy *policy = at_row_policy(rel);
	Emptied *emptied = find_emptied(RelationGetRelid(rel));

	if (policy == NULL)
		return;
	if (emptied == NULL || emptied->done || emptied->rel != NULL)
		ereport(ERROR, (errcode(ERRCODE_AT_CAPTURE_FAILED),
						errmsg("the rows that TRUNCATE takes from table \"%s\" were not recorded",
							   RelationGetRelationName(rel)),
						errdetail("The audit trigger \"%s\" did not fire.",
								  at_triggers[AT_TRIGGER_BEFORE_TRUNCATE].name),
						errhint("SELECT * FROM audit.doctor();")));
	if (!emptied->skipped)
	{
		AtEvent event;

		at_row_event(&event, policy, 'T');
		if (policy->relid != policy->root_relid)
		{
			const char *name = at_qualified_name(policy->relid);

			at_row_add_extra(&event.extra, "\"partition\":");
			at_json_quote(name, strlen(name), event.extra);
		}
		at_row_add_extra(&event.extra,
						 psprintf("\"rows\":" UINT64_FORMAT, rows_lost(policy->relid)));
		if (!policy->tell_truncated)
			at_row_add_extra(&event.extra, "\"only_counted\":true");
		at_row_add_query(&event.extra, policy);

		AtEventName name = at_event_append(&event);

		if (policy->watched & at_op_bit('T'))
			at_told_emptied(policy, &event, name);
	}
	emptied->done = true;
}

/* By a relation, and by those below it that the same command emptied. */
static uint64
rows_lost(Oid relid)
{
	uint64 rows = 0;
	ListCell *cell;

	foreach (cell, find_all_inheritors(relid, NoLock, NULL))
	{
		const Emptied *emptied = find_emptied(lfirst_oid(cell));

		rows += emptied != NULL ? emptied->rows : 0;
	}
	return rows;
}

/* ---- ends ---- */

/* Relations are still open when an abort comes here. */
static void
end_transaction(XactEvent event, void *arg)
{
	ListCell *cell;

	if (event != XACT_EVENT_COMMIT && event != XACT_EVENT_PREPARE && event != XACT_EVENT_ABORT)
		return;
	foreach (cell, truncating.emptied)
		give_back(lfirst(cell));
	truncating.emptied = NIL;
}

static void
end_subtransaction(SubXactEvent event, SubTransactionId id, SubTransactionId parent, void *arg)
{
	int level = GetCurrentTransactionNestLevel();
	ListCell *cell;

	if (event != SUBXACT_EVENT_ABORT_SUB && event != SUBXACT_EVENT_COMMIT_SUB)
		return;
	foreach (cell, truncating.emptied)
	{
		Emptied *emptied = lfirst(cell);

		if (emptied->level < level)
			continue;
		if (event == SUBXACT_EVENT_COMMIT_SUB)
			emptied->level--;
		else
		{
			give_back(emptied);
			truncating.emptied = foreach_delete_current(truncating.emptied, cell);
		}
	}
}
