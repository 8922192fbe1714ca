/*-------------------------------------------------------------------------
 * drop_empty.c
 *		Partitions that a purge has emptied are dropped.
 *
 * A purge only empties a partition, which takes a lock on it alone. To drop it
 * takes AccessExclusiveLock on its parent, behind which writers would wait: so
 * the keeper asks for that for no longer than they can bear, and lets it be if
 * somebody reads at the moment. Empty partitions cost little.
 *
 * Locks: AccessExclusiveLock on the partition, then, by DROP TABLE, on its
 * parent; both with the keeper's short patience.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/relation.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "storage/bufmgr.h"
#include "utils/builtins.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "base/catalog.h"
#include "base/clock.h"
#include "base/compat.h"
#include "base/debug_point.h"
#include "ledger/cold.h"
#include "ledger/own_command.h"
#include "ledger/owner.h"
#include "retention/drop_empty.h"
#include "retention/keeper.h"

/* So many at a time. */
#define PORTION 10

static const char candidates_query[] =
	"SELECT c.oid::pg_catalog.int8 FROM (" AT_DROP_CANDIDATES("$1") ") AS c "
																	"ORDER BY c.relname LIMIT $2";

static bool run_step(TimestampTz deadline);
static int find_candidates(Oid *found);
static bool drop(Oid partition);

static const AtKeeperStep drop_step = {.name = "drop", .in_window = true, .run = run_step};

void
at_drop_empty_init(void)
{
	at_keeper_register(&drop_step);
}

/* Each in a transaction of its own, so that the lock on the parent is short. */
static bool
run_step(TimestampTz deadline)
{
	MemoryContext context = CurrentMemoryContext;
	Oid found[PORTION];
	int count;
	int dropped = 0;

	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	count = find_candidates(found);
	PopActiveSnapshot();
	CommitTransactionCommand();
	for (int i = 0; i < count; i++)
	{
		StartTransactionCommand();
		MemoryContextSwitchTo(context);
		PushActiveSnapshot(GetTransactionSnapshot());
		at_keeper_limit_locks();
		dropped += drop(found[i]);
		at_debug_point("drop-before-commit");
		PopActiveSnapshot();
		CommitTransactionCommand();
	}
	if (dropped > 0)
		at_keeper_did(dropped, "%d empty partitions dropped", dropped);
	return count == PORTION && dropped > 0;
}

static int
find_candidates(Oid *found)
{
	Oid types[] = {TIMESTAMPTZOID, INT4OID};
	Datum values[] = {TimestampTzGetDatum(at_clock_now()), Int32GetDatum(PORTION)};
	AtOwnerState state;
	int count;

	at_owner_enter(&state);
	SPI_connect();
	if (SPI_execute_with_args(candidates_query, lengthof(types), types, values, NULL, true, 0) !=
		SPI_OK_SELECT)
		elog(ERROR, "could not read pg_class");
	count = SPI_processed;
	for (int i = 0; i < count; i++)
	{
		bool isnull;

		found[i] =
			DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1, &isnull));
	}
	SPI_finish();
	at_owner_leave(&state);
	return count;
}

/* What is empty under the lock stays so. */
static bool
drop(Oid partition)
{
	Relation rel = try_relation_open(partition, AccessExclusiveLock);
	AtOwnerState state;
	bool is_cold;
	int32 store = 0;
	char *name;

	if (rel == NULL)
		return false;
	name = pstrdup(RelationGetRelationName(rel));
	is_cold = at_is_cold(rel);
	if (is_cold)
		store = at_cold_store(partition);
	if (is_cold ? at_cold_segments(partition) != 0 : RelationGetNumberOfBlocks(rel) != 0)
	{
		relation_close(rel, NoLock);
		return false;
	}
	relation_close(rel, NoLock);
	at_owner_enter(&state);
	SPI_connect();
	at_own_command(
		psprintf("DROP %s audit.%s", is_cold ? "FOREIGN TABLE" : "TABLE", quote_identifier(name)));
	if (is_cold)
		at_own_command(psprintf("DROP TABLE audit.segment_%d", store));
	SPI_finish();
	at_owner_leave(&state);
	return true;
}
