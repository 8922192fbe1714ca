/*-------------------------------------------------------------------------
 * rule.h
 *		An alert rule, compiled, and the cache of those of a table.
 *-------------------------------------------------------------------------
 */
#ifndef AT_RULE_H
#define AT_RULE_H

#include "access/htup.h"
#include "access/tupdesc.h"
#include "utils/numeric.h"

#include "alert/condition.h"
#include "alert/hours.h"
#include "alert/wording.h"
#include "core/number.h"

/* The configuration table and its columns (sql/install/40_alert.sql). */
#define AT_RULE_TABLE "alert_rule"
#define AT_RULE_INDEX "alert_rule_target_idx"

#define Anum_rule_name        1
#define Anum_rule_target      2
#define Anum_rule_columns     3
#define Anum_rule_condition   4
#define Anum_rule_kind        5
#define Anum_rule_events      6
#define Anum_rule_by          7
#define Anum_rule_states      8
#define Anum_rule_transitions 9
#define Anum_rule_more_than   10
#define Anum_rule_within      11
#define Anum_rule_followed_by 12
#define Anum_rule_hours       13
#define Anum_rule_severity    14
#define Anum_rule_channel     15
#define Anum_rule_escalate_to 16
#define Anum_rule_message     17
#define Anum_rule_description 18
#define Anum_rule_block       19
#define Anum_rule_mute_until  20
#define Anum_rule_quiet_hours 21
#define Anum_rule_max_alerts  22
#define Anum_rule_per         23
#define Anum_rule_enabled     24
#define Anum_rule_changed_at  25
#define Anum_rule_by_admin    26
#define Natts_rule            26

/* Longest name of a rule, and so of its alerts: a notification has to hold it, with escapes. */
#define AT_RULE_NAME_BYTES 200

typedef enum AtRuleKind
{
	AT_RULE_CHANGED,
	AT_RULE_INCREASED,
	AT_RULE_DECREASED,
	AT_RULE_REVERTED,
	AT_RULE_RECORDED,
	AT_RULE_BURST, /* the last two are judged by the notifier, on what has been committed */
	AT_RULE_ABSENT
} AtRuleKind;

/* As audit.alert_rule.kind has them. */
extern const char *const at_rule_kinds[];
#define AT_RULE_KINDS (AT_RULE_ABSENT + 1)

typedef struct AtRuleColumn
{
	AttrNumber attnum; /* InvalidAttrNumber: the table has lost it */
	char *name;
} AtRuleColumn;

/* Everything belongs to the memory context that it was compiled in; NULL is not given. */
typedef struct AtRule
{
	/* what its alerts have */
	char *name;
	char *severity;
	char *channel;
	char *escalate_to;
	AtWording *sentence;
	char *description;

	/* which events it is about */
	AtRuleKind kind;
	Oid relid; /* InvalidOid: events of no table, or of any */
	uint32 ops;
	int npatterns;
	char **patterns; /* of event types */
	int ncolumns;
	AtRuleColumn *columns;
	AtHours *hours;
	AtCondition *condition;

	/* increased, decreased */
	Numeric by;         /* NULL: by anything */
	AtNumber by_number; /* the same */
	bool by_calculable; /* unless it is too long for that */
	bool percent;

	/* reverted: either */
	int nstates;
	char **states;
	int ntransitions;
	char **transitions; /* "from\nto", sorted */

	/* burst, absent */
	int more_than;
	int64 within; /* microseconds */
	char *within_text;
	AtCondition *followed_by;

	/* when alerts are not told */
	bool muted; /* mute_until is set */
	TimestampTz mute_until;
	AtHours *quiet_hours;
	int max_alerts; /* 0: any number */
	int64 per;      /* microseconds */

	bool block;
	bool enabled;
} AtRule;

/* Some rules. What is pointed to stays until the end of the transaction. */
typedef struct AtRules
{
	int count;
	AtRule *rules;
	uint32 ops; /* that any of them is about */
} AtRules;

/*
 * Compile a row of audit.alert_rule in the current memory context. Raises an error where it makes
 * no sense; with `lenient`, which is for rules that are stored, not where the table has lost a
 * column.
 */
extern void at_rule_compile(AtRule *rule, HeapTuple tuple, TupleDesc desc, bool lenient);

/* Does it look at values of this column by name, and not only at whether they change? */
extern bool at_rule_reads(const AtRule *rule, AttrNumber attnum);

/* The enabled rules of a table, or with InvalidOid those of none, by name. */
extern AtRules at_rules_lookup(Oid relid);

/*
 * The rule of this name, enabled or not, compiled; NULL if there is none. Kept by the backend until
 * some relation changes; valid until the next call.
 */
extern const AtRule *at_rule_named(const char *name);

/* The stored row of this name, in the current memory context; NULL if there is none. */
extern HeapTuple at_rule_find(const char *name, TupleDesc *desc);

/* Register the invalidation callback. */
extern void at_rule_init(void);

#endif
