/*-------------------------------------------------------------------------
 * describe.h
 *		Fields of what was proved, by name.
 *-------------------------------------------------------------------------
 */
#ifndef AT_DESCRIBE_H
#define AT_DESCRIBE_H

#include "core/body.h"
#include "report.h"

#define AT_EVENT_ID_MAX (2 * AT_DECIMAL_MAX + 2)

extern const char *at_event_id(const AtEventBody *event, char buffer[AT_EVENT_ID_MAX]);

extern void at_describe_event(AtReport *report, const AtEventBody *event);
extern void at_describe_transaction(AtReport *report, const AtTransactionBody *transaction);

#endif
