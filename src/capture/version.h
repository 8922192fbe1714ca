/*-------------------------------------------------------------------------
 * version.h
 *		An audited table whose definition has changed: a new version of it in
 *		audit.target, an event that tells what changed, and the policy that
 *		names the new version.
 *
 * The event has op 'A' and the type '<resource_type>.altered'; old_values
 * and new_values have those of schema, name, key_columns and columns that
 * differ, extra has the command, and the columns that were "renamed" or whose
 * values were "rewritten". What the policy had to give up is there too:
 * "lost_key", "lost_subject", "lost_when".
 *-------------------------------------------------------------------------
 */
#ifndef AT_VERSION_H
#define AT_VERSION_H

#include "lib/stringinfo.h"
#include "nodes/pg_list.h"

#include "capture/stored.h"
#include "ledger/target.h"

/* A column that got another name; the new one is in the catalog. */
typedef struct AtRename
{
	Oid relid;
	AttrNumber attnum;
	char *old_name;
} AtRename;

/* The command that may have changed tables. */
typedef struct AtSchemaChange
{
	const char *command; /* its tag; NULL: it was not seen */
	List *renames;       /* of AtRename */
	Oid rewritten_table; /* table of which values were computed anew, with all below it */
	List *rewritten;     /* names of the columns */
} AtSchemaChange;

/*
 * Compare the table with the newest version that its policy names, and
 * follow it if it differs. Does nothing if there is no policy that names the
 * table.
 */
extern void at_version_follow(Oid relid, const AtSchemaChange *change);

/* Does the table of the policy differ from this version of it? Names and columns are compared. */
extern bool at_version_differs(const AtStoredPolicy *stored, const AtTarget *target);

/* Raise ERRCODE_AT_BAD_TARGET if the relation is unlogged, and audited by itself or from above. */
extern void at_version_check_logged(Oid relid);

/* The first version of a table that is audited from now on; sets stored->target_id. */
extern void at_version_begin(AtStoredPolicy *stored);

/*
 * Append an event about the table itself: op 'A', of the type
 * '<resource_type>.<what>'. The texts are JSON; NULL is missing.
 */
extern void at_version_tell(int32 target_id, const char *what, const char *old_values,
							const char *new_values, StringInfo extra);

/*
 * Members of an event's extra: "command"; "statement", the client's, where
 * that is another one; and, if there is one, "what":"name".
 */
extern StringInfo at_version_extra(const char *command, const char *what, const char *name);

#endif
