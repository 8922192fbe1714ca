/*-------------------------------------------------------------------------
 * result_print.c
 *		A result, printed for people or as JSON.
 *-------------------------------------------------------------------------
 */
#include <inttypes.h>
#include <string.h>

#include "message.h"
#include "result.h"

static const struct
{
	const char *title;
	const char *json;
} list_names[] = {
	[AT_FAULTS] = {"What is wrong", "faults"},      [AT_PROVED] = {"Proved", "proved"},
	[AT_SIGNED_BY] = {"Signed by", "signed_by"},    [AT_REMARKS] = {"To be noted", "remarks"},
	[AT_NOT_PROVED] = {"Not proved", "not_proved"},
};

static void print_text(const AtResult *result, const char *input, FILE *file);
static void print_fields(const AtResult *result, FILE *file);
static void print_list(const AtResult *result, AtListName name, FILE *file);
static void print_json(const AtResult *result, const char *input, FILE *file);
static void print_json_fields(const AtResult *result, FILE *file);
static void print_json_list(const AtResult *result, AtListName name, FILE *file);
static void print_json_string(const char *string, FILE *file);
static bool is_printed(const AtResult *result, AtListName name);

void
at_result_print(const AtResult *result, const char *input, bool json, FILE *file)
{
	if (json)
		print_json(result, input, file);
	else
		print_text(result, input, file);
	if (fflush(file) != 0 || ferror(file))
		at_fatal("could not write the result");
}

static void
print_text(const AtResult *result, const char *input, FILE *file)
{
	bool is_valid = at_result_verdict(result) == AT_VALID;

	fprintf(file, "%s: %s, %s\n", input, result->kind, is_valid ? "valid" : "NOT VALID");
	if (is_valid)
		print_fields(result, file);
	for (int i = 0; i < AT_LISTS; i++)
		if (is_printed(result, i) && result->list[i].count > 0)
			print_list(result, i, file);
}

static void
print_fields(const AtResult *result, FILE *file)
{
	if (result->field_count > 0)
		fputc('\n', file);
	for (int i = 0; i < result->field_count; i++)
		if (result->field[i].value != NULL)
			fprintf(file, "  %-18s %s\n", result->field[i].name, result->field[i].value);
}

static void
print_list(const AtResult *result, AtListName name, FILE *file)
{
	const AtList *list = &result->list[name];

	fprintf(file, "\n%s:\n", list_names[name].title);
	for (size_t i = 0; i < list->count; i++)
		fprintf(file, "  %s\n", list->line[i]);
	if (list->more > 0)
		fprintf(file, "  ... and %" PRIu64 " more\n", list->more);
}

static void
print_json(const AtResult *result, const char *input, FILE *file)
{
	fputs("{\"program\":\"" AT_PROGRAM " " AT_VERSION "\",\"input\":", file);
	print_json_string(input, file);
	fputs(",\"kind\":", file);
	print_json_string(result->kind, file);
	fprintf(file, ",\"valid\":%s", at_result_verdict(result) == AT_VALID ? "true" : "false");
	if (at_result_verdict(result) == AT_VALID)
		print_json_fields(result, file);
	for (int i = 0; i < AT_LISTS; i++)
		print_json_list(result, i, file);
	fputs("}\n", file);
}

static void
print_json_fields(const AtResult *result, FILE *file)
{
	fputs(",\"fields\":{", file);
	for (int i = 0; i < result->field_count; i++)
	{
		if (i > 0)
			fputc(',', file);
		print_json_string(result->field[i].name, file);
		fputc(':', file);
		if (result->field[i].value == NULL)
			fputs("null", file);
		else
			print_json_string(result->field[i].value, file);
	}
	fputc('}', file);
}

static void
print_json_list(const AtResult *result, AtListName name, FILE *file)
{
	const AtList *list = &result->list[name];
	size_t count = is_printed(result, name) ? list->count : 0;

	fprintf(file, ",\"%s\":[", list_names[name].json);
	for (size_t i = 0; i < count; i++)
	{
		if (i > 0)
			fputc(',', file);
		print_json_string(list->line[i], file);
	}
	fputc(']', file);
	if (count > 0 && list->more > 0)
		fprintf(file, ",\"more_%s\":%" PRIu64, list_names[name].json, list->more);
}

/* Of what at_show() gives: it has no control characters and is UTF-8. */
static void
print_json_string(const char *string, FILE *file)
{
	fputc('"', file);
	for (; *string != '\0'; string++)
	{
		if (*string == '"' || *string == '\\')
			fputc('\\', file);
		fputc(*string, file);
	}
	fputc('"', file);
}

/* Nothing is proved by what is not valid. */
static bool
is_printed(const AtResult *result, AtListName name)
{
	return at_result_verdict(result) == AT_VALID || name == AT_FAULTS || name == AT_REMARKS;
}
