/*-------------------------------------------------------------------------
 * archive_files.c
 *		audit.archive_to_file(): archived partitions leave the database for files.
 *
 * What a legal hold is about stays in the database.
 *
 * Locks: AccessExclusiveLock on the foreign table and its store, to the end of the
 * transaction; those who write need neither.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/pg_type_d.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "base/clock.h"
#include "base/guc.h"
#include "ledger/cold.h"
#include "ledger/cold_change.h"
#include "ledger/cold_segment.h"
#include "ledger/owner_query.h"
#include "retention/hold.h"

/* Archived partitions in the order of their months, of which a row is still in the database. */
#define CANDIDATE                                                                                  \
	"SELECT c.oid::text FROM pg_catalog.pg_class AS c JOIN audit.segment AS s "                    \
	"ON s.partition_name = c.relname WHERE c.relnamespace = 'audit'::regnamespace "                \
	"AND c.relkind = 'f' AND s.file IS NULL AND NOT EXISTS (SELECT FROM held AS h "                \
	"WHERE h.month = pg_catalog.right(c.relname, 6)) "                                             \
	"ORDER BY pg_catalog.right(c.relname, 6), c.relname LIMIT 1"

/* Months with an event that is held; asked only where there are holds. */
#define HELD                                                                                       \
	"WITH hold AS (" AT_HOLDS("$1") "), held AS (SELECT DISTINCT pg_catalog.to_char("              \
									"e.tx_at AT TIME ZONE 'UTC', 'YYYYMM') AS month "              \
									"FROM audit.event AS e LEFT JOIN audit.target AS g "           \
									"ON g.target_id = e.target_id LEFT JOIN audit.transaction "    \
									"AS t ON t.tx_at = e.tx_at AND t.tx_id = e.tx_id "             \
									"WHERE EXISTS (SELECT FROM hold) AND " AT_IS_HELD ") "

PG_FUNCTION_INFO_V1(at_archive_to_file);

/* archive_to_file(): (partition_name, file, bytes), or nulls */
Datum
at_archive_to_file(PG_FUNCTION_ARGS)
{
	TupleDesc desc;
	Datum values[3] = {0};
	bool nulls[3] = {true, true, true};
	char *found;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	if (at_guc_archive_directory[0] == '\0')
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("there is no directory for archived segments"),
						errhint("Set audit_trail.archive_directory in the configuration file.")));
	at_ledger_lock_passes(AT_LEDGER_SEGMENT);
	found = at_owner_value(HELD CANDIDATE, 1, (Oid[]){TIMESTAMPTZOID},
						   (Datum[]){TimestampTzGetDatum(at_clock_now())});
	if (found != NULL)
	{
		Oid partition = DatumGetObjectId(DirectFunctionCall1(oidin, CStringGetDatum(found)));
		char *name = get_rel_name(partition);
		char *file;
		int64 bytes = at_cold_move(partition, &file);

		values[0] = CStringGetTextDatum(name);
		values[1] = CStringGetTextDatum(file);
		values[2] = Int64GetDatum(bytes);
		memset(nulls, 0, sizeof(nulls));
	}
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}
