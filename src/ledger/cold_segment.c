/*-------------------------------------------------------------------------
 * cold_segment.c
 *		A row of audit.segment, and the rows that are in it.
 *
 * Values are laid out once, when a segment is read, as the executor wants
 * them: so a row is given out without a copy, and again and again for nothing.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type_d.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "base/catalog.h"
#include "base/columns.h"
#include "base/errors.h"
#include "core/bloom.h"
#include "ledger/cold.h"
#include "ledger/cold_file.h"
#include "ledger/cold_segment.h"
#include "ledger/datum.h"
#include "ledger/event.h"

static const char *check_header(const AtSegmentRow *row, const AtCold *cold, size_t len);
static const char *read_columns(AtColdRows *rows, AtText content, TupleDesc desc);
static void read_ints(AtColdRows *rows, int at, AtColdColumn *column, Oid type);
static void read_texts(AtColdRows *rows, int at, AtColdColumn *column);

AtColdType
at_cold_type(Form_pg_attribute column)
{
	switch (column->atttypid)
	{
		case CHAROID:
		case INT2OID:
		case INT4OID:
		case INT8OID:
		case OIDOID:
		case TIMESTAMPTZOID:
			return AT_COLD_INTS;
		case TEXTOID:
		case JSONOID:
		case BYTEAOID:
			return AT_COLD_TEXTS;
		default:
			elog(ERROR, "column \"%s\" of type %u cannot be archived", NameStr(column->attname),
				 column->atttypid);
	}
}

AtColdRows *
at_cold_rows_read(const AtSegmentRow *row, TupleDesc desc, const char *name)
{
	AtColdRows *rows;
	const char *why = at_cold_rows_try(row, desc, &rows);

	if (why != NULL)
		ereport(ERROR, (errcode(ERRCODE_AT_INTEGRITY),
						errmsg("segment %d of archived partition \"%s\" cannot be read",
							   row->number, name),
						errdetail_internal("%s", why), errhint("SELECT * FROM audit.verify();")));
	return rows;
}

const char *
at_segment_bytes(const AtSegmentRow *row, AtText *bytes)
{
	if (row->file != NULL)
		return at_cold_file_read(row->file, row->file_offset, row->stored_bytes, bytes);
	if (row->content == (Datum) 0)
		return "Its content is missing.";

	AtSpan span = at_span_of_varlena(PG_DETOAST_DATUM_PACKED(row->content));

	*bytes = (AtText){span.data, span.len};
	return NULL;
}

/* Read and check. */
static const char *
fetch(const AtSegmentRow *row, AtCold *cold)
{
	AtText bytes;
	size_t len;
	const char *why = at_segment_bytes(row, &bytes);
	AtError error;

	if (why != NULL)
		return why;
	error = at_cold_read(cold, bytes, &len);
	return error != AT_OK ? psprintf("Of its content: %s.", at_error_text(error))
						  : check_header(row, cold, bytes.len - len);
}

const char *
at_cold_rows_try(const AtSegmentRow *row, TupleDesc desc, AtColdRows **rows)
{
	MemoryContext scratch =
		AllocSetContextCreate(CurrentMemoryContext, "audit segment", ALLOCSET_DEFAULT_SIZES);
	MemoryContext save = MemoryContextSwitchTo(scratch);
	AtCold cold;
	const char *why = fetch(row, &cold);

	MemoryContextSwitchTo(save);
	*rows = NULL;
	why = why != NULL ? pstrdup(why) : at_cold_rows_unpack(&cold, desc, rows);
	MemoryContextDelete(scratch);
	return why;
}

const char *
at_cold_rows_unpack(const AtCold *cold, TupleDesc desc, AtColdRows **result)
{
	MemoryContext context =
		AllocSetContextCreate(CurrentMemoryContext, "audit cold rows", ALLOCSET_DEFAULT_SIZES);
	MemoryContext save = MemoryContextSwitchTo(context);
	AtColdRows *rows = palloc0(sizeof(AtColdRows));
	char *content = palloc_extended(cold->content_len + 1, MCXT_ALLOC_HUGE);
	const char *why = NULL;

	rows->context = context;
	rows->count = cold->rows;
	rows->ncolumns = cold->columns;
	if (cold->kind != at_cold_kind(desc))
		why = "It has rows of another table.";
	else if (at_cold_unpack(cold, content) != AT_OK)
		why = "Its frame cannot be unpacked.";
	else
		why = read_columns(rows, (AtText){content, cold->content_len}, desc);
	pfree(content);
	MemoryContextSwitchTo(save);
	if (why != NULL)
	{
		why = pstrdup(why);
		MemoryContextDelete(context);
		rows = NULL;
	}
	*result = rows;
	return why;
}

