/*-------------------------------------------------------------------------
 * owner_query.c
 *		Queries of our own over the ledger, as the extension's owner.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "utils/snapmgr.h"

#include "base/catalog.h"
#include "base/compat.h"
#include "ledger/owner.h"
#include "ledger/owner_query.h"
#include "ledger/reader.h"

static void run(const char *query, int nargs, Oid *types, Datum *values, const char *nulls,
				bool read_only);

void
at_owner_query(FunctionCallInfo fcinfo, const char *query, int nargs, Oid *types, Datum *values)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	AtOwnerState state;

	InitMaterializedSRF(fcinfo, 0);
	if (!at_ledger_exists())
		return;
	at_owner_enter(&state);
	SPI_connect();
	run(query, nargs, types, values, NULL, true);
	if (SPI_tuptable->tupdesc->natts != result->setDesc->natts)
		elog(ERROR, "unexpected columns of: %s", query);
	for (uint64 i = 0; i < SPI_processed; i++)
		tuplestore_puttuple(result->setResult, SPI_tuptable->vals[i]);
	SPI_finish();
	at_owner_leave(&state);
}

char *
at_owner_value(const char *query, int nargs, Oid *types, Datum *values)
{
	return at_owner_value_nulls(query, nargs, types, values, NULL);
}

char *
at_owner_value_nulls(const char *query, int nargs, Oid *types, Datum *values, const char *nulls)
{
	MemoryContext context = CurrentMemoryContext;
	char *value = NULL;
	AtOwnerState state;

	at_owner_enter(&state);
	SPI_connect();
	run(query, nargs, types, values, nulls, true);
	if (SPI_processed > 0)
		value = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
	if (value != NULL)
		value = MemoryContextStrdup(context, value);
	SPI_finish();
	at_owner_leave(&state);
	return value;
}

uint64
at_owner_execute(const char *command, int nargs, Oid *types, Datum *values)
{
	AtOwnerState state;
	uint64 count;

	at_owner_enter(&state);
	SPI_connect();
	run(command, nargs, types, values, NULL, false);
	count = SPI_processed;
	SPI_finish();
	at_owner_leave(&state);
	return count;
}

/* By a snapshot of now; it is no reading of the caller's. */
static void
run(const char *query, int nargs, Oid *types, Datum *values, const char *nulls, bool read_only)
{
	bool save = at_reader_is_ours;

	CommandCounterIncrement();
	PushActiveSnapshot(GetLatestSnapshot());
	PG_TRY();
	{
		at_reader_is_ours = true;
		int result = SPI_execute_with_args(query, nargs, types, values, nulls, read_only, 0);

		if (read_only ? result != SPI_OK_SELECT : result <= 0)
			elog(ERROR, "could not run: %s", query);
	}
	PG_FINALLY();
	{
		at_reader_is_ours = save;
	}
	PG_END_TRY();
	PopActiveSnapshot();
}
