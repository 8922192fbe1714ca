/*-------------------------------------------------------------------------
 * volume.h
 *		How many events a batch has, by hour, table version, operation, type
 *		and actor: what it adds to audit.volume.
 *
 * It is stored in the transaction of the seal. So audit.volume counts each
 * sealed event once, and its sum is that of audit.log_entry.event_count.
 *-------------------------------------------------------------------------
 */
#ifndef AT_VOLUME_H
#define AT_VOLUME_H

#include "ledger/read.h"

typedef struct AtVolume AtVolume;

/* An empty one, in the current context. */
extern AtVolume *at_volume_new(void);

/* Count an event; what is counted may be stored when it has grown large. */
extern void at_volume_add(AtVolume *volume, const AtTransactionRow *tx, const AtEventRow *event);

/* Store what is not stored yet. It can be used on. */
extern void at_volume_store(AtVolume *volume);

#endif
