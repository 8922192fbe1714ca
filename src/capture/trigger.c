/*-------------------------------------------------------------------------
 * trigger.c
 *		The triggers for rows: a change becomes an event in the same
 *		transaction. TRUNCATE is in truncate.c.
 *
 * The functions for rows are called in WHEN conditions and get the places of
 * the row's versions; they read them from the table again, as the executor
 * does for queued triggers. (Most conditions are never called: see direct.h.)
 * They may be executed by everybody, since whoever changes a row runs them, so
 * they make sure that it is a WHEN condition that calls: only there stands a
 * system column of the old or the new row.
 *
 * Fail closed: whatever goes wrong here fails the statement that made the
 * change, with a line of context that names the table.
 *
 * Memory: a context of the query's own, reset after each row.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/tableam.h"
#include "catalog/pg_trigger.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "fmgr.h"
#include "nodes/primnodes.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/regproc.h"
#include "utils/snapmgr.h"

#include "base/errors.h"
#include "capture/row.h"
#include "capture/trigger.h"

const AtTrigger at_triggers[AT_TRIGGERS] = {
	{"00_audit_insert", "insert", "audit.capture_insert(NEW.tableoid, NEW.ctid)",
	 TRIGGER_TYPE_ROW | TRIGGER_TYPE_AFTER | TRIGGER_TYPE_INSERT},
	{"00_audit_update", "update", "audit.capture_update(OLD.tableoid, OLD.ctid, NEW.ctid)",
	 TRIGGER_TYPE_ROW | TRIGGER_TYPE_AFTER | TRIGGER_TYPE_UPDATE},
	{"00_audit_delete", "delete", "audit.capture_delete(OLD.tableoid, OLD.ctid)",
	 TRIGGER_TYPE_ROW | TRIGGER_TYPE_AFTER | TRIGGER_TYPE_DELETE},
	{"00_audit_before_truncate", "truncate", NULL, TRIGGER_TYPE_BEFORE | TRIGGER_TYPE_TRUNCATE},
	{"00_audit_truncate", "truncate", NULL, TRIGGER_TYPE_AFTER | TRIGGER_TYPE_TRUNCATE},
};

/* What a WHEN condition keeps between rows, in fn_extra. */
typedef struct CallState
{
	AtRowCapture capture;
	MemoryContext per_row;
	Oid relid; /* what the slots are made for; set at the first row */
	TupleTableSlot *old_row;
	TupleTableSlot *new_row;
} CallState;

PG_FUNCTION_INFO_V1(at_capture_insert);
PG_FUNCTION_INFO_V1(at_capture_update);
PG_FUNCTION_INFO_V1(at_capture_delete);

static void capture_row(FunctionCallInfo fcinfo, char op, ItemPointer old_at, ItemPointer new_at);
static void check_move(Oid tableoid, char op);
static CallState *begin_calls(FunctionCallInfo fcinfo);
static void check_caller(FunctionCallInfo fcinfo);
static TupleTableSlot *fetch(Relation rel, TupleTableSlot **slot, ItemPointer at,
							 MemoryContext mcx);

/* The condition of the insert trigger: (new tableoid, new ctid). */
Datum
at_capture_insert(PG_FUNCTION_ARGS)
{
	capture_row(fcinfo, 'I', NULL, (ItemPointer) PG_GETARG_POINTER(1));
	PG_RETURN_BOOL(false);
}

/* The condition of the update trigger: (tableoid, old ctid, new ctid). */
Datum
at_capture_update(PG_FUNCTION_ARGS)
{
	capture_row(fcinfo, 'U', (ItemPointer) PG_GETARG_POINTER(1),
				(ItemPointer) PG_GETARG_POINTER(2));
	PG_RETURN_BOOL(false);
}

/* The condition of the delete trigger: (old tableoid, old ctid). */
Datum
at_capture_delete(PG_FUNCTION_ARGS)
{
	capture_row(fcinfo, 'D', (ItemPointer) PG_GETARG_POINTER(1), NULL);
	PG_RETURN_BOOL(false);
}

