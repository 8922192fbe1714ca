/*-------------------------------------------------------------------------
 * membership.h
 *		Refuses to give anybody two roles of the audit trail that exclude each
 *		other.
 *
 * Which those are, audit.role_conflicts says. Roles are the cluster's: what
 * is granted from a database without the trail, audit.doctor() finds.
 *-------------------------------------------------------------------------
 */
#ifndef AT_MEMBERSHIP_H
#define AT_MEMBERSHIP_H

/* Install the hook. */
extern void at_membership_init(void);

#endif
