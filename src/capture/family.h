/*-------------------------------------------------------------------------
 * family.h
 *		Tables that come under an audited table, or leave it: partitions and
 *		children.
 *
 * What is below an audited table is captured by its policy. Who comes under
 * it is told by an event '<resource_type>.attached' of the audited table, who
 * leaves it by '<resource_type>.detached'; a new table is empty and is not
 * told. Who leaves is audited by a policy of its own from then on, with the
 * same settings, and its own trail begins with '<resource_type>.left'.
 *-------------------------------------------------------------------------
 */
#ifndef AT_FAMILY_H
#define AT_FAMILY_H

#include "nodes/parsenodes.h"

#include "capture/stored.h"

/* A relation whose parents change, with the policy that served it before. */
typedef struct AtFamilyNote
{
	Oid relid;
	bool found;
	AtStoredPolicy before;
} AtFamilyNote;

/* Note the policy of a relation before its parents change; in the current memory context. */
extern AtFamilyNote *at_family_note(Oid relid);

/* Its parents have changed: tell it, and see to its triggers. */
extern void at_family_settle(const AtFamilyNote *note, const char *command, bool is_new);

/* A relation is about to be dropped: tell the audited table that it is below of. */
extern void at_family_drop(Oid relid, const AtStoredPolicy *stored, const char *command);

/*
 * Before ALTER TABLE ... ATTACH PARTITION: where both are audited, end the
 * partition's own audit, since one relation cannot have two sets of triggers.
 */
extern void at_family_prepare(const AlterTableStmt *statement, const char *command);

#endif
