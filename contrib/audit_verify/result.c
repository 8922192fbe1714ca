/*-------------------------------------------------------------------------
 * result.c
 *		What was found out, collected.
 *-------------------------------------------------------------------------
 */
#include <stdarg.h>
#include <stdlib.h>

#include "message.h"
#include "result.h"
#include "show.h"

static char *format_line(const char *format, va_list arguments);
static void add_line(AtList *list, char *line);
static void free_list(AtList *list);

const char *
at_said(AtResult *result, AtText text)
{
	size_t len = text.len < AT_SAID_MAX ? text.len : AT_SAID_MAX;
	AtList *said = &result->said;
	char *shown = at_show((AtText){text.data, len});

	if (len < text.len)
	{
		size_t size = strlen(shown) + 40;
		char *cut = at_alloc(size);

		snprintf(cut, size, "%s... (%zu bytes)", shown, text.len);
		free(shown);
		shown = cut;
	}
	said->line = at_grow(said->line, &said->max, said->count + 1, sizeof(char *));
	return said->line[said->count++] = shown;
}

void
at_result_add(AtResult *result, AtListName list, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	add_line(&result->list[list], format_line(format, arguments));
	va_end(arguments);
	free_list(&result->said);
}

void
at_result_fault(AtResult *result, const char *part, const char *format, ...)
{
	va_list arguments;
	char *problem;

	va_start(arguments, format);
	problem = format_line(format, arguments);
	va_end(arguments);
	at_result_add(result, AT_FAULTS, "%s: %s", part, problem);
	free(problem);
}

bool
at_result_error(AtResult *result, const char *part, AtError error)
{
	at_check_machine(error);
	if (error != AT_OK)
		at_result_fault(result, part, "%s", at_error_text(error));
	return error == AT_OK;
}

void
at_result_field(AtResult *result, const char *name, AtText value)
{
	if (result->field_count < AT_FIELDS_MAX)
		result->field[result->field_count++] =
			(AtField){name, value.data != NULL ? at_show(value) : NULL};
}

AtVerdict
at_result_verdict(const AtResult *result)
{
	return result->list[AT_FAULTS].count > 0 ? AT_NOT_VALID : AT_VALID;
}

void
at_result_free(AtResult *result)
{
	for (int i = 0; i < AT_LISTS; i++)
		free_list(&result->list[i]);
	free_list(&result->said);
	for (int i = 0; i < result->field_count; i++)
		free(result->field[i].value);
	*result = (AtResult){0};
}

static char *
format_line(const char *format, va_list arguments)
{
	va_list again;

	va_copy(again, arguments);

	int len = vsnprintf(NULL, 0, format, again);
	char *line = at_alloc((size_t) len + 1);

	va_end(again);
	vsnprintf(line, (size_t) len + 1, format, arguments);
	return line;
}

static void
add_line(AtList *list, char *line)
{
	if (list->count == AT_LIST_MAX)
	{
		list->more++;
		free(line);
		return;
	}
	list->line = at_grow(list->line, &list->max, list->count + 1, sizeof(char *));
	list->line[list->count++] = line;
}

static void
free_list(AtList *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->line[i]);
	free(list->line);
	*list = (AtList){0};
}
