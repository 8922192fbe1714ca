/*-------------------------------------------------------------------------
 * verify_segment.c
 *		Is what was archived what audit.segment says of it?
 *
 * Each segment is unpacked, and what is said of it worked out anew: a range or
 * a filter that is wrong would hide events from those who search. Whether its
 * events are those that were sealed is asked later, as of any others; those of a
 * segment that cannot be read are then missing, and it has been said why.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/pg_inherits.h"
#include "executor/tuptable.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "base/catalog.h"
#include "ledger/cold.h"
#include "ledger/cold_segment.h"
#include "ledger/scan.h"
#include "seal/verify.h"

typedef struct SegmentCheck
{
	AtVerify *verify;
	const char *partition;
	TupleDesc desc;
	AtColdKind kind;
	int32 next; /* number that should come */
	Bitmapset *missing;
	uint64 seen;
	int64 last_tx_id;
} SegmentCheck;

static void check_store(AtVerify *verify, Oid relid);
static void check_unindexed(const SegmentCheck *check, int32 store);
static bool check_numbers(SegmentCheck *check, int32 number, int64 tx_id);
static void report_missing(const SegmentCheck *check);
static void check_segment(SegmentCheck *check, const AtSegmentRow *row);
static const char *question(const SegmentCheck *check, const AtSegmentRow *row);
static void report(const SegmentCheck *check, AtFault fault, int32 number, const char *detail);

void
at_verify_segments(AtVerify *verify)
{
	static const AtLedgerTable tables[] = {AT_LEDGER_EVENT, AT_LEDGER_TRANSACTION};

	for (int i = 0; i < lengthof(tables); i++)
	{
		ListCell *cell;

		foreach (cell, find_all_inheritors(at_ledger_relid(tables[i]), AccessShareLock, NULL))
			check_store(verify, lfirst_oid(cell));
	}
	at_cold_skips_damage = true;
}

/* What a partition has, if it was archived. */
static void
check_store(AtVerify *verify, Oid relid)
{
	Relation cold = table_open(relid, NoLock);
	SegmentCheck check = {.verify = verify, .next = 1, .last_tx_id = PG_INT64_MIN};
	MemoryContext context;
	MemoryContext save;
	AtSegmentScan *scan;
	const AtSegmentRow *row;
	bool is_new;

	if (!at_is_cold(cold))
	{
		table_close(cold, NoLock);
		return;
	}
	check.partition = get_rel_name(relid);
	check.desc = RelationGetDescr(cold);
	check.kind = at_cold_kind(check.desc);
	scan = at_segment_scan_open(at_cold_store(relid), verify->snapshot);
	context = AllocSetContextCreate(CurrentMemoryContext, "audit segment", ALLOCSET_DEFAULT_SIZES);
	save = MemoryContextSwitchTo(context);
	while ((row = at_segment_scan_next(scan)) != NULL)
	{
		MemoryContextSwitchTo(save);
		is_new = check_numbers(&check, row->number, row->first_tx_id);
		MemoryContextSwitchTo(context);
		if (is_new)
			check_segment(&check, row);
		check.last_tx_id = row->last_tx_id;
		check.seen++;
		MemoryContextReset(context);
	}
	MemoryContextSwitchTo(save);
	(void) check_numbers(&check, at_cold_segments(relid) + 1, PG_INT64_MAX);
	report_missing(&check);
	check_unindexed(&check, at_cold_store(relid));
	MemoryContextDelete(context);
	at_segment_scan_close(scan);
	table_close(cold, NoLock);
}

/* Rows of audit.segment that its index does not lead to. */
static void
check_unindexed(const SegmentCheck *check, int32 store)
{
	Relation rel = at_cold_open_store(store, AccessShareLock);
	uint64 stored = at_scan_heap_leaf(RelationGetRelid(rel), check->verify->snapshot, NULL, NULL);

	table_close(rel, NoLock);
	if (stored > check->seen)
		report(
			check, AT_FAULT_ADDED, 0,
			psprintf(UINT64_FORMAT " rows of audit.segment are in no index", stored - check->seen));
}

/* Numbers run without gaps; rows of one that is missing lie between its neighbours, if it is. False
 * for one that came before. */
static bool
check_numbers(SegmentCheck *check, int32 number, int64 tx_id)
{
	if (number < check->next)
	{
		bool is_late = bms_is_member(number, check->missing);

		check->missing = bms_del_member(check->missing, number);
		report(check, is_late ? AT_FAULT_REORDERED : AT_FAULT_DUPLICATED, number, NULL);
		return is_late;
	}
	if (number > check->next)
		at_findings_excuse(check->verify->findings, check->kind == AT_COLD_EVENTS,
						   Max(check->last_tx_id, 0), tx_id);
	for (; check->next < number; check->next++)
		check->missing = bms_add_member(check->missing, check->next);
	check->next = number + 1;
	return true;
}

/* What has not come after all. */
static void
report_missing(const SegmentCheck *check)
{
	int number = -1;

	while ((number = bms_next_member(check->missing, number)) >= 0)
		report(check, AT_FAULT_MISSING, number, "its rows are missing with it");
}

static void
check_segment(SegmentCheck *check, const AtSegmentRow *row)
{
	const char *why = question(check, row);

	if (why == NULL)
		return;
	report(check, AT_FAULT_CHANGED, row->number, why);
	at_findings_excuse(check->verify->findings, check->kind == AT_COLD_EVENTS,
					   Max(Min(row->first_tx_id, check->last_tx_id), 0), row->last_tx_id);
}

/* What is wrong with it; NULL for nothing. */
static const char *
question(const SegmentCheck *check, const AtSegmentRow *row)
{
	AtColdRows *rows;
	AtSegmentRow should;
	const char *why = at_cold_rows_try(row, check->desc, &rows);

	if (why != NULL)
		return why;
	at_cold_rows_describe(rows, check->kind, &should);
	if (!at_cold_rows_are_sorted(rows, check->kind) || should.first_tx_id < check->last_tx_id)
		why = "Its rows are not in their order, so not all of them are found.";
	else if (should.row_count != row->row_count || should.first_tx_id != row->first_tx_id ||
			 should.last_tx_id != row->last_tx_id || should.first_tx_at != row->first_tx_at ||
			 should.last_tx_at != row->last_tx_at || should.first_target != row->first_target ||
			 should.last_target != row->last_target)
		why = "Its ranges are not those of its rows, so not all of them are found.";
	else if (should.bloom.len != row->bloom.len ||
			 memcmp(should.bloom.data, row->bloom.data, row->bloom.len) != 0)
		why = "Its filter is not that of its rows, so not all of them are found.";
	at_cold_rows_free(rows);
	return why;
}

static void
report(const SegmentCheck *check, AtFault fault, int32 number, const char *detail)
{
	at_findings_add(check->verify->findings,
					&(AtFinding){.thing = AT_THING_SEGMENT,
								 .fault = fault,
								 .object = psprintf("%s/%d", check->partition, number),
								 .place = psprintf("segment %d of %s", number, check->partition),
								 .detail = detail});
}
