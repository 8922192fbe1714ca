/*-------------------------------------------------------------------------
 * session.c
 *		The row of audit.session: what the server knows of who is connected.
 *
 * The row is written by the first transaction of the backend that records
 * events and commits, or by the process that first records something for
 * it. Both look whether the row is there already, and hold a lock that names the session from then
 * until they have committed. So a session is one row.
 *
 * Nobody can tell here whether a prepared transaction will be committed, so a backend whose row
 * went into one draws a new session id for what follows; and nobody waits long for that lock, lest
 * a commit depend on another process: then too a session may have several rows, never none.
 *
 * Locks: that lock is one of an object "in" audit.session, which no command of SQL takes, and
 * which is not among the advisory locks that applications look for.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <sys/socket.h>
#include <netdb.h>

#include "common/ip.h"
#include "miscadmin.h"
#include "postmaster/bgworker_internals.h"
#include "storage/lock.h"
#include "storage/lmgr.h"
#include "utils/backend_status.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "base/catalog.h"
#include "base/clock.h"
#include "base/columns.h"
#include "ledger/append.h"
#include "ledger/context.h"
#include "ledger/datum.h"
#include "ledger/number.h"
#include "ledger/scan.h"
#include "ledger/session.h"

/* Sessions that another process remembers to have written a row of. */
#define OTHERS 256

/* How long a session's lock is waited for. */
#define LOCK_TIMEOUT_MS 1000

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

static uint64 find_row(TimestampTz started_at, int backend_pid);
static void read_client(AtSessionFacts *facts);
static void append_row(uint64 id, const AtSessionFacts *facts, AtHash *digest);
static void end_others(bool committed);

/* Keep others from writing the row of this session until the transaction ends; not at all costs. */
static void
lock_session(TimestampTz started_at, int backend_pid)
{
	int64 until = at_clock_ms() + LOCK_TIMEOUT_MS;
	LOCKTAG tag;

	SET_LOCKTAG_OBJECT(tag, MyDatabaseId, at_ledger_relid(AT_LEDGER_SESSION), backend_pid,
					   (uint16) started_at);
	while (LockAcquire(&tag, ExclusiveLock, false, true) == LOCKACQUIRE_NOT_AVAIL &&
		   at_clock_ms() < until)
	{
		CHECK_FOR_INTERRUPTS();
		pg_usleep(1000L);
	}
}

uint64
at_session_join(bool prepares, AtHash *digest, bool *digest_set)
{
	*digest_set = false;
	if (session.committed)
		return session.id;

	AtSessionFacts facts;
	uint64 found;

	/* a prepared transaction would keep the lock for as long as it likes */
	if (!prepares)
		lock_session(MyStartTimestamp, MyProcPid);
	found = find_row(MyStartTimestamp, MyProcPid);
	if (found != 0)
	{
		session.id = found;
		session.committed = true;
		return found;
	}
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
	uint64 found;

	*digest_set = false;
	for (int i = 0; i < OTHERS; i++)
		if (session.other[i].id != 0 && session.other[i].backend_pid == facts->backend_pid &&
			session.other[i].started_at == facts->started_at)
			return session.other[i].id;

	lock_session(facts->started_at, facts->backend_pid);
	found = find_row(facts->started_at, facts->backend_pid);
	*other = (Other){
		.started_at = facts->started_at,
		.backend_pid = facts->backend_pid,
		.id = found != 0 ? found : at_number_draw("session_id_seq"),
		.committed = found != 0,
	};
	session.next_other = (session.next_other + 1) % OTHERS;
	if (found != 0)
		return found;
	append_row(other->id, facts, digest);
	*digest_set = true;
	return other->id;
}

/* The id in a row of the session that is committed; 0 if there is none. */
static uint64
find_row(TimestampTz started_at, int backend_pid)
{
	/* a row may follow; see at_ledger_lock_to_write() */
	LockRelationOid(at_ledger_relid(AT_LEDGER_SESSION), RowExclusiveLock);

	Snapshot snapshot = RegisterSnapshot(GetLatestSnapshot());
	AtScan *scan = at_scan_open(AT_SCAN_SESSION_BY_BACKEND, snapshot);
	uint64 found = 0;

	at_scan_start_within(scan, started_at, backend_pid);
	while (found == 0 && at_scan_next(scan) && scan->place == backend_pid)
	{
		bool isnull;

		found = DatumGetInt64(slot_getattr(scan->slot, Anum_session_session_id, &isnull));
	}
	at_scan_close(scan);
	UnregisterSnapshot(snapshot);
	return found;
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
