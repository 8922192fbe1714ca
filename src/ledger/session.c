/*-------------------------------------------------------------------------
 * session.c
 *		The row of audit.session: what the server knows of who is connected.
 *
 * The row is written by the first transaction of the backend that records
 * events and commits. Nobody can tell here whether a prepared transaction
 * will be committed, so a backend whose row went into one draws a new
 * session id for what follows: it may have several rows, never none.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <sys/socket.h>
#include <netdb.h>

#include "common/ip.h"
#include "miscadmin.h"
#include "postmaster/bgworker_internals.h"
#include "utils/backend_status.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/timestamp.h"

#include "base/columns.h"
#include "ledger/append.h"
#include "ledger/context.h"
#include "ledger/datum.h"
#include "ledger/number.h"
#include "ledger/session.h"

/* Sessions that another process remembers to have written a row of. */
#define OTHERS 64

typedef struct Other
{
	TimestampTz started_at; /* these two name a session of this server */
	int backend_pid;
	uint64 id;      /* 0: none */
	bool committed; /* else its row was appended in the running transaction */
} Other;

/* Right after an error: at_session_aborted() follows every abort. */
static struct
{
	uint64 id; /* 0: none drawn */
	bool committed;
	bool pending; /* the row was appended in the running transaction */

	Other other[OTHERS];
	int next_other; /* to be forgotten for a new one */
} session;

static void read_client(AtSessionFacts *facts);
static void append_row(uint64 id, const AtSessionFacts *facts, AtHash *digest);
static void end_others(bool committed);

uint64
at_session_join(AtHash *digest, bool *digest_set)
{
	*digest_set = false;
	if (session.committed)
		return session.id;

	AtSessionFacts facts;

	if (session.id == 0)
		session.id = at_number_draw("session_id_seq");
	at_session_facts(&facts);
	append_row(session.id, &facts, digest);
	session.pending = true;
	*digest_set = true;
	return session.id;
}

uint64
at_session_join_other(const AtSessionFacts *facts, AtHash *digest, bool *digest_set)
{
	Other *other = &session.other[session.next_other];

	*digest_set = false;
	for (int i = 0; i < OTHERS; i++)
		if (session.other[i].id != 0 && session.other[i].backend_pid == facts->backend_pid &&
			session.other[i].started_at == facts->started_at)
			return session.other[i].id;

	*other = (Other){
		.started_at = facts->started_at,
		.backend_pid = facts->backend_pid,
		.id = at_number_draw("session_id_seq"),
	};
	session.next_other = (session.next_other + 1) % OTHERS;
	append_row(other->id, facts, digest);
	*digest_set = true;
	return other->id;
}

uint64
at_session_known(void)
{
	return session.committed ? session.id : 0;
}

void
at_session_facts(AtSessionFacts *facts)
{
	Oid login = GetAuthenticatedUserId();
	const char *application = at_session_application();

	*facts = (AtSessionFacts){
		.started_at = MyStartTimestamp,
		.backend_pid = MyProcPid,
		.login_user = OidIsValid(login) ? GetUserNameFromId(login, true) : NULL,
		.application = application != NULL ? pstrdup(application) : NULL,
	};
	read_client(facts);
}

const char *
at_session_application(void)
{
	if (application_name && application_name[0])
		return application_name;
	return MyBgworkerEntry ? at_context_clean(MyBgworkerEntry->bgw_name) : NULL;
}

/* Where the client is; on a local socket and in a background worker there is no address. */
static void
read_client(AtSessionFacts *facts)
{
	const PgBackendStatus *entry = MyBEEntry;
	char host[NI_MAXHOST];
	char port[NI_MAXSERV];

	if (entry == NULL)
		return;
	if (entry->st_ssl && entry->st_sslstatus != NULL)
		/* the name is cut to a fixed number of bytes, which may end within a character */
		facts->tls = at_context_clean(psprintf("%s %s %s", entry->st_sslstatus->ssl_version,
											   entry->st_sslstatus->ssl_cipher,
											   entry->st_sslstatus->ssl_client_dn));
	if ((entry->st_clientaddr.addr.ss_family == AF_INET ||
		 entry->st_clientaddr.addr.ss_family == AF_INET6) &&
		pg_getnameinfo_all(&entry->st_clientaddr.addr, entry->st_clientaddr.salen, host,
						   sizeof(host), port, sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV) == 0)
	{
		facts->client_addr = pstrdup(host);
		facts->client_port = atoi(port);
	}
}

static void
append_row(uint64 id, const AtSessionFacts *facts, AtHash *digest)
{
	Datum values[Natts_session];
	bool nulls[Natts_session] = {false};
	AtSessionBody body = {
		.log_id = at_log_id(),
		.session_id = id,
		.started_at = at_unix_microseconds(facts->started_at),
		.backend_pid = facts->backend_pid,
		.client_port = facts->client_port,
		.login_user = at_span_of(facts->login_user),
		.client_addr = at_span_of(facts->client_addr),
		.application_name = at_span_of(facts->application),
		.tls = at_span_of(facts->tls),
	};
	uint8 *bytes = palloc(at_session_body_size(&body));
	size_t len = at_session_body_write(&body, bytes) - bytes;

	if (!at_hash(bytes, len, digest))
		at_hash_failed();

	values[Anum_session_session_id - 1] = Int64GetDatum(id);
	values[Anum_session_started_at - 1] = TimestampTzGetDatum(facts->started_at);
	values[Anum_session_backend_pid - 1] = Int32GetDatum(facts->backend_pid);
	values[Anum_session_client_port - 1] = Int32GetDatum(facts->client_port);
	at_set_text(values, nulls, Anum_session_login_user, facts->login_user);
	at_set_text(values, nulls, Anum_session_client_addr, facts->client_addr);
	at_set_text(values, nulls, Anum_session_application_name, facts->application);
	at_set_text(values, nulls, Anum_session_tls, facts->tls);
	at_append(AT_LEDGER_SESSION, values, nulls);
}

void
at_session_committed(void)
{
	if (session.pending)
		session.committed = true;
	session.pending = false;
	end_others(true);
}

void
at_session_prepared(void)
{
	if (session.pending)
		session.id = 0;
	session.pending = false;
}

void
at_session_aborted(void)
{
	/* with it may have gone the ledger whose number this is */
	if (session.pending)
		session.id = 0;
	session.pending = false;
	end_others(false);
}

/* Rows that were not committed are as if they had not been written. */
static void
end_others(bool committed)
{
	for (int i = 0; i < OTHERS; i++)
	{
		if (!committed && !session.other[i].committed)
			session.other[i].id = 0;
		session.other[i].committed = session.other[i].id != 0;
	}
}
