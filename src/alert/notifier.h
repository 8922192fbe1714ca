/*-------------------------------------------------------------------------
 * notifier.h
 *		The worker that tells alerts to those who LISTEN.
 *-------------------------------------------------------------------------
 */
#ifndef AT_NOTIFIER_H
#define AT_NOTIFIER_H

#include "executor/spi.h"

/* Every alert is told on this channel, and on its rule's. */
#define AT_ALERT_CHANNEL "audit_alert"

/* Register the pass. */
extern void at_notifier_init(void);

/*
 * The plans are made once, perhaps while the tables are empty and known to be: a sequential scan,
 * which would be the best then, makes a storm quadratic. So do without, in this transaction.
 */
extern void at_notifier_use_indexes(void);

/* Prepare a query of the notifier once, with a plan that serves all parameters. Needs SPI. */
extern SPIPlanPtr at_notifier_plan(SPIPlanPtr *plan, const char *query, int nargs, Oid *types);

#endif
