/*-------------------------------------------------------------------------
 * json_path.c
 *		What a jsonpath over {"old": row, "new": row, ...} asks for.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"

#include "base/compat.h"
#include "base/json_path.h"
#include "base/json_scan.h"

JsonPath *
at_path_compile(const char *path)
{
	return DatumGetJsonPathP(DirectFunctionCall1(jsonpath_in, CStringGetDatum(path)));
}

char *
at_path_text(JsonPath *path, const char *what)
{
	char *text = DatumGetCString(DirectFunctionCall1(jsonpath_out, PointerGetDatum(path)));
	JsonPath *again = what != NULL ? at_path_compile(text) : path;

	if (VARSIZE(path) != VARSIZE(again) || memcmp(path, again, VARSIZE(path)) != 0)
		ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						errmsg("%s cannot be stored as it is", what),
						errdetail("PostgreSQL would write it as %s, which is another.", text),
						errhint("Begin what has a method with \"0 +\": write 0 + ($.new.total - "
								"$.old.total).abs() > 10.")));
	return text;
}

bool
at_path_is_predicate(JsonPath *path)
{
	JsonPathItem root;

	jspInit(&root, path);
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

const char *
at_path_behind_string(const char *at)
{
	for (at++; *at != '\0' && *at != '"'; at++)
		if (*at == '\\' && at[1] != '\0')
			at++;
	return *at == '"' ? at + 1 : at;
}

/* Take a name that follows: ."name" */
static void
take_name(const char **at, const char **name, int *len)
{
	if ((*at)[0] != '.' || (*at)[1] != '"')
		return;
	*name = *at + 1;
	*at = at_path_behind_string(*name);
	*len = *at - *name;
}

bool
at_path_next(const char *at, AtPathReference *reference)
{
	while (*at != '\0' && *at != '$')
		at = *at == '"' ? at_path_behind_string(at) : at + 1;
	if (*at == '\0')
		return false;

	*reference = (AtPathReference){.start = at, .end = at + 1, .variable = at[1] == '"'};
	take_name(&reference->end, &reference->member, &reference->member_len);
	if (reference->member != NULL)
		take_name(&reference->end, &reference->name, &reference->name_len);
	return true;
}

bool
at_path_asks(const AtPathReference *reference, const char *member)
{
	return reference->member != NULL && reference->member_len == strlen(member) + 2 &&
		   memcmp(reference->member + 1, member, strlen(member)) == 0;
}

char *
at_path_plain(const char *name, int len)
{
	AtJsonScan scan;
	AtJsonSlice plain;

	at_json_start(&scan, name, len);
	(void) at_json_next(&scan);
	plain = at_json_string(&scan);
	return pnstrdup(plain.data, plain.len);
}

/* A name with quotes and escapes, as it stands in a path. */
static char *
quoted_name(const char *name)
{
	StringInfoData quoted;

	initStringInfo(&quoted);
	escape_json(&quoted, name);
	return quoted.data;
}

char *
at_path_rename(const char *path, const char *old_name, const char *new_name)
{
	char *old_quoted = quoted_name(old_name);
	char *new_quoted = quoted_name(new_name);
	AtPathReference reference = {.end = path};
	const char *copied = path;
	StringInfoData renamed;

	initStringInfo(&renamed);
	while (at_path_next(reference.end, &reference))
	{
		bool sided = at_path_asks(&reference, "old") || at_path_asks(&reference, "new");

		if (!sided || reference.name == NULL || reference.name_len != strlen(old_quoted) ||
			memcmp(reference.name, old_quoted, reference.name_len) != 0)
			continue;
		appendBinaryStringInfo(&renamed, copied, reference.name - copied);
		appendStringInfoString(&renamed, new_quoted);
		copied = reference.end;
	}
	appendStringInfoString(&renamed, copied);
	return renamed.data;
}
