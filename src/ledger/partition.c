/*-------------------------------------------------------------------------
 * partition.c
 *		Partitions of audit.event and audit.transaction.
 *
 * Locks: looking a partition up takes AccessShareLock on its parents for the
 * moment. A new month is made as a table of its own and then attached, which
 * takes ShareUpdateExclusiveLock on the parent and AccessExclusiveLock on the
 * default partition; writers hold locks on neither, except those few that
 * write into the default partition.
 *
 * A month whose first rows went to the default partition (nobody made it ahead of
 * time) is made when it is over, and its rows are moved to it: until then others may
 * come.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/partition.h"
#include "catalog/pg_inherits.h"
#include "catalog/namespace.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "partitioning/partbounds.h"
#include "partitioning/partdesc.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/partcache.h"
#include "utils/rel.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

#include "base/clock.h"
#include "base/debug_point.h"
#include "base/errors.h"
#include "ledger/default_rows.h"
#include "ledger/own_command.h"
#include "ledger/owner.h"
#include "ledger/partition.h"
#include "ledger/shield.h"

static const AtLedgerTable partitioned[] = {AT_LEDGER_EVENT, AT_LEDGER_TRANSACTION};

PG_FUNCTION_INFO_V1(at_create_partitions);

/* Index of the list partition that holds the class, or -1. */
static int
find_class(Relation parent, PartitionDesc desc, int16 retention_class)
{
	PartitionKey key = RelationGetPartitionKey(parent);
	bool equal = false;
	int at = partition_list_bsearch(key->partsupfunc, key->partcollation, desc->boundinfo,
									Int16GetDatum(retention_class), &equal);

	return equal ? desc->boundinfo->indexes[at] : desc->boundinfo->default_index;
}

/* A bound of the range that starts or ends at place `at`; infinite outside of all. */
static TimestampTz
range_bound(PartitionBoundInfo bounds, int at)
{
	if (at < 0)
		return DT_NOBEGIN;
	if (at >= bounds->ndatums)
		return DT_NOEND;
	if (bounds->kind && bounds->kind[at][0] == PARTITION_RANGE_DATUM_MINVALUE)
		return DT_NOBEGIN;
	if (bounds->kind && bounds->kind[at][0] == PARTITION_RANGE_DATUM_MAXVALUE)
		return DT_NOEND;
	return DatumGetTimestampTz(bounds->datums[at][0]);
}

/* Index of the range partition that holds tx_at; *span gets its bounds. */
static int
find_range(Relation parent, PartitionDesc desc, TimestampTz tx_at, AtPartition *span)
{
	PartitionKey key = RelationGetPartitionKey(parent);
	PartitionBoundInfo bounds = desc->boundinfo;
	Datum value = TimestampTzGetDatum(tx_at);
	bool equal = false;
	int at = partition_range_datum_bsearch(key->partsupfunc, key->partcollation, bounds, 1, &value,
										   &equal);
	int index = bounds->indexes[at + 1];

	span->from = range_bound(bounds, at);
	span->until = range_bound(bounds, at + 1);
	return index >= 0 ? index : bounds->default_index;
}

/* Go down to the leaf; the oid of the table that has no partition for such rows, if one has none.
 */
static Oid
descend(AtLedgerTable table, int16 retention_class, TimestampTz tx_at, AtPartition *found)
{
	*found = (AtPartition){.relid = at_ledger_relid(table), .from = DT_NOBEGIN, .until = DT_NOEND};
	while (get_rel_relkind(found->relid) == RELKIND_PARTITIONED_TABLE)
	{
		Relation parent = table_open(found->relid, AccessShareLock);
		PartitionDesc desc = RelationGetPartitionDesc(parent, true);
		int index = -1;

		if (desc->nparts > 0)
			index = RelationGetPartitionKey(parent)->strategy == PARTITION_STRATEGY_LIST
						? find_class(parent, desc, retention_class)
						: find_range(parent, desc, tx_at, found);
		table_close(parent, AccessShareLock);
		if (index < 0)
			return found->relid;
		found->relid = desc->oids[index];
	}
	return InvalidOid;
}

AtPartition
at_partition_find(AtLedgerTable table, int16 retention_class, TimestampTz tx_at)
{
	AtPartition found;
	Oid without = descend(table, retention_class, tx_at, &found);

	if (OidIsValid(without))
		ereport(ERROR, (errcode(ERRCODE_AT_NO_LEDGER),
						errmsg("\"%s\" has no partition for retention class %d",
							   get_rel_name(without), retention_class),
						errdetail("Its default partition is missing."),
						errhint("SELECT * FROM audit.doctor();")));
	if (get_rel_relkind(found.relid) == RELKIND_FOREIGN_TABLE)
		ereport(ERROR, (errcode(ERRCODE_AT_CAPTURE_FAILED),
						errmsg("an event of %s cannot be recorded", timestamptz_to_str(tx_at)),
						errdetail("That month was archived, in \"%s\".", get_rel_name(found.relid)),
						errhint("Set the server's clock right; begin a new transaction.")));
	return found;
}

