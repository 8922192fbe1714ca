/*-------------------------------------------------------------------------
 * verifier.c
 *		The worker that verifies what came since the last result.
 *
 * Verification is one transaction, and the entry with its result another one:
 * the lock of passes is held for a moment only, so that sealing goes on while
 * there is much to verify. What is sealed meanwhile is verified next time.
 *
 * Findings are reported with a WARNING each in the server's log; as long as
 * they are there, every pass finds them again.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "base/catalog.h"
#include "base/debug_point.h"
#include "base/errors.h"
#include "base/guc.h"
#include "base/worker.h"
#include "ledger/log_read.h"
#include "seal/last.h"
#include "seal/verifier.h"

/* Until the next look where there is nothing to verify. */
#define IDLE_MS (60 * 60 * 1000L)

#define MAX_WARNINGS 10

static long wait_ms(void);
static char *verify_since_last(void);
static void warn(const AtVerify *verify);
static void seal_result(const char *payload);

PG_FUNCTION_INFO_V1(at_verify_now);

long
at_verifier_pass(void)
{
	long wait = wait_ms();
	char *payload;

	if (wait > 0)
		return wait;
	payload = verify_since_last();
	seal_result(payload);
	at_worker_wake(AT_WORKER_SEALER); /* it publishes the new head */
	return at_guc_verify_interval > 0 ? at_guc_verify_interval * 1000L : IDLE_MS;
}

/* How long until there is something to do; 0: it is due. */
static long
wait_ms(void)
{
	int64 interval = at_guc_verify_interval * INT64CONST(1000);
	bool asked = at_worker_is_asked();
	AtIncarnation current;
	long wait = IDLE_MS;

	if (RecoveryInProgress() || (interval == 0 && !asked))
		return IDLE_MS;
	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	if (at_ledger_exists() && at_incarnation_read_last(GetActiveSnapshot(), &current))
		wait = asked ? 0
					 : TimestampDifferenceMilliseconds(
						   GetCurrentTimestamp(),
						   TimestampTzPlusMilliseconds(at_last_sealed_at(), interval));
	PopActiveSnapshot();
	CommitTransactionCommand();
	return wait;
}

/* Returns the payload of the result, in the context of the caller. */
static char *
verify_since_last(void)
{
	MemoryContext context = CurrentMemoryContext;
	AtScope scope = {.since_last = true};
	Snapshot snapshot;
	AtVerify *verify;
	char *payload;

	StartTransactionCommand();
	MemoryContextSwitchTo(context);
	snapshot = RegisterSnapshot(GetLatestSnapshot());
	PushActiveSnapshot(snapshot);
	verify = at_verify_run(&scope, NULL, snapshot);
	warn(verify);
	payload = at_last_payload(verify);
	PopActiveSnapshot();
	UnregisterSnapshot(snapshot);
	CommitTransactionCommand();
	MemoryContextSwitchTo(context);
	return payload;
}

static void
warn(const AtVerify *verify)
{
	for (int i = 0; i < Min(at_findings_kept(verify->findings), MAX_WARNINGS); i++)
	{
		const AtFinding *finding = at_findings_get(verify->findings, i);

		ereport(WARNING,
				(errcode(ERRCODE_AT_INTEGRITY),
				 errmsg("the audit trail is not as it was sealed: %s", at_finding_name(finding)),
				 errdetail("%s%s%s", finding->place, finding->detail ? ": " : "",
						   finding->detail ? finding->detail : ""),
				 errhint("SELECT * FROM audit.verify();")));
	}
}

/* The snapshot comes after the lock: see sealer.c. */
static void
seal_result(const char *payload)
{
	AtIncarnation current;
	AtLogHead head;

	StartTransactionCommand();
	at_ledger_lock_passes(AT_LEDGER_LOG_ENTRY);
	PushActiveSnapshot(GetTransactionSnapshot());
	at_debug_point("verifier-before-seal");
	if (at_incarnation_read_last(GetActiveSnapshot(), &current))
	{
		at_log_head_read(GetActiveSnapshot(), &head);
		at_log_append_control(&head, current.incarnation, AT_KIND_VERIFIED, NULL, payload);
	}
	PopActiveSnapshot();
	CommitTransactionCommand();
}

/* verify_now(): (log_index, size, findings) of the newest result */
Datum
at_verify_now(PG_FUNCTION_ARGS)
{
	TupleDesc desc;
	Datum values[3] = {0};
	bool nulls[3] = {false};
	Snapshot snapshot;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	(void) at_ledger_relid(AT_LEDGER_LOG_ENTRY);
	at_worker_run(AT_WORKER_VERIFIER);

	snapshot = RegisterSnapshot(GetLatestSnapshot());
	PushActiveSnapshot(snapshot);
	SPI_connect();
	if (SPI_execute("SELECT log_index, "
					"pg_catalog.json_extract_path_text(payload, 'size')::pg_catalog.int8, "
					"pg_catalog.json_extract_path_text(payload, 'findings')::pg_catalog.int8 "
					"FROM audit.log_entry "
					"WHERE kind OPERATOR(pg_catalog.=) '" AT_KIND_VERIFIED
					"' ORDER BY log_index DESC LIMIT 1",
					true, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not read the results in the log");
	if (SPI_processed == 0)
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("there is no result of a verification"),
						errdetail("The ledger was not begun in this server and database."),
						errhint("SELECT * FROM audit.verify();")));
	for (int i = 0; i < 3; i++)
		values[i] = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, i + 1, &nulls[i]);
	SPI_finish();
	PopActiveSnapshot();
	UnregisterSnapshot(snapshot);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}
