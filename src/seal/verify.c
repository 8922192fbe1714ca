/*-------------------------------------------------------------------------
 * verify.c
 *		audit.verify(): runs the steps and tells what they found.
 *
 * Verification first takes for granted that everything can be read. Where an
 * error says otherwise it begins again, carefully: then each batch, and in a
 * bad batch each transaction and event, is tried in a subtransaction of its
 * own.
 *
 * The caller's own uncommitted events are not looked at: their transaction
 * has no row yet.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "core/text.h"
#include "ledger/cold.h"
#include "ledger/datum.h"
#include "seal/attempt.h"
#include "seal/explain.h"
#include "seal/last.h"
#include "seal/memory.h"
#include "seal/progress.h"
#include "seal/verify.h"

#define VERIFY_COLUMNS 10

PG_FUNCTION_INFO_V1(at_verify);

static Snapshot take_snapshot(void);
static void read_own(void *arg);
static void run_steps(void *arg);
static void run_scope(AtVerify *verify);
static void run_step(AtVerify *verify, void (*step)(AtVerify *), AtThing thing, const char *name);
static bool log_id_is_wrong(const AtVerify *verify);
static void blame_log_id(AtVerify *verify, const char *detail);
static void emit(ReturnSetInfo *result, const AtVerify *verify);
static char *group_digits(uint64 number);
static char *describe_place(const AtVerify *verify);
static char *summarise(const AtVerify *verify);

/* A step in progress, for at_verify_try(). */
typedef struct Step
{
	AtVerify *verify;
	void (*step)(AtVerify *verify);
} Step;

/* A piece of work in progress, likewise. */
typedef struct Work
{
	AtVerify *verify;
	void (*work)(void *arg);
	void *arg;
} Work;

/* verify(checkpoint, public_key, tx_id, table_name, since, until, since_last, resume, workers) */
Datum
at_verify(PG_FUNCTION_ARGS)
{
	AtScope scope;
	AtGiven *given = NULL;
	Snapshot snapshot;
	char *message;

	at_scope_read(&scope, fcinfo);
	InitMaterializedSRF(fcinfo, 0);
	(void) at_ledger_relid(AT_LEDGER_LOG_ENTRY);
	if (scope.checkpoints != NULL)
		given = at_given_read(scope.checkpoints, scope.public_key);
	if (!scope.since_last && !at_attempt(read_own, &given, &message))
		ereport(WARNING, (errmsg("the checkpoint file is not compared with the log"),
						  errdetail("%s", message), errhint("SELECT * FROM audit.doctor();")));
	snapshot = take_snapshot();
	at_scope_find_table(&scope);
	emit((ReturnSetInfo *) fcinfo->resultinfo, at_verify_run(&scope, given, snapshot));
	PopActiveSnapshot();
	UnregisterSnapshot(snapshot);
	return (Datum) 0;
}

/* Before the snapshot: then the log has whatever the file has. */
static void
read_own(void *arg)
{
	AtGiven **given = arg;

	*given = at_given_add_own(*given);
}

/* The newest snapshot, blind to what this transaction has written itself. */
static Snapshot
take_snapshot(void)
{
	Snapshot snapshot = RegisterSnapshot(GetLatestSnapshot());

	snapshot->curcid = FirstCommandId;
	PushActiveSnapshot(snapshot);
	return snapshot;
}

AtVerify *
at_verify_run(const AtScope *scope, AtGiven *given, Snapshot snapshot)
{
	AtVerify *volatile verify = at_verify_begin(scope, given, snapshot, false);
	bool skipped = at_cold_skips_damage;
	char *message;

	PG_TRY();
	{
		if (!at_attempt(run_steps, verify, &message))
		{
			at_cold_skips_damage = skipped;
			verify = at_verify_begin(scope, given, snapshot, true);
			run_steps(verify);
		}
	}
	PG_FINALLY();
	{
		at_cold_skips_damage = skipped;
	}
	PG_END_TRY();
	at_findings_resolve(verify->findings);
	at_progress_end();
	return verify;
}