bool
at_partition_lookup(AtLedgerTable table, int16 retention_class, TimestampTz tx_at,
					AtPartition *found)
{
	return !OidIsValid(descend(table, retention_class, tx_at, found)) &&
		   get_rel_relkind(found->relid) == RELKIND_RELATION;
}

/* The class and the first tx_at of a leaf of audit.event; false for one that is the default of
 * either. */
static bool
find_bounds(Oid leaf, int16 *retention_class, TimestampTz *from)
{
	Oid parents[] = {get_rel_relispartition(leaf) ? get_partition_parent(leaf, true) : InvalidOid,
					 at_ledger_relid(AT_LEDGER_EVENT)};
	Oid children[] = {leaf, parents[0]};
	bool found[] = {false, false};

	if (!OidIsValid(parents[0]))
		return false;
	for (int level = 0; level < lengthof(parents) && parents[0] != parents[1]; level++)
	{
		Relation parent = table_open(parents[level], AccessShareLock);
		PartitionDesc desc = RelationGetPartitionDesc(parent, true);

		for (int i = 0; desc->boundinfo && i < desc->boundinfo->ndatums && !found[level]; i++)
		{
			/* of a range, the bound at which it begins */
			int at = desc->boundinfo->indexes[level == 0 ? i + 1 : i];

			found[level] = at >= 0 && desc->oids[at] == children[level];
			if (found[level] && level == 0)
				*from = range_bound(desc->boundinfo, i);
			else if (found[level])
				*retention_class = DatumGetInt16(desc->boundinfo->datums[i][0]);
		}
		table_close(parent, AccessShareLock);
	}
	return found[0] && found[1];
}

/*
 * A transaction begins in the month of its events, and has their class or the default one. Its
 * row may have come into a default partition, if its month had no other yet.
 */
List *
at_partition_transactions_of(Oid event_leaf)
{
	int16 classes[] = {AT_RETENTION_CLASS_DEFAULT, AT_RETENTION_CLASS_DEFAULT, PG_INT16_MIN};
	TimestampTz from = DT_NOBEGIN;
	List *leaves = NIL;
	ListCell *cell;

	if (!find_bounds(event_leaf, &classes[0], &from))
		return find_all_inheritors(at_ledger_relid(AT_LEDGER_TRANSACTION), AccessShareLock, NULL);
	for (int i = 0; i < lengthof(classes); i++)
	{
		AtPartition found;

		if (at_partition_lookup(AT_LEDGER_TRANSACTION, classes[i], from, &found))
			leaves = list_append_unique_oid(leaves, found.relid);
		if (at_partition_lookup(AT_LEDGER_TRANSACTION, classes[i], DT_NOBEGIN, &found))
			leaves = list_append_unique_oid(leaves, found.relid);
	}
	foreach (cell, leaves)
	{
		LockRelationOid(lfirst_oid(cell), AccessShareLock);
		/* gone meanwhile, into the archive: what is not sealed was not there */
		if (!SearchSysCacheExists1(RELOID, ObjectIdGetDatum(lfirst_oid(cell))))
			leaves = foreach_delete_current(leaves, cell);
	}
	return leaves;
}

void
at_partitions_create_roots(void)
{
	SPI_connect();
	for (int i = 0; i < lengthof(partitioned); i++)
	{
		const char *name = at_ledger_names[partitioned[i]];
		int class = AT_RETENTION_CLASS_DEFAULT;

		at_own_command(
			psprintf("CREATE TABLE audit.%s_default PARTITION OF audit.%s DEFAULT USING audit_worm",
					 name, name));
		at_own_command(psprintf("CREATE TABLE audit.%s_%d PARTITION OF audit.%s FOR VALUES IN (%d) "
								"PARTITION BY RANGE (tx_at)",
								name, class, name, class));
		at_own_command(psprintf("CREATE TABLE audit.%s_%d_default PARTITION OF audit.%s_%d DEFAULT "
								"USING audit_worm",
								name, class, name, class));
	}
	SPI_finish();
}

/* Year and month (0 to 11) of now, UTC. */
static void
current_month(int *year, int *month)
{
	struct pg_tm tm;
	fsec_t fsec;

	if (timestamp2tm(at_clock_now(), NULL, &tm, &fsec, NULL, NULL) != 0)
		elog(ERROR, "the clock is out of range");
	*year = tm.tm_year;
	*month = tm.tm_mon - 1;
}

