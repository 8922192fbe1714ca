/*-------------------------------------------------------------------------
 * object_names.c
 *		What a command calls its objects, as their full names.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "parser/parse_func.h"
#include "parser/parse_type.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/lsyscache.h"
#include "utils/regproc.h"

#include "base/names.h"
#include "observe/object_names.h"

static char *function_name(ObjectType type, ObjectWithArgs *function);

/* As commands have them; what is not here is rare, and "object". */
static const struct
{
	ObjectType type;
	const char *name;
} kinds[] = {
	{OBJECT_AGGREGATE, "aggregate"},
	{OBJECT_COLLATION, "collation"},
	{OBJECT_CONVERSION, "conversion"},
	{OBJECT_DATABASE, "database"},
	{OBJECT_DOMAIN, "domain"},
	{OBJECT_EVENT_TRIGGER, "event trigger"},
	{OBJECT_FDW, "foreign-data wrapper"},
	{OBJECT_FOREIGN_SERVER, "server"},
	{OBJECT_FOREIGN_TABLE, "foreign table"},
	{OBJECT_FUNCTION, "function"},
	{OBJECT_INDEX, "index"},
	{OBJECT_LANGUAGE, "language"},
	{OBJECT_LARGEOBJECT, "large object"},
	{OBJECT_MATVIEW, "materialized view"},
	{OBJECT_OPCLASS, "operator class"},
	{OBJECT_OPERATOR, "operator"},
	{OBJECT_OPFAMILY, "operator family"},
	{OBJECT_PARAMETER_ACL, "parameter"},
	{OBJECT_PROCEDURE, "procedure"},
	{OBJECT_PUBLICATION, "publication"},
	{OBJECT_ROUTINE, "routine"},
	{OBJECT_SCHEMA, "schema"},
	{OBJECT_SEQUENCE, "sequence"},
	{OBJECT_STATISTIC_EXT, "statistics"},
	{OBJECT_SUBSCRIPTION, "subscription"},
	{OBJECT_TABLE, "table"},
	{OBJECT_TABLESPACE, "tablespace"},
	{OBJECT_TSCONFIGURATION, "text search configuration"},
	{OBJECT_TSDICTIONARY, "text search dictionary"},
	{OBJECT_TYPE, "type"},
	{OBJECT_VIEW, "view"},
};

const char *
at_object_kind(ObjectType type)
{
	for (int i = 0; i < lengthof(kinds); i++)
		if (kinds[i].type == type)
			return kinds[i].name;
	return "object";
}

char *
at_object_name(ObjectType type, Node *object)
{
	if (object == NULL)
		return NULL;
	switch (nodeTag(object))
	{
		case T_RangeVar:
			return at_table_name((const RangeVar *) object);
		case T_ObjectWithArgs:
			return function_name(type, (ObjectWithArgs *) object);
		case T_TypeName:
			return TypeNameToString((TypeName *) object);
		case T_List:
			return NameListToQuotedString((List *) object);
		case T_String:
			return pstrdup(quote_identifier(strVal(object)));
		case T_Integer:
			return psprintf("%d", intVal(object));
		case T_Float:
			return pstrdup(castNode(Float, object)->fval);
		default:
			return NULL;
	}
}

/* Without a check of privileges, which would be an error. */
char *
at_table_name(const RangeVar *table)
{
	Oid schema =
		table->schemaname != NULL ? get_namespace_oid(table->schemaname, true) : InvalidOid;
	Oid relid = table->schemaname == NULL ? RelnameGetRelid(table->relname)
				: OidIsValid(schema)      ? get_relname_relid(table->relname, schema)
										  : InvalidOid;

	if (OidIsValid(relid))
		return pstrdup(at_qualified_name(relid));
	return pstrdup(quote_qualified_identifier(table->schemaname, table->relname));
}

static char *
function_name(ObjectType type, ObjectWithArgs *function)
{
	bool is_function = type == OBJECT_FUNCTION || type == OBJECT_PROCEDURE ||
					   type == OBJECT_ROUTINE || type == OBJECT_AGGREGATE;
	Oid oid = is_function ? LookupFuncWithArgs(type, function, true) : InvalidOid;

	return OidIsValid(oid) ? format_procedure_qualified(oid)
						   : NameListToQuotedString(function->objname);
}

char *
at_created_function_name(const CreateFunctionStmt *statement)
{
	ObjectWithArgs *function = makeNode(ObjectWithArgs);
	char *name;
	Oid schema = QualifiedNameGetCreationNamespace(statement->funcname, &name);
	ListCell *cell;

	function->objname = list_make2(makeString(get_namespace_name(schema)), makeString(name));
	foreach (cell, statement->parameters)
	{
		FunctionParameter *parameter = lfirst_node(FunctionParameter, cell);
		bool is_result = parameter->mode == FUNC_PARAM_TABLE ||
						 (parameter->mode == FUNC_PARAM_OUT && !statement->is_procedure);

		if (!is_result)
			function->objargs = lappend(function->objargs, parameter->argType);
	}
	return function_name(OBJECT_ROUTINE, function);
}

char *
at_role_name(const RoleSpec *role)
{
	switch (role->roletype)
	{
		case ROLESPEC_CSTRING:
			return role->rolename;
		case ROLESPEC_PUBLIC:
			return "public";
		case ROLESPEC_SESSION_USER:
			return GetUserNameFromId(GetSessionUserId(), true);
		default:
			return GetUserNameFromId(GetUserId(), true);
	}
}

char *
at_role_names(List *roles)
{
	StringInfoData names;
	ListCell *cell;

	initStringInfo(&names);
	foreach (cell, roles)
		appendStringInfo(&names, "%s%s", names.len > 0 ? ", " : "",
						 at_role_name(lfirst_node(RoleSpec, cell)));
	return names.data;
}

char *
at_role_name_json(List *roles)
{
	StringInfoData json;
	ListCell *cell;

	initStringInfo(&json);
	foreach (cell, roles)
	{
		appendStringInfoChar(&json, json.len > 0 ? ',' : '[');
		escape_json(&json, at_role_name(lfirst_node(RoleSpec, cell)));
	}
	appendStringInfoString(&json, json.len > 0 ? "]" : "[]");
	return json.data;
}