AtVerify *
at_verify_begin(const AtScope *scope, AtGiven *given, Snapshot snapshot, bool is_careful)
{
	AtVerify *verify = palloc0(sizeof(AtVerify));

	verify->scope = scope;
	verify->given = given;
	verify->snapshot = snapshot;
	verify->is_careful = is_careful;
	verify->context = CurrentMemoryContext;
	verify->readers.context = CurrentMemoryContext;
	verify->findings = at_findings_new();
	verify->gaps = at_gaps_read(snapshot);
	at_merkle_init(&verify->first_tree);
	if (!at_settled_parse(at_span_of(at_settled_now()), &verify->now))
		elog(ERROR, "unexpected snapshot");
	return verify;
}

/* Was the ledger created by the running transaction? */
static bool
is_ours_to_commit(void)
{
	Snapshot snapshot = RegisterSnapshot(GetLatestSnapshot());
	int count;

	at_incarnations_read(snapshot, &count);
	UnregisterSnapshot(snapshot);
	return count > 0;
}

static void
run_steps(void *arg)
{
	AtVerify *verify = arg;

	at_progress_begin(at_scope_mode(verify->scope));
	verify->incarnation = at_incarnations_read(verify->snapshot, &verify->nincarnations);
	if (verify->nincarnations == 0)
	{
		if (!is_ours_to_commit())
			at_findings_add(verify->findings, &(AtFinding){.thing = AT_THING_INCARNATION,
														   .fault = AT_FAULT_MISSING,
														   .object = "1",
														   .place = "audit.incarnation",
														   .detail = "the table is empty"});
		return;
	}

	for (int i = 0; i < verify->nincarnations; i++)
		if (verify->incarnation[i].is_odd)
		{
			blame_log_id(verify, "it is null");
			return;
		}

	if (verify->scope->since_last)
		at_last_find(verify);
	run_step(verify, at_verify_log, AT_THING_BATCH, "the log");
	at_verify_doubt_purges(verify);
	at_progress_findings(at_findings_total(verify->findings));
	if (log_id_is_wrong(verify))
		blame_log_id(verify, "no entry of the log fits the log_id that stands there");
	else
		run_scope(verify);
	at_verify_close(verify);
}

/* What comes after the log. */
static void
run_scope(AtVerify *verify)
{
	bool whole = at_scope_is_whole(verify->scope);

	if (verify->scope->one_transaction)
	{
		at_findings_are_partial(verify->findings);
		at_verify_transaction(verify);
		return;
	}
	if (whole)
	{
		run_step(verify, at_verify_log_tiles, AT_THING_LOG_TILE, "the tiles of the log");
		run_step(verify, at_verify_segments, AT_THING_SEGMENT, "the segments");
	}
	at_verify_batches(verify);
	if (!whole || verify->resumed_at > 0)
		at_findings_are_partial(verify->findings);
	at_progress_phase(AT_PHASE_TAIL);
	at_verify_tail(verify);
	if (!whole)
		return;
	at_progress_phase(AT_PHASE_HEAP);
	run_step(verify, at_verify_heap, AT_THING_EVENT, "the ledger");
	run_step(verify, at_verify_receipts, AT_THING_RECEIPT, "the receipts");
	run_step(verify, at_verify_deletions, AT_THING_DELETION, "the deletions");
	run_step(verify, at_verify_alerts, AT_THING_ALERT, "the alerts");
	run_step(verify, at_verify_alert_actions, AT_THING_ALERT_ACTION, "what was done about alerts");
	if (at_findings_total(verify->findings) == 0)
		at_memory_clear();
}

static void
call_step(void *arg)
{
	Step *step = arg;

	step->step(step->verify);
}

/* Run a step that cannot be divided further; what it cannot read may be reported already. */
static void
run_step(AtVerify *verify, void (*step)(AtVerify *), AtThing thing, const char *name)
{
	Step arg = {.verify = verify, .step = step};
	char *message;

	if (at_verify_try(verify, call_step, &arg, &message))
		return;
	verify->unread = psprintf("%s could not be read through: %s", name, message);
	if (at_findings_total(verify->findings) == 0)
		at_findings_add(verify->findings, &(AtFinding){.thing = thing,
													   .fault = AT_FAULT_CHANGED,
													   .place = name,
													   .detail = verify->unread});
}

static void
call_work(void *arg)
{
	Work *work = arg;

	work->work(work->arg);
	at_verify_close(work->verify);
}

