/*-------------------------------------------------------------------------
 * reconcile.c
 *		audit.reconcile(): does the trail of a table lead to its rows?
 *
 * The trail is that of all versions of the table, from where it is known
 * to be whole: the last baseline, and behind that the last TRUNCATE. Trail and
 * table are read with one snapshot, taken when the table is locked against
 * commands that no snapshot sees through (TRUNCATE, rewrites), so writers
 * go on meanwhile and what they do is in both or in neither.
 *
 * The ledger is read as its owner, with queries of ours alone. The rows are
 * rendered as capture does it, by the types' output functions, with the
 * rights of the table's owner, as for ANALYZE: the caller's might be more.
 *
 * Locks: AccessShareLock on the table and its partitions, to the end of the
 * transaction.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "base/catalog.h"
#include "base/errors.h"
#include "base/names.h"
#include "capture/image.h"
#include "capture/live.h"
#include "capture/replay.h"
#include "ledger/datum.h"
#include "ledger/owner.h"

#define FETCH 200 /* events at a time */

/* Parameters of the queries, from $1 on. */
enum
{
	PARAM_RELATION,
	PARAM_TARGETS,
	PARAM_BASE_TX_ID,
	PARAM_BASE_ORDINAL,
	PARAM_BASE_SNAPSHOT,
	PARAM_BASE_SYSTEM,
	PARAM_BASE_DATABASE,
	PARAM_BASE_TX_AT,
	PARAM_CUT_AT,
	PARAM_CUT_TX_ID,
	PARAM_CUT_ORDINAL,
	PARAMS
};

static const Oid param_types[PARAMS] = {
	REGCLASSOID, INT4ARRAYOID,   INT8OID,        INT4OID, TEXTOID, INT8OID,
	OIDOID,      TIMESTAMPTZOID, TIMESTAMPTZOID, INT8OID, INT4OID,
};

/* What comes after the baseline: by its snapshot, and not by any clock. */
#define AFTER_BASELINE                                                                             \
	"($3 IS NULL OR e.tx_id = $3 AND e.ordinal > $4 "                                              \
	"OR e.tx_id <> $3 AND (e.tx_id = audit.current_tx_id() "                                       \
	"OR e.tx_id IN (SELECT t.tx_id FROM audit.transaction t "                                      \
	"WHERE CASE WHEN t.system_identifier = $6 AND t.database_oid = $7 "                            \
	"THEN NOT pg_visible_in_snapshot(t.xid::text::xid8, $5::pg_snapshot) "                         \
	"ELSE t.tx_at > $8 END))) "

/* What comes after the last TRUNCATE. */
#define AFTER_CUT "($9 IS NULL OR (e.occurred_at, e.tx_id, e.ordinal) > ($9, $10, $11)) "

typedef struct Reconciliation
{
	AtLive live;
	MemoryContext memory; /* of the call */
	AtImageShape *shape;
	AtReplayRules rules;
	AtReplay *replay;
	ReturnSetInfo *result;

	/* the trail */
	int nversions;
	AtImageVersion **versions; /* the newest first; those with the present key */
	char *keys;                /* a JSON array of names, in the newest */
	bool key_changed;          /* there are versions with another key */
	int32 *omitted;            /* of each column, the last version that left it out; 0: none */
	TimestampTz *rewrites; /* of each column, when a command last computed its values; 0: never */
	int32 first_version;   /* from which on events count */
	Datum values[PARAMS];
	char nulls[PARAMS + 1];
} Reconciliation;

PG_FUNCTION_INFO_V1(at_reconcile);

