/*-------------------------------------------------------------------------
 * describe.h
 *		Fields of what was proved, by name.
 *-------------------------------------------------------------------------
 */
#ifndef AT_DESCRIBE_H
#define AT_DESCRIBE_H

#include "core/body.h"
#include "core/checkpoint.h"
#include "result.h"

#define AT_EVENT_ID_MAX (2 * AT_DECIMAL_MAX + 2)

extern const char *at_event_id(const AtEventBody *event, char buffer[AT_EVENT_ID_MAX]);

extern void at_describe_number(AtResult *result, const char *name, uint64_t number);
extern void at_describe_checkpoint(AtResult *result, const AtCheckpoint *checkpoint);
extern void at_describe_event(AtResult *result, const AtEventBody *event);
extern void at_describe_transaction(AtResult *result, const AtTransactionBody *transaction);

#endif
