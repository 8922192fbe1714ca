/*-------------------------------------------------------------------------
 * command_facts.c
 *		What a command has done, as events.
 *
 * Objects are told by the names that they have now, with their schema, so
 * that no search path is needed to know which was meant; where a name cannot be
 * looked up any more, by what the command says.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/objectaddress.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_policy.h"
#include "catalog/pg_proc.h"
#include "commands/defrem.h"
#include "commands/extension.h"
#include "lib/stringinfo.h"
#include "nodes/parsenodes.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/json.h"

#include "base/compat.h"
#include "base/names.h"
#include "core/redact.h"
#include "ledger/context.h"
#include "ledger/dispatch.h"
#include "ledger/statement.h"
#include "observe/command_facts.h"
#include "observe/object_names.h"

/* What stands for a value that nobody may read. */
#define CONCEALED "***"

/* The facts of a command, as they are found. */
typedef struct Facts
{
	List *list;      /* of AtFact */
	char *statement; /* text of the command, without secrets; NULL: none */
} Facts;

static char *statement_text(PlannedStmt *pstmt, const char *text);
static AtFact *add(Facts *facts, const char *type, const char *resource_type, char *key,
				   const char *values);
static void tell_role(Facts *facts, const char *type, char *role, List *options);
static void tell_altered_role(Facts *facts, const AlterRoleStmt *statement);
static void tell_members(Facts *facts, bool granted, const char *roles, List *members);
static void tell_role_grant(Facts *facts, const GrantRoleStmt *statement);
static void tell_grant(Facts *facts, const GrantStmt *statement);
static void tell_default_privileges(Facts *facts, const AlterDefaultPrivilegesStmt *statement);
static void tell_owner(Facts *facts, const char *kind, char *object, const RoleSpec *owner);
static void tell_table(Facts *facts, const AlterTableStmt *statement);
static void tell_policy(Facts *facts, const char *type, const char *name, const RangeVar *table);
static void tell_function(Facts *facts, const char *type, char *function);
static void tell_setting(Facts *facts, VariableSetStmt *set, const char *scope,
						 const RoleSpec *role, const char *database);
static void tell_rename(Facts *facts, const RenameStmt *statement);

static bool
is_function(ObjectType type)
{
	return type == OBJECT_FUNCTION || type == OBJECT_PROCEDURE || type == OBJECT_ROUTINE ||
		   type == OBJECT_AGGREGATE;
}

/* Long because it is a table: a case each kind of command. */
List *
at_command_facts(PlannedStmt *pstmt, const char *text)
{
	Node *node = pstmt->utilityStmt;
	Facts facts = {.statement = statement_text(pstmt, text)};

	switch (nodeTag(node))
	{
		case T_CreateRoleStmt:
			tell_role(&facts, "role.created", castNode(CreateRoleStmt, node)->role,
					  castNode(CreateRoleStmt, node)->options);
			break;
		case T_AlterRoleStmt:
			tell_altered_role(&facts, castNode(AlterRoleStmt, node));
			break;
		case T_GrantRoleStmt:
			tell_role_grant(&facts, castNode(GrantRoleStmt, node));
			break;
		case T_GrantStmt:
			tell_grant(&facts, castNode(GrantStmt, node));
			break;
		case T_AlterDefaultPrivilegesStmt:
			tell_default_privileges(&facts, castNode(AlterDefaultPrivilegesStmt, node));
			break;
		case T_CreatePolicyStmt:
			tell_policy(&facts, "policy.created", castNode(CreatePolicyStmt, node)->policy_name,
						castNode(CreatePolicyStmt, node)->table);
			break;
		case T_AlterPolicyStmt:
			tell_policy(&facts, "policy.altered", castNode(AlterPolicyStmt, node)->policy_name,
						castNode(AlterPolicyStmt, node)->table);
			break;
		case T_AlterTableStmt:
			tell_table(&facts, castNode(AlterTableStmt, node));
			break;
		case T_AlterOwnerStmt:
			tell_owner(&facts, at_object_kind(castNode(AlterOwnerStmt, node)->objectType),
					   at_object_name(castNode(AlterOwnerStmt, node)->objectType,
									  castNode(AlterOwnerStmt, node)->object),
					   castNode(AlterOwnerStmt, node)->newowner);
			break;
		case T_ReassignOwnedStmt:
			tell_owner(&facts, "owned", at_role_names(castNode(ReassignOwnedStmt, node)->roles),
					   castNode(ReassignOwnedStmt, node)->newrole);
			break;
		case T_DropOwnedStmt:
			(void) add(&facts, "privilege.revoked", "privilege",
					   at_role_names(castNode(DropOwnedStmt, node)->roles), "");
			break;
		case T_AlterSystemStmt:
			tell_setting(&facts, castNode(AlterSystemStmt, node)->setstmt, "system", NULL, NULL);
			break;
		case T_AlterRoleSetStmt:
			tell_setting(&facts, castNode(AlterRoleSetStmt, node)->setstmt, "role",
						 castNode(AlterRoleSetStmt, node)->role,
						 castNode(AlterRoleSetStmt, node)->database);
			break;
		case T_AlterDatabaseSetStmt:
			tell_setting(&facts, castNode(AlterDatabaseSetStmt, node)->setstmt, "database", NULL,
						 castNode(AlterDatabaseSetStmt, node)->dbname);
			break;
		case T_CreateFunctionStmt:
			tell_function(&facts, "function.created",
						  at_created_function_name(castNode(CreateFunctionStmt, node)));
			break;
		case T_AlterFunctionStmt:
			tell_function(&facts, "function.altered",
						  at_object_name(castNode(AlterFunctionStmt, node)->objtype,
										 (Node *) castNode(AlterFunctionStmt, node)->func));
			break;
		case T_RenameStmt:
			tell_rename(&facts, castNode(RenameStmt, node));
			break;
		case T_AlterObjectSchemaStmt:
			if (is_function(castNode(AlterObjectSchemaStmt, node)->objectType))
				tell_function(&facts, "function.altered",
							  at_object_name(castNode(AlterObjectSchemaStmt, node)->objectType,
											 castNode(AlterObjectSchemaStmt, node)->object));
			break;
		default:
			break;
	}
	return facts.list;
}