bool
at_verify_try(AtVerify *verify, void (*work)(void *arg), void *arg, char **message)
{
	if (!verify->is_careful)
	{
		work(arg);
		return true;
	}

	AtReaders save = verify->readers;
	Work call = {.verify = verify, .work = work, .arg = arg};

	verify->readers =
		(AtReaders){.context = AllocSetContextCreate(CurrentMemoryContext, "audit readers",
													 ALLOCSET_DEFAULT_SIZES)};

	MemoryContext context = verify->readers.context;
	bool done = at_attempt(call_work, &call, message);

	MemoryContextDelete(context);
	verify->readers = save;
	return done;
}

AtLeafReader *
at_verify_leaves(AtVerify *verify)
{
	MemoryContext save = MemoryContextSwitchTo(verify->readers.context);

	if (verify->readers.leaves == NULL)
		verify->readers.leaves = at_leaf_reader_open(verify->snapshot);
	MemoryContextSwitchTo(save);
	return verify->readers.leaves;
}

AtTileReader *
at_verify_tiles(AtVerify *verify)
{
	MemoryContext save = MemoryContextSwitchTo(verify->readers.context);

	if (verify->readers.tiles == NULL)
		verify->readers.tiles = at_tile_reader_open(verify->snapshot);
	MemoryContextSwitchTo(save);
	return verify->readers.tiles;
}

AtEntryReader *
at_verify_entries(AtVerify *verify)
{
	MemoryContext save = MemoryContextSwitchTo(verify->readers.context);

	if (verify->readers.entries == NULL)
		verify->readers.entries = at_entry_reader_open(verify->snapshot);
	MemoryContextSwitchTo(save);
	return verify->readers.entries;
}

void
at_verify_close(AtVerify *verify)
{
	AtReaders *readers = &verify->readers;

	if (readers->leaves != NULL)
		at_leaf_reader_close(readers->leaves);
	if (readers->tiles != NULL)
		at_tile_reader_close(readers->tiles);
	if (readers->entries != NULL)
		at_entry_reader_close(readers->entries);
	*readers = (AtReaders){.context = readers->context};
}

/* Every hash has the ledger's id in it: where no entry is right, the id is wrong. */
static bool
log_id_is_wrong(const AtVerify *verify)
{
	return verify->entries >= 2 && verify->proved == 0;
}

/* Nothing else counts then. */
static void
blame_log_id(AtVerify *verify, const char *detail)
{
	verify->findings = at_findings_new();
	at_findings_add(verify->findings, &(AtFinding){.thing = AT_THING_INCARNATION,
												   .fault = AT_FAULT_CHANGED,
												   .object = "log_id",
												   .place = "audit.incarnation",
												   .detail = detail});
}

static void
put_text(Datum *values, bool *nulls, int column, const char *text)
{
	nulls[column] = text == NULL;
	values[column] = text ? CStringGetTextDatum(text) : (Datum) 0;
}

/* What stands next to an entry, a checkpoint: numbers follow from numbers. */
static char *
number_beside(const AtVerify *verify, const AtFinding *finding, int step)
{
	bool is_entry = finding->thing == AT_THING_BATCH;
	uint64 least = is_entry ? 0 : 1;
	uint64 greatest = is_entry ? verify->log_size - 1 : verify->log_size;
	uint64_t number;

	if ((!is_entry && finding->thing != AT_THING_CHECKPOINT) || finding->object == NULL ||
		!at_text_decimal(at_text(finding->object), &number) || number + step < least ||
		number + step > greatest || (step < 0 && number == 0))
		return NULL;
	return psprintf(UINT64_FORMAT, (uint64) number + step);
}

static void
put_finding(Datum *values, bool *nulls, const AtVerify *verify, const AtFinding *finding)
{
	put_text(values, nulls, 0, at_finding_name(finding));
	put_text(values, nulls, 1, finding->object);
	put_text(values, nulls, 2, finding->place);
	put_text(values, nulls, 3, finding->expected);
	put_text(values, nulls, 4, finding->found);
	put_text(values, nulls, 5, finding->detail);
	put_text(values, nulls, 6,
			 finding->before ? finding->before : number_beside(verify, finding, -1));
	put_text(values, nulls, 7, finding->after ? finding->after : number_beside(verify, finding, 1));
	put_text(values, nulls, 8, at_explain_cause(finding));
	put_text(values, nulls, 9, at_explain_advice(finding));
}

