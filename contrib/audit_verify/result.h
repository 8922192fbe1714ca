/*-------------------------------------------------------------------------
 * result.h
 *		What was found out, collected and then printed, for people or as JSON.
 *
 * Whatever comes from outside goes through at_said() before it is said, so
 * all that a result holds is safe to print. Lists are bounded: what does not
 * fit is counted.
 *-------------------------------------------------------------------------
 */
#ifndef AT_RESULT_H
#define AT_RESULT_H

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

typedef struct AtResult
{
	const char *kind; /* of what was verified */
	AtList list[AT_LISTS];

	int field_count;
	AtField field[AT_FIELDS_MAX];

	AtList said; /* what at_said() has allocated */
} AtResult;

/* Foreign bytes as they may be printed; lives until the next line was added. */
extern const char *at_said(AtResult *result, AtText text);

extern void at_result_add(AtResult *result, AtListName list, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* A fault, and in which part of what was given. */
extern void at_result_fault(AtResult *result, const char *part, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* If there is an error, it is this part's fault; at_fatal() if it is the machine's. */
extern bool at_result_error(AtResult *result, const char *part, AtError error);

/* Name must be constant; data == NULL: there is no value. */
extern void at_result_field(AtResult *result, const char *name, AtText value);

extern AtVerdict at_result_verdict(const AtResult *result);

extern void at_result_print(const AtResult *result, const char *input, bool json, FILE *file);

extern void at_result_free(AtResult *result);

#endif
