/*-------------------------------------------------------------------------
 * report.h
 *		What was found out, collected and then printed, for people or as JSON.
 *
 * Whatever comes from outside goes through at_said() before it is said, so
 * all that a report holds is safe to print. Lists are bounded: what does not
 * fit is counted.
 *-------------------------------------------------------------------------
 */
#ifndef AT_REPORT_H
#define AT_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "core/error.h"
#include "core/text.h"

/* So many lines of a list are kept. */
#define AT_LIST_MAX 1000

/* What is said is cut off behind so many bytes. */
#define AT_SAID_MAX 4000

/* The program's exit code. */
typedef enum AtVerdict
{
	AT_VALID = 0,
	AT_NOT_VALID = 1,
	AT_NOT_CHECKED = 2 /* at_fatal() */
} AtVerdict;

/* Kinds of lines, in the order in which they are printed. */
typedef enum AtListName
{
	AT_FAULTS, /* one makes it not valid, and then nothing is proved */
	AT_PROVED,
	AT_SIGNED_BY,
	AT_REMARKS, /* lawful, but somebody should know */
	AT_NOT_PROVED,
	AT_LISTS
} AtListName;

typedef struct AtList
{
	size_t count;
	size_t max;
	uint64_t more; /* for which there was no room */
	char **line;
} AtList;

/* A part of what was proved, by name. */
typedef struct AtField
{
	const char *name;
	char *value; /* NULL: it has none */
} AtField;

#define AT_FIELDS_MAX 32

typedef struct AtReport
{
	const char *kind; /* of what was verified */
	AtList list[AT_LISTS];

	int field_count;
	AtField field[AT_FIELDS_MAX];

	AtList said; /* what at_said() has allocated */
} AtReport;

/* Foreign bytes as they may be printed; lives until the next line was added. */
extern const char *at_said(AtReport *report, AtText text);

extern void at_report_add(AtReport *report, AtListName list, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* A fault, and in which part of what was given. */
extern void at_report_fault(AtReport *report, const char *part, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* If there is an error, it is this part's fault; at_fatal() if it is the machine's. */
extern bool at_report_error(AtReport *report, const char *part, AtError error);

/* Name must be constant; data == NULL: there is no value. */
extern void at_report_field(AtReport *report, const char *name, AtText value);

extern AtVerdict at_report_verdict(const AtReport *report);

extern void at_report_print(const AtReport *report, const char *input, bool json, FILE *file);

extern void at_report_free(AtReport *report);

#endif
