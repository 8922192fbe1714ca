/*-------------------------------------------------------------------------
 * session.h
 *		The row of audit.session: what the server knows of who is connected.
 *-------------------------------------------------------------------------
 */
#ifndef AT_SESSION_H
#define AT_SESSION_H

#include "datatype/timestamp.h"

#include "core/hash.h"

/* What a row says of a session. */
typedef struct AtSessionFacts
{
	TimestampTz started_at;
	int backend_pid;
	int client_port;   /* 0 without TCP/IP */
	char *login_user;  /* these: NULL if not known, or there is none */
	char *client_addr; /* NULL on a local socket and in a background worker */
	char *application;
	char *tls;
} AtSessionFacts;

/* Those of this session, in the current memory context. */
extern void at_session_facts(AtSessionFacts *facts);

/* Id of this session if its row is committed, else 0. */
extern uint64 at_session_known(void);

/*
 * Id of this backend's session. Where its row is not committed yet it is
 * appended in this transaction, and *digest gets its hash; else *digest_set
 * becomes false. Call it when the transaction is about to commit or to be prepared, and at
 * its top level. Waits a second at most for another process that is about to commit the row.
 */
extern uint64 at_session_join(bool prepares, AtHash *digest, bool *digest_set);

/* The same for another session that has no row that is known; remembers some of those it met. */
extern uint64 at_session_join_other(const AtSessionFacts *facts, AtHash *digest, bool *digest_set);

/*
 * What the client calls itself; a background worker that calls itself nothing
 * has the name that the server shows for it: "logical replication worker for
 * subscription 16400". NULL where there is none.
 */
extern const char *at_session_application(void);

/* What became of the transaction that at_session_join() was called in, if it was. */
extern void at_session_committed(void);
extern void at_session_prepared(void);
extern void at_session_aborted(void);

#endif
