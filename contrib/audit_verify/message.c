/*-------------------------------------------------------------------------
 * message.c
 *		Ends the program when nothing can be said of what is to be verified.
 *-------------------------------------------------------------------------
 */
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "message.h"
#include "show.h"

#define NOT_CHECKED 2
#define LINE_SIZE   8192

static void print_error(const char *format, va_list arguments);

void
at_fatal(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	print_error(format, arguments);
	va_end(arguments);
	exit(NOT_CHECKED);
}

void
at_fatal_hint(const char *hint, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	print_error(format, arguments);
	va_end(arguments);
	fprintf(stderr, AT_PROGRAM ": hint: %s\n", hint);
	exit(NOT_CHECKED);
}

void
at_check_machine(AtError error)
{
	switch (error)
	{
		case AT_ERR_LIBCRYPTO:
		case AT_ERR_SOURCE:
		case AT_ERR_NO_ROOM:
		case AT_ERR_KEY_PURPOSE:
			at_fatal("%s", at_error_text(error));
		default:
			return;
	}
}

void *
at_alloc(size_t size)
{
	void *memory = calloc(1, size > 0 ? size : 1);

	if (memory == NULL)
		at_fatal("out of memory");
	return memory;
}

void *
at_grow(void *array, size_t *max, size_t count, size_t size)
{
	size_t wanted = *max > 0 ? *max : 16;

	if (count <= *max)
		return array;
	while (wanted < count && wanted <= SIZE_MAX / 2)
		wanted *= 2;
	if (wanted < count || wanted > SIZE_MAX / size)
		at_fatal("out of memory");

	array = realloc(array, wanted * size);
	if (array == NULL)
		at_fatal("out of memory");
	*max = wanted;
	return array;
}

/* Paths in it may be anybody's. */
static void
print_error(const char *format, va_list arguments)
{
	char line[LINE_SIZE];
	char *shown;

	vsnprintf(line, sizeof(line), format, arguments);
	shown = at_show(at_text(line));
	fprintf(stderr, AT_PROGRAM ": error: %s\n", shown);
	free(shown);
}