static void read_trail(Reconciliation *work);
static void read_policy(Reconciliation *work);
static void check_complete(const Reconciliation *work);
static void read_versions(Reconciliation *work);
static bool add_version(Reconciliation *work, HeapTuple row, TupleDesc desc);
static void find_omitted(Reconciliation *work);
static void find_baseline(Reconciliation *work);
static void find_truncates(Reconciliation *work);
static void find_rewrites(Reconciliation *work);
static const AtImageVersion *find_version(const Reconciliation *work, int32 target_id);
static void choose_columns(Reconciliation *work);
static void find_shipped(Reconciliation *work);
static void read_events(Reconciliation *work);
static void add_event(Reconciliation *work, HeapTuple tuple, TupleDesc desc);
static void add_live_row(const AtDelta *row, void *arg);
static void report_finding(const AtReplayFinding *finding, void *arg);
static void report_summary(Reconciliation *work, const AtReplayTotals *totals);

Datum
at_reconcile(PG_FUNCTION_ARGS)
{
	Reconciliation work = {.result = (ReturnSetInfo *) fcinfo->resultinfo};
	AtReplayTotals totals;

	InitMaterializedSRF(fcinfo, 0);
	at_live_open(PG_GETARG_OID(0), &work.live);
	check_complete(&work);
	work.shape = at_image_shape(work.live.rel, work.live.policy);
	work.rules.keyed = work.live.policy->nkeys > 0;
	read_trail(&work);
	at_live_scan(&work.live, add_live_row, &work);
	totals = at_replay_run(work.replay, report_finding, &work);
	report_summary(&work, &totals);
	at_live_close(&work.live);
	return (Datum) 0;
}

/* A trail that leaves out changes does not lead to the rows: to compare would tell nothing. */
static void
check_complete(const Reconciliation *work)
{
	if (work->live.policy->filter == NULL)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_AT_BAD_TARGET),
			 errmsg("cannot reconcile table \"%s\": only some of its changes are recorded",
					RelationGetRelationName(work->live.rel)),
			 errdetail("Those for which \"when\" is false are left out, so the trail does not "
					   "lead to the rows."),
			 errhint("Enable it without \"when\", and with baseline => true.")));
}

/* What needs the ledger, as its owner. */
static void
read_trail(Reconciliation *work)
{
	AtOwnerState state;

	work->memory = CurrentMemoryContext;
	memset(work->nulls, 'n', PARAMS);
	at_owner_enter(&state);
	SPI_connect();
	read_policy(work);
	read_versions(work);
	find_omitted(work);
	find_baseline(work);
	find_truncates(work);
	find_rewrites(work);
	choose_columns(work);
	find_shipped(work);

	MemoryContext save = MemoryContextSwitchTo(work->memory);

	work->replay = at_replay_begin(work->shape, &work->rules);
	MemoryContextSwitchTo(save);
	read_events(work);
	SPI_finish();
	at_owner_leave(&state);
}

static void
set_param(Reconciliation *work, int param, Datum value)
{
	work->values[param] = value;
	work->nulls[param] = ' ';
}

/* Run one of our queries under the active snapshot; its rows are in SPI_tuptable. */
static uint64
query(Reconciliation *work, const char *text)
{
	if (SPI_execute_with_args(text, PARAMS, (Oid *) param_types, work->values, work->nulls, true,
							  0) != SPI_OK_SELECT)
		elog(ERROR, "unexpected result of: %s", text);
	return SPI_processed;
}

/* A column of a row that a query returned, copied out of SPI's memory; 0 for null. */
static Datum
result_column(Reconciliation *work, uint64 row, int column, bool byval, int len)
{
	bool isnull;
	Datum value = SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column, &isnull);
	MemoryContext save = MemoryContextSwitchTo(work->memory);

	value = isnull ? (Datum) 0 : datumCopy(value, byval, len);
	MemoryContextSwitchTo(save);
	return value;
}

/* Which operations are recorded, so what can be missed? */
static void
read_policy(Reconciliation *work)
{
	set_param(work, PARAM_RELATION, ObjectIdGetDatum(RelationGetRelid(work->live.rel)));
	if (query(work, "SELECT 'insert' = ANY (operations), 'update' = ANY (operations), "
					"operations @> '{delete,truncate}' FROM audit.policy WHERE target = $1") != 1)
		elog(ERROR, "audit.policy has no row for relation %u", RelationGetRelid(work->live.rel));
	work->rules.inserts = DatumGetBool(result_column(work, 0, 1, true, 1));
	work->rules.updates = DatumGetBool(result_column(work, 0, 2, true, 1));
	work->rules.deletes = DatumGetBool(result_column(work, 0, 3, true, 1));
}

