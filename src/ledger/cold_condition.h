/*-------------------------------------------------------------------------
 * cold_condition.h
 *		Conditions of a query that choose segments of an archived partition.
 *
 * What is understood are PostgreSQL's own comparisons, which run no foreign
 * code and are leakproof: row security does not stand against them. A condition
 * that is not understood costs time and nothing else, as the executor
 * checks all of them on each row.
 *-------------------------------------------------------------------------
 */
#ifndef AT_COLD_CONDITION_H
#define AT_COLD_CONDITION_H

#include "nodes/pathnodes.h"

#include "ledger/cold.h"

/* What a condition is about. */
typedef enum AtColdSubject
{
	AT_COLD_ABOUT_NOTHING,
	AT_COLD_ABOUT_TX_ID,
	AT_COLD_ABOUT_TX_AT,
	AT_COLD_ABOUT_TARGET, /* a range; if it is an equality the filter too */
	AT_COLD_ABOUT_TEXT,   /* the filter: record_key, actor or request_id */
	AT_COLD_ABOUT_INT,    /* the filter: session_id */
	AT_COLD_ABOUT_MARK    /* the filter: has a context, is without a key */
} AtColdSubject;

/* A condition that chooses segments: column OP value. */
typedef struct AtColdCondition
{
	AtColdSubject subject;
	AttrNumber column; /* or the mark */
	int strategy;      /* of btree */
	bool is_array;     /* = ANY (value) */
	Oid type;          /* of the value */
	Expr *value;       /* NULL for a mark */
} AtColdCondition;

/* The table that conditions are read for. */
typedef struct AtColdSubjects
{
	PlannerInfo *root;
	RelOptInfo *rel;
	bool is_event;
} AtColdSubjects;

extern AtColdSubjects at_cold_subjects(PlannerInfo *root, RelOptInfo *rel);

/* What is a column of the table good for? */
extern AtColdSubject at_cold_subject(const AtColdSubjects *table, AttrNumber column);

/* The table's column that the expression is, or 0. */
extern AttrNumber at_cold_column(const AtColdSubjects *table, Node *node);

/* Does the clause choose segments? */
extern bool at_cold_condition_read(const AtColdSubjects *table, Expr *clause,
								   AtColdCondition *condition);

/*
 * Want what fulfils the condition too, with this value, besides what is wanted
 * already. Of a mark there is no value. Probes are made in the current context.
 */
extern void at_cold_want(AtColdWanted *wanted, const AtColdCondition *condition, Datum value,
						 bool isnull);

#endif
