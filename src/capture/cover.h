/*-------------------------------------------------------------------------
 * cover.h
 *		The triggers of an audited table, on it and on all below it.
 *-------------------------------------------------------------------------
 */
#ifndef AT_COVER_H
#define AT_COVER_H

#include "nodes/pg_list.h"

/*
 * Give a table, its partitions and its children the triggers that the policy
 * of each wants (its own, or that of what it is below), and take away those
 * that none wants. The caller has locked the table, is the ledger's owner
 * and is connected to SPI.
 */
extern void at_cover(Oid relid);

/*
 * Are the triggers for these operations there, on the table and on what is
 * below it without a policy of its own? Says nothing of what they do.
 */
extern bool at_is_covered(Oid relid, List *operations);

/* Does the audit of the relation rest on a trigger of this name? False without a ledger. */
extern bool at_cover_needs(Oid relid, const char *trigger);

#endif
