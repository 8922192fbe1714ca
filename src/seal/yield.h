/*-------------------------------------------------------------------------
 * yield.h
 *		Writers leave a sealer that is behind the processor.
 *
 * After the commit of a transaction with events a session waits for a few milliseconds, if the
 * sealer is late and wants the processor (base/pace.h). It holds no lock and no snapshot by then;
 * a signal ends the wait. Only sessions of clients wait: no workers, and none that ends.
 *-------------------------------------------------------------------------
 */
#ifndef AT_YIELD_H
#define AT_YIELD_H

/* Register the callbacks; after those of ledger/transaction.h, which forget the transaction. */
extern void at_yield_init(void);

#endif
