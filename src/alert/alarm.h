/*-------------------------------------------------------------------------
 * alarm.h
 *		Alerts about the audit trail itself, which are of no event.
 *-------------------------------------------------------------------------
 */
#ifndef AT_ALARM_H
#define AT_ALARM_H

/* Register the hook (ledger/hooks.h). */
extern void at_alarm_init(void);

#endif