static void
capture_row(FunctionCallInfo fcinfo, char op, ItemPointer old_at, ItemPointer new_at)
{
	CallState *state = fcinfo->flinfo->fn_extra ? fcinfo->flinfo->fn_extra : begin_calls(fcinfo);

	if ((old_at && !ItemPointerIsValid(old_at)) || (new_at && !ItemPointerIsValid(new_at)))
	{
		check_move(PG_GETARG_OID(0), op);
		return;
	}

	MemoryContext save = MemoryContextSwitchTo(state->per_row);
	AtRowChange change = {.rel = RelationIdGetRelation(PG_GETARG_OID(0)), .op = op};

	if (change.rel == NULL)
		elog(ERROR, "relation %u is not there", PG_GETARG_OID(0));
	if (state->relid != RelationGetRelid(change.rel))
	{
		if (OidIsValid(state->relid))
			elog(ERROR, "one condition was called for two tables");
		state->relid = RelationGetRelid(change.rel);
	}
	change.old_row = fetch(change.rel, &state->old_row, old_at, state->capture.query);
	change.new_row = fetch(change.rel, &state->new_row, new_at, state->capture.query);
	at_row_capture(&state->capture, &change);
	if (change.old_row)
		ExecClearTuple(change.old_row);
	if (change.new_row)
		ExecClearTuple(change.new_row);
	RelationClose(change.rel);
	MemoryContextSwitchTo(save);
	MemoryContextReset(state->per_row);
}

/*
 * A row version without a place. A row that moves to another partition is told
 * by its delete and its insert there; the update of the whole table, which
 * comes besides for the sake of foreign keys, has no table and no place. All
 * else lies elsewhere: a foreign partition.
 */
static void
check_move(Oid tableoid, char op)
{
	if (op == 'U' && !OidIsValid(tableoid))
		return;
	ereport(ERROR, (errcode(ERRCODE_AT_CAPTURE_FAILED),
					errmsg("rows of \"%s\" cannot be captured", get_rel_name(tableoid)),
					errdetail("It is a foreign table: its rows are stored elsewhere."),
					errhint("Detach it from the audited table, and audit it where it is stored.")));
}

/* The first call of a WHEN condition in a query, which serves one table all along. */
static CallState *
begin_calls(FunctionCallInfo fcinfo)
{
	MemoryContext query = fcinfo->flinfo->fn_mcxt;
	CallState *state;

	check_caller(fcinfo);
	state = MemoryContextAllocZero(query, sizeof(CallState));
	state->capture.query = query;
	state->per_row = AllocSetContextCreate(query, "audit_trail row", ALLOCSET_DEFAULT_SIZES);
	fcinfo->flinfo->fn_extra = state;
	return state;
}

/*
 * Is it a WHEN condition that calls? There OLD and NEW have become INNER_VAR
 * and OUTER_VAR; in a plan those number the columns of a subplan, and are
 * never system columns.
 */
static void
check_caller(FunctionCallInfo fcinfo)
{
	Node *expr = fcinfo->flinfo->fn_expr;
	bool ours = expr != NULL && IsA(expr, FuncExpr);
	ListCell *cell;

	foreach (cell, ours ? ((FuncExpr *) expr)->args : NIL)
	{
		Var *var = lfirst(cell);

		ours = ours && IsA(var, Var) && (var->varno == INNER_VAR || var->varno == OUTER_VAR) &&
			   var->varattno < 0;
	}
	if (!ours)
		ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
						errmsg("%s can only be called by the audit triggers",
							   format_procedure_qualified(fcinfo->flinfo->fn_oid)),
						errhint("SELECT audit.enable('your_table');")));
}

/* A version of the row; the slot is made at its first use and lives as long as the query. */
static TupleTableSlot *
fetch(Relation rel, TupleTableSlot **slot, ItemPointer at, MemoryContext query)
{
	if (at == NULL)
		return NULL;
	if (*slot == NULL)
	{
		MemoryContext save = MemoryContextSwitchTo(query);

		/* with defaults: older rows lack columns that were added with one */
		TupleDesc desc = CreateTupleDescCopyConstr(RelationGetDescr(rel));

		*slot = MakeSingleTupleTableSlot(desc, table_slot_callbacks(rel));
		MemoryContextSwitchTo(save);
	}
	if (!table_tuple_fetch_row_version(rel, at, SnapshotAny, *slot))
		elog(ERROR, "the row at (%u,%u) is gone", ItemPointerGetBlockNumber(at),
			 ItemPointerGetOffsetNumber(at));
	return *slot;
}