/* All versions of the table, the newest first. */
static void
read_versions(Reconciliation *work)
{
	Datum *ids;
	MemoryContext save;
	uint64 n;

	n = query(work,
			  "SELECT v.target_id, v.columns::text, v.key_columns::text, "
			  "lead(r.renamed, -1) OVER (ORDER BY v.target_id DESC) "
			  "FROM audit.policy p JOIN audit.target n USING (target_id) "
			  "JOIN audit.target v ON v.lineage = n.lineage "
			  "LEFT JOIN LATERAL (SELECT (audit.to_jsonb(e.extra) -> 'renamed')::text AS renamed "
			  "FROM audit.event e WHERE e.target_id = v.target_id AND e.op = 'A' "
			  "AND e.record_key IS NULL AND audit.to_jsonb(e.extra) ? 'renamed' "
			  "ORDER BY e.occurred_at LIMIT 1) r ON true "
			  "WHERE p.target = $1 ORDER BY v.target_id DESC");
	save = MemoryContextSwitchTo(work->memory);
	work->versions = palloc(sizeof(AtImageVersion *) * Max(n, 1));
	for (uint64 i = 0; i < n; i++)
		if (!add_version(work, SPI_tuptable->vals[i], SPI_tuptable->tupdesc))
			break;
	ids = palloc(sizeof(Datum) * Max(work->nversions, 1));
	for (int i = 0; i < work->nversions; i++)
		ids[i] = Int32GetDatum(work->versions[i]->target_id);
	set_param(work, PARAM_TARGETS,
			  PointerGetDatum(construct_array(ids, work->nversions, INT4OID, sizeof(int32), true,
											  TYPALIGN_INT)));
	MemoryContextSwitchTo(save);
}

/* Add an older version; false if it had another key, so that its events name other records. */
static bool
add_version(Reconciliation *work, HeapTuple row, TupleDesc desc)
{
	AtImageVersion *next = work->nversions > 0 ? work->versions[work->nversions - 1] : NULL;
	char *keys = SPI_getvalue(row, desc, 3);
	int32 target_id = atoi(SPI_getvalue(row, desc, 1));
	AtImageVersion *version = at_image_version(
		work->shape, next, target_id, SPI_getvalue(row, desc, 2), SPI_getvalue(row, desc, 4));

	if (next != NULL && !at_image_same_key(version, keys, work->versions[0], work->keys))
	{
		work->key_changed = work->rules.rows_came = true;
		return false;
	}
	if (next == NULL)
		work->keys = keys;
	work->versions[work->nversions++] = version;
	return true;
}

/* Columns that were left out once: what was recorded of them before is void. */
static void
find_omitted(Reconciliation *work)
{
	work->omitted =
		MemoryContextAllocZero(work->memory, sizeof(int32) * Max(work->shape->ncolumns, 1));
	for (int v = 0; v < work->nversions; v++)
		for (int i = 0; i < work->versions[v]->nnames; i++)
		{
			const AtImageName *name = &work->versions[v]->names[i];

			if (name->treatment == AT_OMITTED && name->column >= 0)
				work->omitted[name->column] =
					Max(work->omitted[name->column], work->versions[v]->target_id);
		}
}

