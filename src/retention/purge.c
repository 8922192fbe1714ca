/*-------------------------------------------------------------------------
 * purge.c
 *		Carrying approved purges out: what is next, and may it be done now?
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/latch.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "base/catalog.h"
#include "base/checkpoint_file.h"
#include "base/clock.h"
#include "base/columns.h"
#include "base/debug_point.h"
#include "base/errors.h"
#include "base/guc.h"
#include "base/worker.h"
#include "ledger/append.h"
#include "ledger/datum.h"
#include "ledger/owner.h"
#include "ledger/owner_query.h"
#include "ledger/partition.h"
#include "retention/hold.h"
#include "retention/keeper.h"
#include "retention/purge.h"

/*
 * Months of approved requests that are not done, oldest first. A cancelled order counts for
 * nothing, except one that says that there is nothing to do.
 */
static const char next_query[] =
	"SELECT q.log_index, d.log_index, q.payload ->> 'by', d.payload ->> 'by', m.m ->> 'from', "
	"m.m ->> 'until', (SELECT pg_catalog.max(o.deletion_id) FROM audit.deletion AS o "
	"WHERE o.phase = 'ordered' AND (o.certificate ->> 'request')::int8 = q.log_index "
	"AND o.certificate ->> 'from' = m.m ->> 'from' AND NOT EXISTS (SELECT FROM audit.deletion AS c "
	"WHERE c.deletion_id = o.deletion_id AND c.phase <> 'ordered')) "
	"FROM audit.log_entry AS q JOIN audit.log_entry AS d ON d.kind = 'approve' "
	"AND (d.payload ->> 'request')::int8 = q.log_index "
	"CROSS JOIN LATERAL pg_catalog.json_array_elements(q.payload -> 'what' -> 'months') AS m (m) "
	"WHERE q.kind = 'request' AND q.payload ->> 'kind' = 'purge' AND NOT EXISTS (SELECT "
	"FROM audit.deletion AS x WHERE (x.phase = 'done' OR (x.phase = 'cancelled' "
	"AND (x.certificate ->> 'nothing')::bool)) "
	"AND (x.certificate ->> 'request')::int8 = q.log_index "
	"AND x.certificate ->> 'from' = m.m ->> 'from') ORDER BY q.log_index, m.m ->> 'from'";

/* How long a run waits for an order to be signed, or anchored, before it leaves that to the next.
 */
#define WAIT_MS    100
#define WAIT_TIMES 100

/* Right after an error: waiting a bit less, or a bit more. */
static int waited;

static bool run_step(TimestampTz deadline);
static bool wait_a_moment(void);
static bool find_next(AtPurgeMonth *month);
static bool may_carry_out(int64 deletion_id);
static bool is_overtaken(const AtPurgeMonth *month);
static void cancel(AtControl *control, const AtPurgeMonth *month);

static const AtKeeperStep purge_step = {.name = "purge", .in_window = true, .run = run_step};

void
at_purge_init(void)
{
	at_keeper_register(&purge_step);
}

/* One step of one month; true if there may be another. */
static bool
run_step(TimestampTz deadline)
{
	MemoryContext context = CurrentMemoryContext;
	AtPurgeMonth month;
	AtControl control;
	bool waiting = false;

	StartTransactionCommand();
	MemoryContextSwitchTo(context);
	PushActiveSnapshot(GetTransactionSnapshot());
	if (!find_next(&month))
	{
		PopActiveSnapshot();
		CommitTransactionCommand();
		return false;
	}
	at_keeper_progress(month.from, 0, 0);
	at_debug_point("purge-found");
	if (month.deletion_id == 0)
	{
		at_purge_check(&month); /* before the lock: sealing would wait for it */
		at_control_begin(&control);
		at_purge_order(&control, &month);
		at_control_end(&control);
		at_debug_point("purge-ordered");
	}
	else if (may_carry_out(month.deletion_id))
	{
		at_debug_point("purge-anchored");
		at_keeper_limit_locks();
		at_control_begin(&control);
		if (is_overtaken(&month))
			cancel(&control, &month);
		else
			at_purge_carry_out(&control, &month);
		at_control_end(&control);
		at_debug_point("purge-carried-out");
	}
	else
		waiting = true;
	PopActiveSnapshot();
	CommitTransactionCommand();
	at_worker_wake(AT_WORKER_SEALER); /* it signs the new head */
	if (waiting)
		return wait_a_moment();
	waited = 0;
	return true;
}

/* False if that was long enough. */
static bool
wait_a_moment(void)
{
	(void) WaitLatch(MyLatch, WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, WAIT_MS, PG_WAIT_EXTENSION);
	CHECK_FOR_INTERRUPTS();
	if (++waited < WAIT_TIMES)
		return true;
	waited = 0;
	return false;
}