static bool
is_there(const char *partition)
{
	return OidIsValid(get_relname_relid(partition, at_audit_schema()));
}

/* The first moment of a month (from 0), UTC. */
static TimestampTz
start_of(int year, int month)
{
	return (TimestampTz) (date2j(year + month / 12, month % 12 + 1, 1) - POSTGRES_EPOCH_JDATE) *
		   USECS_PER_DAY;
}

/* Make one month's partition, and move what the default one has of it there; returns how many. */
static uint64
make_month(const char *table, int class, int year, int month)
{
	char *name = psprintf("%s_%d_%04d%02d", table, class, year, month + 1);
	TimestampTz from = start_of(year, month);
	TimestampTz until = start_of(year, month + 1);
	uint64 moved = 0;

	at_own_command(psprintf("CREATE TABLE audit.%s (LIKE audit.%s) USING audit_worm", name, table));
	if (at_default_has(table, class, from, until))
		moved = at_default_move(table, class, from, until, name);
	at_debug_point("default-moved");
	at_shield_partition(name, table);
	at_own_command(psprintf(
		"ALTER TABLE audit.%s_%d ATTACH PARTITION audit.%s "
		"FOR VALUES FROM ('%04d-%02d-01 00:00:00+00') TO ('%04d-%02d-01 00:00:00+00')",
		table, class, name, year, month + 1, year + (month + 1) / 12, (month + 1) % 12 + 1));
	return moved;
}

/* A month's partition. */
typedef struct Month
{
	const char *table;
	int class;
	int year;
	int month; /* from 0 */
} Month;

/* Is it to be made? Not if it is there, or if its rows have come into the default partition. */
static bool
is_wanted(const char *table, int class, int year, int month)
{
	return !is_there(psprintf("%s_%d_%04d%02d", table, class, year, month + 1)) &&
		   !at_default_has(table, class, start_of(year, month), start_of(year, month + 1));
}

/* Make the table of a class, with nothing but a default partition, if it is missing. */
static void
create_class(const char *table, int class)
{
	char *name = psprintf("%s_%d", table, class);
	char *rest = psprintf("%s_%d_default", table, class);

	if (is_there(name))
		return;
	at_own_command(
		psprintf("CREATE TABLE audit.%s (LIKE audit.%s) PARTITION BY RANGE (tx_at)", name, table));
	at_shield_partition(name, table);
	at_own_command(psprintf("CREATE TABLE audit.%s PARTITION OF audit.%s DEFAULT USING audit_worm",
							rest, name));
	at_shield_partition(rest, table);
	at_own_command(psprintf("ALTER TABLE audit.%s ATTACH PARTITION audit.%s FOR VALUES IN (%d)",
							table, name, class));
}

/* Classes that have partitions; the caller is in SPI. */
static List *
all_classes(void)
{
	int16 *classes;
	int count = at_retention_classes(&classes);
	List *all = list_make1_int(AT_RETENTION_CLASS_DEFAULT);

	for (int i = 0; i < count; i++)
		all = lappend_int(all, classes[i]);
	return all;
}

/* Add what is to be made of the months from the first-th on; 0 is this one. */
static List *
add_wanted(List *months, const char *table, int class, int first, int last)
{
	int year;
	int month;

	current_month(&year, &month);
	for (int i = month + first; i <= month + last; i++)
		if (is_wanted(table, class, year + i / 12, i % 12))
		{
			Month *wanted = palloc(sizeof(Month));

			*wanted = (Month){table, class, year + i / 12, i % 12};
			months = lappend(months, wanted);
		}
	return months;
}

/*
 * All that reads a default partition comes first: to attach a month takes a lock on it, which is
 * held to the end.
 */
int
at_partitions_create_months(int months_ahead)
{
	List *months = NIL;
	List *classes;
	ListCell *cell;

	SPI_connect();
	classes = all_classes();
	foreach (cell, classes)
		for (int j = 0; j < lengthof(partitioned); j++)
			create_class(at_ledger_names[partitioned[j]], lfirst_int(cell));
	foreach (cell, classes)
		for (int j = 0; j < lengthof(partitioned); j++)
		{
			at_default_prove(at_ledger_names[partitioned[j]], lfirst_int(cell));
			months = add_wanted(months, at_ledger_names[partitioned[j]], lfirst_int(cell), 0,
								months_ahead);
		}
	foreach (cell, months)
	{
		const Month *month = lfirst(cell);

		(void) make_month(month->table, month->class, month->year, month->month);
	}
	foreach (cell, classes)
		for (int j = 0; j < lengthof(partitioned); j++)
			at_default_release(at_ledger_names[partitioned[j]], lfirst_int(cell));
	SPI_finish();
	return list_length(months);
}