/* The last baseline: what happened before its snapshot does not matter any more. */
static void
find_baseline(Reconciliation *work)
{
	if (query(work, "SELECT e.tx_id, e.ordinal, audit.to_jsonb(e.extra) #>> '{baseline,snapshot}', "
					"coalesce(t.system_identifier, (pg_control_system()).system_identifier), "
					"coalesce(t.database_oid, (SELECT oid FROM pg_database "
					"WHERE datname = current_database())), e.tx_at, e.target_id "
					"FROM audit.event e LEFT JOIN audit.transaction t USING (tx_at, tx_id) "
					"WHERE e.target_id = ANY ($2) AND e.record_key IS NULL AND e.op = 'B' "
					"AND e.new_values IS NULL "
					"ORDER BY e.occurred_at DESC, e.tx_id DESC, e.ordinal DESC LIMIT 1") == 0)
		return;

	set_param(work, PARAM_BASE_TX_ID, result_column(work, 0, 1, true, sizeof(int64)));
	set_param(work, PARAM_BASE_ORDINAL, result_column(work, 0, 2, true, sizeof(int32)));
	set_param(work, PARAM_BASE_SNAPSHOT, result_column(work, 0, 3, false, -1));
	set_param(work, PARAM_BASE_SYSTEM, result_column(work, 0, 4, true, sizeof(int64)));
	set_param(work, PARAM_BASE_DATABASE, result_column(work, 0, 5, true, sizeof(Oid)));
	set_param(work, PARAM_BASE_TX_AT, result_column(work, 0, 6, true, sizeof(TimestampTz)));
	work->first_version = DatumGetInt32(result_column(work, 0, 7, true, sizeof(int32)));
	work->rules.whole = true;
	work->rules.rows_came = work->key_changed = false;
}

/* The last TRUNCATE of the whole table; and partitions that were emptied, came or went. */
static void
find_truncates(Reconciliation *work)
{
	if (query(work, "SELECT e.occurred_at, e.tx_id, e.ordinal, e.target_id FROM audit.event e "
					"WHERE e.target_id = ANY ($2) AND e.record_key IS NULL AND e.op = 'T' "
					"AND e.old_values IS NULL AND (e.extra IS NULL OR NOT audit.to_jsonb(e.extra) "
					"? 'partition') "
					"AND " AFTER_BASELINE
					"ORDER BY e.occurred_at DESC, e.tx_id DESC, e.ordinal DESC LIMIT 1") > 0)
	{
		set_param(work, PARAM_CUT_AT, result_column(work, 0, 1, true, sizeof(TimestampTz)));
		set_param(work, PARAM_CUT_TX_ID, result_column(work, 0, 2, true, sizeof(int64)));
		set_param(work, PARAM_CUT_ORDINAL, result_column(work, 0, 3, true, sizeof(int32)));
		work->first_version = DatumGetInt32(result_column(work, 0, 4, true, sizeof(int32)));
		work->rules.whole = true;
		work->rules.rows_came = work->key_changed = false;
	}
	(void) query(work, "SELECT max(e.occurred_at) FILTER (WHERE e.op = 'T' "
					   "OR e.event_type LIKE '%.detached'), "
					   "coalesce(bool_or(e.event_type ~ '[.](attached|left)$'), false) "
					   "FROM audit.event e WHERE e.target_id = ANY ($2) AND e.record_key IS NULL "
					   "AND (e.op = 'T' AND e.old_values IS NULL "
					   "AND audit.to_jsonb(e.extra) ?& '{partition,only_counted}' OR e.op = 'A') "
					   "AND " AFTER_CUT "AND " AFTER_BASELINE);
	work->rules.rows_left_at =
		DatumGetTimestampTz(result_column(work, 0, 1, true, sizeof(TimestampTz)));
	if (DatumGetBool(result_column(work, 0, 2, true, sizeof(bool))))
		work->rules.rows_came = true;
}

