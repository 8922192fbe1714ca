/*-------------------------------------------------------------------------
 * cold.c
 *		Rows of partitions that were archived, out of their segments.
 *
 * Segments are found by an index on the last tx_id of each, and looked at in
 * that order until one begins behind what is wanted. Some that were unpacked are
 * kept: who looks one transaction after the other up finds many in one.
 *
 * Locks: AccessShareLock on the store, until the end of the transaction. Who drops a
 * store drops the foreign table first, on which the caller holds a lock.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_class_d.h"
#include "commands/defrem.h"
#include "foreign/fdwapi.h"
#include "foreign/foreign.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "base/columns.h"
#include "base/errors.h"
#include "core/bloom.h"
#include "core/bytes.h"
#include "ledger/cold.h"
#include "ledger/cold_segment.h"
#include "ledger/datum.h"

/* So many unpacked segments are kept, and no more bytes than this beside the one in use. */
#define KEPT       4
#define KEPT_BYTES (16 * 1024 * 1024)

struct AtColdScan
{
	Oid relid;
	const char *name;
	TupleDesc desc;
	AttrNumber ordinal; /* its column; 0 for transactions */

	/* segments */
	AtSegmentScan *segments;
	const AtSegmentRow *segment;
	int32 number;          /* of the last one; 0 in the beginning */
	MemoryContext context; /* what is kept */
	AtColdCount count;

	/* what is wanted, and where the scan stands */
	AtColdWanted wanted;
	bool done;
	AtColdRows *rows; /* NULL: the next segment is to be found */
	int next;

	/* newest first */
	AtColdRows *kept[KEPT];
};

const AtColdWanted at_cold_all = {
	.low = PG_INT64_MIN,
	.high = PG_INT64_MAX,
	.from = DT_NOBEGIN,
	.until = DT_NOEND,
	.low_target = PG_INT32_MIN,
	.high_target = PG_INT32_MAX,
};

bool at_cold_skips_damage;

static bool next_segment(AtColdScan *scan);
static bool is_again(AtColdScan *scan);
static bool is_wanted(const AtColdScan *scan);
static AtColdRows *get_rows(AtColdScan *scan);
static void find_first(AtColdScan *scan);

bool
at_is_cold(Relation rel)
{
	ForeignServer *server;

	if (rel->rd_rel->relkind != RELKIND_FOREIGN_TABLE ||
		RelationGetNamespace(rel) != at_audit_schema())
		return false;
	server = GetForeignServerByName(AT_COLD_SERVER, true);
	return server != NULL && GetForeignServerIdByRelId(RelationGetRelid(rel)) == server->serverid;
}

/* A number among the table's options. */
static int32
read_option(Oid relid, const char *name)
{
	ListCell *cell;

	foreach (cell, GetForeignTable(relid)->options)
	{
		DefElem *option = lfirst(cell);

		if (strcmp(option->defname, name) == 0)
			return pg_strtoint32(defGetString(option));
	}
	ereport(ERROR, (errcode(ERRCODE_AT_INTEGRITY),
					errmsg("archived partition \"%s\" does not say where its rows are",
						   get_rel_name(relid)),
					errdetail("Its option \"%s\" is missing.", name),
					errhint("SELECT * FROM audit.doctor();")));
}

int32
at_cold_store(Oid relid)
{
	return read_option(relid, "store");
}

int32
at_cold_segments(Oid relid)
{
	return read_option(relid, "segments");
}

AtColdScan *
at_cold_open(Relation cold, Snapshot snapshot)
{
	AtColdScan *scan = palloc0(sizeof(AtColdScan));

	scan->relid = RelationGetRelid(cold);
	scan->name = pstrdup(RelationGetRelationName(cold));
	scan->desc = CreateTupleDescCopy(RelationGetDescr(cold));
	scan->ordinal = get_attnum(scan->relid, "ordinal");
	scan->context = CurrentMemoryContext;
	scan->segments = at_segment_scan_open(at_cold_store(scan->relid), snapshot);
	scan->done = true;
	return scan;
}

