/*-------------------------------------------------------------------------
 * volume.c
 *		What audit.volume_per_hour() needs to add what is not sealed yet, and
 *		making audit.volume anew.
 *
 * Sealed is what the log has in the snapshot of the query, which reads audit.volume
 * in the same one; the sealer changes both in one transaction. So each event is
 * counted once, whenever a seal comes between.
 *
 * Locks: making anew takes that of passes, to the end of the transaction:
 * nothing is sealed meanwhile.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "executor/spi.h"
#include "fmgr.h"
#include "utils/snapmgr.h"

#include "base/catalog.h"
#include "ledger/owner.h"
#include "ledger/unsealed.h"

PG_FUNCTION_INFO_V1(at_first_unsealed);
PG_FUNCTION_INFO_V1(at_is_unsealed);
PG_FUNCTION_INFO_V1(at_rebuild_volume);

/* audit.first_unsealed(): transactions before this tx_id are sealed. */
Datum
at_first_unsealed(PG_FUNCTION_ARGS)
{
	(void) at_ledger_relid(AT_LEDGER_LOG_ENTRY);

	AtUnsealed unsealed = at_unsealed_read_in(GetActiveSnapshot());
	const AtSettled *sealed = unsealed.sealed;

	if (sealed == NULL)
		PG_RETURN_INT64(unsealed.base);
	PG_RETURN_INT64(unsealed.base + (sealed->nrunning > 0 ? sealed->running[0] : sealed->xmax));
}

/* audit.is_unsealed(tx_id): read once a query. */
Datum
at_is_unsealed(PG_FUNCTION_ARGS)
{
	AtUnsealed *unsealed = fcinfo->flinfo->fn_extra;

	if (unsealed == NULL)
	{
		MemoryContext save = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);

		unsealed = palloc(sizeof(AtUnsealed));
		*unsealed = at_unsealed_read_in(GetActiveSnapshot());
		fcinfo->flinfo->fn_extra = unsealed;
		MemoryContextSwitchTo(save);
	}
	PG_RETURN_BOOL(at_unsealed_has(unsealed, PG_GETARG_INT64(0)));
}

/*
 * audit.rebuild_volume(): how many rows were missing, too many or other than they are
 * now. The command follows the lock, with a snapshot of its own.
 */
Datum
at_rebuild_volume(PG_FUNCTION_ARGS)
{
	static const char command[] =
		"WITH counted AS MATERIALIZED (SELECT * FROM audit.count_sealed()), "
		"gone AS (DELETE FROM audit.volume v WHERE NOT EXISTS (SELECT FROM counted c "
		"WHERE (c.hour, c.target_id, c.op, c.event_type, c.actor) = "
		"(v.hour, v.target_id, v.op, v.event_type, v.actor)) RETURNING 1), "
		"put AS (INSERT INTO audit.volume AS v SELECT * FROM counted "
		"ON CONFLICT (hour, target_id, op, event_type, actor) DO UPDATE SET events = "
		"excluded.events "
		"WHERE v.events <> excluded.events RETURNING 1) "
		"SELECT (SELECT count(*) FROM gone) + (SELECT count(*) FROM put)";
	AtOwnerState state;
	bool is_null;
	int64 changed;

	at_ledger_lock_passes(AT_LEDGER_LOG_ENTRY);
	at_owner_enter(&state);
	SPI_connect();
	if (SPI_execute(command, false, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not make audit.volume anew");
	changed =
		DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &is_null));
	SPI_finish();
	at_owner_leave(&state);
	PG_RETURN_INT64(changed);
}
