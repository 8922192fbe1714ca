/*-------------------------------------------------------------------------
 * stored.h
 *		Rows of audit.policy: which tables are captured, and how.
 *
 * Reading needs no privilege and sees the newest rows, whatever the
 * transaction's snapshot is (base/latest.h). So does writing; each change is
 * itself an event, so the caller is the ledger's owner then (base/config_row.h).
 *-------------------------------------------------------------------------
 */
#ifndef AT_STORED_H
#define AT_STORED_H

#include "nodes/pg_list.h"

#include "capture/row_options.h"
#include "ledger/hooks.h"

/* Name of the configuration table and its columns (sql/install/30_capture.sql). */
#define AT_POLICY_TABLE "policy"
#define AT_POLICY_INDEX "policy_pkey"

#define Anum_policy_target           1
#define Anum_policy_target_id        2
#define Anum_policy_context          3
#define Anum_policy_resource_type    4
#define Anum_policy_operations       5
#define Anum_policy_ignored_columns  6
#define Anum_policy_key_columns      7
#define Anum_policy_enabled          8
#define Anum_policy_changed_at       9
#define Anum_policy_reason           10
#define Anum_policy_key_given        11
#define Anum_policy_only_columns     12
#define Anum_policy_masked_columns   13
#define Anum_policy_hashed_columns   14
#define Anum_policy_personal_columns 15
#define Anum_policy_subject_column   16
#define Anum_policy_recorded_when    17
#define Anum_policy_truncate         18
#define Anum_policy_query            19
#define Anum_policy_reads            20
#define Anum_policy_read_columns     21

/* A row; lists are of C strings, in the context of the reader. */
typedef struct AtStoredPolicy
{
	Oid root; /* the table that the policy names */
	int32 target_id;
	bool enabled; /* at_stored_write() writes true, whatever is here */
	char *context;
	char *resource_type;
	List *operations;
	List *ignored;
	List *keys;
	bool key_given; /* by who enabled it; else the keys are those of the primary key */
	AtRowOptions row;
	char *truncate; /* AT_TRUNCATE_ROWS or AT_TRUNCATE_COUNT */
	bool query;     /* the text of statements is recorded */
	AtReadOptions read;
} AtStoredPolicy;

/* What a TRUNCATE tells of the rows that it takes: each of them, or how many they are. */
#define AT_TRUNCATE_ROWS  "rows"
#define AT_TRUNCATE_COUNT "count"

/* Is there configuration, and a ledger that was begun in this database? Raises nothing. */
extern bool at_stored_ready(void);

/* The policy that names the table, also one that is not enabled; false if there is none. */
extern bool at_stored_read_any(Oid relid, AtStoredPolicy *stored);

/* The enabled policy that names the table; false if there is none. */
extern bool at_stored_read(Oid relid, AtStoredPolicy *stored);

/*
 * The enabled policy that serves the table: its own or that of the nearest
 * table that it is a partition or a child of.
 */
extern bool at_stored_find(Oid relid, AtStoredPolicy *stored);

/* The table that such a policy names; InvalidOid if there is none, or no ledger. */
extern Oid at_stored_root(Oid relid);

/* What such a policy says, for other rooms; false in the same case. */
extern bool at_stored_table(Oid relid, AtAuditedTable *table);

/* Oids of all tables with an enabled policy, ascending. */
extern List *at_stored_tables(void);

/* Write an enabled policy; replaces the row of the table if there is one. */
extern void at_stored_write(const AtStoredPolicy *stored);

/* Switch the policy of a table off; returns whether it was on. */
extern bool at_stored_disable(Oid relid, const char *reason);

#endif
