/*-------------------------------------------------------------------------
 * command_facts.h
 *		What a command about roles, privileges, policies, owners, settings or
 *		functions has done, as events.
 *
 * No fact has a secret: passwords are not told, nor values of settings that
 * look as if they held one.
 *-------------------------------------------------------------------------
 */
#ifndef AT_COMMAND_FACTS_H
#define AT_COMMAND_FACTS_H

#include "catalog/objectaddress.h"
#include "nodes/plannodes.h"

/* Strings are in the context of who asked. */
typedef struct AtFact
{
	const char *event_type;
	const char *resource_type;
	char *key;
	char *values;   /* members of a JSON object, without braces */
	bool of_server; /* of the whole server, and not of this database */
} AtFact;

/*
 * The facts of a command that has succeeded, but for what it has dropped; NIL: it is about none of
 * these. Its text is the string that it was found in.
 */
extern List *at_command_facts(PlannedStmt *pstmt, const char *text);

/*
 * The fact that a role, policy or function is dropped, while it is still there; NULL: it is
 * something else.
 */
extern AtFact *at_drop_fact(const ObjectAddress *object, PlannedStmt *pstmt, const char *text);

#endif
