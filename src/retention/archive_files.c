/*-------------------------------------------------------------------------
 * archive_files.c
 *		Archived partitions leave the database for files: a step of the keeper,
 *		and audit.archive_to_file().
 *
 * A partition that has something a legal hold is about stays in the database, and no other
 * does for that.
 *
 * Another step, in each run, removes files that a crash has left (ledger/cold_leftover.h).
 *
 * Locks: one archive at a time, by the lock for passes over audit.segment; and those of
 * ledger/cold_move.c, to the end of the transaction.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_class_d.h"
#include "catalog/pg_type_d.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/varlena.h"

#include "base/catalog.h"
#include "base/clock.h"
#include "base/debug_point.h"
#include "base/guc.h"
#include "ledger/cold.h"
#include "ledger/cold_change.h"
#include "ledger/cold_leftover.h"
#include "ledger/owner_query.h"
#include "retention/archive_files.h"
#include "retention/due.h"
#include "retention/hold.h"
#include "retention/keeper.h"

/* Partitions of which a segment is in the database, the oldest months first. */
#define CANDIDATES                                                                                 \
	"SELECT pg_catalog.string_agg(p.name, ',' ORDER BY pg_catalog.right(p.name, 6), p.name) FROM " \
	"(SELECT DISTINCT s.partition_name AS name FROM audit.segment AS s WHERE s.file IS NULL) AS p"

/* Of a partition of a month: $1 now, $2 and $3 the month, $4 the partition. */
#define HELD                                                                                       \
	"WITH hold AS (" AT_HOLDS(                                                                     \
		"$1") ") SELECT 't' FROM audit.event AS e "                                                \
			  "LEFT JOIN audit.target AS g ON g.target_id = e.target_id "                          \
			  "LEFT JOIN audit.transaction AS t ON t.tx_at = e.tx_at AND t.tx_id = e.tx_id "       \
			  "WHERE EXISTS (SELECT FROM hold) AND e.tx_at >= $2 AND e.tx_at < $3 "                \
			  "AND (e.tableoid = $4 OR t.tableoid = $4) AND " AT_IS_HELD " LIMIT 1"

typedef struct Moved
{
	char *partition;
	char *file;
	int64 bytes;
} Moved;

static bool files_step(TimestampTz deadline);
static bool leftovers_step(TimestampTz deadline);
static bool move_oldest(TimestampTz before, Moved *moved);

PG_FUNCTION_INFO_V1(at_archive_to_file);

static const AtKeeperStep step = {.name = "files", .in_window = true, .run = files_step};
static const AtKeeperStep leftovers = {.name = "leftovers", .run = leftovers_step};

void
at_archive_files_init(void)
{
	at_keeper_register(&leftovers);
	at_keeper_register(&step);
}

/* archive_to_file(): (partition_name, file, bytes), or nulls */
Datum
at_archive_to_file(PG_FUNCTION_ARGS)
{
	TupleDesc desc;
	Datum values[3] = {0};
	bool nulls[3] = {true, true, true};
	Moved moved;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	if (at_guc_archive_directory[0] == '\0')
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("there is no directory for archived segments"),
						errhint("Set audit_trail.archive_directory in the configuration file.")));
	if (move_oldest(DT_NOEND, &moved))
	{
		values[0] = CStringGetTextDatum(moved.partition);
		values[1] = CStringGetTextDatum(moved.file);
		values[2] = Int64GetDatum(moved.bytes);
		memset(nulls, 0, sizeof(nulls));
	}
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}

/* A partition a portion. */
static bool
files_step(TimestampTz deadline)
{
	Moved moved;
	bool found;

	if (at_guc_archive_directory[0] == '\0' || at_guc_archive_file_age < 0)
		return false;
	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	found = move_oldest(at_clock_now() - at_guc_archive_file_age * USECS_PER_SEC, &moved);
	at_debug_point("archive-file-before-commit");
	PopActiveSnapshot();
	if (found)
		at_keeper_did(1, "%s is in %s, of " INT64_FORMAT " bytes", moved.partition, moved.file,
					  moved.bytes);
	CommitTransactionCommand();
	return found;
}

/*
 * What a crash has left: a file that nothing leads to, of segments that were purged or of a move
 * that did not come about, is removed. No transaction is about one while the lock is held.
 */
static bool
leftovers_step(TimestampTz deadline)
{
	List *files;
	ListCell *cell;

	if (at_guc_archive_directory[0] == '\0')
		return false;
	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	at_keeper_limit_locks();
	at_ledger_lock_passes(AT_LEDGER_SEGMENT);
	PopActiveSnapshot();
	PushActiveSnapshot(GetLatestSnapshot());
	files = at_cold_leftovers();
	foreach (cell, files)
	{
		Oid type = TEXTOID;
		Datum file = CStringGetTextDatum(lfirst(cell));
		bool stays = at_owner_value("SELECT 't' FROM audit.segment AS s "
									"WHERE s.file OPERATOR(pg_catalog.=) $1 LIMIT 1",
									1, &type, &file) != NULL;

		at_cold_leftover_end(lfirst(cell), stays);
		if (!stays)
			at_keeper_did(1, "%s is removed, to which nothing leads", (char *) lfirst(cell));
	}
	PopActiveSnapshot();
	CommitTransactionCommand();
	return false;
}

/* Of months that ended before a time; false if there is none that may be moved. */
static bool
move_oldest(TimestampTz before, Moved *moved)
{
	List *names = NIL;
	ListCell *cell;
	char *candidates;

	at_ledger_lock_passes(AT_LEDGER_SEGMENT);
	candidates = at_owner_value(CANDIDATES, 0, NULL, NULL);
	if (candidates == NULL || !SplitIdentifierString(candidates, ',', &names))
		return false;
	foreach (cell, names)
	{
		AtMonth month;
		char *name = lfirst(cell);
		Oid partition = get_relname_relid(name, at_audit_schema());

		if (!OidIsValid(partition) || get_rel_relkind(partition) != RELKIND_FOREIGN_TABLE ||
			!at_month_read(name, &month) || month.until > before || at_partition_is_held(name))
			continue;
		moved->partition = name;
		moved->bytes = at_cold_move(partition, &moved->file);
		if (moved->bytes > 0)
			return true;
	}
	return false;
}

bool
at_partition_is_held(const char *partition)
{
	Oid types[] = {TIMESTAMPTZOID, TIMESTAMPTZOID, TIMESTAMPTZOID, OIDOID};
	Datum values[4];
	AtMonth month;

	if (!at_month_read(partition, &month))
		return false;
	values[0] = TimestampTzGetDatum(at_clock_now());
	values[1] = TimestampTzGetDatum(month.from);
	values[2] = TimestampTzGetDatum(month.until);
	values[3] = ObjectIdGetDatum(get_relname_relid(partition, at_audit_schema()));
	return at_owner_value(HELD, lengthof(types), types, values) != NULL;
}
