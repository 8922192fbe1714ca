/*-------------------------------------------------------------------------
 * sealer.h
 *		Binding settled transactions into the one global log.
 *
 * A pass takes all transactions that have ended since the last one, hashes
 * what is stored of them into a batch with its own Merkle tree, and appends
 * the batch to the log, all in one transaction. It waits for no transaction
 * that is still open: that one is sealed by the first pass after its end.
 *-------------------------------------------------------------------------
 */
#ifndef AT_SEALER_H
#define AT_SEALER_H

/* Register the pass with the worker skeleton. */
extern void at_seal_init(void);

#endif
