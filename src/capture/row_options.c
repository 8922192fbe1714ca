/*-------------------------------------------------------------------------
 * row_options.c
 *		What of a row is recorded.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "nodes/bitmapset.h"
#include "optimizer/optimizer.h"
#include "rewrite/rewriteHandler.h"
#include "utils/lsyscache.h"

#include "base/compat.h"
#include "base/names.h"
#include "capture/filter.h"
#include "capture/row_options.h"
#include "ledger/secret.h"

const char *const at_treatment_words[AT_TREATMENTS] = {
	[AT_OMITTED] = "omitted",
	[AT_MASKED] = "masked",
	[AT_HASHED] = "hashed",
	[AT_PERSONAL] = "personal",
};

/* An argument that conceals columns, and what it is called. */
typedef struct Concealing
{
	const char *argument;
	const char *word;
	List *names;
} Concealing;

#define CONCEALINGS 3

static void check_only(const AtRowOptions *options);
static void check_concealed(const AtRowOptions *options, List *keys);
static void check_key(const AtRowOptions *options);
static void check_generated(Relation rel, const AtRowOptions *options, List *keys);
static void check_subject(Relation rel, const AtRowOptions *options, List *keys);
static AtTreatment concealment(Relation rel, AttrNumber attnum, const AtRowOptions *options);
static const char *generated_from(Relation rel, AttrNumber attnum, const AtRowOptions *options);

static void
list_concealing(const AtRowOptions *options, Concealing *all)
{
	all[0] = (Concealing){.argument = "mask", .word = "masked", .names = options->masked};
	all[1] = (Concealing){.argument = "hash", .word = "hashed", .names = options->hashed};
	all[2] = (Concealing){.argument = "personal", .word = "personal", .names = options->personal};
}

void
at_row_options_check(Relation rel, const AtRowOptions *options, List *keys)
{
	check_only(options);
	check_concealed(options, keys);
	check_generated(rel, options, keys);
	check_subject(rel, options, keys);
	if (options->when != NULL)
		at_filter_check(rel, options->when);
	check_key(options);
}

void
at_row_options_check_alone(const AtRowOptions *options)
{
	check_only(options);
	check_concealed(options, NIL);
	check_key(options);
}

static void
check_only(const AtRowOptions *options)
{
	if (options->limited && options->only == NIL)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("only names no column"),
						errhint("Leave it out to have all columns recorded.")));
}

/* Each column once, not the key, and not one that is left out. */
static void
check_concealed(const AtRowOptions *options, List *keys)
{
	Concealing all[CONCEALINGS];
	ListCell *cell;

	list_concealing(options, all);
	for (int i = 0; i < CONCEALINGS; i++)
		foreach (cell, all[i].names)
		{
			const char *name = lfirst(cell);

			for (int other = 0; other < i; other++)
				if (at_names_contain(all[other].names, name))
					ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
									errmsg("column \"%s\" is both in \"%s\" and in \"%s\"", name,
										   all[other].argument, all[i].argument),
									errhint("Take it out of one of them.")));
			if (at_names_contain(keys, name))
				ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
								errmsg("key column \"%s\" cannot be %s", name, all[i].word),
								errdetail("The key names the row in each of its events, as it is."),
								errhint("Take it out of \"%s\", or give another \"key\".",
										all[i].argument)));
			if (options->limited && !at_names_contain(options->only, name))
				ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
								errmsg("column \"%s\" is in \"%s\", but \"only\" leaves it out",
									   name, all[i].argument),
								errhint("Take it out of \"%s\": it is not recorded anyway.",
										all[i].argument)));
		}
}

/* Hashes and commitments need one. */
static void
check_key(const AtRowOptions *options)
{
	if (options->hashed != NIL || options->personal != NIL)
		(void) at_secret_get();
}

/* A key that is generated from a concealed column would tell of it. */
static void
check_generated(Relation rel, const AtRowOptions *options, List *keys)
{
	ListCell *cell;

	foreach (cell, keys)
	{
		AttrNumber attnum = get_attnum(RelationGetRelid(rel), lfirst(cell));
		const char *origin = generated_from(rel, attnum, options);

		if (origin != NULL)
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("column \"%s\" cannot be concealed, since key column \"%s\" is "
								   "generated from it",
								   origin, (char *) lfirst(cell)),
							errdetail("The key names the row in each of its events, as it is."),
							errhint("Give another \"key\".")));
	}
}

