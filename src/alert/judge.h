/*-------------------------------------------------------------------------
 * judge.h
 *		Rules that take more than one event: bursts, and what did not follow.
 *
 * An event that matches such a rule leaves a row of audit.alert_match in its
 * transaction. They are judged on what has been committed, by the notifier, so
 * transactions have nothing to do with each other: no lock, no counter.
 *
 * What is promised: of all committed events of an actor, by the times when they happened, if in
 * any window of the rule's time there are more than its number, an alert is
 * raised for that time, at least one and not more than one; whichever sessions and
 * transactions they come from, prepared ones and such as committed late too, and also
 * across a crash or restart. Where an expected event has not been committed when its time is over,
 * an alert is raised; one that is committed later, by a transaction that was open, comes too late.
 * Both take a tenth of a second or so, and the notifier; a second after a prepared transaction.
 *
 * A match stays until nothing can come any more that it would count with (spent.h).
 *-------------------------------------------------------------------------
 */
#ifndef AT_JUDGE_H
#define AT_JUDGE_H

#include "alert/observed.h"
#include "alert/rule.h"

/* An event matches a rule that is judged later. */
extern void at_judge_note(const AtRule *rule, AtObserved *observed);

/*
 * Judge what has been committed since the last time, in a transaction of its own, unless that
 * was just now. Returns in how many milliseconds to call it again; a wake-up comes earlier. To be
 * called out of a transaction.
 */
extern long at_judge_pass(void);

#endif
