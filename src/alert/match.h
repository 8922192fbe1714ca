/*-------------------------------------------------------------------------
 * match.h
 *		Does an event match a rule?
 *
 * It is the same code that judges changes as they are made, the history in
 * audit.try_alert(), and what follows where something is expected.
 *-------------------------------------------------------------------------
 */
#ifndef AT_MATCH_H
#define AT_MATCH_H

#include "nodes/pg_list.h"

#include "alert/rule.h"

typedef struct AtMatch
{
	List *columns;  /* names of those that matched; may be empty */
	bool undecided; /* it could not be judged, and counts as one that matches */
} AtMatch;

/*
 * Does it match? What cannot be judged - a condition that the engine refuses, a number that is
 * none - matches: an alert too many can be seen, one too few cannot. Of rules that are judged
 * later it tells whether the event counts. Allocates nothing for an event that
 * is not of the rule's op and columns.
 */
extern bool at_match(const AtRule *rule, AtObserved *observed, AtMatch *match);

/* What alerts say that have matched, in the current memory context. */
extern char *at_match_sentence(const AtRule *rule, AtObserved *observed, const AtMatch *match);

/* The same of a rule that is judged later, and has been judged. */
extern char *at_match_later_sentence(const AtRule *rule, AtObserved *observed);

#endif
