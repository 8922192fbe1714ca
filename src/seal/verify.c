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

#include "ledger/datum.h"
#include "seal/attempt.h"
#include "seal/verify.h"

#define VERIFY_COLUMNS 6

PG_FUNCTION_INFO_V1(at_verify);

static Snapshot take_snapshot(void);
static AtVerify *begin_verify(Snapshot snapshot, bool is_careful);
static void run_steps(void *arg);
static void run_step(AtVerify *verify, void (*step)(AtVerify *), AtThing thing, const char *name);
static void close_readers(AtReaders *readers);
static bool log_id_is_wrong(const AtVerify *verify);
static void blame_log_id(AtVerify *verify, const char *detail);
static void emit(ReturnSetInfo *result, const AtVerify *verify);
static char *group_digits(uint64 number);
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

Datum
at_verify(PG_FUNCTION_ARGS)
{
	Snapshot snapshot;
	AtVerify *verify;
	char *message;

	InitMaterializedSRF(fcinfo, 0);
	(void) at_ledger_relid(AT_LEDGER_LOG_ENTRY);
	snapshot = take_snapshot();

	verify = begin_verify(snapshot, false);
	if (!at_attempt(run_steps, verify, &message))
	{
		verify = begin_verify(snapshot, true);
		run_steps(verify);
	}
	at_findings_resolve(verify->findings);
	emit((ReturnSetInfo *) fcinfo->resultinfo, verify);
	PopActiveSnapshot();
	UnregisterSnapshot(snapshot);
	return (Datum) 0;
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

static AtVerify *
begin_verify(Snapshot snapshot, bool is_careful)
{
	AtVerify *verify = palloc0(sizeof(AtVerify));

	verify->snapshot = snapshot;
	verify->is_careful = is_careful;
	verify->context = CurrentMemoryContext;
	verify->readers.context = CurrentMemoryContext;
	verify->findings = at_findings_new();
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

	run_step(verify, at_verify_log, AT_THING_BATCH, "the log");
	if (log_id_is_wrong(verify))
		blame_log_id(verify, "no entry of the log fits the log_id that stands there");
	else
	{
		run_step(verify, at_verify_log_tiles, AT_THING_LOG_TILE, "the tiles of the log");
		at_verify_batches(verify);
		at_verify_tail(verify);
		run_step(verify, at_verify_heap, AT_THING_EVENT, "the ledger");
	}
	close_readers(&verify->readers);
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
	close_readers(&work->verify->readers);
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

static void
close_readers(AtReaders *readers)
{
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

/* The findings, then the summary. */
static void
emit(ReturnSetInfo *result, const AtVerify *verify)
{
	uint64 count = at_findings_count(verify->findings);
	Datum values[VERIFY_COLUMNS] = {0};
	bool nulls[VERIFY_COLUMNS] = {false};

	for (int i = 0; i < at_findings_kept(verify->findings); i++)
	{
		const AtFinding *finding = at_findings_get(verify->findings, i);

		put_text(values, nulls, 0, at_finding_name(finding));
		put_text(values, nulls, 1, finding->object);
		put_text(values, nulls, 2, finding->place);
		put_text(values, nulls, 3, finding->expected);
		put_text(values, nulls, 4, finding->found);
		put_text(values, nulls, 5, finding->detail);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}

	put_text(values, nulls, 0, "summary");
	put_text(values, nulls, 1,
			 count == 0   ? "ok"
			 : count == 1 ? "1 finding"
						  : psprintf(UINT64_FORMAT " findings", count));
	put_text(values, nulls, 2,
			 verify->log_size > 0 ? psprintf("log 0..%s", group_digits(verify->log_size - 1))
								  : "log");
	put_text(values, nulls, 3, NULL);
	put_text(values, nulls, 4, NULL);
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

static char *
summarise(const AtVerify *verify)
{
	uint64 kept = at_findings_kept(verify->findings);
	uint64 count = at_findings_count(verify->findings);
	char *checked =
		psprintf("%s in %s, %s sealed, %s unsealed", count_text(verify->events, "event", "events"),
				 count_text(verify->transactions, "transaction", "transactions"),
				 count_text(verify->batches, "batch", "batches"), group_digits(verify->unsealed));

	if (count == 0)
		return psprintf("%s; nothing wrong", checked);
	if (count > kept)
		checked = psprintf("%s; only the first %s findings are shown", checked, group_digits(kept));
	return verify->unread ? psprintf("%s; %s", checked, verify->unread) : checked;
}