/* The text of the command, of several in one string that one alone; secrets go before it is cut. */
static char *
statement_text(PlannedStmt *pstmt, const char *text)
{
	int location = pstmt->stmt_location;
	int len = pstmt->stmt_len;

	if (text == NULL)
		return NULL;
	text = CleanQuerytext(text, &location, &len);
	text = at_statement_shown(text, &len, false);
	return at_context_clean_part(text, len, AT_MAX_DISPATCH_TEXT);
}

/* The values are members of a JSON object, to which the text of the command comes. */
static AtFact *
add(Facts *facts, const char *type, const char *resource_type, char *key, const char *values)
{
	AtFact *fact = palloc0(sizeof(AtFact));
	StringInfoData all;

	initStringInfo(&all);
	appendStringInfoString(&all, values);
	at_member_text(&all, "statement", facts->statement);
	*fact = (AtFact){
		.event_type = type, .resource_type = resource_type, .key = key, .values = all.data};
	facts->list = lappend(facts->list, fact);
	return fact;
}

/* ---- roles ---- */

/* An option as a member; the value of a password is none. */
static void
append_option(StringInfo options, DefElem *option)
{
	if (strcmp(option->defname, "password") == 0)
		at_member_text(options, option->defname, option->arg != NULL ? CONCEALED : "");
	else if (option->arg == NULL)
		at_member_json(options, option->defname, "null");
	else if (IsA(option->arg, Boolean))
		at_member_json(options, option->defname, boolVal(option->arg) ? "true" : "false");
	else if (IsA(option->arg, Integer))
		at_member_number(options, option->defname, intVal(option->arg));
	else if (IsA(option->arg, List))
		at_member_json(options, option->defname, at_role_name_json((List *) option->arg));
	else
		at_member_text(options, option->defname, defGetString(option));
}

static void
tell_role(Facts *facts, const char *type, char *role, List *options)
{
	StringInfoData members;
	StringInfoData values;
	ListCell *cell;

	initStringInfo(&members);
	initStringInfo(&values);
	foreach (cell, options)
		append_option(&members, lfirst_node(DefElem, cell));
	at_member_json(&values, "options", psprintf("{%s}", members.data));
	add(facts, type, "role", role, values.data)->of_server = true;
}

/* ALTER GROUP is about its members alone. */
static void
tell_altered_role(Facts *facts, const AlterRoleStmt *statement)
{
	DefElem *first = statement->options != NIL ? linitial_node(DefElem, statement->options) : NULL;
	char *role = at_role_name(statement->role);

	if (first != NULL && strcmp(first->defname, "rolemembers") == 0)
		tell_members(facts, statement->action > 0, at_role_name_json(list_make1(statement->role)),
					 (List *) first->arg);
	else
		tell_role(facts, "role.altered", role, statement->options);
}

