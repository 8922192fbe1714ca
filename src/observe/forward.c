/*-------------------------------------------------------------------------
 * forward.c
 *		What a standby observes, on its way to the trail of the primary server.
 *
 * Invariant: a record leaves the ring when the primary server has said that
 * all of its batch is on disk, or when it is in this server's log. What has become of a batch
 * whose answer did not come, nobody here knows: it is sent again, and the primary server takes what
 *it does not have (receive.c). Only if it is given up then is it in the log and may be in the trail
 * too; the stream and the number in both tell.
 *
 * State: since when nothing gets through. For audit_trail.primary_timeout records
 * wait; from then on they go to the log at once, until an attempt goes well. Attempts are made
 * whether there are records or not, with pauses that double.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "base/clock.h"
#include "base/guc.h"
#include "base/shmem.h"
#include "ledger/dispatch.h"
#include "observe/forward.h"
#include "observe/primary.h"
#include "observe/receive.h"

/* A wake-up comes with each record; this is for one that was lost, and to see a lost connection. */
#define IDLE_MS 1000

#define PAUSE_FIRST_MS 500
#define PAUSE_LAST_MS  30000

/* Right after an error: each is changed when what it tells has happened. */
static struct
{
	int64 failing_since; /* this and what follows by at_clock_ms(); 0: the last attempt went well */
	int64 next_attempt;
	long pause_ms;
	AtPrimaryStatus status; /* as others see it */
} forward;

static bool attempt(const char *database, const AtRingBatch *batch);
static bool send_batch(const AtRingBatch *batch);
static void succeed(int records);
static void fail(void);
static bool is_given_up(void);
static long time_left(void);
static void log_batch(const AtRingBatch *batch);
static void remove_batch(const AtRingBatch *batch, bool in_trail);
static void show_status(void);

bool
at_forward_is_wanted(void)
{
	return RecoveryInProgress() && at_guc_primary_conninfo[0] != '\0';
}

long
at_forward_pass(const char *database, AtRingBatch *batch)
{
	do
	{
		CHECK_FOR_INTERRUPTS();
		at_ring_read(batch);
		if (attempt(database, batch))
		{
			if (batch->count > 0)
				remove_batch(batch, true);
		}
		else if (!is_given_up())
			return time_left();
		else if (batch->count > 0)
			log_batch(batch);
	} while (batch->count > 0);
	return IDLE_MS;
}

/* Is there nothing in the batch that the primary server does not have? */
static bool
attempt(const char *database, const AtRingBatch *batch)
{
	if (forward.failing_since != 0 && at_clock_ms() < forward.next_attempt)
		return false;
	if (!at_primary_connect(database) || (batch->count > 0 && !send_batch(batch)))
	{
		fail();
		return false;
	}
	succeed(batch->count);
	return true;
}

static bool
send_batch(const AtRingBatch *batch)
{
	StringInfoData bytes;
	AtPrimaryParam params[] = {
		{.type = UUIDOID, .value = at_forward_stream()},
		{.type = TEXTOID, .value = cluster_name},
		{.type = BYTEAOID},
	};
	bool ok;

	initStringInfo(&bytes);
	at_receive_write(batch, &bytes);
	params[2].value = bytes.data;
	params[2].len = bytes.len;
	ok = at_primary_run("CALL audit.receive_records($1, $2, $3)", params, lengthof(params));
	pfree(bytes.data);
	return ok;
}

static void
succeed(int records)
{
	bool is_news = forward.failing_since != 0 || forward.status.connected_at == 0;

	if (is_news)
		ereport(LOG, (errmsg("audit records of this standby go to the primary server")));
	forward.failing_since = 0;
	forward.pause_ms = 0;
	forward.status.failing_since = 0;
	forward.status.given_up = false;
	forward.status.delivered += records;
	if (is_news)
		forward.status.connected_at = GetCurrentTimestamp();
	if (is_news || records > 0)
		show_status();
}

static void
fail(void)
{
	int64 now = at_clock_ms();

	if (forward.failing_since == 0)
	{
		forward.failing_since = now;
		forward.status.failing_since = GetCurrentTimestamp();
	}
	forward.pause_ms = Min(Max(forward.pause_ms * 2, PAUSE_FIRST_MS), PAUSE_LAST_MS);
	forward.next_attempt = now + forward.pause_ms;
	forward.status.connected_at = 0;
	forward.status.given_up = is_given_up();
	strlcpy(forward.status.message, at_primary_failure(), sizeof(forward.status.message));
	ereport(LOG, (errmsg("audit records of this standby do not reach the primary server: %s",
						 forward.status.message)));
	show_status();
}

static bool
is_given_up(void)
{
	return forward.failing_since != 0 &&
		   at_clock_ms() >= forward.failing_since + at_guc_primary_timeout;
}

/* Until the next attempt, or until no more are waited for. */
static long
time_left(void)
{
	int64 until = Min(forward.next_attempt, forward.failing_since + at_guc_primary_timeout);

	return Max(until - at_clock_ms(), 1);
}

static void
log_batch(const AtRingBatch *batch)
{
	AtRingRecord record;
	Size at = 0;

	while (at_ring_batch_next(batch, &at, &record))
	{
		StringInfoData members;

		initStringInfo(&members);
		at_member_text(&members, "standby", cluster_name);
		at_member_text(&members, "stream", at_forward_stream());
		at_member_number(&members, "number", record.number);
		at_dispatch_log(record.data, record.len, members.data);
		pfree(members.data);
	}
	forward.status.given_up = true;
	forward.status.logged += batch->count;
	show_status();
	remove_batch(batch, false);
}

static void
remove_batch(const AtRingBatch *batch, bool in_trail)
{
	uint64 *numbers = palloc(sizeof(uint64) * batch->count);
	AtRingRecord record;
	int count = 0;
	Size at = 0;

	while (at_ring_batch_next(batch, &at, &record))
		numbers[count++] = record.number;
	at_ring_remove(numbers, count);
	at_ring_recorded(numbers[count - 1], in_trail);
	pfree(numbers);
}

/* What the numbers are numbers of, as a uuid. */
const char *
at_forward_stream(void)
{
	pg_uuid_t id;

	memcpy(id.data, at_ring_id(), UUID_LEN);
	return DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(&id)));
}

static void
show_status(void)
{
	at_slot_set_primary(at_slot_find(MyDatabaseId), &forward.status);
}
