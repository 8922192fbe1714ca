/*-------------------------------------------------------------------------
 * transaction.h
 *		The recorded transaction: its id, its context, the chain over its
 *		events, and its row when it commits.
 *-------------------------------------------------------------------------
 */
#ifndef AT_TRANSACTION_H
#define AT_TRANSACTION_H

#include "datatype/timestamp.h"

#include "core/hash.h"
#include "ledger/context.h"
#include "ledger/origin.h"
#include "ledger/place.h"

/* The running transaction as recorded so far; belongs to the module. */
typedef struct AtTransaction
{
	uint64 tx_id;
	TimestampTz tx_at;
	uint32 event_count;    /* events that stand, rolled back ones not counted */
	int16 retention_class; /* of all of its events; 0: none yet */
	AtContext context;
} AtTransaction;

/* Who acts, and as whom. */
typedef struct AtActing
{
	AtContext context;
	const char *db_user;
	const char *db_role;
	const char *application;
} AtActing;

/*
 * Prepare the transaction for its next event, whose ordinal is event_count + 1.
 * Gives the transaction a transaction id, if it has none yet.
 */
extern const AtTransaction *at_transaction_join(void);

/*
 * Prepare it for an event that is written at its end only: who acts is taken
 * now, unless there were events. A rollback of the subtransaction undoes that.
 */
extern void at_transaction_pin(void);

/* Are there events of the running transaction that stand? Then its tx_id. */
extern bool at_transaction_has_events(int64 *tx_id);

/*
 * The running transaction, which has no events yet, is recorded for somebody else: its row gets
 * this origin. The origin must live to the end of the transaction.
 */
extern void at_transaction_act_for(const AtOrigin *origin);

/*
 * Who acts in the event that was appended last: who the transaction's row names, or what
 * extra.context of the event says otherwise. Strings belong to the transaction or
 * are in the current memory context.
 */
extern void at_transaction_acting(AtActing *acting);

/*
 * The next event, of this retention class, stands at this place: extend the chain by its leaf. A
 * transaction is stored under the class of its events, and where they are of several under the
 * default one.
 */
extern void at_transaction_add(const AtHash *leaf, int16 retention_class,
							   const ItemPointerData *tid);

/* Where the first events of the running transaction are that stand; tx_id and tx_at are its own. */
extern void at_transaction_places(AtPlaces *places, int64 *tx_id, TimestampTz *tx_at);

/* Register the callbacks; after at_append_init(), so that they run before its. */
extern void at_transaction_init(void);

#endif
