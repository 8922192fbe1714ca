/*-------------------------------------------------------------------------
 * place.h
 *		Where in the log an event is: its batch, and its leaf there.
 *-------------------------------------------------------------------------
 */
#ifndef AT_PLACE_H
#define AT_PLACE_H

#include "utils/snapshot.h"

#include "core/proof.h"
#include "ledger/event.h"

typedef struct AtPlace
{
	uint64 log_index;  /* of the entry that is the batch */
	uint64 leaf_count; /* of the batch */
	uint64 number;     /* of the leaf, from 0 */
	char *entry;       /* its bytes, ATL1, in the current context */
	size_t entry_len;
} AtPlace;

/*
 * Find an event in the first log_size entries. Returns false if its
 * transaction is not known, or not sealed there. The entry is found by bisection, the
 * leaf in the tiles of the batch. Raises ERRCODE_AT_INTEGRITY if it is not in
 * the batch that must have it.
 */
extern bool at_place_find(AtPlace *place, uint64 tx_id, uint32 ordinal, uint64 log_size,
						  Snapshot snapshot);

/*
 * The entry whose batch a transaction must be in, among the first log_size;
 * false if it had not settled in any. By bisection.
 */
extern bool at_place_find_batch(uint64 *log_index, uint64 tx_id, uint64 log_size,
								Snapshot snapshot);

/* Prove that the leaf is in its batch, by the batch's leaf tiles. */
extern AtError at_place_prove(const AtPlace *place, AtProof *proof, Snapshot snapshot);

#endif
