/*-------------------------------------------------------------------------
 * webhook.c
 *		Delivery by HTTP: a signed POST of a CloudEvent.
 *
 * The headers are those of Standard Webhooks. The id is that of the delivery:
 * the same in each attempt, so that a receiver knows one that it has already, and of no
 * other database.
 * What the receiver answers but for its status is not looked at, and no
 * redirection is followed: alerts go where the configuration says.
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <curl/curl.h>
#include <openssl/crypto.h>

#include "signature.h"
#include "webhook.h"

#define HEADER_MAX (AT_SIGNATURES_MAX + 32)

struct AtWebhook
{
	const AtSinkConfig *config;
	CURL *curl;
	bool (*is_stopping)(void);
	AtSecrets secrets;
	char error[CURL_ERROR_SIZE];
};

static void set_options(AtWebhook *webhook);
static struct curl_slist *make_headers(const AtWebhook *webhook, const AtAlert *alert);
static AtOutcome judge(long status, char reason[AT_REASON_MAX]);
static size_t ignore(char *bytes, size_t size, size_t count, void *arg);
static int watch(void *arg, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d);

AtWebhook *
at_webhook_open(const AtSinkConfig *config, bool (*is_stopping)(void), char reason[AT_REASON_MAX])
{
	AtWebhook *webhook = calloc(1, sizeof(AtWebhook));
	const char *why;

	if (webhook == NULL)
		return NULL;
	webhook->config = config;
	webhook->is_stopping = is_stopping;
	if (!at_secrets_read(&webhook->secrets, config->secret_file, &why))
	{
		(void) snprintf(reason, AT_REASON_MAX, "secret_file: %s", why);
		at_webhook_close(webhook);
		return NULL;
	}
	webhook->curl = curl_easy_init();
	if (webhook->curl == NULL)
	{
		(void) snprintf(reason, AT_REASON_MAX, "libcurl does not start");
		at_webhook_close(webhook);
		return NULL;
	}
	set_options(webhook);
	return webhook;
}

static void
set_options(AtWebhook *webhook)
{
	CURL *curl = webhook->curl;

	curl_easy_setopt(curl, CURLOPT_URL, webhook->config->url);
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long) webhook->config->timeout);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, webhook->error);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, ignore);
	curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, watch);
	curl_easy_setopt(curl, CURLOPT_XFERINFODATA, webhook);
	curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long) CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(curl, CURLOPT_USERAGENT, "audit_relay/" AT_VERSION);
	if (webhook->config->ca_file[0] != '\0')
		curl_easy_setopt(curl, CURLOPT_CAINFO, webhook->config->ca_file);
}

AtOutcome
at_webhook_deliver(AtWebhook *webhook, const AtAlert *alert, char reason[AT_REASON_MAX])
{
	struct curl_slist *headers = make_headers(webhook, alert);
	CURLcode code;
	long status = 0;

	if (headers == NULL)
	{
		(void) snprintf(reason, AT_REASON_MAX, "could not sign");
		return AT_TRY_AGAIN;
	}
	webhook->error[0] = '\0';
	curl_easy_setopt(webhook->curl, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(webhook->curl, CURLOPT_POSTFIELDS, alert->json);
	curl_easy_setopt(webhook->curl, CURLOPT_POSTFIELDSIZE, (long) strlen(alert->json));
	code = curl_easy_perform(webhook->curl);
	curl_easy_setopt(webhook->curl, CURLOPT_HTTPHEADER, NULL);
	curl_slist_free_all(headers);
	if (code != CURLE_OK)
	{
		(void) snprintf(reason, AT_REASON_MAX, "%s",
						webhook->error[0] != '\0' ? webhook->error : curl_easy_strerror(code));
		return AT_TRY_AGAIN;
	}
	curl_easy_getinfo(webhook->curl, CURLINFO_RESPONSE_CODE, &status);
	return judge(status, reason);
}

static bool
add(struct curl_slist **headers, const char *header)
{
	struct curl_slist *longer = curl_slist_append(*headers, header);

	if (longer != NULL)
		*headers = longer;
	return longer != NULL;
}

static struct curl_slist *
make_headers(const AtWebhook *webhook, const AtAlert *alert)
{
	struct curl_slist *headers = NULL;
	char header[HEADER_MAX];
	char signatures[AT_SIGNATURES_MAX];
	int64_t now = (int64_t) time(NULL);
	bool done;

	done = at_sign(signatures, &webhook->secrets, alert->id, now, alert->json) &&
		   add(&headers, "Content-Type: application/cloudevents+json; charset=utf-8") &&
		   add(&headers, "Expect:");
	(void) snprintf(header, sizeof(header), "webhook-id: %s", alert->id);
	done = done && add(&headers, header);
	(void) snprintf(header, sizeof(header), "webhook-timestamp: %lld", (long long) now);
	done = done && add(&headers, header);
	if (done)
		(void) snprintf(header, sizeof(header), "webhook-signature: %s", signatures);
	done = done && add(&headers, header);
	if (done)
		return headers;
	curl_slist_free_all(headers);
	return NULL;
}

/* What says that this request is wrong would say so each time; all else may get better. */
static AtOutcome
judge(long status, char reason[AT_REASON_MAX])
{
	if (status >= 200 && status < 300)
		return AT_DELIVERED;
	(void) snprintf(reason, AT_REASON_MAX, "HTTP %ld", status);
	switch (status)
	{
		case 400:
		case 405:
		case 406:
		case 410:
		case 413:
		case 415:
		case 422:
			return AT_REFUSED;
		default:
			return AT_TRY_AGAIN;
	}
}

static size_t
ignore(char *bytes, size_t size, size_t count, void *arg)
{
	return size * count;
}

static int
watch(void *arg, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
	const AtWebhook *webhook = arg;

	return webhook->is_stopping() ? 1 : 0;
}

void
at_webhook_close(AtWebhook *webhook)
{
	if (webhook->curl != NULL)
		curl_easy_cleanup(webhook->curl);
	OPENSSL_cleanse(&webhook->secrets, sizeof(webhook->secrets));
	free(webhook);
}