void
at_cold_rows_free(AtColdRows *rows)
{
	MemoryContextDelete(rows->context);
}

AtColdKind
at_cold_kind(TupleDesc desc)
{
	Form_pg_attribute column = TupleDescAttr(desc, Anum_event_ordinal - 1);

	return strcmp(NameStr(column->attname), "ordinal") == 0 ? AT_COLD_EVENTS : AT_COLD_TRANSACTIONS;
}

/* The value of a column in a row. */
#define VALUE(rows, column, at)   ((rows)->value[(column) -1][at])
#define IS_NULL(rows, column, at) ((rows)->isnull[(column) -1][at])

/* At most so many texts of a row go into the filter. */
#define HASHES 3

/* What the filter will be asked for; returns how many. */
static int
hashes_of(const AtColdRows *rows, AtColdKind kind, int at, uint64 hash[HASHES])
{
	int n = 0;

#define INT(column, get) at_cold_hash_int((column), get(VALUE(rows, column, at)))
#define TEXT(column)                                                                               \
	at_cold_hash_text((column), (struct varlena *) DatumGetPointer(VALUE(rows, column, at)))
	if (kind == AT_COLD_TRANSACTIONS)
	{
		hash[n++] = INT(Anum_transaction_session_id, DatumGetInt64);
		hash[n++] = TEXT(Anum_transaction_actor);
		if (!IS_NULL(rows, Anum_transaction_request_id, at))
			hash[n++] = TEXT(Anum_transaction_request_id);
		return n;
	}
	hash[n++] = INT(Anum_event_target_id, DatumGetInt32);
	hash[n++] = IS_NULL(rows, Anum_event_record_key, at) ? at_cold_hash_mark(AT_COLD_WITHOUT_KEY)
														 : TEXT(Anum_event_record_key);
	if (!IS_NULL(rows, Anum_event_extra, at) &&
		at_event_has_context((struct varlena *) DatumGetPointer(VALUE(rows, Anum_event_extra, at))))
		hash[n++] = at_cold_hash_mark(AT_COLD_HAS_CONTEXT);
#undef TEXT
#undef INT
	return n;
}

static int
compare_hashes(const void *a, const void *b)
{
	uint64 left = *(const uint64 *) a;
	uint64 right = *(const uint64 *) b;

	return left < right ? -1 : left > right;
}

/* A filter of what is different. */
static AtSpan
make_bloom(const AtColdRows *rows, AtColdKind kind)
{
	uint64 *hash = palloc(sizeof(uint64) * HASHES * rows->count);
	int count = 0;
	int different = 0;
	size_t size;
	uint8 *bloom;

	for (int i = 0; i < rows->count; i++)
		count += hashes_of(rows, kind, i, &hash[count]);
	qsort(hash, count, sizeof(uint64), compare_hashes);
	for (int i = 0; i < count; i++)
		if (different == 0 || hash[i] != hash[different - 1])
			hash[different++] = hash[i];
	size = at_bloom_size(different);
	bloom = palloc0(size);
	for (int i = 0; i < different; i++)
		at_bloom_put(bloom, size, hash[i]);
	pfree(hash);
	return (AtSpan){bloom, size};
}

void
at_cold_rows_describe(const AtColdRows *rows, AtColdKind kind, AtSegmentRow *row)
{
	int last = rows->count - 1;

	row->row_count = rows->count;
	row->first_tx_id = DatumGetInt64(VALUE(rows, Anum_event_tx_id, 0));
	row->last_tx_id = DatumGetInt64(VALUE(rows, Anum_event_tx_id, last));
	row->first_tx_at = DT_NOEND;
	row->last_tx_at = DT_NOBEGIN;
	row->first_target = kind == AT_COLD_EVENTS ? PG_INT32_MAX : 0;
	row->last_target = kind == AT_COLD_EVENTS ? PG_INT32_MIN : 0;
	for (int i = 0; i < rows->count; i++)
	{
		TimestampTz tx_at = DatumGetTimestampTz(VALUE(rows, Anum_event_tx_at, i));
		int32 target =
			kind == AT_COLD_EVENTS ? DatumGetInt32(VALUE(rows, Anum_event_target_id, i)) : 0;

		row->first_tx_at = Min(row->first_tx_at, tx_at);
		row->last_tx_at = Max(row->last_tx_at, tx_at);
		row->first_target = Min(row->first_target, target);
		row->last_target = Max(row->last_target, target);
	}
	row->bloom = make_bloom(rows, kind);
}