static void
check_subject(Relation rel, const AtRowOptions *options, List *keys)
{
	AttrNumber attnum;

	if (options->personal != NIL && options->subject == NULL)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("personal columns need a \"subject\""),
						errdetail("It tells whose values they are, so that all events of a person "
								  "can be found."),
						errhint("Give the column that names the person, such as "
								"subject => 'customer_id'.")));
	if (options->personal == NIL && options->subject != NULL)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("\"subject\" is for personal columns, and there are none"),
						errhint("Name them in \"personal\", or leave \"subject\" out.")));
	if (options->subject == NULL)
		return;
	attnum = get_attnum(RelationGetRelid(rel), options->subject);
	if (at_row_treatment(rel, attnum, options, keys) != AT_PLAIN)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("subject column \"%s\" must be recorded as it is", options->subject),
						errdetail("It stands in each event, so that all events of a person can be "
								  "found."),
						errhint("Take it out of \"mask\", \"hash\" and \"personal\", and into "
								"\"only\".")));
}

AtTreatment
at_row_treatment(Relation rel, AttrNumber attnum, const AtRowOptions *options, List *keys)
{
	const Form_pg_attribute attribute = TupleDescAttr(RelationGetDescr(rel), attnum - 1);
	const char *name = NameStr(attribute->attname);

	if (attribute->attgenerated == ATTRIBUTE_GENERATED_VIRTUAL)
		return AT_OMITTED;
	if (options->limited && !at_names_contain(options->only, name) && !at_names_contain(keys, name))
		return AT_OMITTED;
	return concealment(rel, attnum, options);
}

bool
at_row_conceals(Relation rel, AttrNumber attnum, const AtRowOptions *options)
{
	return concealment(rel, attnum, options) != AT_PLAIN;
}

static AtTreatment
named_concealment(const char *name, const AtRowOptions *options)
{
	if (at_names_contain(options->masked, name))
		return AT_MASKED;
	if (at_names_contain(options->hashed, name))
		return AT_HASHED;
	return at_names_contain(options->personal, name) ? AT_PERSONAL : AT_PLAIN;
}

static AtTreatment
concealment(Relation rel, AttrNumber attnum, const AtRowOptions *options)
{
	const char *name = NameStr(TupleDescAttr(RelationGetDescr(rel), attnum - 1)->attname);
	AtTreatment named = named_concealment(name, options);

	if (named == AT_PLAIN && generated_from(rel, attnum, options) != NULL)
		return AT_MASKED;
	return named;
}

/* Name of a concealed column that the column is generated from; NULL if there is none. */
static const char *
generated_from(Relation rel, AttrNumber attnum, const AtRowOptions *options)
{
	TupleDesc desc = RelationGetDescr(rel);
	Bitmapset *used = NULL;
	int member = -1;

	if (TupleDescAttr(desc, attnum - 1)->attgenerated == '\0' ||
		(options->masked == NIL && options->hashed == NIL && options->personal == NIL))
		return NULL;
	pull_varattnos(build_column_default(rel, attnum), 1, &used);
	while ((member = bms_next_member(used, member)) >= 0)
	{
		AttrNumber origin = member + FirstLowInvalidHeapAttributeNumber;

		if (origin > 0)
		{
			const char *name = NameStr(TupleDescAttr(desc, origin - 1)->attname);

			if (named_concealment(name, options) != AT_PLAIN)
				return name;
		}
	}
	return NULL;
}

/* Columns with a treatment, masked ones that nobody named too. */
static List *
columns_with(Relation rel, AtTreatment treatment, const AtRowOptions *options, List *keys)
{
	TupleDesc desc = RelationGetDescr(rel);
	List *names = NIL;

	for (int i = 0; i < desc->natts; i++)
		if (!TupleDescAttr(desc, i)->attisdropped &&
			at_row_treatment(rel, i + 1, options, keys) == treatment)
			names = lappend(names, NameStr(TupleDescAttr(desc, i)->attname));
	return names;
}

void
at_row_options_describe(Relation rel, const AtRowOptions *options, List *keys, StringInfo out)
{
	static const char *const leads[AT_TREATMENTS] = {
		[AT_MASKED] = "masking",
		[AT_HASHED] = "hashing",
		[AT_PERSONAL] = "personal",
	};

	if (options->limited)
		appendStringInfo(out, "; only %s", at_name_list(options->only));
	for (AtTreatment treatment = AT_MASKED; treatment < AT_TREATMENTS; treatment++)
	{
		List *names = columns_with(rel, treatment, options, keys);

		if (names != NIL)
			appendStringInfo(out, "; %s %s", leads[treatment], at_name_list(names));
	}
	if (options->subject != NULL)
		appendStringInfo(out, " of subject %s", options->subject);
	if (options->when != NULL)
		appendStringInfo(out, "; when %s", options->when);
}