/* Columns whose values a command computed anew: what was recorded of them before is void. */
static void
find_rewrites(Reconciliation *work)
{
	uint64 n =
		query(work, "SELECT e.occurred_at, e.target_id, r.name "
					"FROM audit.event e, "
					"jsonb_array_elements_text(audit.to_jsonb(e.extra) -> 'rewritten') r (name) "
					"WHERE e.target_id = ANY ($2) AND e.record_key IS NULL AND e.op = 'A' "
					"AND " AFTER_CUT "AND " AFTER_BASELINE);

	work->rewrites =
		MemoryContextAllocZero(work->memory, sizeof(TimestampTz) * Max(work->shape->ncolumns, 1));
	for (uint64 i = 0; i < n; i++)
	{
		TimestampTz at = DatumGetTimestampTz(result_column(work, i, 1, true, sizeof(TimestampTz)));
		int32 target_id = DatumGetInt32(result_column(work, i, 2, true, sizeof(int32)));
		const AtImageVersion *version = find_version(work, target_id);
		char *name = SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 3);

		for (int c = 0; c < version->nnames; c++)
			if (version->names[c].column >= 0 && strcmp(version->names[c].name, name) == 0)
				work->rewrites[version->names[c].column] =
					Max(work->rewrites[version->names[c].column], at);
	}
}

/* Do all values of the column that a version recorded tell rows apart in the same way as now? */
static bool
is_known(const AtImageShape *shape, const AtImageName *name)
{
	const AtImageColumn *column = name->column >= 0 ? &shape->columns[name->column] : NULL;

	return name->same_type && name->treatment != AT_OMITTED &&
		   (column->presence || name->treatment == column->treatment);
}

/* In json a null is a value too, which cannot be told from the other where it was not concealed. */
static void
leave_out_nulls(Reconciliation *work, const AtImageVersion *version)
{
	for (int i = 0; i < version->nnames; i++)
	{
		const AtImageName *name = &version->names[i];
		AtImageColumn *column = name->column >= 0 ? &work->shape->columns[name->column] : NULL;

		if (column != NULL && column->verbatim && name->treatment != column->treatment)
			column->compared = false;
	}
}

/* Without a key the contents are counted: only columns that all versions know tell them apart. */
static void
choose_columns(Reconciliation *work)
{
	for (int v = 0; v < work->nversions; v++)
		if (work->versions[v]->target_id >= work->first_version)
			leave_out_nulls(work, work->versions[v]);
	if (work->rules.keyed)
		return;
	for (int v = 0; v < work->nversions; v++)
	{
		const AtImageVersion *version = work->versions[v];
		bool *known = palloc0(sizeof(bool) * Max(work->shape->ncolumns, 1));

		if (version->target_id < work->first_version)
			continue;
		for (int i = 0; i < version->nnames; i++)
			if (is_known(work->shape, &version->names[i]))
				known[version->names[i].column] = true;
		for (int i = 0; i < work->shape->ncolumns; i++)
			work->shape->columns[i].compared =
				work->shape->columns[i].compared && known[i] && work->rewrites[i] == 0;
	}
}

/* All events that count, in no order. */
static void
read_events(Reconciliation *work)
{
	MemoryContext batch =
		AllocSetContextCreate(work->memory, "audit_trail events", ALLOCSET_DEFAULT_SIZES);
	Portal portal = SPI_cursor_open_with_args(
		NULL,
		"SELECT e.op, e.occurred_at, e.tx_id, e.ordinal, e.target_id, e.record_key, "
		"CASE WHEN e.op = 'U' "
		"THEN audit.former_key(e.record_key, v.key_columns, e.old_values) END, "
		"e.old_values, e.new_values, e.extra "
		"FROM audit.event e JOIN audit.target v USING (target_id) "
		"WHERE e.target_id = ANY ($2) AND (e.op IN ('I', 'U', 'D', 'B') "
		"OR e.op = 'T' AND e.old_values IS NOT NULL) AND " AFTER_CUT "AND " AFTER_BASELINE,
		PARAMS, (Oid *) param_types, work->values, work->nulls, true, 0);

	for (;;)
	{
		MemoryContext save;

		SPI_cursor_fetch(portal, true, FETCH);
		if (SPI_processed == 0)
			break;
		save = MemoryContextSwitchTo(batch);
		for (uint64 i = 0; i < SPI_processed; i++)
		{
			CHECK_FOR_INTERRUPTS();
			add_event(work, SPI_tuptable->vals[i], SPI_tuptable->tupdesc);
			MemoryContextReset(batch);
		}
		MemoryContextSwitchTo(save);
		SPI_freetuptable(SPI_tuptable);
	}
	SPI_cursor_close(portal);
	MemoryContextDelete(batch);
}

