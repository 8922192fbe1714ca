/*-------------------------------------------------------------------------
 * message.c
 *		What a program says on stderr, and its end.
 *
 * Some of it comes from strangers, and ends on somebody's terminal. A line is
 * written in one go, so that those of several threads do not mix.
 *-------------------------------------------------------------------------
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "message.h"

#define LINE_MAX_BYTES 1024

static void say(const char *format, va_list arguments);

void
at_say(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	say(format, arguments);
	va_end(arguments);
}

void
at_die(int code, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	say(format, arguments);
	va_end(arguments);
	exit(code);
}

static void
say(const char *format, va_list arguments)
{
	char line[LINE_MAX_BYTES];

	(void) vsnprintf(line, sizeof(line), format, arguments);
	for (char *at = line; *at != '\0'; at++)
		if (*at < ' ' || *at > '~')
			*at = '?';
	fprintf(stderr, "%s: %s\n", AT_PROGRAM, line);
}