void
at_cold_start(AtColdScan *scan, const AtColdWanted *wanted)
{
	scan->wanted = *wanted;
	scan->rows = NULL;
	scan->number = 0;
	scan->done = wanted->low > wanted->high || wanted->from > wanted->until ||
				 wanted->low_target > wanted->high_target;
	if (!scan->done)
		at_segment_scan_start(scan->segments, wanted->low);
}

bool
at_cold_next(AtColdScan *scan, TupleTableSlot *slot)
{
	AtColdRows *rows;
	int at;

	CHECK_FOR_INTERRUPTS();
	ExecClearTuple(slot);
	while (scan->rows == NULL || scan->next == scan->rows->count)
		if (scan->done || !next_segment(scan))
			return false;
	rows = scan->rows;
	at = scan->next++;
	if (DatumGetInt64(rows->value[Anum_event_tx_id - 1][at]) > scan->wanted.high)
	{
		scan->done = true;
		scan->rows = NULL;
		return false;
	}
	for (int i = 0; i < slot->tts_tupleDescriptor->natts; i++)
	{
		slot->tts_isnull[i] = i >= rows->ncolumns || rows->isnull[i][at];
		slot->tts_values[i] = i < rows->ncolumns ? rows->value[i][at] : (Datum) 0;
	}
	ExecStoreVirtualTuple(slot);
	ItemPointerSet(&slot->tts_tid, rows->number, at + 1);
	slot->tts_tableOid = scan->relid;
	return true;
}

/* Go to the next segment that may have what is wanted. */
static bool
next_segment(AtColdScan *scan)
{
	MemoryContext save = MemoryContextSwitchTo(scan->context);
	bool found = false;

	scan->rows = NULL;
	while (!found && (scan->segment = at_segment_scan_next(scan->segments)) != NULL)
	{
		if (scan->segment->first_tx_id > scan->wanted.high)
			break;
		scan->count.seen++;
		found = !is_again(scan) && is_wanted(scan);
		scan->count.passed += !found;
		if (found)
			scan->rows = get_rows(scan);
		found = scan->rows != NULL;
	}
	if (found)
		find_first(scan);
	else
		scan->done = true;
	MemoryContextSwitchTo(save);
	return found;
}

/* Is it the one before once more? Its events would seem to have happened twice. */
static bool
is_again(AtColdScan *scan)
{
	bool again = scan->segment->number == scan->number;

	if (again && !at_cold_skips_damage)
		ereport(ERROR, (errcode(ERRCODE_AT_INTEGRITY),
						errmsg("segment %d of archived partition \"%s\" is there twice",
							   scan->number, scan->name),
						errhint("SELECT * FROM audit.verify();")));
	scan->number = scan->segment->number;
	return again;
}

static bool
is_wanted(const AtColdScan *scan)
{
	const AtColdWanted *wanted = &scan->wanted;
	const AtSegmentRow *segment = scan->segment;

	if (segment->last_tx_at < wanted->from || segment->first_tx_at > wanted->until ||
		segment->last_target < wanted->low_target || segment->first_target > wanted->high_target)
		return false;
	if (wanted->each > 1 && segment->number % wanted->each != 0)
		return false;
	for (int i = 0; i < wanted->nprobes; i++)
	{
		const AtColdProbe *probe = &wanted->probe[i];
		bool has = false;

		for (int j = 0; j < probe->count && !has; j++)
			has = at_bloom_has(segment->bloom.data, segment->bloom.len, probe->hash[j]);
		if (!has)
			return false;
	}
	return true;
}

/* Put it in front of the others, and give up what is too much. */
static void
keep(AtColdScan *scan, AtColdRows *rows, int from)
{
	Size bytes = 0;

	memmove(&scan->kept[1], &scan->kept[0], sizeof(AtColdRows *) * from);
	scan->kept[0] = rows;
	for (int i = 1; i < KEPT && scan->kept[i] != NULL; i++)
	{
		bytes += MemoryContextMemAllocated(scan->kept[i]->context, true);
		if (bytes <= KEPT_BYTES)
			continue;
		for (int j = i; j < KEPT && scan->kept[j] != NULL; j++)
		{
			at_cold_rows_free(scan->kept[j]);
			scan->kept[j] = NULL;
		}
	}
}