bool
at_cold_rows_are_sorted(const AtColdRows *rows, AtColdKind kind)
{
	for (int i = 1; i < rows->count; i++)
	{
		int64 before = DatumGetInt64(VALUE(rows, Anum_event_tx_id, i - 1));
		int64 tx_id = DatumGetInt64(VALUE(rows, Anum_event_tx_id, i));

		if (before > tx_id || (before == tx_id && kind == AT_COLD_EVENTS &&
							   DatumGetInt32(VALUE(rows, Anum_event_ordinal, i - 1)) >
								   DatumGetInt32(VALUE(rows, Anum_event_ordinal, i))))
			return false;
	}
	return true;
}

/* What audit.segment says must be what the content says of itself. */
static const char *
check_header(const AtSegmentRow *row, const AtCold *cold, size_t left)
{
	if (left != 0)
		return "There is something behind its content.";
	if (memcmp(cold->log_id, at_log_id(), AT_LOG_ID_LEN) != 0)
		return "It is of another ledger.";
	if (row->checksum.len != AT_HASH_LEN ||
		memcmp(row->checksum.data, &cold->checksum, AT_HASH_LEN) != 0 ||
		cold->rows != row->row_count || (int64) cold->first_tx_id != row->first_tx_id ||
		(int64) cold->last_tx_id != row->last_tx_id ||
		cold->first_tx_at != at_unix_microseconds(row->first_tx_at) ||
		cold->last_tx_at != at_unix_microseconds(row->last_tx_at))
		return "Its content is that of another segment.";
	return NULL;
}

static const char *
read_columns(AtColdRows *rows, AtText content, TupleDesc desc)
{
	/* columns that were added since are null */
	if (rows->ncolumns > desc->natts)
		return "It has more columns than the table.";
	rows->value = palloc(sizeof(Datum *) * rows->ncolumns);
	rows->isnull = palloc(sizeof(bool *) * rows->ncolumns);
	for (int i = 0; i < rows->ncolumns; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(desc, i);
		AtColdColumn column;

		if (at_cold_column_next(&content, rows->count, &column) != AT_OK ||
			column.type != at_cold_type(attribute))
			return psprintf("Its column %d is damaged.", i + 1);
		rows->value[i] = palloc(sizeof(Datum) * (rows->count + 1));
		rows->isnull[i] = palloc0(sizeof(bool) * (rows->count + 1));
		if (column.type == AT_COLD_INTS)
			read_ints(rows, i, &column, attribute->atttypid);
		else
			read_texts(rows, i, &column);
	}
	return content.len > 0 ? "There is something behind its columns." : NULL;
}

static void
read_ints(AtColdRows *rows, int at, AtColdColumn *column, Oid type)
{
	for (int i = 0; i < rows->count; i++)
	{
		int64 value = at_cold_int(column);

		switch (type)
		{
			case CHAROID:
				rows->value[at][i] = CharGetDatum((char) value);
				break;
			case INT2OID:
				rows->value[at][i] = Int16GetDatum((int16) value);
				break;
			case INT4OID:
				rows->value[at][i] = Int32GetDatum((int32) value);
				break;
			case OIDOID:
				rows->value[at][i] = ObjectIdGetDatum((Oid) value);
				break;
			case TIMESTAMPTZOID:
				rows->value[at][i] = TimestampTzGetDatum(at_pg_timestamp(value));
				break;
			default:
				rows->value[at][i] = Int64GetDatum(value);
				break;
		}
	}
}

/* All texts of the column in one piece of memory. */
static void
read_texts(AtColdRows *rows, int at, AtColdColumn *column)
{
	Size room = column->values.len + (Size) rows->count * MAXALIGN(VARHDRSZ + MAXIMUM_ALIGNOF);
	char *place = palloc_extended(room + 1, MCXT_ALLOC_HUGE);

	rows->bytes += room;
	for (int i = 0; i < rows->count; i++)
	{
		AtSpan text = at_cold_text(column);

		rows->isnull[at][i] = text.data == NULL;
		rows->value[at][i] = text.data == NULL ? (Datum) 0 : PointerGetDatum(place);
		if (text.data == NULL)
			continue;
		SET_VARSIZE(place, VARHDRSZ + text.len);
		memcpy(VARDATA(place), text.data, text.len);
		place += MAXALIGN(VARHDRSZ + text.len);
	}
}
