/*-------------------------------------------------------------------------
 * webhook.h
 *		Delivery by HTTP: a signed POST of a CloudEvent.
 *-------------------------------------------------------------------------
 */
#ifndef AT_WEBHOOK_H
#define AT_WEBHOOK_H

#include <stdbool.h>

#include "alert.h"
#include "config.h"

typedef struct AtWebhook AtWebhook;

/* Open a sink; NULL, and a reason, if that cannot be. is_stopping ends an attempt early. */
extern AtWebhook *at_webhook_open(const AtSinkConfig *config, bool (*is_stopping)(void),
								  char reason[AT_REASON_MAX]);

/* An attempt. The answer decides: 2xx, a refusal, or try again. */
extern AtOutcome at_webhook_deliver(AtWebhook *webhook, const AtAlert *alert,
									char reason[AT_REASON_MAX]);

extern void at_webhook_close(AtWebhook *webhook);

#endif
