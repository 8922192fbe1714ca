/*-------------------------------------------------------------------------
 * read.h
 *		Rows of audit.transaction, audit.event and audit.session, as the
 *		sealer and the verifier need them: every stored field, in sealing
 *		order, ready to be hashed.
 *
 * Reads go through one snapshot that the caller owns. A row points into
 * memory that is reset by the next call of the same reader. Readers may be
 * started as often as wanted; they live in the context in which they were
 * opened.
 *
 * Each row says under which name an index led to it (its place). Where
 * somebody changed a row, place and body may differ.
 *-------------------------------------------------------------------------
 */
#ifndef AT_READ_H
#define AT_READ_H

#include "access/htup.h"
#include "access/tupdesc.h"
#include "executor/tuptable.h"
#include "storage/itemptr.h"
#include "utils/snapshot.h"

#include "base/catalog.h"
#include "ledger/settled.h"

/* A row of audit.transaction; log_id is set. */
typedef struct AtTransactionRow
{
	AtTransactionBody body;
	int64 place;        /* of a window: the xid by which it was found; else the tx_id */
	bool digest_is_odd; /* the stored digest is not 32 bytes long */
	AtSpan places;      /* of its first events, see place.h */

	/* where it is stored, and the row itself */
	Oid relid;
	ItemPointerData tid;
	HeapTuple tuple;
	TupleDesc desc;
} AtTransactionRow;

/* A row of audit.event; names come from audit.target. */
typedef struct AtEventRow
{
	AtEventBody body;
	uint32 place; /* its ordinal as the index has it */
	int32 target_id;
	bool target_missing; /* no row of audit.target has this target_id */

	/* where it is stored, and the row itself */
	Oid relid;
	ItemPointerData tid;
	TupleTableSlot *slot; /* deformed */
	bool by_place;        /* found by its place: what is deferred of its entries may be missing */
} AtEventRow;

/*
 * Which transactions: those of one incarnation, in one server and database, that
 * had ended in `to` and not yet in `from`. `from` NULL means from the
 * beginning, `to` NULL means all there are.
 */
typedef struct AtWindow
{
	int32 incarnation;
	uint64 system_identifier;
	Oid database_oid;
	const AtSettled *from;
	const AtSettled *to;
} AtWindow;

typedef struct AtTransactionReader AtTransactionReader;
typedef struct AtEventReader AtEventReader;

/* All that is recorded in this server and database now. */
extern AtWindow at_window_here(void);

/* Transactions of windows, in the order of tx_id. The window must outlive its use. */
extern AtTransactionReader *at_transaction_reader_open(Snapshot snapshot);
extern void at_transaction_reader_start(AtTransactionReader *reader, const AtWindow *window);

/* Transactions by name, of any origin: one, or several where a name was used twice. */
extern AtTransactionReader *at_transaction_finder_open(Snapshot snapshot);
extern void at_transaction_finder_start(AtTransactionReader *reader, uint64 tx_id);

/* The next row of either, or NULL. */
extern const AtTransactionRow *at_transaction_reader_next(AtTransactionReader *reader);
extern void at_transaction_reader_close(AtTransactionReader *reader);

/* How events are found; see place.h. */
typedef enum AtEventSource
{
	AT_EVENTS_INDEXED,  /* by the index, which has all that are sealed */
	AT_EVENTS_UNSEALED, /* what it has not by the places that the transaction's row has */
	AT_EVENTS_PLACED    /* by these, and by the index only where they do not lead to all */
} AtEventSource;

/*
 * Events of one transaction in the order of their ordinals, from one on; AT_EVENTS_PLACED is for
 * those who hand over its row, which may claim another name than that by which it was found.
 */
extern AtEventReader *at_event_reader_open(Snapshot snapshot);
extern void at_event_reader_start(AtEventReader *reader, AtEventSource source, uint64 tx_id,
								  uint32 first_ordinal);
extern void at_event_reader_start_of(AtEventReader *reader, AtEventSource source, uint64 tx_id,
									 const AtTransactionRow *row);
extern const AtEventRow *at_event_reader_next(AtEventReader *reader);
extern void at_event_reader_close(AtEventReader *reader);

/* A row of audit.session, or NULL; the hash of its ATS1 body, or false. */
typedef struct AtSessionReader AtSessionReader;
extern AtSessionReader *at_session_reader_open(Snapshot snapshot);
extern const AtSessionBody *at_session_reader_find(AtSessionReader *reader, uint64 session_id);
extern bool at_session_reader_hash(AtSessionReader *reader, uint64 session_id, AtHash *hash);
extern void at_session_reader_close(AtSessionReader *reader);

#endif
