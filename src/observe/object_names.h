/*-------------------------------------------------------------------------
 * object_names.h
 *		What a command calls its objects, as their full names.
 *
 * Names are looked up with the search path of now; where that finds nothing,
 * they are as the command has them. Strings are in the current memory context.
 *-------------------------------------------------------------------------
 */
#ifndef AT_OBJECT_NAMES_H
#define AT_OBJECT_NAMES_H

#include "nodes/parsenodes.h"

/* "table", "function", ... */
extern const char *at_object_kind(ObjectType type);

/* NULL where the object has no name that is known here. */
extern char *at_object_name(ObjectType type, Node *object);

/* A table, whatever is at that name now. */
extern char *at_table_name(const RangeVar *table);

/* The function that a command has created or replaced. */
extern char *at_created_function_name(const CreateFunctionStmt *statement);

/* Names of roles, with commas; of one; and as a JSON array. Of PUBLIC and CURRENT_USER too. */
extern char *at_role_names(List *roles);
extern char *at_role_name(const RoleSpec *role);
extern char *at_role_name_json(List *roles);

#endif
