/*-------------------------------------------------------------------------
 * default_rows.c
 *		Rows of audit.event and audit.transaction that are in default partitions.
 *
 * Locks: AccessShareLock on the default partition to look; AccessExclusiveLock to
 * move, to the end of the transaction.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "executor/spi.h"
#include "executor/tuptable.h"
#include "storage/bufmgr.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "base/catalog.h"
#include "base/columns.h"
#include "ledger/default_rows.h"
#include "ledger/let_go.h"

typedef struct Span
{
	TimestampTz from;
	TimestampTz until;
} Span;

static bool is_empty(const char *partition);

static char *
default_of(const char *table, int class)
{
	return psprintf("%s_%d_default", table, class);
}

bool
at_default_has(const char *table, int class, TimestampTz from, TimestampTz until)
{
	char *partition = default_of(table, class);
	char *query;

	if (is_empty(partition))
		return false;
	query =
		psprintf("SELECT FROM audit.%s WHERE tx_at OPERATOR(pg_catalog.>=) '%s' "
				 "AND tx_at OPERATOR(pg_catalog.<) '%s'",
				 partition, pstrdup(timestamptz_to_str(from)), pstrdup(timestamptz_to_str(until)));
	if (SPI_execute(query, true, 1) != SPI_OK_SELECT)
		elog(ERROR, "unexpected result of: %s", query);
	return SPI_processed > 0;
}

bool
at_default_first_month(const char *table, int class, TimestampTz *month)
{
	char *partition = default_of(table, class);
	bool isnull;
	Datum first;

	if (is_empty(partition))
		return false;
	if (SPI_execute(psprintf("SELECT pg_catalog.date_trunc('month', pg_catalog.min(tx_at), 'UTC') "
							 "FROM audit.%s",
							 partition),
					true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read audit.%s", partition);
	first = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull);
	if (!isnull)
		*month = DatumGetTimestampTz(first);
	return !isnull;
}

/* Mostly they are, and then nothing is read. One that is not there is empty too. */
static bool
is_empty(const char *partition)
{
	Oid relid = get_relname_relid(partition, at_audit_schema());
	Relation rel = OidIsValid(relid) ? try_table_open(relid, AccessShareLock) : NULL;
	bool empty = rel == NULL || RelationGetNumberOfBlocks(rel) == 0;

	if (rel != NULL)
		table_close(rel, AccessShareLock);
	return empty;
}

static bool
is_within(TupleTableSlot *slot, void *arg)
{
	const Span *span = arg;
	bool isnull;
	TimestampTz tx_at = DatumGetTimestampTz(slot_getattr(slot, Anum_event_tx_at, &isnull));

	return tx_at >= span->from && tx_at < span->until;
}

uint64
at_default_move(const char *table, int class, TimestampTz from, TimestampTz until, const char *to)
{
	Relation rel = table_open(at_audit_relid(to), AccessExclusiveLock);
	Span span = {.from = from, .until = until};
	uint64 count = at_let_go_to(at_audit_relid(default_of(table, class)), rel, is_within, &span);

	table_close(rel, NoLock);
	return count;
}