/* A row of next_query, in the context. */
static AtPurgeMonth *
get_month(uint64 row, MemoryContext context)
{
	MemoryContext save = MemoryContextSwitchTo(context);
	AtPurgeMonth *month = palloc(sizeof(AtPurgeMonth));
	char *value[7];

	for (int i = 0; i < lengthof(value); i++)
	{
		char *text = SPI_getvalue(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, i + 1);

		value[i] = text != NULL ? MemoryContextStrdup(context, text) : NULL;
	}
	*month = (AtPurgeMonth){.request_id = pg_strtoint64(value[0]),
							.approval_id = pg_strtoint64(value[1]),
							.requested_by = value[2],
							.approved_by = value[3],
							.from = value[4],
							.until = value[5],
							.deletion_id = value[6] != NULL ? pg_strtoint64(value[6]) : 0};
	MemoryContextSwitchTo(save);
	return month;
}

static TimestampTz
read_time(const char *text)
{
	return DatumGetTimestampTz(DirectFunctionCall3(
		timestamptz_in, CStringGetDatum(text), ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
}

/* The first one that keeps nobody waiting who writes now. */
static bool
find_next(AtPurgeMonth *month)
{
	MemoryContext context = CurrentMemoryContext;
	AtOwnerState state;
	List *months = NIL;
	ListCell *cell;

	at_owner_enter(&state);
	SPI_connect();
	if (SPI_execute(next_query, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read approved purges");
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		AtPurgeMonth *one = get_month(i, context);
		MemoryContext save = MemoryContextSwitchTo(context);

		months = lappend(months, one);
		MemoryContextSwitchTo(save);
	}
	SPI_finish();
	at_owner_leave(&state);
	foreach (cell, months)
	{
		*month = *(AtPurgeMonth *) lfirst(cell);
		if (!at_partitions_default_waits(read_time(month->from), read_time(month->until)))
			return true;
	}
	return false;
}

/* The size of the newest checkpoint that was signed; 0 if there is none. */
static uint64
signed_size(void)
{
	AtCheckpointFile *file = palloc(sizeof(AtCheckpointFile));

	at_checkpoint_file_read(file);
	return file->has_note ? file->last.size : 0;
}

/* Have those seen the order who are to see it before it is carried out? Else it waits. */
static bool
may_carry_out(int64 deletion_id)
{
	char *anchored;

	if (!at_guc_purge_anchor)
		return !at_checkpoint_file_is_configured() || signed_size() > (uint64) deletion_id;
	if (at_guc_anchor_command[0] == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the purge that was ordered cannot be anchored"),
				 errdetail("audit_trail.purge_anchor wants others to have seen the order before "
						   "it is carried out, and there is no audit_trail.anchor_command."),
				 errhint("Set audit_trail.anchor_command, or audit_trail.purge_anchor = off, in "
						 "the configuration file and reload it.")));
	anchored = at_owner_value("SELECT pg_catalog.max(a.size) FROM audit.anchor_receipt AS a", 0,
							  NULL, NULL);
	if (anchored != NULL && pg_strtoint64(anchored) > deletion_id)
		return true;
	at_worker_wake(AT_WORKER_ANCHORER);
	return false;
}

/* Was a hold placed after the order? What it keeps may be in there. */
static bool
is_overtaken(const AtPurgeMonth *month)
{
	Oid types[] = {TIMESTAMPTZOID, INT8OID};
	Datum values[] = {TimestampTzGetDatum(at_clock_now()), Int64GetDatum(month->deletion_id)};

	return at_owner_value("WITH hold AS (" AT_HOLDS("$1") ") SELECT h.log_index FROM hold AS h "
														  "WHERE h.log_index > $2",
						  lengthof(types), types, values) != NULL;
}

static void
cancel(AtControl *control, const AtPurgeMonth *month)
{
	char *certificate = psprintf("{\"deletion\":" INT64_FORMAT ",\"request\":" INT64_FORMAT
								 ",\"from\":\"%s\",\"nothing\":false,\"why\":\"a hold was placed "
								 "after the order\"}",
								 month->deletion_id, month->request_id, month->from);

	(void) at_deletion_append(control, AT_KIND_PURGE_CANCELLED, AT_PHASE_CANCELLED,
							  month->deletion_id, certificate, NULL, NULL);
	at_keeper_did(0, "deletion " INT64_FORMAT " cancelled: a hold was placed", month->deletion_id);
}

int64
at_deletion_append(AtControl *control, const char *kind, const char *phase, int64 deletion_id,
				   const char *certificate, const struct varlena *gaps,
				   const struct varlena *sessions)
{
	Datum values[Natts_deletion];
	bool nulls[Natts_deletion] = {false};
	int64 log_index = at_control_append(control, kind, certificate);

	values[Anum_deletion_deletion_id - 1] =
		Int64GetDatum(deletion_id != 0 ? deletion_id : log_index);
	at_set_text(values, nulls, Anum_deletion_phase, phase);
	values[Anum_deletion_log_index - 1] = Int64GetDatum(log_index);
	values[Anum_deletion_made_at - 1] = TimestampTzGetDatum(at_clock_now());
	at_set_text(values, nulls, Anum_deletion_certificate, certificate);
	nulls[Anum_deletion_gaps - 1] = gaps == NULL;
	values[Anum_deletion_gaps - 1] = PointerGetDatum(gaps);
	nulls[Anum_deletion_sessions - 1] = sessions == NULL;
	values[Anum_deletion_sessions - 1] = PointerGetDatum(sessions);
	at_append(AT_LEDGER_DELETION, values, nulls);
	return log_index;
}
