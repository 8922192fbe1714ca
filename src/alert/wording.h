/*-------------------------------------------------------------------------
 * wording.h
 *		What an alert says to people.
 *
 * A template has places in braces: {actor}, {table}, {key}, {op}, {event_type}, {changed},
 * {reason}, {request_id}, {at}, {rule} and the like, and {old.column}, {new.column} for values of a
 *row. A brace itself is written twice. What is concealed or not there is written as a question
 *mark, and a long value is cut. Without a template a sentence has no values of the row but its key.
 *-------------------------------------------------------------------------
 */
#ifndef AT_WORDING_H
#define AT_WORDING_H

#include "alert/observed.h"

/* Longest sentence, in bytes. */
#define AT_WORDING_MAX 1000

typedef struct AtWording AtWording;

/* Compile a template; raises an error where it asks for what is not there, unless `lenient`. */
extern AtWording *at_wording_compile(const char *template, Oid relid, bool lenient);

/* Does it name this column? */
extern bool at_wording_reads(const AtWording *sentence, AttrNumber attnum);

/*
 * The sentence of an event, in the current memory context. `what` says what the rule has found:
 * "increased"; it stands for {found}, and `columns` for {changed}.
 */
extern char *at_wording_render(const AtWording *sentence, AtObserved *observed, const char *rule,
							   const char *found, const char *columns);

#endif