/* Each who gets roles, or loses them. */
static void
tell_members(Facts *facts, bool granted, const char *roles, List *members)
{
	ListCell *cell;

	foreach (cell, members)
	{
		StringInfoData values;

		initStringInfo(&values);
		at_member_json(&values, "roles", roles);
		add(facts, granted ? "role.granted" : "role.revoked", "role",
			at_role_name(lfirst_node(RoleSpec, cell)), values.data)
			->of_server = true;
	}
}

static void
tell_role_grant(Facts *facts, const GrantRoleStmt *statement)
{
	StringInfoData roles;
	ListCell *cell;

	initStringInfo(&roles);
	foreach (cell, statement->granted_roles)
	{
		appendStringInfoChar(&roles, roles.len > 0 ? ',' : '[');
		escape_json(&roles, lfirst_node(AccessPriv, cell)->priv_name);
	}
	appendStringInfoChar(&roles, ']');
	tell_members(facts, statement->is_grant, roles.data, statement->grantee_roles);
}

/* ---- privileges ---- */

/* Names that a command has as a list, with commas. */
static char *
name_line(List *names)
{
	List *strings = NIL;
	ListCell *cell;

	foreach (cell, names)
		strings = lappend(strings, strVal(lfirst(cell)));
	return at_name_list(strings);
}

/* What is granted, as a JSON array: "SELECT", "UPDATE (price, total)", "ALL". */
static char *
privilege_names(List *privileges)
{
	StringInfoData json;
	ListCell *cell;

	initStringInfo(&json);
	if (privileges == NIL)
		appendStringInfoString(&json, "[\"ALL\"");
	foreach (cell, privileges)
	{
		const AccessPriv *privilege = lfirst_node(AccessPriv, cell);
		char *name = pstrdup(privilege->priv_name != NULL ? privilege->priv_name : "all");

		for (char *c = name; *c != '\0'; c++)
			*c = pg_toupper((unsigned char) *c);
		if (privilege->cols != NIL)
			name = psprintf("%s (%s)", name, name_line(privilege->cols));
		appendStringInfoChar(&json, json.len > 0 ? ',' : '[');
		escape_json(&json, name);
	}
	appendStringInfoChar(&json, ']');
	return json.data;
}

static void
append_grant(StringInfo values, const GrantStmt *statement)
{
	at_member_json(values, "privileges", privilege_names(statement->privileges));
	at_member_json(values, statement->is_grant ? "to" : "from",
				   at_role_name_json(statement->grantees));
	if (statement->grant_option)
		at_member_json(values, "grant_option", "true");
}

/* An event each object, or each schema of which all objects are meant. */
static void
tell_grant(Facts *facts, const GrantStmt *statement)
{
	const char *type = statement->is_grant ? "privilege.granted" : "privilege.revoked";
	bool all = statement->targtype == ACL_TARGET_ALL_IN_SCHEMA;
	ListCell *cell;

	foreach (cell, statement->objects)
	{
		const char *kind = at_object_kind(statement->objtype);
		char *name = at_object_name(statement->objtype, lfirst(cell));
		StringInfoData values;

		initStringInfo(&values);
		append_grant(&values, statement);
		(void) add(facts, type, "privilege",
				   psprintf(all ? "every %s in schema %s" : "%s %s", kind, name), values.data);
	}
}

static void
tell_default_privileges(Facts *facts, const AlterDefaultPrivilegesStmt *statement)
{
	char *key = psprintf("every new %s", at_object_kind(statement->action->objtype));
	StringInfoData values;
	ListCell *cell;

	initStringInfo(&values);
	append_grant(&values, statement->action);
	foreach (cell, statement->options)
	{
		DefElem *option = lfirst_node(DefElem, cell);

		if (strcmp(option->defname, "roles") == 0)
			at_member_json(&values, "of_roles", at_role_name_json((List *) option->arg));
		else
			at_member_text(&values, "in_schemas", name_line((List *) option->arg));
	}
	(void) add(facts, "default_privileges.changed", "default_privileges", key, values.data);
}

static void
tell_owner(Facts *facts, const char *kind, char *object, const RoleSpec *owner)
{
	StringInfoData values;

	initStringInfo(&values);
	at_member_text(&values, "owner", at_role_name(owner));
	(void) add(facts, "owner.changed", "owner",
			   psprintf("%s %s", kind, object != NULL ? object : "?"), values.data);
}

