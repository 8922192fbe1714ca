/*-------------------------------------------------------------------------
 * names.c
 *		Names of relations and lists of names.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/lsyscache.h"

#include "base/compat.h"
#include "base/names.h"

char *
at_qualified_name(Oid relid)
{
	return quote_qualified_identifier(get_namespace_name(get_rel_namespace(relid)),
									  get_rel_name(relid));
}

/* From 16 on "json" is a word of SQL, and not qualified. */
char *
at_type_name(Oid type, int32 typmod)
{
	if (type == JSONOID)
		return pstrdup("pg_catalog.json");
	if (type == JSONARRAYOID)
		return pstrdup("pg_catalog.json[]");
	return format_type_extended(type, typmod,
								FORMAT_TYPE_TYPEMOD_GIVEN | FORMAT_TYPE_FORCE_QUALIFY);
}

AttrNumber
at_stored_column(Oid relid, const char *name)
{
	AttrNumber attnum = get_attnum(relid, name);

	return attnum > 0 && get_attgenerated(relid, attnum) != ATTRIBUTE_GENERATED_VIRTUAL
			   ? attnum
			   : InvalidAttrNumber;
}

bool
at_names_contain(List *names, const char *name)
{
	ListCell *cell;

	foreach (cell, names)
		if (strcmp(lfirst(cell), name) == 0)
			return true;
	return false;
}

Datum
at_name_array(List *names)
{
	Datum *elements = palloc(sizeof(Datum) * Max(list_length(names), 1));
	ListCell *cell;

	foreach (cell, names)
		elements[foreach_current_index(cell)] = CStringGetTextDatum(lfirst(cell));
	return PointerGetDatum(
		construct_array(elements, list_length(names), TEXTOID, -1, false, TYPALIGN_INT));
}

char *
at_name_json(List *names)
{
	StringInfoData json;
	ListCell *cell;

	initStringInfo(&json);
	appendStringInfoChar(&json, '[');
	foreach (cell, names)
	{
		if (json.len > 1)
			appendStringInfoChar(&json, ',');
		escape_json(&json, lfirst(cell));
	}
	appendStringInfoChar(&json, ']');
	return json.data;
}

char *
at_name_list(List *names)
{
	StringInfoData out;
	ListCell *cell;

	initStringInfo(&out);
	foreach (cell, names)
		appendStringInfo(&out, "%s%s", out.len > 0 ? ", " : "", (char *) lfirst(cell));
	return out.data;
}
