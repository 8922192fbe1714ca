/*-------------------------------------------------------------------------
 * session.h
 *		The row of audit.session: what the server knows of who is connected.
 *-------------------------------------------------------------------------
 */
#ifndef AT_SESSION_H
#define AT_SESSION_H

#include "core/hash.h"

/*
 * Id of this backend's session. Where its row is not committed yet it is
 * appended in this transaction, and *digest gets its hash; else *digest_set
 * becomes false. Call it when the transaction is about to commit, and at
 * its top level.
 */
extern uint64 at_session_join(AtHash *digest, bool *digest_set);

/*
 * What the client calls itself; a background worker that calls itself nothing
 * has the name that the server shows for it: "logical replication worker for
 * subscription 16400". NULL where there is none.
 */
extern const char *at_session_application(void);

/* What the server knows of this session, in the current context; NULL is missing. */
typedef struct AtSessionFacts
{
	char *login_user;
	char *client_addr; /* NULL on a local socket and in a background worker */
	const char *application;
	char *tls;
	int client_port;
} AtSessionFacts;

extern void at_session_facts(AtSessionFacts *facts);

/* What became of the transaction that at_session_join() was called in, if it was. */
extern void at_session_committed(void);
extern void at_session_prepared(void);
extern void at_session_aborted(void);

#endif
