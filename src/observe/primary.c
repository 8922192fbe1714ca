/*-------------------------------------------------------------------------
 * primary.c
 *		The connection of a standby's collector to the primary server.
 *
 * State: the connection, which memory contexts know nothing of. Whatever ends
 * a call early closes it, since nobody knows any more what it is at.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "libpq-fe.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/fd.h"
#include "storage/latch.h"

#include "base/clock.h"
#include "base/conninfo.h"
#include "base/guc.h"
#include "base/worker.h"
#include "observe/primary.h"

/* How long one waits for a connection, and for an answer. */
#define CONNECT_MS 10000
#define ANSWER_MS  30000

static struct
{
	PGconn *connection; /* NULL: none */
	char *conninfo;     /* the setting that it was made with, by malloc() */
	char failure[AT_MESSAGE_LENGTH];
} primary;

static bool connect_as_set(const char *database);
static bool await_connection(void);
static bool run(const char *command, const AtPrimaryParam *params, int nparams);
static bool send_all(int64 until);
static bool await_result(int64 until);
static bool wait_for(int events, int64 until);
static bool fail(const char *why);

/* Call one of ours, and close the connection if it does not come back as it should. */
#define CLOSING(ok, call)                                                                          \
	do                                                                                             \
	{                                                                                              \
		PG_TRY();                                                                                  \
		{                                                                                          \
			ok = (call);                                                                           \
		}                                                                                          \
		PG_CATCH();                                                                                \
		{                                                                                          \
			at_primary_close();                                                                    \
			PG_RE_THROW();                                                                         \
		}                                                                                          \
		PG_END_TRY();                                                                              \
		if (!ok)                                                                                   \
			at_primary_close();                                                                    \
	} while (0)

bool
at_primary_connect(const char *database)
{
	volatile bool ok = false;

	if (primary.connection != NULL && strcmp(primary.conninfo, at_guc_primary_conninfo) != 0)
		at_primary_close();
	if (at_primary_is_connected())
		return true;
	at_primary_close();
	CLOSING(ok, connect_as_set(database) && await_connection());
	return ok;
}

bool
at_primary_is_connected(void)
{
	return primary.connection != NULL && PQconsumeInput(primary.connection) == 1 &&
		   PQstatus(primary.connection) == CONNECTION_OK;
}

bool
at_primary_run(const char *command, const AtPrimaryParam *params, int nparams)
{
	volatile bool ok = false;

	CLOSING(ok, run(command, params, nparams));
	return ok;
}

const char *
at_primary_failure(void)
{
	return primary.failure;
}

void
at_primary_close(void)
{
	if (primary.connection == NULL)
		return;
	PQfinish(primary.connection);
	primary.connection = NULL;
	free(primary.conninfo);
	primary.conninfo = NULL;
	ReleaseExternalFD();
}

/* Begin to connect. Of several hosts the one is meant that can be written to. */
static bool
connect_as_set(const char *database)
{
	const AtConninfoOption options[] = {
		{.keyword = "dbname", .value = database},
		{.keyword = "client_encoding", .value = GetDatabaseEncodingName()},
		{.keyword = "application_name", .value = "audit_trail collector", .is_default = true},
		{.keyword = "target_session_attrs", .value = "read-write", .is_default = true},
	};
	AtConninfo conninfo;

	if (!at_conninfo_read(at_guc_primary_conninfo, options, lengthof(options), &conninfo))
		return fail("audit_trail.primary_conninfo is no connection string");
	if (!AcquireExternalFD())
		return fail("too many files are open");
	primary.conninfo = strdup(at_guc_primary_conninfo);
	primary.connection = primary.conninfo == NULL
							 ? NULL
							 : PQconnectStartParams(conninfo.keywords, conninfo.values, 0);
	if (primary.connection == NULL)
	{
		free(primary.conninfo);
		ReleaseExternalFD();
		return fail("out of memory");
	}
	return true;
}

static bool
await_connection(void)
{
	PostgresPollingStatusType status = PGRES_POLLING_WRITING;
	int64 until = at_clock_ms() + CONNECT_MS;

	while (PQstatus(primary.connection) != CONNECTION_BAD && status != PGRES_POLLING_OK &&
		   status != PGRES_POLLING_FAILED)
	{
		if (!wait_for(status == PGRES_POLLING_READING ? WL_SOCKET_READABLE : WL_SOCKET_WRITEABLE,
					  until))
			return false;
		status = PQconnectPoll(primary.connection);
	}
	if (PQstatus(primary.connection) != CONNECTION_OK ||
		PQsetnonblocking(primary.connection, 1) != 0)
		return fail(PQerrorMessage(primary.connection));
	return true;
}

static bool
run(const char *command, const AtPrimaryParam *params, int nparams)
{
	int64 until = at_clock_ms() + ANSWER_MS;
	Oid types[AT_PRIMARY_PARAMS];
	const char *values[AT_PRIMARY_PARAMS];
	int lengths[AT_PRIMARY_PARAMS];
	int formats[AT_PRIMARY_PARAMS];

	for (int i = 0; i < nparams; i++)
	{
		types[i] = params[i].type;
		values[i] = params[i].value;
		lengths[i] = params[i].len;
		formats[i] = params[i].len != 0 ? 1 : 0;
	}
	if (PQsendQueryParams(primary.connection, command, nparams, types, values, lengths, formats,
						  0) != 1)
		return fail(PQerrorMessage(primary.connection));
	return send_all(until) && await_result(until);
}

/* While we send, the other side may want us to read first. */
static bool
send_all(int64 until)
{
	int left;

	while ((left = PQflush(primary.connection)) > 0)
	{
		if (!wait_for(WL_SOCKET_READABLE | WL_SOCKET_WRITEABLE, until))
			return false;
		if (PQconsumeInput(primary.connection) != 1)
			break;
	}
	return left == 0 || fail(PQerrorMessage(primary.connection));
}

/* Is it well? The last of the results counts, and an error is the last. */
static bool
take_result(PGresult *result)
{
	ExecStatusType status = PQresultStatus(result);

	bool ok = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
	if (!ok)
		(void) fail(PQresultErrorMessage(result));
	PQclear(result);
	return ok;
}

static bool
await_result(int64 until)
{
	bool ok = false;

	for (;;)
	{
		PGresult *result;

		while (PQisBusy(primary.connection))
		{
			if (!wait_for(WL_SOCKET_READABLE, until))
				return false;
			if (PQconsumeInput(primary.connection) != 1)
				return fail(PQerrorMessage(primary.connection));
		}
		result = PQgetResult(primary.connection);
		if (result == NULL)
			return ok;
		ok = take_result(result);
	}
}

/* False if the time is over. What happened, libpq finds out. */
static bool
wait_for(int events, int64 until)
{
	int happened;

	do
	{
		int64 left = until - at_clock_ms();

		if (left <= 0)
			return fail("the primary server does not answer");
		happened =
			WaitLatchOrSocket(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH | events,
							  PQsocket(primary.connection), left, PG_WAIT_EXTENSION);
		if ((happened & WL_LATCH_SET) != 0)
			ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	} while ((happened & events) == 0);
	return true;
}

/* Remember why; messages of libpq may have several lines. Returns false. */
static bool
fail(const char *why)
{
	strlcpy(primary.failure, why, sizeof(primary.failure));
	for (char *at = primary.failure; *at != '\0'; at++)
		if (*at == '\n')
			*at = at[1] != '\0' ? ' ' : '\0';
	return false;
}
