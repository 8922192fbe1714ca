/*-------------------------------------------------------------------------
 * operation.h
 *		The kinds of events: what the letters of audit.event.op mean.
 *
 * This is the one place that knows them. Whoever reads an event of a kind that
 * it does not know, of a later version, shows the letter.
 *-------------------------------------------------------------------------
 */
#ifndef AT_OPERATION_H
#define AT_OPERATION_H

/* All are constants. */
typedef struct AtOperation
{
	char op;
	const char *action;   /* audit.events.action */
	const char *category; /* of audit.category, unless the event's type or context tells another */
	const char *done;   /* event_type where the event has none, behind the resource type; or NULL */
	const char *of_row; /* what has happened, behind the name of a row, */
	const char *of_table; /* or of a table or whatever else has no key */

	/* templates (ledger/sentence.h) for events whose type has none, with a key and without */
	const char *sentence;
	const char *table_sentence;
} AtOperation;

/* NULL if nobody knows it. */
extern const AtOperation *at_operation(char op);

/* The category of an event without a type in the catalogue; the context may be NULL. */
extern const char *at_operation_category(char op, const char *context);

#endif
