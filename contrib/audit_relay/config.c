/*-------------------------------------------------------------------------
 * config.c
 *		The configuration file.
 *-------------------------------------------------------------------------
 */
#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "message.h"

#define SPACE      " \t\r\n"
#define NAME_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"

/* Where it is read, for errors. */
typedef struct Place
{
	const char *path;
	int line;
} Place;

/* A text or a number of a sink. */
typedef struct Setting
{
	const char *name;
	size_t offset;
	bool is_number;
	int min;
	int max;
} Setting;

#define TEXT(name, field)                                                                          \
	{                                                                                              \
		name, offsetof(AtSinkConfig, field), false, 0, 0                                           \
	}
#define NUMBER(name, field, min, max)                                                              \
	{                                                                                              \
		name, offsetof(AtSinkConfig, field), true, min, max                                        \
	}

static const Setting settings[] = {
	TEXT("address", address),
	TEXT("app_name", app_name),
	TEXT("ca_file", ca_file),
	TEXT("channel", channel),
	NUMBER("facility", facility, 0, 23),
	NUMBER("give_up_after", give_up_after, 1, INT_MAX),
	TEXT("host_name", host_name),
	TEXT("path", path),
	NUMBER("retry_first", retry_first, 1, 3600000),
	NUMBER("retry_max", retry_max, 1, 86400),
	TEXT("sd_id", sd_id),
	TEXT("secret_file", secret_file),
	NUMBER("timeout", timeout, 1, 3600),
	TEXT("url", url),
};

static bool read_line(AtConfig *config, char *line, const Place *place);
static bool begin_sink(AtConfig *config, char *line, const Place *place);
static bool set_common(AtConfig *config, const char *name, const char *value, const Place *place);
static bool set_sink(AtSinkConfig *sink, const char *name, const char *value, const Place *place);
static bool set_choice(AtSinkConfig *sink, const char *name, const char *value, bool *known);
static bool set_number(int *field, const Setting *setting, const char *value, const Place *place);
static bool copy(char *field, size_t max, const char *value, const Place *place);
static bool check(const AtConfig *config, const char *path);
static bool check_sink(const AtSinkConfig *sink, const char *path);
static char *trim(char *text);

bool
at_config_read(AtConfig *config, const char *path)
{
	FILE *file = fopen(path, "r");
	char line[AT_VALUE_MAX * 2];
	Place place = {.path = path};
	bool good = true;

	*config = (AtConfig){.source = "/audit_trail"};
	if (file == NULL)
	{
		at_say("could not open \"%s\": %s", path, strerror(errno));
		return false;
	}
	while (good && fgets(line, sizeof(line), file) != NULL)
	{
		place.line++;
		good = read_line(config, line, &place);
	}
	if (good && ferror(file))
	{
		at_say("could not read \"%s\": %s", path, strerror(errno));
		good = false;
	}
	fclose(file);
	return good && check(config, path);
}

static bool
wrong(const Place *place, const char *what, const char *which)
{
	at_say("%s line %d: %s \"%s\"", place->path, place->line, what, which);
	return false;
}

static bool
read_line(AtConfig *config, char *line, const Place *place)
{
	char *name = trim(line);
	char *equals;

	if (strlen(line) >= AT_VALUE_MAX * 2 - 1)
		return wrong(place, "too long is", "the line");
	if (*name == '\0' || *name == '#')
		return true;
	if (*name == '[')
		return begin_sink(config, name, place);
	equals = strchr(name, '=');
	if (equals == NULL)
		return wrong(place, "no value for", name);
	*equals = '\0';
	name = trim(name);
	if (config->nsinks == 0)
		return set_common(config, name, trim(equals + 1), place);
	return set_sink(&config->sink[config->nsinks - 1], name, trim(equals + 1), place);
}

static bool
begin_sink(AtConfig *config, char *line, const Place *place)
{
	static const char start[] = "[sink ";
	size_t len = strlen(line);
	AtSinkConfig *sink = &config->sink[config->nsinks];
	char *name;

	if (strncmp(line, start, strlen(start)) != 0 || line[len - 1] != ']')
		return wrong(place, "no [sink NAME] is", line);
	line[len - 1] = '\0';
	name = trim(line + strlen(start));
	if (*name == '\0' || strspn(name, NAME_CHARS) != strlen(name) || strlen(name) >= AT_NAME_MAX)
		return wrong(place, "letters, digits, _ and - make a name, less than 40 of them; not",
					 name);
	for (int i = 0; i < config->nsinks; i++)
		if (strcmp(config->sink[i].name, name) == 0)
			return wrong(place, "there is already a sink", name);
	if (config->nsinks == AT_SINKS_MAX)
		return wrong(place, "too many sinks with", name);
	*sink = (AtSinkConfig){
		.channel = "audit_alert",
		.timeout = 10,
		.retry_first = 1000,
		.retry_max = 300,
		.give_up_after = 24 * 60 * 60,
		.app_name = "audit_trail",
		.sd_id = "audit@32473",
		.facility = 13,
	};
	memcpy(sink->name, name, strlen(name) + 1);
	config->nsinks++;
	return true;
}

