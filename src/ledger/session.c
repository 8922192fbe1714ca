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

/* Right after an error: at_session_aborted() follows every abort. */
static struct
{
	uint64 id; /* 0: none drawn */
	bool committed;
	bool pending; /* the row was appended in the running transaction */
} session;

static void read_client(AtSessionFacts *facts);
static void append_row(const AtSessionFacts *facts, AtHash *digest);

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
	append_row(&facts, digest);
	session.pending = true;
	*digest_set = true;
	return session.id;
}

void
at_session_facts(AtSessionFacts *facts)
{
	Oid login = GetAuthenticatedUserId();

	*facts = (AtSessionFacts){
		.login_user = OidIsValid(login) ? GetUserNameFromId(login, true) : NULL,
		.application = at_session_application(),
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
append_row(const AtSessionFacts *facts, AtHash *digest)
{
	Datum values[Natts_session];
	bool nulls[Natts_session] = {false};
	AtSessionBody body = {
		.log_id = at_log_id(),
		.session_id = session.id,
		.started_at = at_unix_microseconds(MyStartTimestamp),
		.backend_pid = MyProcPid,
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

	values[Anum_session_session_id - 1] = Int64GetDatum(session.id);
	values[Anum_session_started_at - 1] = TimestampTzGetDatum(MyStartTimestamp);
	values[Anum_session_backend_pid - 1] = Int32GetDatum(MyProcPid);
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
}
