/*-------------------------------------------------------------------------
 * direct.h
 *		Conditions of our triggers that the executor need not parse.
 *
 * A query that changes rows of an audited table evaluates the WHEN condition
 * of our trigger, which calls a function with the places of the row's versions.
 * To parse and prepare that condition costs a one-row statement as much as to
 * write the event, and the function must read again what the executor has at
 * hand. So where a query starts, a prepared condition of our own is put in its
 * place: it is given the rows themselves.
 *
 * What is not reached that way evaluates the condition as it stands: COPY, rows
 * routed to partitions, logical replication, and the first query of a backend
 * on a table. The events are the same.
 *-------------------------------------------------------------------------
 */
#ifndef AT_DIRECT_H
#define AT_DIRECT_H

/* Install the hook at the start of queries. */
extern void at_direct_init(void);

#endif
