/*-------------------------------------------------------------------------
 * sessions.h
 *		Who comes, who is turned away, who goes, and as whom one acts.
 *
 * Each is an event with op L: session.started, session.refused (with what the
 * server's log says of it), session.ended and session.terminated with the
 * session's duration, role.assumed. They are of the database that the
 * client asks for, or of audit_trail.cluster_database. Background workers,
 * which serve no client, are no sessions.
 *
 * Caveat: a session that ends with the server, or by SIGKILL, has no end. A
 * refusal is known by its message to the server's log: with
 * log_min_messages = panic there is none.
 *-------------------------------------------------------------------------
 */
#ifndef AT_SESSIONS_H
#define AT_SESSIONS_H

/* Install hooks and callbacks; call from _PG_init during preload. */
extern void at_sessions_init(void);

#endif