static bool
set_common(AtConfig *config, const char *name, const char *value, const Place *place)
{
	if (strcmp(name, "conninfo") == 0)
		return copy(config->conninfo, sizeof(config->conninfo), value, place);
	if (strcmp(name, "state") == 0)
		return copy(config->state, sizeof(config->state), value, place);
	if (strcmp(name, "source") == 0)
		return copy(config->source, sizeof(config->source), value, place);
	if (strcmp(name, "health") == 0)
		return copy(config->health, sizeof(config->health), value, place);
	return wrong(place, "not known, or not before a sink, is", name);
}

static bool
set_sink(AtSinkConfig *sink, const char *name, const char *value, const Place *place)
{
	bool known = false;

	if (set_choice(sink, name, value, &known))
		return true;
	if (known)
		return wrong(place, "not possible is", value);
	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++)
	{
		char *field = (char *) sink + settings[i].offset;

		if (strcmp(settings[i].name, name) != 0)
			continue;
		if (settings[i].is_number)
			return set_number((int *) (void *) field, &settings[i], value, place);
		return copy(field, AT_VALUE_MAX, value, place);
	}
	return wrong(place, "not known of a sink is", name);
}

/* One of a few words; known tells whether the name is such a setting's. */
static bool
set_choice(AtSinkConfig *sink, const char *name, const char *value, bool *known)
{
	static const char *const types[] = {"", "webhook", "syslog", "file"};

	if (strcmp(name, "type") == 0)
	{
		*known = true;
		for (int i = AT_SINK_WEBHOOK; i <= AT_SINK_FILE; i++)
			if (strcmp(types[i], value) == 0)
				sink->type = (AtSinkType) i;
		return sink->type != AT_SINK_NONE;
	}
	if (strcmp(name, "begin") == 0)
	{
		*known = true;
		sink->from_begin = strcmp(value, "all") == 0;
		return sink->from_begin || strcmp(value, "new") == 0;
	}
	return false;
}

static bool
set_number(int *field, const Setting *setting, const char *value, const Place *place)
{
	char *end;
	long number;

	errno = 0;
	number = strtol(value, &end, 10);
	if (errno != 0 || end == value || *end != '\0' || number < setting->min ||
		number > setting->max)
		return wrong(place, "out of its range is", value);
	*field = (int) number;
	return true;
}

static bool
copy(char *field, size_t max, const char *value, const Place *place)
{
	if (strlen(value) >= max)
		return wrong(place, "too long is", value);
	memcpy(field, value, strlen(value) + 1);
	return true;
}

static bool
check(const AtConfig *config, const char *path)
{
	if (config->state[0] == '\0')
	{
		at_say("%s: no directory for the state is named", path);
		return false;
	}
	if (config->nsinks == 0)
	{
		at_say("%s: there is no sink", path);
		return false;
	}
	for (int i = 0; i < config->nsinks; i++)
		if (!check_sink(&config->sink[i], path))
			return false;
	return true;
}

static bool
is_local_http(const char *url)
{
	static const char *const hosts[] = {"http://127.0.0.1", "http://[::1]", "http://localhost"};

	/* http://localhost:80@example.org is of another machine */
	if (strchr(url, '@') != NULL)
		return false;
	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++)
	{
		size_t len = strlen(hosts[i]);

		if (strncmp(url, hosts[i], len) == 0 &&
			(url[len] == ':' || url[len] == '/' || url[len] == '\0'))
			return true;
	}
	return false;
}

static bool
is_syslog_address(const char *address)
{
	const char *port = strrchr(address, ':');

	if (strncmp(address, "unix:/", 6) == 0)
		return true;
	return (strncmp(address, "tls://", 6) == 0 || strncmp(address, "tcp://", 6) == 0) &&
		   port > address + 6 && port[1] != '\0';
}

/* What a sink of its type cannot do without. */
static bool
check_sink(const AtSinkConfig *sink, const char *path)
{
	const char *lacks = NULL;

	if (sink->type == AT_SINK_NONE)
		lacks = "a type: webhook, syslog or file";
	else if (sink->type == AT_SINK_WEBHOOK && sink->secret_file[0] == '\0')
		lacks = "a secret_file, to sign with";
	else if (sink->type == AT_SINK_WEBHOOK && strncmp(sink->url, "https://", 8) != 0 &&
			 !is_local_http(sink->url))
		lacks = "a url with https, or with http of this machine";
	else if (sink->type == AT_SINK_SYSLOG && !is_syslog_address(sink->address))
		lacks = "an address: tls://HOST:PORT, tcp://HOST:PORT or unix:/PATH";
	else if (sink->type == AT_SINK_FILE && sink->path[0] != '/')
		lacks = "an absolute path";
	if (lacks != NULL)
		at_say("%s: sink \"%s\" needs %s", path, sink->name, lacks);
	return lacks == NULL;
}

/* Without the spaces around it. */
static char *
trim(char *text)
{
	size_t len;

	text += strspn(text, SPACE);
	len = strlen(text);
	while (len > 0 && strchr(SPACE, text[len - 1]) != NULL)
		len--;
	text[len] = '\0';
	return text;
}
