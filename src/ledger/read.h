/*-------------------------------------------------------------------------
 * read.h
 *		Rows of audit.transaction and audit.event, as the sealer and the
 *		verifier need them: every stored field, in sealing order.
 *
 * Reads go through one registered snapshot that the caller owns. Rows point
 * into memory that is reset by the next call of the same reader.
 *-------------------------------------------------------------------------
 */
#ifndef AT_READ_H
#define AT_READ_H

#include "base/catalog.h"
#include "utils/snapshot.h"

/* A row of audit.transaction, ready to be hashed; log_id is set. */
typedef struct AtTransactionRow
{
	AtTransactionBody body;
	int16 retention_class;
	bool digest_is_odd; /* the stored digest is not 32 bytes long */
} AtTransactionRow;

/* A row of audit.event, ready to be hashed; names come from audit.target. */
typedef struct AtEventRow
{
	AtEventBody body;
	int32 target_id;
	bool target_missing; /* no row of audit.target has this target_id */
} AtEventRow;

/*
 * Which transactions: those of one server and database that had settled in
 * `to` and not yet in `from`. Both are pg_snapshot texts; `from` NULL means
 * from the beginning, `to` NULL means all there are.
 */
typedef struct AtWindow
{
	uint64 system_identifier;
	Oid database_oid;
	const char *from;
	const char *to;
} AtWindow;

typedef struct AtTransactionReader AtTransactionReader;
typedef struct AtEventReader AtEventReader;

/* Transactions of a window in the order (xid, tx_id). Needs an SPI connection. */
extern AtTransactionReader *at_transaction_reader_open(const AtWindow *window, Snapshot snapshot);
extern const AtTransactionRow *at_transaction_reader_next(AtTransactionReader *reader);
extern void at_transaction_reader_close(AtTransactionReader *reader);

/*
 * Events of one transaction in the order of their ordinals, from all
 * partitions that may hold them. A row whose index entry leads to another
 * tx_id or ordinal than the entry says is returned with what it stores.
 */
extern AtEventReader *at_event_reader_open(Snapshot snapshot);
extern void at_event_reader_start(AtEventReader *reader, uint64 tx_id);
extern const AtEventRow *at_event_reader_next(AtEventReader *reader);
extern void at_event_reader_close(AtEventReader *reader);

#endif