static struct varlena *
get_varlena(HeapTuple tuple, TupleDesc desc, int column)
{
	bool isnull;
	Datum value = SPI_getbinval(tuple, desc, column, &isnull);

	return isnull ? NULL : PG_DETOAST_DATUM_PACKED(value);
}

static const AtImageVersion *
find_version(const Reconciliation *work, int32 target_id)
{
	for (int i = 0; i < work->nversions; i++)
		if (work->versions[i]->target_id == target_id)
			return work->versions[i];
	elog(ERROR, "the table has no version %d", target_id);
}

/* Recorded values; without those that a command computed anew since, or that were not followed. */
static AtImage *
read_image(Reconciliation *work, const AtImageVersion *version, struct varlena *values,
		   struct varlena *extra, TimestampTz at)
{
	AtImage *image = values ? at_image_read(work->shape, version, values, extra) : NULL;

	for (int i = 0; image != NULL && i < work->shape->ncolumns; i++)
		if (work->rewrites[i] > at || work->omitted[i] >= version->target_id)
			image = at_image_forget(work->shape, image, i);
	return image;
}

static void
add_event(Reconciliation *work, HeapTuple tuple, TupleDesc desc)
{
	bool isnull;
	int32 target_id = DatumGetInt32(SPI_getbinval(tuple, desc, 5, &isnull));
	const AtImageVersion *version = find_version(work, target_id);
	struct varlena *extra = get_varlena(tuple, desc, 10);
	TimestampTz at = DatumGetTimestampTz(SPI_getbinval(tuple, desc, 2, &isnull));
	AtReplayEvent event = {
		.op = DatumGetChar(SPI_getbinval(tuple, desc, 1, &isnull)),
		.at = at,
		.tx_id = DatumGetInt64(SPI_getbinval(tuple, desc, 3, &isnull)),
		.ordinal = DatumGetInt32(SPI_getbinval(tuple, desc, 4, &isnull)),
		.key = get_varlena(tuple, desc, 6),
		.former = get_varlena(tuple, desc, 7),
		.before = read_image(work, version, get_varlena(tuple, desc, 8), extra, at),
		.after = read_image(work, version, get_varlena(tuple, desc, 9), extra, at),
	};

	if (event.op == 'T') /* a row that went with a TRUNCATE */
		event.op = 'D';
	/* what a baseline has was there before all that comes after its snapshot */
	if (event.op == 'B')
		event.at = DT_NOBEGIN;
	if (event.before != NULL || event.after != NULL) /* else: the head of a baseline */
		at_replay_add(work->replay, &event);
}

/* A row of the table. */
static void
add_live_row(const AtDelta *row, void *arg)
{
	Reconciliation *work = arg;
	struct varlena *extra = NULL;

	if (row->extra != NULL)
		extra = (struct varlena *) cstring_to_text(psprintf("{%s}", row->extra->data));
	at_replay_add_live(work->replay, row->record_key,
					   at_image_read(work->shape, &work->shape->live, row->new_values, extra));
}

/*
 * Rows of our own configuration that came with CREATE EXTENSION are older than the trail. As long
 * as no baseline has them, it need not have them.
 */
static void
find_shipped(Reconciliation *work)
{
	if (work->rules.whole || RelationGetNamespace(work->live.rel) != at_audit_schema())
		return;
	for (int i = 0; i < work->shape->ncolumns; i++)
		if (strcmp(work->shape->columns[i].name, "seeded") == 0)
			work->rules.shipped = i + 1;
}

