/*-------------------------------------------------------------------------
 * filter.c
 *		Which changes of rows are recorded.
 *
 * Only the server's jsonpath engine runs, over values that output functions
 * have written, as for the event itself. Memory is that of one row.
 *
 * A column is known where it stands as $."new"."column" or $."old"."column";
 * others can be reached by wildcards and filters, and then all columns are given.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"

#include "base/compat.h"
#include "base/json_path.h"
#include "base/json_scan.h"
#include "base/jsonb_make.h"
#include "base/names.h"
#include "capture/filter.h"
#include "capture/render.h"

/* Longer values are not looked at: what cannot be decided is recorded. */
#define MAX_VALUE_BYTES (64 * 1024 * 1024)
#define MAX_ROWS_BYTES  (256 * 1024 * 1024)

struct AtFilter
{
	JsonPath *path;
	int ncolumns;
	AtColumn *columns; /* that the path may look at */
};

/* The rows as JSON text. */
typedef struct Document
{
	StringInfoData text;
	bool complete;
} Document;

static List *columns_of(const char *path, bool *all);
static void append_row(const AtFilter *filter, const char *side, TupleTableSlot *row,
					   Document *document);
static void append_value(const char *data, int len, bool quote, void *arg);
static bool decide(const AtFilter *filter, Jsonb *rows);

/* Does it ask for a row? */
static bool
is_sided(const AtPathReference *reference)
{
	return at_path_asks(reference, "old") || at_path_asks(reference, "new");
}

void
at_filter_check(Relation rel, const char *path)
{
	AtPathReference reference = {.end = path};
	int references = 0;

	if (!at_path_is_predicate(at_path_compile(path)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("\"when\" is not a predicate"),
				 errdetail("Its value is neither true nor false: %s.", path),
				 errhint("Compare something, such as $.new.total > 1000.")));
	for (; at_path_next(reference.end, &reference); references++)
	{
		char *name = reference.name ? at_path_plain(reference.name, reference.name_len) : NULL;

		if (!is_sided(&reference))
			break;
		if (name != NULL && at_stored_column(RelationGetRelid(rel), name) <= 0)
			ereport(ERROR, (errcode(ERRCODE_UNDEFINED_COLUMN),
							errmsg("table \"%s\" has no stored column \"%s\"",
								   RelationGetRelationName(rel), name),
							errdetail("It is named in the argument \"when\".")));
	}
	if (references == 0 || !is_sided(&reference))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("\"when\" must ask for $.old and $.new, and for nothing else"),
						errdetail("There is nothing else, and by what is not there changes would "
								  "be left out: %s.",
								  path),
						errhint("Name a column as in $.new.total > 1000.")));
}

bool
at_filter_has_lost(const char *path, const char *columns, Oid relid)
{
	for (const char *at = path; *at != '\0';)
	{
		const char *start = at;

		if (*at++ != '"')
			continue;
		at = at_path_behind_string(start);
		/* any string may be a name */
		if (strstr(columns, psprintf("{\"name\":%.*s,", (int) (at - start), start)) != NULL &&
			get_attnum(relid, at_path_plain(start, at - start)) <= 0)
			return true;
	}
	return false;
}

AtFilter *
at_filter_build(Relation rel, const char *path)
{
	TupleDesc desc = RelationGetDescr(rel);
	AtFilter *filter = palloc0(sizeof(AtFilter));
	bool all;
	List *names = columns_of(path, &all);

	filter->path = at_path_compile(path);
	filter->columns = palloc0(sizeof(AtColumn) * Max(desc->natts, 1));
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(desc, i);

		if (!attribute->attisdropped && attribute->attgenerated != ATTRIBUTE_GENERATED_VIRTUAL &&
			(all || at_names_contain(names, NameStr(attribute->attname))))
			at_render_prepare(&filter->columns[filter->ncolumns++], attribute);
	}
	return filter;
}

/* Names of the columns that the path looks at; *all tells that it may look at every one. */
static List *
columns_of(const char *path, bool *all)
{
	AtPathReference reference = {.end = path};
	List *names = NIL;

	*all = false;
	while (at_path_next(reference.end, &reference))
	{
		if (reference.name == NULL || !is_sided(&reference))
			*all = true;
		else
			names = lappend(names, at_path_plain(reference.name, reference.name_len));
	}
	return names;
}

bool
at_filter_accepts(const AtFilter *filter, TupleTableSlot *old_row, TupleTableSlot *new_row)
{
	Document document = {.complete = true};
	Jsonb *rows;
	bool exact;

	initStringInfo(&document.text);
	append_row(filter, "{\"old\":", old_row, &document);
	append_row(filter, old_row ? ",\"new\":" : "{\"new\":", new_row, &document);
	appendStringInfoChar(&document.text, '}');
	if (!document.complete)
		return true;

	rows = at_jsonb_make(document.text.data, document.text.len, &exact);
	return !exact || decide(filter, rows);
}

static void
append_row(const AtFilter *filter, const char *side, TupleTableSlot *row, Document *document)
{
	if (row == NULL)
		return;
	slot_getallattrs(row);
	appendStringInfoString(&document->text, side);
	appendStringInfoChar(&document->text, '{');
	for (int i = 0; i < filter->ncolumns && document->complete; i++)
	{
		AtColumn *column = &filter->columns[i];
		int at = column->attnum - 1;

		if (i > 0)
			appendStringInfoChar(&document->text, ',');
		appendBinaryStringInfo(&document->text, column->json_name, column->json_name_len);
		if (row->tts_isnull[at])
			appendStringInfoString(&document->text, "null");
		else
			at_render_whole(column, row->tts_values[at], append_value, document);
	}
	appendStringInfoChar(&document->text, '}');
}

static void
append_value(const char *data, int len, bool quote, void *arg)
{
	Document *document = arg;

	if (len > MAX_VALUE_BYTES || document->text.len > MAX_ROWS_BYTES)
		document->complete = false;
	else if (quote)
		at_json_quote(data, len, &document->text);
	else
		appendBinaryStringInfo(&document->text, data, len);
}

/* Errors are silent, and become null like all that is undecided. */
static bool
decide(const AtFilter *filter, Jsonb *rows)
{
	LOCAL_FCINFO(call, 2);
	Datum accepted;

	InitFunctionCallInfoData(*call, NULL, 2, InvalidOid, NULL, NULL);
	call->args[0] = (NullableDatum){.value = JsonbPGetDatum(rows)};
	call->args[1] = (NullableDatum){.value = PointerGetDatum(filter->path)};
	accepted = jsonb_path_match_opr(call);
	return call->isnull || DatumGetBool(accepted);
}
