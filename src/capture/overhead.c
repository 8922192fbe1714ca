/*-------------------------------------------------------------------------
 * overhead.c
 *		audit.overhead(): what audit costs on a table of the user's.
 *
 * Changes of the table's own rows are captured as the triggers would, but they
 * were never made: the table is read and nothing else, no trigger and no
 * constraint of it is met. All is done in a subtransaction that is rolled back,
 * so no event remains; what does until VACUUM are the dead rows of the ledger,
 * and the result says how many bytes they take.
 *
 * What an update changes is taken from another row of the sample, so the
 * values are of the size that the table has.
 *
 * Not measured: that the executor finds the trigger, what a transaction costs
 * once (its own row, at commit), and the entries that the sealer makes later.
 *
 * Locks: AccessShareLock on the table, as of a SELECT.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "executor/instrument.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "portability/instr_time.h"
#include "storage/bufmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

#include "base/names.h"
#include "capture/definition.h"
#include "capture/live.h"
#include "capture/row.h"
#include "ledger/owner.h"
#include "ledger/statement.h"
#include "ledger/transaction.h"

#define PASSES     5 /* odd: the median is one of them */
#define MAX_ROWS   100000
#define CHANGED    2  /* columns that an update changes unless they are named */
#define LOOK_AHEAD 50 /* rows in which another value is looked for */

/* An operation, and what it has cost. */
typedef struct Operation
{
	const char *name;
	char op;
	CommandTag tag;
	double seconds[PASSES];
	uint64 events; /* these and the following: of all passes */
	uint64 row_bytes;
	uint64 wal_bytes;
} Operation;

/* In the context of the call; slots are virtual and own their values. */
typedef struct Measurement
{
	AtLive live;
	Oid relid; /* where the rows are stored: the table, or its largest part */
	Oid owner;
	TupleDesc desc;
	int nrows;
	int max_rows;
	TupleTableSlot **row;
	TupleTableSlot **changed; /* the same rows after an update */
	Operation operation[3];
} Measurement;

PG_FUNCTION_INFO_V1(at_overhead);

static Oid largest_storage(const AtLive *live);
static void read_sample(Measurement *m);
static bool *choose_columns(const Measurement *m, ArrayType *names);
static void make_changed(Measurement *m, const bool *columns);
static void measure(Measurement *m);
static void run_pass(const Measurement *m, Operation *operation, int pass);
static void count_stored(uint64 tx_id, uint32 behind, Operation *operation);
static void emit(ReturnSetInfo *result, Measurement *m);

/* audit.overhead(target, max_rows, columns) */
Datum
at_overhead(PG_FUNCTION_ARGS)
{
	Measurement m = {
		.operation = {{.name = "insert", .op = 'I', .tag = CMDTAG_INSERT},
					  {.name = "update", .op = 'U', .tag = CMDTAG_UPDATE},
					  {.name = "delete", .op = 'D', .tag = CMDTAG_DELETE}},
	};

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
						errmsg("target and max_rows must not be null")));
	m.max_rows = PG_GETARG_INT32(1);
	if (m.max_rows < 1 || m.max_rows > MAX_ROWS)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("max_rows must be from 1 to %d", MAX_ROWS),
						errhint("Leave it out to take the default.")));
	PreventCommandIfReadOnly("audit.overhead()");
	PreventCommandIfParallelMode("audit.overhead()");
	InitMaterializedSRF(fcinfo, 0);

	at_live_open(PG_GETARG_OID(0), &m.live);
	at_definition_check_owner(m.live.rel);
	m.owner = m.live.rel->rd_rel->relowner;
	m.relid = largest_storage(&m.live);
	read_sample(&m);
	make_changed(&m, choose_columns(&m, PG_ARGISNULL(2) ? NULL : PG_GETARG_ARRAYTYPE_P(2)));
	measure(&m);
	emit((ReturnSetInfo *) fcinfo->resultinfo, &m);
	at_live_close(&m.live);
	return (Datum) 0;
}

/* Of what holds the table's rows, the largest. */
static Oid
largest_storage(const AtLive *live)
{
	Oid largest = InvalidOid;
	BlockNumber most = 0;
	ListCell *cell;

	foreach (cell, live->relids)
	{
		Relation rel = table_open(lfirst_oid(cell), NoLock);
		BlockNumber blocks = RelationGetNumberOfBlocks(rel);

		if (!OidIsValid(largest) || blocks > most)
		{
			largest = RelationGetRelid(rel);
			most = blocks;
		}
		table_close(rel, NoLock);
	}
	return largest;
}

