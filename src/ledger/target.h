/*-------------------------------------------------------------------------
 * target.h
 *		Rows of audit.target: the versions of audited tables.
 *-------------------------------------------------------------------------
 */
#ifndef AT_TARGET_H
#define AT_TARGET_H

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

/*
 * The same of what events about the audit trail itself are of: the table
 * audit.policy. False if there is none.
 */
extern bool at_target_read_own(AtTarget *target);

/*
 * The newest version of what is no table, by its resource type; false if there is none. Reads the
 * whole table, so the answer is worth keeping.
 */
extern bool at_target_find(const char *resource_type, AtTarget *target);

#endif