static void
report_finding(const AtReplayFinding *finding, void *arg)
{
	Reconciliation *work = arg;
	const char *const texts[] = {finding->finding,    finding->record_key,  finding->column_name,
								 finding->live_value, finding->trail_value, finding->detail};
	Datum values[lengthof(texts)];
	bool nulls[lengthof(texts)] = {false};

	for (int i = 0; i < lengthof(texts); i++)
		at_set_text(values, nulls, i + 1, texts[i]);
	tuplestore_putvalues(work->result->setResult, work->result->setDesc, values, nulls);
}

static bool
is_in_shape(const AtImageShape *shape, const char *name)
{
	for (int i = 0; i < shape->ncolumns; i++)
		if (strcmp(shape->columns[i].name, name) == 0)
			return true;
	return false;
}

/* Columns that were not compared: not all the time recorded as now, ignored, or left out. */
static List *
columns_left_out(const Reconciliation *work)
{
	TupleDesc desc = RelationGetDescr(work->live.rel);
	List *names = NIL;

	for (int i = 0; i < work->shape->ncolumns; i++)
		if (!work->shape->columns[i].compared)
			names = lappend(names, work->shape->columns[i].name);
	for (int i = 0; i < desc->natts; i++)
		if (!TupleDescAttr(desc, i)->attisdropped &&
			!is_in_shape(work->shape, NameStr(TupleDescAttr(desc, i)->attname)))
			names = lappend(names, NameStr(TupleDescAttr(desc, i)->attname));
	return names;
}

/* Columns of which it was compared whether there is a value. */
static List *
columns_by_presence(const Reconciliation *work)
{
	List *names = NIL;

	for (int i = 0; i < work->shape->ncolumns; i++)
		if (work->shape->columns[i].compared && work->shape->columns[i].presence)
			names = lappend(names, work->shape->columns[i].name);
	return names;
}

/* Columns of which only what was recorded since they were left out was compared. */
static List *
columns_in_part(const Reconciliation *work)
{
	List *names = NIL;

	for (int i = 0; i < work->shape->ncolumns; i++)
		if (work->shape->columns[i].compared && work->omitted[i] >= Max(work->first_version, 1))
			names = lappend(names, work->shape->columns[i].name);
	return names;
}

static void
append_columns(StringInfo detail, const char *what, List *names)
{
	if (names != NIL)
		appendStringInfo(detail, "; %s: %s", what, at_name_list(names));
}

static void
report_summary(Reconciliation *work, const AtReplayTotals *totals)
{
	StringInfoData detail;

	initStringInfo(&detail);
	if (totals->findings == 0)
		appendStringInfoString(&detail, "ok");
	else
		appendStringInfo(&detail, UINT64_FORMAT " finding%s", totals->findings,
						 totals->findings == 1 ? "" : "s");
	append_columns(&detail, "not compared", columns_left_out(work));
	append_columns(&detail, "compared by presence only", columns_by_presence(work));
	append_columns(&detail, "compared since it was left out last", columns_in_part(work));
	if (totals->unchecked > 0)
		appendStringInfo(&detail,
						 "; " UINT64_FORMAT " rows have values that were recorded in another form, "
						 "or hashed with another key, and were not compared",
						 totals->unchecked);
	if (work->key_changed)
		appendStringInfoString(&detail, "; only what was recorded since its key was changed");
	if (totals->presumed > 0)
		appendStringInfo(&detail, "; " UINT64_FORMAT " rows are presumed to have come or gone %s",
						 totals->presumed,
						 work->key_changed ? "before" : "with a partition or child");
	if (totals->shipped > 0)
		appendStringInfo(&detail,
						 "; " UINT64_FORMAT " rows came with the extension, before any event",
						 totals->shipped);
	if (!work->rules.inserts || !work->rules.updates || !work->rules.deletes)
		appendStringInfoString(&detail, "; not all operations are recorded");
	report_finding(
		&(AtReplayFinding){
			.finding = "summary",
			.live_value = psprintf(UINT64_FORMAT " rows", totals->live_rows),
			.trail_value = psprintf(UINT64_FORMAT " rows by " UINT64_FORMAT " events",
									totals->trail_rows, totals->events),
			.detail = detail.data,
		},
		work);
}