/* The first month from this one on that begins late enough that nobody writes rows of it yet. */
static int
first_to_come(void)
{
	int year;
	int month;

	current_month(&year, &month);
	return start_of(year, month + 1) > at_clock_now() + USECS_PER_HOUR ? 1 : 2;
}

void
at_partitions_promise(void)
{
	AtOwnerState state;
	int first = first_to_come();
	int year;
	int month;
	ListCell *cell;

	current_month(&year, &month);
	at_owner_enter(&state);
	SPI_connect();
	foreach (cell, all_classes())
		for (int j = 0; j < lengthof(partitioned); j++)
		{
			const char *table = at_ledger_names[partitioned[j]];
			int class = lfirst_int(cell);
			TimestampTz from = start_of(year, month + first);
			TimestampTz until = start_of(year, month + AT_PARTITION_MONTHS_AHEAD + 1);

			if (at_default_is_filled(table, class) && !at_default_has(table, class, from, until) &&
				add_wanted(NIL, table, class, first, AT_PARTITION_MONTHS_AHEAD) != NIL)
				at_default_promise(table, class, from, until);
		}
	SPI_finish();
	at_owner_leave(&state);
}

/* Does a table of a class have rows of this month in its default partition, so that more will come?
 */
static bool
is_written(int class)
{
	int year;
	int month;

	current_month(&year, &month);
	for (int j = 0; j < lengthof(partitioned); j++)
		if (at_default_has(at_ledger_names[partitioned[j]], class, start_of(year, month),
						   start_of(year, month + 1)))
			return true;
	return false;
}

/* Rows of this time that are beside rows of this month. */
static bool
default_waits(int class, TimestampTz from, TimestampTz until)
{
	bool waits = false;

	for (int j = 0; j < lengthof(partitioned) && !waits; j++)
		waits = at_default_has(at_ledger_names[partitioned[j]], class, from, until);
	return waits && is_written(class);
}

bool
at_partitions_default_waits(TimestampTz from, TimestampTz until)
{
	AtOwnerState state;
	int16 *classes;
	int count = at_retention_classes(&classes);
	bool waits;

	at_owner_enter(&state);
	SPI_connect();
	waits = default_waits(AT_RETENTION_CLASS_DEFAULT, from, until);
	for (int i = 0; i < count && !waits; i++)
		waits = default_waits(classes[i], from, until);
	SPI_finish();
	at_owner_leave(&state);
	return waits;
}

/*
 * The months of a class that are over, unless others write beside them, who would wait; this one,
 * whose rows may be on their way, is left.
 */
static bool
make_for_rows_of(int class, char **partition, uint64 *rows)
{
	int this_year;
	int this_month;
	bool made = false;

	current_month(&this_year, &this_month);
	for (int j = 0; j < lengthof(partitioned) && !made; j++)
	{
		const char *table = at_ledger_names[partitioned[j]];
		TimestampTz first;
		struct pg_tm tm;
		fsec_t fsec;

		if (!at_default_first_month(table, class, &first) ||
			first >= start_of(this_year, this_month) || is_written(class) ||
			timestamp2tm(first, NULL, &tm, &fsec, NULL, NULL) != 0)
			continue;
		*rows = make_month(table, class, tm.tm_year, tm.tm_mon - 1);
		*partition = MemoryContextStrdup(
			TopTransactionContext, psprintf("%s_%d_%04d%02d", table, class, tm.tm_year, tm.tm_mon));
		made = true;
	}
	return made;
}

bool
at_partitions_make_for_rows(char **partition, uint64 *rows)
{
	AtOwnerState state;
	int16 *classes;
	int count = at_retention_classes(&classes);
	bool made;

	at_owner_enter(&state);
	SPI_connect();
	made = make_for_rows_of(AT_RETENTION_CLASS_DEFAULT, partition, rows);
	for (int i = 0; i < count && !made; i++)
		made = make_for_rows_of(classes[i], partition, rows);
	SPI_finish();
	at_owner_leave(&state);
	return made;
}

int
at_partitions_upkeep(void)
{
	AtOwnerState state;

	at_owner_enter(&state);

	int created = at_partitions_create_months(AT_PARTITION_MONTHS_AHEAD);

	at_owner_leave(&state);
	return created;
}

Datum
at_create_partitions(PG_FUNCTION_ARGS)
{
	int months_ahead = PG_GETARG_INT32(0);
	AtOwnerState state;

	if (months_ahead < 0 || months_ahead > 120)
		ereport(ERROR, (errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
						errmsg("months_ahead is %d, outside of 0 to 120", months_ahead)));
	(void) at_ledger_relid(AT_LEDGER_EVENT);
	at_owner_enter(&state);

	int created = at_partitions_create_months(months_ahead);

	at_owner_leave(&state);
	PG_RETURN_INT32(created);
}
