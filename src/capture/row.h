/*-------------------------------------------------------------------------
 * row.h
 *		A changed row becomes an event in the same transaction.
 *-------------------------------------------------------------------------
 */
#ifndef AT_ROW_H
#define AT_ROW_H

#include "executor/tuptable.h"
#include "utils/palloc.h"

#include "capture/policy.h"
#include "ledger/event.h"

/* What a trigger keeps between the rows of one query. Zero but for `query`, it is ready for use. */
typedef struct AtRowCapture
{
	MemoryContext query;          /* lives as long as the query and holds this */
	MemoryContextCallback at_end; /* registered at the first row that moves to another partition */
} AtRowCapture;

/* A change of a row, just made. */
typedef struct AtRowChange
{
	Relation rel;            /* where the row is stored: the table or a partition */
	char op;                 /* I, U or D */
	TupleTableSlot *old_row; /* NULL for an insert */
	TupleTableSlot *new_row; /* NULL for a delete */
} AtRowChange;

/*
 * Record the change, unless it is none (an update of ignored columns) or one
 * that is only counted. Allocates in the current context, which the caller
 * resets after each row. Raises an error if it cannot be recorded.
 */
extern void at_row_capture(AtRowCapture *capture, const AtRowChange *change);

/*
 * The policy for a relation that has our triggers; ERRCODE_AT_CAPTURE_FAILED
 * without one. NULL for a configuration table whose changes are no news.
 */
extern const AtPolicy *at_row_policy(Relation rel);

/* Fill in what the policy says of an event; all else is zero. */
extern void at_row_event(AtEvent *event, const AtPolicy *policy, char op);

/* Add a member to the extra of an event; *extra may be NULL. */
extern void at_row_add_extra(StringInfo *extra, const char *member);

/* Add the text of the client's command where the policy wants it and no event has it yet. */
extern void at_row_add_query(StringInfo *extra, const AtPolicy *policy);

/* Error context callback; arg is the Relation. */
extern void at_row_error_context(void *arg);

#endif
