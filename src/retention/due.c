/*-------------------------------------------------------------------------
 * due.c
 *		Which months of the ledger may be archived.
 *
 * Partitions are known by their names, which ledger/partition.c gives them.
 * What is in default partitions gets partitions of its own first (ledger/default_rows.h).
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/pg_class_d.h"
#include "catalog/pg_inherits.h"
#include "storage/bufmgr.h"
#include "utils/lsyscache.h"
#include "utils/datetime.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "base/catalog.h"
#include "retention/due.h"

static void look_at(Oid relid, const char *table, int16 wanted, TimestampTz before,
					AtMonth *oldest);
static TimestampTz start_of(int year, int month);

bool
at_month_find(int16 retention_class, TimestampTz before, AtMonth *month)
{
	static const AtLedgerTable tables[] = {AT_LEDGER_EVENT, AT_LEDGER_TRANSACTION};
	AtMonth oldest = {.from = DT_NOEND};

	for (int i = 0; i < lengthof(tables); i++)
	{
		ListCell *cell;

		foreach (cell, find_all_inheritors(at_ledger_relid(tables[i]), AccessShareLock, NULL))
			look_at(lfirst_oid(cell), at_ledger_names[tables[i]], retention_class, before, &oldest);
	}
	*month = oldest;
	return oldest.from != DT_NOEND;
}

/* Does the partition have rows of a month that is as old as the oldest so far, or older? */
static void
look_at(Oid relid, const char *table, int16 wanted, TimestampTz before, AtMonth *oldest)
{
	char *name = get_rel_name(relid);
	Relation rel;
	bool has_rows;
	AtMonth month;
	int16 class;

	if (name == NULL || !at_month_read(name, &month))
		return;
	class = month.retention_class;
	if (wanted != 0 && class != wanted)
		return;
	if (month.until > before || month.from > oldest->from ||
		(month.from == oldest->from && class > oldest->retention_class))
		return;
	rel = table_open(relid, NoLock);
	has_rows = rel->rd_rel->relkind == RELKIND_RELATION && RelationGetNumberOfBlocks(rel) > 0;
	table_close(rel, NoLock);
	if (!has_rows)
		return;
	if (month.from != oldest->from || class != oldest->retention_class)
		*oldest = month;
	if (strcmp(table, at_ledger_names[AT_LEDGER_EVENT]) == 0)
		oldest->event = relid;
	else
		oldest->transaction = relid;
}

/* The first moment of a month, UTC. */
static TimestampTz
start_of(int year, int month)
{
	return (TimestampTz) (date2j(year, month, 1) - POSTGRES_EPOCH_JDATE) * USECS_PER_DAY;
}

char *
at_month_partition(const AtMonth *month, const char *table)
{
	return psprintf("%s_%d_%04d%02d", table, month->retention_class, month->year, month->month);
}

bool
at_month_read(const char *partition, AtMonth *month)
{
	int class;
	int number;
	int end = 0;

	if ((sscanf(partition, "event_%d_%6d%n", &class, &number, &end) != 2 &&
		 sscanf(partition, "transaction_%d_%6d%n", &class, &number, &end) != 2) ||
		partition[end] != '\0' || number % 100 < 1 || number % 100 > 12)
		return false;
	*month = (AtMonth){.retention_class = class, .year = number / 100, .month = number % 100};
	month->from = start_of(month->year, month->month);
	month->until = start_of(month->year + month->month / 12, month->month % 12 + 1);
	return true;
}
