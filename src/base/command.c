/*-------------------------------------------------------------------------
 * command.c
 *		Shell commands of the configuration.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"

#include "base/command.h"

/* Bytes that a command may print, where nobody reads them. */
#define OUTPUT_MAX (64 * 1024)

bool
at_command_is_sound(const char *command, const char *letters)
{
	for (const char *at = strchr(command, '%'); at != NULL; at = strchr(at + 2, '%'))
		if (at[1] == '\0' || (at[1] != '%' && strchr(letters, at[1]) == NULL))
			return false;
	return true;
}

char *
at_command_expand(const char *command, const AtCommandValue *values, int count)
{
	StringInfoData text;

	initStringInfo(&text);
	for (const char *at = command; *at != '\0'; at++)
	{
		int which = 0;

		if (*at != '%' || at[1] == '\0')
		{
			appendStringInfoChar(&text, *at);
			continue;
		}
		at++;
		while (which < count && values[which].letter != *at)
			which++;
		if (which < count)
			appendStringInfoString(&text, values[which].value);
		else /* the check hook lets nothing else through */
			appendStringInfoChar(&text, '%');
	}
	return text.data;
}

const char *
at_command_run(const char *command, int timeout_s, const char *what)
{
	AtChildLimits limits = {.timeout_ms = timeout_s * 1000, .output_max = OUTPUT_MAX};
	AtChildOutcome outcome;
	char *detail;

	at_child_run(command, &limits, &outcome);
	if (at_child_succeeded(&outcome, &limits, &detail))
		return NULL;
	ereport(LOG,
			(errmsg("%s: %s", what, detail), errdetail("The failed command was: %s", command)));
	return detail;
}
