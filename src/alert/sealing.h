/*-------------------------------------------------------------------------
 * sealing.h
 *		Alerts come under the seal: events that name those that were raised
 *		since the last such event (ledger/alert_seal.h).
 *-------------------------------------------------------------------------
 */
#ifndef AT_SEALING_H
#define AT_SEALING_H

/*
 * Seal what has been raised by transactions that have settled since it was done last; in a
 * transaction of its own. Leaves no trace where there is none.
 */
extern void at_sealing_pass(void);

/*
 * Seal what the running transaction has raised for events of others, in that transaction. Needs an
 * active snapshot.
 */
extern void at_sealing_own(void);

#endif
