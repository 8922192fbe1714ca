/*-------------------------------------------------------------------------
 * progress.c
 *		How far verifications have come.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "commands/progress.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "utils/backend_progress.h"
#include "utils/backend_status.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "base/compat.h"
#include "seal/progress.h"

/* Our number among the commands that report progress, and its parameters. */
#define PROGRESS_COMMAND_VERIFY ((ProgressCommandType) 0x4155)
enum
{
	PARAM_MODE,
	PARAM_PHASE,
	PARAM_WORKERS,
	PARAM_STARTED_AT,
	PARAM_ENTRIES_DONE,
	PARAM_BATCHES_TOTAL,
	PARAM_BATCHES_DONE,
	PARAM_EVENTS_TOTAL,
	PARAM_EVENTS_DONE,
	PARAM_FINDINGS
};

#define COLUMNS 11

static const char *const modes[] = {"full",        "resumed", "since last",
									"transaction", "table",   "time"};

static const char *const phases[] = {
	[AT_PHASE_LOG] = "reading the log",        [AT_PHASE_BATCHES] = "checking batches",
	[AT_PHASE_NAMES] = "naming what is wrong", [AT_PHASE_TAIL] = "checking what is not sealed",
	[AT_PHASE_HEAP] = "counting rows",
};

PG_FUNCTION_INFO_V1(at_verify_progress);

void
at_progress_begin(const char *mode)
{
	pgstat_progress_start_command(PROGRESS_COMMAND_VERIFY, InvalidOid);
	for (int i = 0; i < lengthof(modes); i++)
		if (strcmp(modes[i], mode) == 0)
			pgstat_progress_update_param(PARAM_MODE, i);
	pgstat_progress_update_param(PARAM_STARTED_AT, GetCurrentTimestamp());
}

void
at_progress_end(void)
{
	pgstat_progress_end_command();
}

void
at_progress_phase(AtPhase phase)
{
	pgstat_progress_update_param(PARAM_PHASE, phase);
}

void
at_progress_plan(uint64 batches, uint64 events)
{
	pgstat_progress_update_param(PARAM_BATCHES_TOTAL, batches);
	pgstat_progress_update_param(PARAM_EVENTS_TOTAL, events);
}

void
at_progress_workers(int workers)
{
	pgstat_progress_update_param(PARAM_WORKERS, workers);
}

void
at_progress_entries(uint64 entries)
{
	pgstat_progress_update_param(PARAM_ENTRIES_DONE, entries);
}

void
at_progress_done(uint64 batches, uint64 events)
{
	pgstat_progress_update_param(PARAM_BATCHES_DONE, batches);
	pgstat_progress_update_param(PARAM_EVENTS_DONE, events);
}

void
at_progress_findings(uint64 findings)
{
	pgstat_progress_update_param(PARAM_FINDINGS, findings);
}

static const char *
name_of(const char *const *names, int count, int64 number)
{
	return number >= 0 && number < count ? names[number] : "";
}

/* One row a verification of this database. */
Datum
at_verify_progress(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	int n = pgstat_fetch_stat_numbackends();

	InitMaterializedSRF(fcinfo, 0);
	for (int i = 1; i <= n; i++)
	{
		PgBackendStatus *entry = &pgstat_get_local_beentry_by_index(i)->backendStatus;
		const int64 *param = entry->st_progress_param;

		if (entry->st_progress_command != PROGRESS_COMMAND_VERIFY ||
			entry->st_databaseid != MyDatabaseId)
			continue;

		Datum values[COLUMNS] = {
			Int32GetDatum(entry->st_procpid),
			TimestampTzGetDatum(param[PARAM_STARTED_AT]),
			CStringGetTextDatum(name_of(modes, lengthof(modes), param[PARAM_MODE])),
			CStringGetTextDatum(name_of(phases, lengthof(phases), param[PARAM_PHASE])),
			Int32GetDatum(param[PARAM_WORKERS]),
			Int64GetDatum(param[PARAM_ENTRIES_DONE]),
			Int64GetDatum(param[PARAM_BATCHES_TOTAL]),
			Int64GetDatum(param[PARAM_BATCHES_DONE]),
			Int64GetDatum(param[PARAM_EVENTS_TOTAL]),
			Int64GetDatum(param[PARAM_EVENTS_DONE]),
			Int64GetDatum(param[PARAM_FINDINGS]),
		};
		bool nulls[COLUMNS] = {false};

		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}
