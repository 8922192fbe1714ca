/*-------------------------------------------------------------------------
 * cold_build.c
 *		Making the segments of a store out of rows.
 *
 * Each segment is read back before it is stored: what is to be said of it is
 * learnt from what came out, as verification learns it.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type_d.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "base/columns.h"
#include "ledger/append.h"
#include "ledger/cold_build.h"
#include "ledger/cold_segment.h"
#include "ledger/datum.h"

typedef struct Bytes
{
	char *data;
	Size len;
	Size room;
} Bytes;

typedef struct Column
{
	AtColdType type;
	Oid type_id;
	Bytes numbers;
	Bytes values;
	int64 last;
} Column;

struct AtColdBuild
{
	Relation store;
	Tuplestorestate *into; /* NULL: the store itself */
	int32 store_id;
	AtColdKind kind;
	TupleDesc desc;
	const char *partition_name;
	TimestampTz archived_at;
	MemoryContext context;
	MemoryContext row_context;
	AtColdTotals totals;

	/* the segment being made */
	int ncolumns;
	Column *column;
	Size bytes;
	int32 rows;
	int64 first_tx_id;
	int64 last_tx_id;
	TimestampTz first_tx_at;
	TimestampTz last_tx_at;
};

static void add_column(AtColdBuild *build, Column *column, Datum value, bool isnull);
static void flush(AtColdBuild *build);
static AtText join_columns(AtColdBuild *build);
static void store_segment(AtColdBuild *build, AtText bytes);

AtColdBuild *
at_cold_build_open(Relation store, int32 store_id, TupleDesc desc, const char *partition_name,
				   Tuplestorestate *into)
{
	AtColdBuild *build = palloc0(sizeof(AtColdBuild));

	build->store = store;
	build->into = into;
	build->store_id = store_id;
	build->kind = at_cold_kind(desc);
	build->desc = desc;
	build->partition_name = partition_name;
	build->archived_at = GetCurrentTimestamp();
	build->context = CurrentMemoryContext;
	build->row_context =
		AllocSetContextCreate(CurrentMemoryContext, "audit cold build", ALLOCSET_DEFAULT_SIZES);
	build->ncolumns = desc->natts;
	build->column = palloc0(sizeof(Column) * desc->natts);
	for (int i = 0; i < desc->natts; i++)
	{
		build->column[i].type = at_cold_type(TupleDescAttr(desc, i));
		build->column[i].type_id = TupleDescAttr(desc, i)->atttypid;
	}
	return build;
}

/* A writer of so many bytes behind what is there. */
static AtWriter
reserve(AtColdBuild *build, Bytes *bytes, Size len)
{
	if (bytes->len + len > bytes->room)
	{
		bytes->room = Max(bytes->len + len, Max(bytes->room * 2, 4096));
		bytes->data = bytes->data ? repalloc_huge(bytes->data, bytes->room)
								  : MemoryContextAllocHuge(build->context, bytes->room);
	}
	return at_writer(bytes->data + bytes->len, len);
}

void
at_cold_build_add(AtColdBuild *build, TupleTableSlot *slot)
{
	MemoryContext save = MemoryContextSwitchTo(build->row_context);
	TimestampTz tx_at;

	slot_getallattrs(slot);
	build->last_tx_id = DatumGetInt64(slot->tts_values[Anum_event_tx_id - 1]);
	tx_at = DatumGetTimestampTz(slot->tts_values[Anum_event_tx_at - 1]);
	if (build->rows == 0)
	{
		build->first_tx_id = build->last_tx_id;
		build->first_tx_at = build->last_tx_at = tx_at;
	}
	build->first_tx_at = Min(build->first_tx_at, tx_at);
	build->last_tx_at = Max(build->last_tx_at, tx_at);
	build->rows++;
	for (int i = 0; i < build->ncolumns; i++)
		add_column(build, &build->column[i], slot->tts_values[i], slot->tts_isnull[i]);
	MemoryContextSwitchTo(save);
	MemoryContextReset(build->row_context);
	if (build->rows == AT_COLD_SEGMENT_ROWS || build->bytes >= AT_COLD_SEGMENT_BYTES)
		flush(build);
}

static int64
int_of(Datum value, Oid type)
{
	switch (type)
	{
		case CHAROID:
			return DatumGetChar(value);
		case INT2OID:
			return DatumGetInt16(value);
		case INT4OID:
			return DatumGetInt32(value);
		case OIDOID:
			return DatumGetObjectId(value);
		case TIMESTAMPTZOID:
			return at_unix_microseconds(DatumGetTimestampTz(value));
		default:
			return DatumGetInt64(value);
	}
}

static void
add_column(AtColdBuild *build, Column *column, Datum value, bool isnull)
{
	AtWriter numbers = reserve(build, &column->numbers, AT_COLD_VARINT_MAX);
	AtSpan text = {NULL, 0};

	if (column->type == AT_COLD_INTS)
		at_cold_put_int(&numbers, isnull ? 0 : int_of(value, column->type_id), &column->last);
	else
	{
		if (!isnull)
			text = at_span_of_varlena(PG_DETOAST_DATUM_PACKED(value));
		at_cold_put_length(&numbers, text);
		if (text.len > 0)
		{
			AtWriter values = reserve(build, &column->values, text.len);

			at_write(&values, (AtText){text.data, text.len});
			column->values.len += values.len;
		}
	}
	column->numbers.len += numbers.len;
	build->bytes += numbers.len + text.len;
}