/* The rows of the segment that the scan stands on; NULL if it is damaged, and that is passed over.
 */
static AtColdRows *
get_rows(AtColdScan *scan)
{
	AtColdRows *rows;
	int at = 0;

	while (at < KEPT && scan->kept[at] != NULL && scan->kept[at]->number != scan->segment->number)
		at++;
	if (at < KEPT && scan->kept[at] != NULL)
	{
		rows = scan->kept[at];
		keep(scan, rows, at);
		return rows;
	}
	if (at_cold_skips_damage)
		(void) at_cold_rows_try(scan->segment, scan->desc, &rows);
	else
		rows = at_cold_rows_read(scan->segment, scan->desc, scan->name);
	if (rows == NULL)
		return NULL;
	rows->number = scan->segment->number;
	scan->count.read++;
	if (at == KEPT)
		at_cold_rows_free(scan->kept[--at]);
	keep(scan, rows, at);
	return rows;
}

/* Is a row of the segment behind the beginning of what is wanted? */
static bool
is_reached(const AtColdScan *scan, int at)
{
	int64 tx_id = DatumGetInt64(scan->rows->value[Anum_event_tx_id - 1][at]);

	if (tx_id != scan->wanted.low || scan->wanted.first_ordinal == 0 || scan->ordinal == 0)
		return tx_id >= scan->wanted.low;
	return DatumGetInt32(scan->rows->value[scan->ordinal - 1][at]) >= scan->wanted.first_ordinal;
}

/* Go to the first row that is wanted; it may be behind the last one. */
static void
find_first(AtColdScan *scan)
{
	int low = 0;
	int high = scan->rows->count;

	while (low < high)
	{
		int middle = (low + high) / 2;

		if (is_reached(scan, middle))
			high = middle;
		else
			low = middle + 1;
	}
	scan->next = low;
}

bool
at_cold_span(AtColdScan *scan, int64 *low, int64 *high)
{
	const AtSegmentRow *row;

	scan->done = true;
	scan->rows = NULL;
	at_segment_scan_start(scan->segments, PG_INT64_MIN);
	row = at_segment_scan_next(scan->segments);
	if (row == NULL)
		return false;
	*low = row->first_tx_id;
	*high = at_segment_scan_last(scan->segments)->last_tx_id;
	return true;
}

int64
at_cold_rows(AtColdScan *scan, int32 *segments)
{
	const AtSegmentRow *row;
	int64 rows = 0;

	scan->done = true;
	scan->rows = NULL;
	*segments = 0;
	at_segment_scan_start(scan->segments, PG_INT64_MIN);
	while ((row = at_segment_scan_next(scan->segments)) != NULL)
	{
		rows += row->row_count;
		(*segments)++;
	}
	return rows;
}

AtColdCount
at_cold_count(const AtColdScan *scan)
{
	return scan->count;
}

void
at_cold_close(AtColdScan *scan)
{
	for (int i = 0; i < KEPT && scan->kept[i] != NULL; i++)
		at_cold_rows_free(scan->kept[i]);
	at_segment_scan_close(scan->segments);
	pfree(scan);
}

uint64
at_cold_hash_text(AttrNumber column, const struct varlena *value)
{
	return at_bloom_hash(column, at_span_of_varlena(value));
}

uint64
at_cold_hash_int(AttrNumber column, int64 value)
{
	uint8 bytes[sizeof(int64)];

	at_put_u64(bytes, value);
	return at_bloom_hash(column, (AtSpan){bytes, sizeof(bytes)});
}

uint64
at_cold_hash_mark(uint8 mark)
{
	return at_bloom_hash(mark, (AtSpan){"", 0});
}
