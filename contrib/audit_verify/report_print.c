/*-------------------------------------------------------------------------
 * report_print.c
 *		A report, printed for people or as JSON.
 *-------------------------------------------------------------------------
 */
#include <inttypes.h>
#include <string.h>

#include "message.h"
#include "report.h"

static const struct
{
	const char *title;
	const char *json;
} list_names[] = {
	[AT_FAULTS] = {"What is wrong", "faults"},      [AT_PROVED] = {"Proved", "proved"},
	[AT_SIGNED_BY] = {"Signed by", "signed_by"},    [AT_REMARKS] = {"To be noted", "remarks"},
	[AT_NOT_PROVED] = {"Not proved", "not_proved"},
};

static void print_text(const AtReport *report, const char *input, FILE *file);
static void print_fields(const AtReport *report, FILE *file);
static void print_list(const AtReport *report, AtListName name, FILE *file);
static void print_json(const AtReport *report, const char *input, FILE *file);
static void print_json_fields(const AtReport *report, FILE *file);
static void print_json_list(const AtReport *report, AtListName name, FILE *file);
static void print_json_string(const char *string, FILE *file);
static bool is_printed(const AtReport *report, AtListName name);

void
at_report_print(const AtReport *report, const char *input, bool json, FILE *file)
{
	if (json)
		print_json(report, input, file);
	else
		print_text(report, input, file);
	if (fflush(file) != 0 || ferror(file))
		at_fatal("could not write the result");
}

static void
print_text(const AtReport *report, const char *input, FILE *file)
{
	bool is_valid = at_report_verdict(report) == AT_VALID;

	fprintf(file, "%s: %s, %s\n", input, report->kind, is_valid ? "valid" : "NOT VALID");
	if (is_valid)
		print_fields(report, file);
	for (int i = 0; i < AT_LISTS; i++)
		if (is_printed(report, i) && report->list[i].count > 0)
			print_list(report, i, file);
}

static void
print_fields(const AtReport *report, FILE *file)
{
	if (report->field_count > 0)
		fputc('\n', file);
	for (int i = 0; i < report->field_count; i++)
		if (report->field[i].value != NULL)
			fprintf(file, "  %-18s %s\n", report->field[i].name, report->field[i].value);
}

static void
print_list(const AtReport *report, AtListName name, FILE *file)
{
	const AtList *list = &report->list[name];

	fprintf(file, "\n%s:\n", list_names[name].title);
	for (size_t i = 0; i < list->count; i++)
		fprintf(file, "  %s\n", list->line[i]);
	if (list->more > 0)
		fprintf(file, "  ... and %" PRIu64 " more\n", list->more);
}

static void
print_json(const AtReport *report, const char *input, FILE *file)
{
	fputs("{\"program\":\"" AT_PROGRAM " " AT_VERSION "\",\"input\":", file);
	print_json_string(input, file);
	fputs(",\"kind\":", file);
	print_json_string(report->kind, file);
	fprintf(file, ",\"valid\":%s", at_report_verdict(report) == AT_VALID ? "true" : "false");
	if (at_report_verdict(report) == AT_VALID)
		print_json_fields(report, file);
	for (int i = 0; i < AT_LISTS; i++)
		print_json_list(report, i, file);
	fputs("}\n", file);
}

static void
print_json_fields(const AtReport *report, FILE *file)
{
	fputs(",\"fields\":{", file);
	for (int i = 0; i < report->field_count; i++)
	{
		if (i > 0)
			fputc(',', file);
		print_json_string(report->field[i].name, file);
		fputc(':', file);
		if (report->field[i].value == NULL)
			fputs("null", file);
		else
			print_json_string(report->field[i].value, file);
	}
	fputc('}', file);
}

static void
print_json_list(const AtReport *report, AtListName name, FILE *file)
{
	const AtList *list = &report->list[name];
	size_t count = is_printed(report, name) ? list->count : 0;

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
is_printed(const AtReport *report, AtListName name)
{
	return at_report_verdict(report) == AT_VALID || name == AT_FAULTS || name == AT_REMARKS;
}