/* The findings, what was purged, then the summary. */
static void
emit(ReturnSetInfo *result, const AtVerify *verify)
{
	uint64 count = at_findings_count(verify->findings);
	Datum values[VERIFY_COLUMNS] = {0};
	bool nulls[VERIFY_COLUMNS];
	AtPurged purged;

	for (int i = 0; i < at_findings_kept(verify->findings); i++)
	{
		put_finding(values, nulls, verify, at_findings_get(verify->findings, i));
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}

	memset(nulls, true, sizeof(nulls));
	for (int i = 0; at_verify_purged(verify, i, &purged); i++)
	{
		put_text(values, nulls, 0, "purged");
		put_text(values, nulls, 1, purged.object);
		put_text(values, nulls, 2, purged.place);
		put_text(values, nulls, 5, purged.detail);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	put_text(values, nulls, 0, "summary");
	put_text(values, nulls, 1,
			 count == 0   ? "ok"
			 : count == 1 ? "1 finding"
						  : psprintf(UINT64_FORMAT " findings", count));
	put_text(values, nulls, 2, describe_place(verify));
	put_text(values, nulls, 5, summarise(verify));
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

/* "5 210" */
static char *
group_digits(uint64 number)
{
	char *digits = psprintf(UINT64_FORMAT, number);
	StringInfoData text;

	initStringInfo(&text);
	for (int i = 0, left = strlen(digits); left > 0; i++, left--)
	{
		if (i > 0 && left % 3 == 0)
			appendStringInfoChar(&text, ' ');
		appendStringInfoChar(&text, digits[i]);
	}
	return text.data;
}

/* "1 733 transactions" */
static char *
count_text(uint64 number, const char *one, const char *many)
{
	return psprintf("%s %s", group_digits(number), number == 1 ? one : many);
}

/* What was verified: "log 0..17", "table public.orders, log 0..17". */
static char *
describe_place(const AtVerify *verify)
{
	const AtScope *scope = verify->scope;
	char *log = verify->log_size > verify->first
					? psprintf("log %s..%s", group_digits(verify->first),
							   group_digits(verify->log_size - 1))
					: psprintf("log");

	if (scope->one_transaction)
		return psprintf("transaction " UINT64_FORMAT ", %s", scope->tx_id, log);
	if (scope->table_name != NULL)
		log = psprintf("table %s, %s", scope->table_name, log);
	return scope->in_time ? psprintf("time, %s", log) : log;
}

/* What was not looked at, said plainly; an empty text if all was. */
static char *
describe_gaps(const AtVerify *verify)
{
	StringInfoData text;

	initStringInfo(&text);
	if (verify->passed > 0)
		appendStringInfo(&text, "; %s not looked at",
						 count_text(verify->passed, "batch was", "batches were"));
	if (verify->first > 0)
		appendStringInfo(&text, "; entries before %s were verified before and not looked at",
						 group_digits(verify->first));
	if (verify->resumed_at > 0)
		appendStringInfo(&text, "; batches before entry %s were checked until %s and not again",
						 group_digits(verify->resumed_at),
						 timestamptz_to_str(verify->resumed_from));
	if (verify->purged_events + verify->purged_transactions > 0)
		appendStringInfo(&text, "; %s and %s purged",
						 count_text(verify->purged_events, "event", "events"),
						 count_text(verify->purged_transactions, "transaction", "transactions"));
	if (at_given_count(verify->given) > 0)
		appendStringInfo(&text, "; compared with %s",
						 count_text(at_given_count(verify->given), "checkpoint", "checkpoints"));
	return text.data;
}

static char *
summarise(const AtVerify *verify)
{
	uint64 kept = at_findings_kept(verify->findings);
	uint64 count = at_findings_count(verify->findings);
	const AtFinding *first = at_findings_first(verify->findings);
	char *checked = psprintf("%s in %s, %s sealed, %s unsealed%s",
							 count_text(verify->events, "event", "events"),
							 count_text(verify->transactions, "transaction", "transactions"),
							 count_text(verify->batches, "batch", "batches"),
							 group_digits(verify->unsealed), describe_gaps(verify));

	if (count == 0)
		return psprintf("%s; nothing wrong", checked);
	if (first != NULL && first->object != NULL)
		checked =
			psprintf("%s; first in the log: %s %s", checked, at_finding_name(first), first->object);
	if (count > kept)
		checked = psprintf("%s; only the first %s findings are shown", checked, group_digits(kept));
	return verify->unread ? psprintf("%s; %s", checked, verify->unread) : checked;
}
