/*-------------------------------------------------------------------------
 * target.h
 *		Rows of audit.target: the versions of audited tables.
 *-------------------------------------------------------------------------
 */
#ifndef AT_TARGET_H
#define AT_TARGET_H

#include "nodes/pg_list.h"

/* A version of an audited table. Strings belong to whoever made the struct. */
typedef struct AtTarget
{
	int32 target_id;
	int32 lineage; /* target_id of the table's first version; 0: this is it */
	int16 retention_class;
	char *table_schema;
	char *table_name;
	char *resource_type;
	char *context;
	char *key_columns; /* JSON array of names */
	char *columns;     /* JSON array of {"name", "type"} */
} AtTarget;

/* Append a new version: draws its target_id and sets it, and lineage if 0. */
extern void at_target_append(AtTarget *target);

/* Read a version, allocated in the current context; false if there is none. */
extern bool at_target_read(int32 target_id, AtTarget *target);

/* What the tables of these lineages are called as resources, or were; C strings, each once. */
extern List *at_target_resource_types(List *lineages);

/*
 * Read what events about the audit trail itself are of: the table
 * audit.policy. False if there is none.
 */
extern bool at_target_read_own(AtTarget *target);

/*
 * The newest version of what is no table, of the context "system", by its resource type; false if
 * there is none. Reads the whole table, so the answer is worth keeping.
 */
extern bool at_target_find(const char *resource_type, AtTarget *target);

/*
 * The same of any context; appended in the running transaction if there is none. Of two
 * transactions that do so each makes its own, and both serve. Returns whether it was appended.
 */
extern bool at_target_obtain(const char *context, const char *resource_type, AtTarget *target);

#endif
