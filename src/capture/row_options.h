/*-------------------------------------------------------------------------
 * row_options.h
 *		What of a row is recorded: which columns, which of them in a form that
 *		nobody can read, and of which rows at all.
 *
 * The key is always recorded, and as it is. A column that is generated from
 * a concealed one is masked, whether it is named or not: it could tell what
 * the other one hides.
 *-------------------------------------------------------------------------
 */
#ifndef AT_ROW_OPTIONS_H
#define AT_ROW_OPTIONS_H

#include "lib/stringinfo.h"
#include "nodes/pg_list.h"
#include "utils/rel.h"

/* How values of a column are recorded. */
typedef enum AtTreatment
{
	AT_PLAIN,
	AT_OMITTED,  /* not at all */
	AT_MASKED,   /* as the same string for all */
	AT_HASHED,   /* as a keyed hash, the same for equal values */
	AT_PERSONAL, /* as a commitment */
	AT_TREATMENTS
} AtTreatment;

/* Word for a treatment, as audit.target.columns has it in "recorded"; NULL for AT_PLAIN. */
extern const char *const at_treatment_words[AT_TREATMENTS];

/* Which statements are recorded that read the table. */
typedef struct AtReadOptions
{
	bool recorded;
	bool limited; /* to those that read one of these columns */
	List *columns;
} AtReadOptions;

/* Lists are of C strings, the names of columns. */
typedef struct AtRowOptions
{
	bool limited; /* columns that are not in `only` are omitted */
	List *only;
	List *masked;
	List *hashed;
	List *personal;
	char *subject; /* column that tells whose personal values they are; NULL: none does */
	char *when;    /* a jsonpath, as jsonpath_out() writes it; NULL: all rows */
} AtRowOptions;

/*
 * Raise ERRCODE_INVALID_PARAMETER_VALUE where options contradict each other,
 * the key or the table, and an error where hashes or commitments are wanted
 * without a key for them. Columns that are named exist.
 */
extern void at_row_options_check(Relation rel, const AtRowOptions *options, List *keys);

/* The same as far as it can be told without a table. */
extern void at_row_options_check_alone(const AtRowOptions *options);

extern AtTreatment at_row_treatment(Relation rel, AttrNumber attnum, const AtRowOptions *options,
									List *keys);

/* Is the value of the column recorded in a form that nobody can read? Omitted is not concealed. */
extern bool at_row_conceals(Relation rel, AttrNumber attnum, const AtRowOptions *options);

/* Append the options for people: each as "; ..."; nothing where everything is recorded. */
extern void at_row_options_describe(Relation rel, const AtRowOptions *options, List *keys,
									StringInfo out);

#endif
