/*-------------------------------------------------------------------------
 * append.h
 *		The only writer of ledger rows.
 *
 * at_append() inserts straight into the heap of the right partition and its
 * indexes: no executor, no privileges, no triggers. The relations stay open
 * until the end of the transaction, under its top resource owner, so that
 * an aborted subtransaction does not close them.
 *-------------------------------------------------------------------------
 */
#ifndef AT_APPEND_H
#define AT_APPEND_H

#include "nodes/pg_list.h"
#include "storage/itemptr.h"
#include "utils/relcache.h"

#include "base/catalog.h"

/* A row that is yet to be inserted, as for at_append(). */
typedef struct AtRow
{
	Datum *values;
	bool *nulls;
} AtRow;

/*
 * Insert a row: one value and null flag a column, in the order of the table
 * as audit.create_ledger() makes it. Raises ERRCODE_AT_NO_LEDGER without a
 * ledger. Allocates in the caller's context; nothing is kept of values. Returns where the row
 * is in its partition.
 */
extern ItemPointerData at_append(AtLedgerTable table, Datum *values, bool *nulls);

/*
 * Insert rows, a list of AtRow, of a table without partitions: pages are filled and logged as a
 * whole, and an index gets all of its entries before the next one does.
 */
extern void at_append_rows(AtLedgerTable table, List *rows);

/*
 * Put a row in the place of the one that is there, as an update does. For audit.alert_pass alone,
 * of which nobody needs what was there before, and which has no index.
 */
extern void at_append_over(AtLedgerTable table, ItemPointer place, Datum *values, bool *nulls);

/*
 * The same as at_append() for a table that the caller has open, with RowExclusiveLock: of those
 * that are made for what is archived.
 */
extern void at_append_to(Relation heap, Datum *values, bool *nulls);

/* Register the end-of-transaction callback. */
extern void at_append_init(void);

#endif
