/*-------------------------------------------------------------------------
 * notifier.h
 *		The worker that tells alerts to those who LISTEN.
 *-------------------------------------------------------------------------
 */
#ifndef AT_NOTIFIER_H
#define AT_NOTIFIER_H

/* Every alert is told on this channel, and on its rule's. */
#define AT_ALERT_CHANNEL "audit_alert"

/* Register the pass. */
extern void at_notifier_init(void);

#endif