/* The owner, and whether row security is in force: the rest is no privilege. */
static void
tell_table(Facts *facts, const AlterTableStmt *statement)
{
	ListCell *cell;

	foreach (cell, statement->cmds)
	{
		const AlterTableCmd *command = lfirst_node(AlterTableCmd, cell);
		const char *row_security = NULL;

		switch (command->subtype)
		{
			case AT_ChangeOwner:
				tell_owner(facts, at_object_kind(statement->objtype),
						   at_table_name(statement->relation), command->newowner);
				break;
			case AT_EnableRowSecurity:
				row_security = "\"row_security\":\"enabled\"";
				break;
			case AT_DisableRowSecurity:
				row_security = "\"row_security\":\"disabled\"";
				break;
			case AT_ForceRowSecurity:
				row_security = "\"row_security\":\"forced\"";
				break;
			case AT_NoForceRowSecurity:
				row_security = "\"row_security\":\"not forced\"";
				break;
			default:
				break;
		}
		if (row_security != NULL)
			(void) add(facts, "policy.altered", "policy", at_table_name(statement->relation),
					   row_security);
	}
}

static void
tell_policy(Facts *facts, const char *type, const char *name, const RangeVar *table)
{
	(void) add(facts, type, "policy",
			   psprintf("%s on %s", quote_identifier(name), at_table_name(table)), "");
}

/* ---- functions ---- */

/* Those that an extension brings are the extension's. */
static void
tell_function(Facts *facts, const char *type, char *function)
{
	if (!creating_extension && function != NULL)
		(void) add(facts, type, "function", function, "");
}

/* ---- settings ---- */

/* A value as it was set; one that may be a secret, or is set for somebody's own code, is none. */
static char *
setting_value(VariableSetStmt *set)
{
	char *value = ExtractSetVariableArgs(set);

	if (value == NULL)
		return NULL;
	if (at_mentions_secret(set->name, strlen(set->name)) ||
		at_mentions_secret(value, strlen(value)))
		return CONCEALED;
	return at_context_clean(value);
}

static void
tell_setting(Facts *facts, VariableSetStmt *set, const char *scope, const RoleSpec *role,
			 const char *database)
{
	StringInfoData values;
	char *former = facts->statement;

	initStringInfo(&values);
	at_member_text(&values, "scope", scope);
	if (role != NULL)
		at_member_text(&values, "role", at_role_name(role));
	else if (strcmp(scope, "role") == 0)
		at_member_text(&values, "role", "all");
	at_member_text(&values, "database", database);
	if (set->kind == VAR_SET_VALUE)
		at_member_text(&values, "value", setting_value(set));
	else
		at_member_json(&values, "value", "null");
	facts->statement = NULL; /* the value is in it */
	add(facts, "setting.changed", "setting", set->name != NULL ? set->name : "all", values.data)
		->of_server = true;
	facts->statement = former;
}

/* ---- names, and what is dropped ---- */

static void
tell_rename(Facts *facts, const RenameStmt *statement)
{
	StringInfoData values;

	initStringInfo(&values);
	at_member_text(&values, "new_name", statement->newname);
	if (statement->renameType == OBJECT_ROLE)
		add(facts, "role.altered", "role", statement->subname, values.data)->of_server = true;
	else if (statement->renameType == OBJECT_POLICY)
		(void) add(facts, "policy.altered", "policy",
				   psprintf("%s on %s", quote_identifier(statement->subname),
							at_table_name(statement->relation)),
				   values.data);
	else if (is_function(statement->renameType) && !creating_extension)
		(void) add(facts, "function.altered", "function",
				   at_object_name(statement->renameType, statement->object), values.data);
}

AtFact *
at_drop_fact(const ObjectAddress *object, PlannedStmt *pstmt, const char *text)
{
	Facts facts = {.statement = NULL};
	bool of_extension = creating_extension ||
						(IsA(pstmt->utilityStmt, DropStmt) &&
						 castNode(DropStmt, pstmt->utilityStmt)->removeType == OBJECT_EXTENSION);

	if (object->objectSubId != 0 ||
		(object->classId != AuthIdRelationId && object->classId != PolicyRelationId &&
		 (object->classId != ProcedureRelationId || of_extension)))
		return NULL;

	char *name = getObjectIdentity(object, true);

	if (name == NULL)
		return NULL;
	facts.statement = statement_text(pstmt, text);
	if (object->classId == ProcedureRelationId)
		return add(&facts, "function.dropped", "function", name, "");
	if (object->classId == PolicyRelationId)
		return add(&facts, "policy.dropped", "policy", name, "");
	AtFact *fact = add(&facts, "role.dropped", "role", name, "");

	fact->of_server = true;
	return fact;
}
