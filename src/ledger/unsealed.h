/*-------------------------------------------------------------------------
 * unsealed.h
 *		Which transactions the log has not come to yet, by their tx_id.
 *
 * All of it but at_unsealed_read_in() is as of now, whatever the transaction's snapshot is.
 *-------------------------------------------------------------------------
 */
#ifndef AT_UNSEALED_H
#define AT_UNSEALED_H

#include "utils/snapshot.h"

#include "ledger/settled.h"

typedef struct AtUnsealed
{
	int64 base;              /* tx_id of transaction 0 of the incarnation */
	const AtSettled *sealed; /* transactions of it that are sealed; NULL: none */
} AtUnsealed;

/*
 * Since the end of the log's last incarnation, in the current memory context: what is
 * left of it, and all that came later. ERRCODE_AT_INTEGRITY if the log does not tell.
 */
extern AtUnsealed at_unsealed_read(void);

/* The same, as it was in a snapshot. */
extern AtUnsealed at_unsealed_read_in(Snapshot snapshot);

/*
 * Of what is recorded here, in this server and database; false where the ledger is
 * not so far that it could be told.
 */
extern bool at_unsealed_read_here(AtUnsealed *unsealed);

/* Is it among them? */
extern bool at_unsealed_has(const AtUnsealed *unsealed, int64 tx_id);

#endif
