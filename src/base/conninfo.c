/*-------------------------------------------------------------------------
 * conninfo.c
 *		A connection string as people may see it, and as libpq takes it.
 *
 * What is a secret is what libpq itself would not echo to a screen.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "libpq-fe.h"

#include "base/conninfo.h"
#include "base/guc.h"

/* Longest text that is shown. */
#define MAX_SHOWN 1024

static const char hidden[] = "***";

static void append(char *out, const char *text);
static void append_value(char *out, const char *value);

const char *
at_conninfo_show_primary(void)
{
	static char shown[MAX_SHOWN];
	const char *conninfo = at_guc_primary_conninfo;
	PQconninfoOption *options;

	shown[0] = '\0';
	if (conninfo[0] == '\0')
		return shown;
	options = PQconninfoParse(conninfo, NULL);
	if (options == NULL)
		return hidden;
	for (const PQconninfoOption *option = options; option->keyword != NULL; option++)
	{
		if (option->val == NULL || option->val[0] == '\0')
			continue;
		append(shown, shown[0] != '\0' ? " " : "");
		append(shown, option->keyword);
		append(shown, "=");
		if (strchr(option->dispchar, '*') != NULL)
			append(shown, hidden);
		else
			append_value(shown, option->val);
	}
	PQconninfoFree(options);
	return shown;
}

/* As far as there is room. */
static void
append(char *out, const char *text)
{
	strlcat(out, text, MAX_SHOWN);
}

static void
append_value(char *out, const char *value)
{
	bool quoted = strpbrk(value, " '\\") != NULL;

	append(out, quoted ? "'" : "");
	for (; *value != '\0'; value++)
	{
		if (*value == '\'' || *value == '\\')
			append(out, "\\");
		append(out, (char[]){*value, '\0'});
	}
	append(out, quoted ? "'" : "");
}

/* Where it stands among the first of the lists; else behind them. */
static int
place_of(const AtConninfo *read, int count, const char *keyword)
{
	int i = 0;

	while (i < count && strcmp(read->keywords[i], keyword) != 0)
		i++;
	return i;
}

bool
at_conninfo_read(const char *conninfo, const AtConninfoOption *options, int noptions,
				 AtConninfo *read)
{
	PQconninfoOption *parsed = PQconninfoParse(conninfo, NULL);
	int count = 0;

	if (parsed == NULL)
		return false;
	for (const PQconninfoOption *option = parsed; option->keyword != NULL; option++)
		count++;
	read->keywords = palloc0(sizeof(char *) * (count + noptions + 1));
	read->values = palloc0(sizeof(char *) * (count + noptions + 1));
	count = 0;
	for (const PQconninfoOption *option = parsed; option->keyword != NULL; option++)
	{
		if (option->val == NULL)
			continue;
		read->keywords[count] = pstrdup(option->keyword);
		read->values[count++] = pstrdup(option->val);
	}
	PQconninfoFree(parsed);
	for (int i = 0; i < noptions; i++)
	{
		int place = place_of(read, count, options[i].keyword);

		if (place < count && options[i].is_default)
			continue;
		read->keywords[place] = options[i].keyword;
		read->values[place] = options[i].value;
		count = Max(count, place + 1);
	}
	return true;
}