/* The first rows, as a SELECT with LIMIT would find them. */
static void
read_sample(Measurement *m)
{
	Relation rel;
	TupleTableSlot *slot;
	TableScanDesc scan;

	m->row = palloc(sizeof(TupleTableSlot *) * m->max_rows);
	if (!OidIsValid(m->relid))
		return;
	rel = table_open(m->relid, NoLock);
	m->desc = CreateTupleDescCopyConstr(RelationGetDescr(rel));
	slot = table_slot_create(rel, NULL);
	scan =
		table_beginscan(rel, IsolationIsSerializable() ? SnapshotAny : m->live.snapshot, 0, NULL);
	while (m->nrows < m->max_rows && table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		CHECK_FOR_INTERRUPTS();
		if (!table_tuple_satisfies_snapshot(rel, slot, m->live.snapshot))
			continue;
		m->row[m->nrows] = MakeSingleTupleTableSlot(m->desc, &TTSOpsVirtual);
		ExecCopySlot(m->row[m->nrows++], slot);
	}
	table_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	table_close(rel, NoLock);
}

/* Has the column, by its place from 0, different values in two rows? */
static bool
differs(const Measurement *m, int column, const TupleTableSlot *a, const TupleTableSlot *b)
{
	Form_pg_attribute attribute = TupleDescAttr(m->desc, column);

	if (a->tts_isnull[column] || b->tts_isnull[column])
		return a->tts_isnull[column] != b->tts_isnull[column];
	return !datum_image_eq(a->tts_values[column], b->tts_values[column], attribute->attbyval,
						   attribute->attlen);
}

/* A row that comes soon after this one, in a circle, with another value; NULL without one. */
static TupleTableSlot *
find_other(const Measurement *m, int column, int i)
{
	for (int ahead = 1; ahead < Min(m->nrows, LOOK_AHEAD); ahead++)
	{
		TupleTableSlot *other = m->row[(i + ahead) % m->nrows];

		if (differs(m, column, m->row[i], other))
			return other;
	}
	return NULL;
}

static bool *
choose_named(const Measurement *m, ArrayType *names)
{
	bool *chosen = palloc0(sizeof(bool) * m->desc->natts);
	Datum *elements;
	bool *nulls;
	int count;

	deconstruct_array(names, NAMEOID, NAMEDATALEN, false, TYPALIGN_CHAR, &elements, &nulls, &count);
	for (int i = 0; i < count; i++)
	{
		const char *name = nulls[i] ? "" : NameStr(*DatumGetName(elements[i]));
		AttrNumber attnum = SPI_fnumber(m->desc, name);

		if (attnum <= 0)
			ereport(ERROR, (errcode(ERRCODE_UNDEFINED_COLUMN),
							errmsg("column \"%s\" of table \"%s\" does not exist", name,
								   RelationGetRelationName(m->live.rel)),
							errhint("Name columns that updates change, or leave them out.")));
		chosen[attnum - 1] = true;
	}
	return chosen;
}

/* Which columns an update changes: those named, else the first that have different values. */
static bool *
choose_columns(const Measurement *m, ArrayType *names)
{
	const AtPolicy *policy = at_policy_lookup(m->live.rel);
	bool *chosen;
	int left = CHANGED;

	if (m->nrows == 0)
		return NULL;
	if (names != NULL)
		return choose_named(m, names);
	chosen = palloc0(sizeof(bool) * m->desc->natts);
	for (int i = 0; i < policy->ncolumns && left > 0; i++)
	{
		const AtColumn *column = &policy->columns[i];
		AttrNumber attnum = SPI_fnumber(m->desc, column->name);

		if (column->is_key || column->ignored || find_other(m, attnum - 1, 0) == NULL)
			continue;
		chosen[attnum - 1] = true;
		left--;
	}
	return chosen;
}

/* The rows once more, with values of other rows in the columns. */
static void
make_changed(Measurement *m, const bool *columns)
{
	m->changed = palloc(sizeof(TupleTableSlot *) * m->nrows);
	for (int i = 0; i < m->nrows; i++)
	{
		TupleTableSlot *changed = MakeSingleTupleTableSlot(m->desc, &TTSOpsVirtual);

		ExecCopySlot(changed, m->row[i]);
		for (int column = 0; column < m->desc->natts; column++)
		{
			TupleTableSlot *other = columns[column] ? find_other(m, column, i) : NULL;

			if (other == NULL)
				continue;
			changed->tts_values[column] = other->tts_values[column];
			changed->tts_isnull[column] = other->tts_isnull[column];
		}
		m->changed[i] = changed;
	}
}

/*
 * In a subtransaction that ends in a rollback whatever happens, all passes. The operations
 * take turns, so that what else the machine does falls on all of them.
 */
