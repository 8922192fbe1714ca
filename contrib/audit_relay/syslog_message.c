/*-------------------------------------------------------------------------
 * syslog_message.c
 *		An alert as a message of RFC 5424.
 *
 * Nothing of an alert can end the message, add a field or reach a terminal as
 * a command: names are made of what the RFC allows there, values escape their
 * quotes, and control characters become spaces.
 *-------------------------------------------------------------------------
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/text.h"
#include "syslog_message.h"

/* Most of a value: the fields together leave room for a text. */
#define VALUE_MAX 1000
#define HOST_MAX  255
#define APP_MAX   48

static int severity_of(const char *severity);
static void write_name(AtWriter *writer, const char *name, size_t max);
static void write_field(AtWriter *writer, const char *name, const char *value);
static void write_text(AtWriter *writer, const char *text, size_t max, bool is_value);

size_t
at_syslog_write(char out[AT_SYSLOG_MAX], const AtSinkConfig *config, const char *host,
				const AtAlert *alert)
{
	AtWriter writer = at_writer(out, AT_SYSLOG_MAX);
	char number[AT_DECIMAL_MAX + 2];

	at_write_string(&writer, "<");
	at_write_decimal(&writer, (uint64_t) (config->facility * 8 + severity_of(alert->severity)));
	at_write_string(&writer, ">1 ");
	at_write_string(&writer, alert->raised_at);
	write_name(&writer, host, HOST_MAX);
	write_name(&writer, config->app_name, APP_MAX);
	at_write_string(&writer, " ");
	at_write_decimal(&writer, (uint64_t) getpid());
	at_write_string(&writer, " alert [");
	write_text(&writer, config->sd_id, VALUE_MAX, false);
	(void) snprintf(number, sizeof(number), "%lld", (long long) alert->alert_id);
	write_field(&writer, "alert_id", number);
	(void) snprintf(number, sizeof(number), "%lld", (long long) alert->delivery_id);
	write_field(&writer, "delivery_id", number);
	(void) snprintf(number, sizeof(number), "%d", alert->attempt);
	write_field(&writer, "attempt", number);
	write_field(&writer, "severity", alert->severity);
	write_field(&writer, "rule", alert->rule);
	write_field(&writer, "table", alert->table);
	write_field(&writer, "resource_id", alert->resource_id);
	write_field(&writer, "event_id", alert->event_id);
	at_write_string(&writer, "] \xef\xbb\xbf");
	write_text(&writer, alert->sentence[0] != '\0' ? alert->sentence : alert->rule,
			   AT_SYSLOG_MAX - writer.len, false);
	return writer.len;
}

static int
severity_of(const char *severity)
{
	static const char *const names[] = {"",        "",       "critical", "high",
										"warning", "notice", "info",     "debug"};

	for (int i = 2; i < 8; i++)
		if (strcmp(names[i], severity) == 0)
			return i;
	return 5;
}

/* A field of the header: a space, then printable ASCII, or "-". */
static void
write_name(AtWriter *writer, const char *name, size_t max)
{
	size_t len = strlen(name) < max ? strlen(name) : max;

	at_write_string(writer, len == 0 ? " -" : " ");
	for (size_t i = 0; i < len; i++)
		at_write(writer, (AtText){name[i] > ' ' && name[i] <= '~' ? &name[i] : "_", 1});
}

static void
write_field(AtWriter *writer, const char *name, const char *value)
{
	at_write_string(writer, " ");
	at_write_string(writer, name);
	at_write_string(writer, "=\"");
	write_text(writer, value, VALUE_MAX, true);
	at_write_string(writer, "\"");
}

/* At most so many bytes, whole characters; of a value with what stands for a quote. */
static void
write_text(AtWriter *writer, const char *text, size_t max, bool is_value)
{
	AtText rest = at_text(text);
	size_t used = 0;

	while (rest.len > 0)
	{
		AtText before = rest;
		int32_t character = at_text_character(&rest);
		bool is_escaped = is_value && (character == '"' || character == '\\' || character == ']');
		AtText piece = {before.data, before.len - rest.len};

		if (character < 0)
		{
			rest = (AtText){before.data + 1, before.len - 1};
			piece = at_text("?");
		}
		else if (character < ' ' || (character >= 0x7f && character < 0xa0))
			piece = at_text(" ");
		used += piece.len + (is_escaped ? 1 : 0);
		if (used > max)
			return;
		if (is_escaped)
			at_write_string(writer, "\\");
		at_write(writer, piece);
	}
}