/* Make a segment of what is there. */
static void
flush(AtColdBuild *build)
{
	MemoryContext save = MemoryContextSwitchTo(build->row_context);
	AtText content = join_columns(build);
	Size room = at_cold_room(content.len);
	AtWriter writer = at_writer(palloc_extended(room, MCXT_ALLOC_HUGE), room);
	AtCold cold = {
		.log_id = at_log_id(),
		.kind = build->kind,
		.columns = build->ncolumns,
		.rows = build->rows,
		.first_tx_id = build->first_tx_id,
		.last_tx_id = build->last_tx_id,
		.first_tx_at = at_unix_microseconds(build->first_tx_at),
		.last_tx_at = at_unix_microseconds(build->last_tx_at),
	};

	if (at_cold_write(&writer, &cold, content) != AT_OK)
		elog(ERROR, "a segment of \"%s\" could not be compressed", build->partition_name);
	store_segment(build, (AtText){writer.data, writer.len});
	build->totals.rows += build->rows;
	build->totals.bytes += writer.len;
	MemoryContextSwitchTo(save);
	MemoryContextReset(build->row_context);

	for (int i = 0; i < build->ncolumns; i++)
	{
		build->column[i].numbers.len = 0;
		build->column[i].values.len = 0;
		build->column[i].last = 0;
	}
	build->bytes = 0;
	build->rows = 0;
}

static AtText
join_columns(AtColdBuild *build)
{
	Size len = 0;
	AtWriter writer;

	for (int i = 0; i < build->ncolumns; i++)
		len += AT_COLD_COLUMN_HEAD + build->column[i].numbers.len + build->column[i].values.len;
	writer = at_writer(palloc_extended(len, MCXT_ALLOC_HUGE), len);
	for (int i = 0; i < build->ncolumns; i++)
	{
		const Column *column = &build->column[i];

		at_cold_put_column(&writer, column->type, column->numbers.len, column->values.len);
		at_write(&writer, (AtText){column->numbers.data, column->numbers.len});
		if (column->values.len > 0)
			at_write(&writer, (AtText){column->values.data, column->values.len});
	}
	if (writer.full || writer.len != len)
		elog(ERROR, "columns do not have the length that they should have");
	return (AtText){writer.data, len};
}

/* Read the segment back; what is to be said of it. */
static void
learn(const AtColdBuild *build, AtText bytes, AtCold *cold, AtSegmentRow *row)
{
	AtColdRows *rows;
	const char *why;
	size_t len;

	if (at_cold_read(cold, bytes, &len) != AT_OK || len != bytes.len)
		elog(ERROR, "a segment of \"%s\" could not be read back", build->partition_name);
	why = at_cold_rows_unpack(cold, build->desc, &rows);
	if (why != NULL)
		elog(ERROR, "a segment of \"%s\" could not be read back: %s", build->partition_name, why);
	at_cold_rows_describe(rows, build->kind, row);
	if (!at_cold_rows_are_sorted(rows, build->kind) || row->row_count != build->rows ||
		row->first_tx_id != build->first_tx_id || row->last_tx_id != build->last_tx_id ||
		row->first_tx_at != build->first_tx_at || row->last_tx_at != build->last_tx_at)
		elog(ERROR, "a segment of \"%s\" is not what was written", build->partition_name);
}

static void
store_segment(AtColdBuild *build, AtText bytes)
{
	Datum values[Natts_segment];
	bool nulls[Natts_segment] = {false};
	AtSegmentRow row;
	AtCold cold;

	/* a field of a row is not longer */
	if (bytes.len > MaxAllocSize - VARHDRSZ)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("a segment of \"%s\" would be longer than 1 GB", build->partition_name)));
	learn(build, bytes, &cold, &row);
#define COLUMN(name) values[Anum_segment_##name - 1]
	COLUMN(store_id) = Int32GetDatum(build->store_id);
	COLUMN(number) = Int32GetDatum(++build->totals.segments);
	COLUMN(archived_at) = TimestampTzGetDatum(build->archived_at);
	COLUMN(partition_name) = CStringGetTextDatum(build->partition_name);
	COLUMN(row_count) = Int32GetDatum(row.row_count);
	COLUMN(first_tx_id) = Int64GetDatum(row.first_tx_id);
	COLUMN(last_tx_id) = Int64GetDatum(row.last_tx_id);
	COLUMN(first_tx_at) = TimestampTzGetDatum(row.first_tx_at);
	COLUMN(last_tx_at) = TimestampTzGetDatum(row.last_tx_at);
	COLUMN(first_target) = Int32GetDatum(row.first_target);
	COLUMN(last_target) = Int32GetDatum(row.last_target);
	COLUMN(stored_bytes) = Int32GetDatum(bytes.len);
	COLUMN(checksum) = at_bytea_datum(cold.checksum.bytes, AT_HASH_LEN);
	COLUMN(bloom) = at_bytea_datum(row.bloom.data, row.bloom.len);
	COLUMN(content) = at_bytea_datum(bytes.data, bytes.len);
#undef COLUMN
	nulls[Anum_segment_file_offset - 1] = true;
	nulls[Anum_segment_file - 1] = true;
	if (build->into != NULL)
		tuplestore_putvalues(build->into, RelationGetDescr(build->store), values, nulls);
	else
		at_append_to(build->store, values, nulls);
}

AtColdTotals
at_cold_build_close(AtColdBuild *build)
{
	AtColdTotals totals;

	if (build->rows > 0)
		flush(build);
	totals = build->totals;
	for (int i = 0; i < build->ncolumns; i++)
	{
		if (build->column[i].numbers.data != NULL)
			pfree(build->column[i].numbers.data);
		if (build->column[i].values.data != NULL)
			pfree(build->column[i].values.data);
	}
	MemoryContextDelete(build->row_context);
	pfree(build->column);
	pfree(build);
	return totals;
}
