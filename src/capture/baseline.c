/*-------------------------------------------------------------------------
 * baseline.c
 *		The rows that a table has already, as events.
 *
 * Progress is reported as that of other commands is, in the backend's own
 * entry of the server's statistics, under a number that none of them has;
 * the end of the transaction clears it.
 *
 * Locks: AccessShareLock on the table and its partitions, so writers go on;
 * the snapshot holds back VACUUM, as that of a dump does.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "commands/progress.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "utils/backend_progress.h"
#include "utils/backend_status.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "base/compat.h"
#include "capture/baseline.h"
#include "capture/definition.h"
#include "capture/live.h"
#include "ledger/event.h"
#include "ledger/settled.h"

/* Our number among the commands that report progress, and its parameters. */
#define PROGRESS_COMMAND_BASELINE ((ProgressCommandType) 0x4154)
#define PROGRESS_ROWS             0
#define PROGRESS_EXPECTED         1

typedef struct Baseline
{
	AtLive live;
	int batch_size;
	uint64 rows;
} Baseline;

PG_FUNCTION_INFO_V1(at_record_baseline);
PG_FUNCTION_INFO_V1(at_baseline_progress);

static void append_head(const Baseline *baseline);
static void append_row(const AtDelta *row, void *arg);
static int64 expected_rows(const AtLive *live);

Datum
at_record_baseline(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT64(at_baseline_record(PG_GETARG_OID(0), PG_GETARG_INT32(1)));
}

uint64
at_baseline_record(Oid relid, int batch_size)
{
	Baseline baseline = {.batch_size = batch_size};

	if (batch_size < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("batch_size must be at least 1"),
				 errhint("Leave it out to take the default.")));
	at_live_open(relid, &baseline.live);
	at_definition_check_owner(baseline.live.rel);
	pgstat_progress_start_command(PROGRESS_COMMAND_BASELINE, relid);
	pgstat_progress_update_param(PROGRESS_EXPECTED, expected_rows(&baseline.live));
	append_head(&baseline);
	at_live_scan(&baseline.live, append_row, &baseline);
	pgstat_progress_end_command();
	at_live_close(&baseline.live);
	return baseline.rows;
}

/* By the statistics of the last VACUUM or ANALYZE. */
static int64
expected_rows(const AtLive *live)
{
	double rows = 0;
	ListCell *cell;

	foreach (cell, live->relids)
	{
		Relation rel = table_open(lfirst_oid(cell), NoLock);

		rows += Max(rel->rd_rel->reltuples, 0);
		table_close(rel, NoLock);
	}
	return (int64) rows;
}

static AtEvent
make_event(const Baseline *baseline)
{
	const AtPolicy *policy = baseline->live.policy;

	return (AtEvent){
		.target_id = policy->target_id,
		.retention_class = policy->retention_class,
		.schema = policy->schema,
		.table = policy->table,
		.resource_type = policy->resource_type,
		.op = 'B',
	};
}

static void
append_head(const Baseline *baseline)
{
	AtEvent event = make_event(baseline);

	event.extra = makeStringInfo();
	appendStringInfo(event.extra, "\"baseline\":{\"snapshot\":\"%s\"}", at_settled_now());
	(void) at_event_append(&event);
}

static void
append_row(const AtDelta *row, void *arg)
{
	Baseline *baseline = arg;
	AtEvent event = make_event(baseline);

	event.record_key = row->record_key;
	event.new_values = row->new_values;
	event.extra = row->extra;
	(void) at_event_append(&event);
	if (++baseline->rows % baseline->batch_size == 0)
		pgstat_progress_update_param(PROGRESS_ROWS, baseline->rows);
}

/* One row a backend of this database that is recording a baseline. */
Datum
at_baseline_progress(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	int n = pgstat_fetch_stat_numbackends();

	InitMaterializedSRF(fcinfo, 0);
	for (int i = 1; i <= n; i++)
	{
		LocalPgBackendStatus *local = pgstat_get_local_beentry_by_index(i);
		PgBackendStatus *entry = &local->backendStatus;

		if (entry->st_progress_command != PROGRESS_COMMAND_BASELINE ||
			entry->st_databaseid != MyDatabaseId)
			continue;

		Datum values[] = {
			Int32GetDatum(entry->st_procpid),
			ObjectIdGetDatum(entry->st_progress_command_target),
			TimestampTzGetDatum(entry->st_xact_start_timestamp),
			Int64GetDatum(entry->st_progress_param[PROGRESS_ROWS]),
			Int64GetDatum(entry->st_progress_param[PROGRESS_EXPECTED]),
		};
		bool nulls[lengthof(values)] = {false};

		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}