static void
measure(Measurement *m)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	int guc_level;

	if (m->nrows == 0)
		return;
	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	guc_level = NewGUCNestLevel();
	for (int pass = 0; pass < PASSES; pass++)
	{
		for (int i = 0; i < lengthof(m->operation); i++)
			run_pass(m, &m->operation[i], pass);
	}
	AtEOXact_GUC(false, guc_level);
	RollbackAndReleaseCurrentSubTransaction();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
}

/* Capture each row once, with the rights of the table's owner, as in live.c. */
static void
capture_all(const Measurement *m, Relation rel, const Operation *operation)
{
	AtRowCapture capture = {.query =
								AllocSetContextCreate(CurrentMemoryContext, "audit_trail overhead",
													  ALLOCSET_DEFAULT_SIZES)};
	MemoryContext per_row =
		AllocSetContextCreate(capture.query, "audit_trail overhead row", ALLOCSET_DEFAULT_SIZES);
	MemoryContext save = MemoryContextSwitchTo(per_row);

	for (int i = 0; i < m->nrows; i++)
	{
		AtRowChange change = {
			.rel = rel,
			.op = operation->op,
			.old_row = operation->op == 'I' ? NULL : m->row[i],
			.new_row = operation->op == 'D'   ? NULL
					   : operation->op == 'U' ? m->changed[i]
											  : m->row[i],
		};

		CHECK_FOR_INTERRUPTS();
		at_row_capture(&capture, &change);
		MemoryContextReset(per_row);
	}
	MemoryContextSwitchTo(save);
	MemoryContextDelete(capture.query);
}

static void
run_pass(const Measurement *m, Operation *operation, int pass)
{
	Relation rel = table_open(m->relid, NoLock);
	Oid user;
	int security;

	GetUserIdAndSecContext(&user, &security);
	SetUserIdAndSecContext(m->owner, security | SECURITY_RESTRICTED_OPERATION);
	at_statement_presume(operation->tag);

	const AtTransaction *tx = at_transaction_join();
	uint32 before = tx->event_count;
	uint64 wal_before = pgWalUsage.wal_bytes;
	instr_time began;
	instr_time took;

	INSTR_TIME_SET_CURRENT(began);
	capture_all(m, rel, operation);
	INSTR_TIME_SET_CURRENT(took);
	INSTR_TIME_SUBTRACT(took, began);
	SetUserIdAndSecContext(user, security);
	table_close(rel, NoLock);

	operation->seconds[pass] = INSTR_TIME_GET_DOUBLE(took);
	operation->events += tx->event_count - before;
	operation->wal_bytes += pgWalUsage.wal_bytes - wal_before;
	CommandCounterIncrement();
	if (tx->event_count > before)
		count_stored(tx->tx_id, before, operation);
}

/* The size of the rows that a pass has stored, with their item pointers. */
static void
count_stored(uint64 tx_id, uint32 behind, Operation *operation)
{
	static const char query[] = "SELECT sum(pg_column_size(e.*) + 4)::int8 "
								"FROM audit.event e WHERE e.tx_id = $1 AND e.ordinal > $2";
	Oid types[] = {INT8OID, INT4OID};
	Datum values[] = {Int64GetDatum(tx_id), Int32GetDatum(behind)};
	AtOwnerState state;
	bool is_null;

	at_owner_enter(&state);
	SPI_connect();
	if (SPI_execute_with_args(query, lengthof(types), types, values, NULL, false, 1) !=
		SPI_OK_SELECT)
		elog(ERROR, "could not read audit.event");
	operation->row_bytes +=
		DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &is_null));
	SPI_finish();
	at_owner_leave(&state);
}

static int
compare_seconds(const void *a, const void *b)
{
	double difference = *(const double *) a - *(const double *) b;

	return difference < 0 ? -1 : difference > 0;
}

static void
emit(ReturnSetInfo *result, Measurement *m)
{
	for (int i = 0; i < lengthof(m->operation); i++)
	{
		Operation *operation = &m->operation[i];
		double events = operation->events;
		bool none = operation->events == 0;

		qsort(operation->seconds, PASSES, sizeof(double), compare_seconds);

		Datum values[] = {
			CStringGetTextDatum(operation->name),
			Int32GetDatum(m->nrows),
			Int32GetDatum((int32) (operation->events / PASSES)),
			Float8GetDatum(operation->seconds[PASSES / 2] * 1e6 / Max(m->nrows, 1)),
			Float8GetDatum(operation->row_bytes / Max(events, 1)),
			Float8GetDatum(operation->wal_bytes / Max(events, 1)),
			Int64GetDatum((int64) operation->row_bytes),
		};
		bool nulls[lengthof(values)] = {[3] = m->nrows == 0, [4] = none, [5] = none};

		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
}
