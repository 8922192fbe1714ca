/*-------------------------------------------------------------------------
 * place.h
 *		Where the first events of a transaction are stored.
 *
 * An event gets its entries in indexes from the sealer, if it is one of the first
 * AT_DEFERRED_ROWS of its transaction. Until then its transaction's row leads to it, which has
 * their places (audit.transaction.event_places): AtPlace by AtPlace in the order of ordinals, as
 * this machine has them in memory.
 *
 * A place is a hint. The row may have been restored, or the partition may have been written
 * anew since; so who follows it looks whether the event is there. If it is not, the event has its
 * entries already: indexes are built with those of all rows that no place leads to, and of
 * all that were recorded in another server or database.
 *-------------------------------------------------------------------------
 */
#ifndef AT_PLACE_H
#define AT_PLACE_H

#include "executor/tuptable.h"
#include "storage/itemptr.h"
#include "utils/snapshot.h"

#include "core/body.h"
#include "ledger/index_plan.h"

/* In which partition is told by the class and by the tx_at of the transaction. */
typedef struct AtPlace
{
	int16 retention_class;
	uint16 offset;
	uint32 block;
} AtPlace;

typedef struct AtPlaces
{
	int count;
	AtPlace place[AT_DEFERRED_ROWS];
} AtPlaces;

extern AtPlace at_place_of(int16 retention_class, const ItemPointerData *tid);

/* What a row of audit.transaction has; none, if it is malformed. */
extern void at_places_read(AtPlaces *places, AtSpan stored);

/* Follows places; lives in the context in which it was opened. */
typedef struct AtPlaceReader AtPlaceReader;
extern AtPlaceReader *at_place_reader_open(Snapshot snapshot);

/* The partition of audit.event that the place is in; InvalidOid if that has no rows of its own. */
extern Oid at_place_partition(AtPlaceReader *reader, const AtPlace *place, TimestampTz tx_at);

/*
 * The event of this name, deformed, if it is there and the snapshot sees it; else NULL. The slot
 * belongs to the reader, until the next call. AccessShareLock stays on the partition.
 */
extern TupleTableSlot *at_place_fetch(AtPlaceReader *reader, const AtPlace *place,
									  TimestampTz tx_at, int64 tx_id, int32 ordinal);
extern void at_place_reader_close(AtPlaceReader *reader);

#endif
