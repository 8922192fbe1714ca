/*-------------------------------------------------------------------------
 * leaves.h
 *		The leaves of recorded transactions, recomputed from what is stored:
 *		each one's events by ordinal, then the transaction itself.
 *
 * Sealer and verifier read through this same piece, so that they cannot
 * disagree. With each transaction comes what its own count, digest and
 * session say of it, before any seal is looked at.
 *-------------------------------------------------------------------------
 */
#ifndef AT_LEAVES_H
#define AT_LEAVES_H

#include "ledger/gap.h"
#include "ledger/read.h"

typedef enum AtSessionState
{
	AT_SESSION_FINE,
	AT_SESSION_MISSING,
	AT_SESSION_CHANGED
} AtSessionState;

/* A set of ordinals, of which the first is named. */
typedef struct AtOrdinals
{
	uint32 count;
	uint32 first;
} AtOrdinals;

/* What is wrong with a transaction by its own account. */
typedef struct AtFlaws
{
	bool any; /* of the following */
	AtOrdinals missing;
	AtOrdinals added; /* beyond event_count */
	AtOrdinals duplicated;
	AtOrdinals back; /* purged, and there again; 0 is the transaction itself */
	bool digest_differs;
	int32 missing_target; /* that an event names; 0 for none */
	AtSessionState session;
} AtFlaws;

typedef struct AtLeaf
{
	uint64 tx_id;
	uint32 ordinal; /* 0: the leaf of the transaction itself */
	AtHash hash;
	bool is_purged; /* it is a ghost: there is neither event nor transaction */

	/* of an event's leaf, else NULL; `of` is NULL too where its transaction was not asked for */
	const AtEventRow *event;
	const AtTransactionRow *of;

	/* of a transaction's own leaf, else NULL */
	const AtTransactionRow *transaction;
	const AtFlaws *flaws;
	AtHash chain;        /* what the digest should be */
	int32 target_id;     /* that its last event names; 0 for none */
	bool has_session;    /* it brought the row of its session, which is there */
	AtHash session_hash; /* of that row: what session_digest should be */
} AtLeaf;

typedef struct AtLeafReader AtLeafReader;

/* Open; the reader lives in the current context and allocates there. */
extern AtLeafReader *at_leaf_reader_open(Snapshot snapshot);

/*
 * Leaves that were purged, of the batches that are read next, in their order: they come at their
 * places, with the hashes given, and count as read. Where a row is there all the same, that comes
 * instead, with a flaw if it should be gone. They must stay until others are given; NULL: none.
 */
extern void at_leaf_reader_set_ghosts(AtLeafReader *reader, const AtGhost *ghosts, uint64 count);

/* Start (again) with the transactions of a window, by (xid, tx_id). */
extern void at_leaf_reader_start(AtLeafReader *reader, const AtWindow *window,
								 AtEventSource source);

/*
 * Start (again) with what has this one name: the events, then a leaf for
 * each row of audit.transaction, of which there may be none or several.
 */
extern void at_leaf_reader_find(AtLeafReader *reader, uint64 tx_id, AtEventSource source);

/* Parts of it: the events from an ordinal on, without flaws; the rows alone, likewise. */
extern void at_leaf_reader_find_events(AtLeafReader *reader, uint64 tx_id, uint32 first_ordinal);
extern void at_leaf_reader_find_rows(AtLeafReader *reader, uint64 tx_id);

/* The next leaf, valid until the next call; NULL at the end. */
extern const AtLeaf *at_leaf_reader_next(AtLeafReader *reader);

extern void at_leaf_reader_close(AtLeafReader *reader);

/* The flaws in words, in the current context: "event 3 is missing; ...". */
extern char *at_flaws_describe(const AtFlaws *flaws);

#endif
