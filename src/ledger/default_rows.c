/*-------------------------------------------------------------------------
 * default_rows.c
 *		Rows of audit.event and audit.transaction that are in default partitions.
 *
 * Locks: AccessShareLock on the default partition to look; AccessExclusiveLock to
 * move, to promise and to release, ShareUpdateExclusiveLock to prove, to the end of the
 *transaction.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/pg_constraint.h"
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
#include "ledger/own_command.h"

/* The constraint that says of a default partition what it has no rows of. */
#define PROMISE "none_of_months_ahead"

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

bool
at_default_is_filled(const char *table, int class)
{
	return !is_empty(default_of(table, class));
}

void
at_default_promise(const char *table, int class, TimestampTz from, TimestampTz until)
{
	at_own_command(psprintf("ALTER TABLE audit.%s DROP CONSTRAINT IF EXISTS " PROMISE
							", ADD CONSTRAINT " PROMISE
							" CHECK (tx_at OPERATOR(pg_catalog.<) '%s' OR "
							"tx_at OPERATOR(pg_catalog.>=) '%s') NOT VALID",
							default_of(table, class), pstrdup(timestamptz_to_str(from)),
							pstrdup(timestamptz_to_str(until))));
}

static bool
is_promised(const char *partition)
{
	Oid relid = get_relname_relid(partition, at_audit_schema());

	return OidIsValid(relid) && OidIsValid(get_relation_constraint_oid(relid, PROMISE, true));
}

void
at_default_prove(const char *table, int class)
{
	char *partition = default_of(table, class);

	if (is_promised(partition))
		at_own_command(psprintf("ALTER TABLE audit.%s VALIDATE CONSTRAINT " PROMISE, partition));
}

void
at_default_release(const char *table, int class)
{
	char *partition = default_of(table, class);

	if (is_promised(partition))
		at_own_command(psprintf("ALTER TABLE audit.%s DROP CONSTRAINT " PROMISE, partition));
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
