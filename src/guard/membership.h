/*-------------------------------------------------------------------------
 * membership.h
 *		Records who gets the roles of the audit trail, or reaches it by another
 *		way, and refuses two that exclude each other.
 *
 * Who gets or loses one is an event of the same transaction, and an alarm. Other ways are those of
 * audit.role_reach: as superuser, owner of the ledger, by CREATEROLE, files or programs. Which
 * exclude each other, audit.role_conflicts says. Roles are the cluster's: what
 * is granted from a database without the trail, audit.doctor() finds.
 *-------------------------------------------------------------------------
 */
#ifndef AT_MEMBERSHIP_H
#define AT_MEMBERSHIP_H

/* Install the hook. */
extern void at_membership_init(void);

#endif
