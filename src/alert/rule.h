/*-------------------------------------------------------------------------
 * rule.h
 *		The alert rules of a table: a cache over audit.alert_rule.
 *-------------------------------------------------------------------------
 */
#ifndef AT_RULE_H
#define AT_RULE_H

/* The configuration table and its columns (sql/install/40_alert.sql). */
#define AT_RULE_TABLE "alert_rule"
#define AT_RULE_INDEX "alert_rule_target_idx"

#define Anum_rule_name       1
#define Anum_rule_target     2
#define Anum_rule_columns    3
#define Anum_rule_severity   4
#define Anum_rule_channel    5
#define Anum_rule_enabled    6
#define Anum_rule_changed_at 7

typedef struct AtRule
{
	char *name;
	char *severity;
	char *channel;
	int ncolumns;
	char **columns;
} AtRule;

/* The rules of one table; belong to the cache until the next look-up. */
typedef struct AtRules
{
	int count;
	AtRule *rules;
} AtRules;

/* The enabled rules of a table, in the order of their names; never NULL. */
extern const AtRules *at_rules_lookup(Oid relid);

/* Register the invalidation callback. */
extern void at_rule_init(void);

#endif
