/*-------------------------------------------------------------------------
 * filter.c
 *		Which changes of rows are recorded.
 *
 * Only the server's jsonpath engine runs, over values that output functions
 * have written, as for the event itself. Memory is that of one row.
 *
 * In the text of a path a quotation mark begins and ends a string, within
 * which others are escaped, and $ is the root or begins a variable. A column
 * is known where it stands as $."new"."column" or $."old"."column"; others
 * can be reached by wildcards and filters, and then all columns are given.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"
#include "utils/jsonpath.h"
#include "utils/lsyscache.h"

#include "base/compat.h"
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

/* A place in the text of a path where it begins at its root. */
typedef struct Reference
{
	const char *start; /* the $ */
	const char *end;
	bool sided;       /* followed by "old" or "new" */
	const char *name; /* then by a column: its name, with quotes; not terminated */
	int name_len;
} Reference;

/* The rows as JSON text. */
typedef struct Document
{
	StringInfoData text;
	bool complete;
} Document;

static bool is_predicate(const char *path);
static bool next_reference(const char *at, Reference *reference);
static const char *behind_string(const char *at);
static char *plain_name(const char *name, int len);
static List *columns_of(const char *path, bool *all);
static void append_row(const AtFilter *filter, const char *side, TupleTableSlot *row,
					   Document *document);
static void append_value(const char *data, int len, bool quote, void *arg);
static bool decide(const AtFilter *filter, Jsonb *rows);

static JsonPath *
compile(const char *path)
{
	return DatumGetJsonPathP(DirectFunctionCall1(jsonpath_in, CStringGetDatum(path)));
}

void
at_filter_check(Relation rel, const char *path)
{
	Reference reference = {.end = path};
	int references = 0;

	if (!is_predicate(path))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("\"when\" is not a predicate"),
				 errdetail("Its value is neither true nor false: %s.", path),
				 errhint("Compare something, such as $.new.total > 1000.")));
	for (; next_reference(reference.end, &reference); references++)
	{
		char *name = reference.name ? plain_name(reference.name, reference.name_len) : NULL;

		if (!reference.sided)
			break;
		if (name != NULL && at_stored_column(RelationGetRelid(rel), name) <= 0)
			ereport(ERROR, (errcode(ERRCODE_UNDEFINED_COLUMN),
							errmsg("table \"%s\" has no stored column \"%s\"",
								   RelationGetRelationName(rel), name),
							errdetail("It is named in the argument \"when\".")));
	}
	if (references == 0 || !reference.sided)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("\"when\" must ask for $.old and $.new, and for nothing else"),
						errdetail("There is nothing else, and by what is not there changes would "
								  "be left out: %s.",
								  path),
						errhint("Name a column as in $.new.total > 1000.")));
}

static bool
is_predicate(const char *path)
{
	JsonPathItem root;

	jspInit(&root, compile(path));
	switch (root.type)
	{
		case jpiAnd:
		case jpiOr:
		case jpiNot:
		case jpiIsUnknown:
		case jpiEqual:
		case jpiNotEqual:
		case jpiLess:
		case jpiGreater:
		case jpiLessOrEqual:
		case jpiGreaterOrEqual:
		case jpiExists:
		case jpiStartsWith:
		case jpiLikeRegex:
			return !jspHasNext(&root);
		default:
			return false;
	}
}

/* The next $ in the text, not within a string; false behind the last one. */
static bool
next_reference(const char *at, Reference *reference)
{
	while (*at != '\0' && *at != '$')
		at = *at == '"' ? behind_string(at) : at + 1;
	if (*at == '\0')
		return false;

	*reference = (Reference){.start = at, .end = at + 1};
	reference->sided =
		strncmp(reference->end, ".\"old\"", 6) == 0 || strncmp(reference->end, ".\"new\"", 6) == 0;
	if (!reference->sided)
		return true;
	reference->end += 6;
	if (reference->end[0] == '.' && reference->end[1] == '"')
	{
		reference->name = reference->end + 1;
		reference->end = behind_string(reference->name);
		reference->name_len = reference->end - reference->name;
	}
	return true;
}

/* Behind the string that begins here. */
static const char *
behind_string(const char *at)
{
	for (at++; *at != '\0' && *at != '"'; at++)
		if (*at == '\\' && at[1] != '\0')
			at++;
	return *at == '"' ? at + 1 : at;
}

/* A name without its quotes and escapes. */
static char *
plain_name(const char *name, int len)
{
	AtJsonScan scan;
	AtJsonSlice plain;

	at_json_start(&scan, name, len);
	(void) at_json_next(&scan);
	plain = at_json_string(&scan);
	return pnstrdup(plain.data, plain.len);
}

/* A name with quotes and escapes, as it stands in a path and in audit.target. */
static char *
quoted_name(const char *name)
{
	StringInfoData quoted;

	initStringInfo(&quoted);
	escape_json(&quoted, name);
	return quoted.data;
}

char *
at_filter_rename(const char *path, const char *old_name, const char *new_name)
{
	char *old_quoted = quoted_name(old_name);
	char *new_quoted = quoted_name(new_name);
	Reference reference = {.end = path};
	const char *copied = path;
	StringInfoData renamed;

	initStringInfo(&renamed);
	while (next_reference(reference.end, &reference))
	{
		if (reference.name == NULL || reference.name_len != strlen(old_quoted) ||
			memcmp(reference.name, old_quoted, reference.name_len) != 0)
			continue;
		appendBinaryStringInfo(&renamed, copied, reference.name - copied);
		appendStringInfoString(&renamed, new_quoted);
		copied = reference.end;
	}
	appendStringInfoString(&renamed, copied);
	return renamed.data;
}

bool
at_filter_has_lost(const char *path, const char *columns, Oid relid)
{
	for (const char *at = path; *at != '\0';)
	{
		const char *start = at;

		if (*at++ != '"')
			continue;
		at = behind_string(start);
		/* any string may be a name */
		if (strstr(columns, psprintf("{\"name\":%.*s,", (int) (at - start), start)) != NULL &&
			get_attnum(relid, plain_name(start, at - start)) <= 0)
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

	filter->path = compile(path);
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
	Reference reference = {.end = path};
	List *names = NIL;

	*all = false;
	while (next_reference(reference.end, &reference))
	{
		if (reference.name == NULL)
			*all = true;
		else
			names = lappend(names, plain_name(reference.name, reference.name_len));
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
