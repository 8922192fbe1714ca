/*-------------------------------------------------------------------------
 * privileges.h
 *		Commands about roles, privileges, row-security policies, owners,
 *		settings and functions are events.
 *
 * Op P, in the transaction of the command and at every level of nesting; who
 * acts is the role that ran it. If it cannot be recorded it fails. ALTER
 * SYSTEM, which no rollback undoes, is sent to the collector as soon as it is done.
 *
 * Roles and settings are of the whole server: in a database without a ledger, commands about them
 *go to audit_trail.cluster_database when they are committed, and without one to the server's log
 *(ledger/dispatch.h).
 *
 * Scripts of extensions are told by what they change of roles and privileges; their functions are
 *not.
 *-------------------------------------------------------------------------
 */
#ifndef AT_PRIVILEGES_H
#define AT_PRIVILEGES_H

/* Install hooks and callbacks. */
extern void at_privileges_init(void);

#endif
