/*-------------------------------------------------------------------------
 * policy.h
 *		What is captured of a table: a row of audit.policy with the version
 *		of the table it names, made ready for the triggers.
 *-------------------------------------------------------------------------
 */
#ifndef AT_POLICY_H
#define AT_POLICY_H

#include "utils/rel.h"

#include "capture/render.h"
#include "core/body.h"

/* Name of the configuration table and its columns (sql/install/30_capture.sql). */
#define AT_POLICY_TABLE "policy"
#define AT_POLICY_INDEX "policy_pkey"

#define Anum_policy_target          1
#define Anum_policy_target_id       2
#define Anum_policy_context         3
#define Anum_policy_resource_type   4
#define Anum_policy_operations      5
#define Anum_policy_ignored_columns 6
#define Anum_policy_key_columns     7
#define Anum_policy_enabled         8
#define Anum_policy_changed_at      9
#define Anum_policy_reason          10

/* Belongs to the backend's cache; use it until control goes back to the executor. */
typedef struct AtPolicy
{
	Oid relid;      /* the relation that rows are changed in: the table or a partition */
	Oid root_relid; /* the relation that audit.policy names */
	bool valid;
	bool watched; /* another room wants to hear of updates */
	MemoryContext memory;

	/* of audit.target */
	int32 target_id;
	int16 retention_class;
	AtSpan schema;
	AtSpan table;
	AtSpan resource_type;

	/* columns that are captured, in the order of the relation; never dropped ones */
	int ncolumns;
	AtColumn *columns;
	int nkeys;
	AtColumn **keys; /* in the order of the key */
} AtPolicy;

/* The policy for a relation, found at the table itself or at an ancestor; NULL if there is none. */
extern const AtPolicy *at_policy_lookup(Relation rel);

/* Register the invalidation callback. */
extern void at_policy_init(void);

#endif
