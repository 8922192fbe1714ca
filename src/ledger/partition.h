/*-------------------------------------------------------------------------
 * partition.h
 *		Partitions of audit.event and audit.transaction: which one a row
 *		belongs to, and making them ahead of time.
 *
 * Both tables are partitioned by list of retention_class, and each class by
 * month (UTC) of tx_at, with a default partition at either level, so that
 * every row has a place.
 *-------------------------------------------------------------------------
 */
#ifndef AT_PARTITION_H
#define AT_PARTITION_H

#include "datatype/timestamp.h"
#include "nodes/pg_list.h"

#include "base/catalog.h"
#include "ledger/retention_class.h"

#define AT_PARTITION_MONTHS_AHEAD 3

/* A leaf partition and the span of tx_at, [from, until), that it serves. */
typedef struct AtPartition
{
	Oid relid;
	TimestampTz from;
	TimestampTz until;
} AtPartition;

/*
 * Find the leaf for a row. Raises ERRCODE_AT_CAPTURE_FAILED if that month was archived, else
 * only if the catalog is damaged.
 */
extern AtPartition at_partition_find(AtLedgerTable table, int16 retention_class, TimestampTz tx_at);

/* The same; false where there is none, or it was archived. *found is its span all the same. */
extern bool at_partition_lookup(AtLedgerTable table, int16 retention_class, TimestampTz tx_at,
								AtPartition *found);

/*
 * The leaves of audit.transaction, oids, in which the transactions are whose events are in this
 * leaf of audit.event; locked with AccessShareLock.
 */
extern List *at_partition_transactions_of(Oid event_leaf);

/* Make what is missing of the first tables, for audit.init(); as the ledger's owner. */
extern void at_partitions_create_roots(void);

/*
 * Make the monthly partitions from this month to months_ahead later that are
 * missing, of all classes that policies have; returns their number. Takes no lock that a writer
 * waits for.
 */
extern int at_partitions_create_months(int months_ahead);

/*
 * Give the oldest month that is over, and of which a default partition has rows, partitions of its
 * own, as the ledger's owner; false if there is none. Tells which one and how many rows
 * came there, until the end of the transaction.
 */
extern bool at_partitions_make_for_rows(char **partition, uint64 *rows);

/*
 * Is something of this time in a default partition that has rows of this month too? To change that
 * would keep those waiting who write now; when the month is over nobody does.
 */
extern bool at_partitions_default_waits(TimestampTz from, TimestampTz until);

/*
 * The keeper's duty, in two transactions of the caller: months ahead, as the ledger's owner. The
 * first prepares default partitions that have rows (see default_rows.h), so that writers do not
 * wait in the second; returns how many were made.
 */
extern void at_partitions_promise(void);
extern int at_partitions_upkeep(void);

#endif
