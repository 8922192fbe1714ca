/*-------------------------------------------------------------------------
 * alert.h
 *		Alerts: rules over recorded changes, and who is told.
 *
 * A rule names a table and columns of it. An update that changes one of
 * them writes a row of audit.alert in its own transaction. The notifier
 * worker, woken at commit, tells those who LISTEN.
 *-------------------------------------------------------------------------
 */
#ifndef AT_ALERT_H
#define AT_ALERT_H

/* Register hooks, callbacks and the notifier's pass. */
extern void at_alert_init(void);

#endif
