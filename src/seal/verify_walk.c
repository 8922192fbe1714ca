/*-------------------------------------------------------------------------
 * verify_walk.c
 *		Going through the log from batch to batch: which window each has, and
 *		which life of the ledger it is of.
 *
 * Where the log itself was found to be whole, and everything can be read, all
 * entries are read once to plan the work; then the batches are probed by as
 * many processes as there are, and only those that are not fine are looked
 * at again, one by one.
 *
 * Otherwise the log is walked by one process. An entry in doubt has no window
 * that could be believed. It is checked together with the next entry that has
 * one, over all that lies between.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "ledger/datum.h"
#include "seal/memory.h"
#include "seal/probe.h"
#include "seal/progress.h"
#include "seal/verify.h"

static bool make_plan(AtVerify *verify, AtProbePlan *plan, MemoryContext context);
static bool plan_entry(AtVerify *verify, AtProbePlan *plan, const AtEntryRow *row);
static void recall(AtVerify *verify, AtProbePlan *plan);
static void check_again(AtVerify *verify, const AtProbePlan *plan, MemoryContext context);
static void walk(AtVerify *verify, MemoryContext context);
static void walk_batch(AtVerify *verify, const AtBatch *batch, AtRange *range, AtLife **life);
static void walk_end(AtVerify *verify, AtRange *range, AtLife *life);
static bool read_batch(AtVerify *verify, const AtEntryRow *row, AtBatch *batch);
static bool fits_row(AtVerify *verify, const AtBatch *batch);
static void check_origin(AtVerify *verify, const AtBatch *batch);
static void check_all_known(AtVerify *verify);

void
at_verify_batches(AtVerify *verify)
{
	MemoryContext context =
		AllocSetContextCreate(CurrentMemoryContext, "audit batch", ALLOCSET_DEFAULT_SIZES);
	AtProbePlan plan = {.first = verify->first, .size = verify->log_size};

	at_progress_phase(AT_PHASE_BATCHES);
	verify->is_known = palloc0(sizeof(bool) * (verify->nincarnations + 1));
	verify->lives = (AtLives){.context = verify->context};
	if (!verify->is_careful && verify->ndoubts == 0 && make_plan(verify, &plan, context))
	{
		at_memory_begin(verify);
		at_probe_run(verify, &plan);
		check_again(verify, &plan, context);
	}
	else
	{
		verify->lives = (AtLives){.context = verify->context};
		walk(verify, context);
	}
	if (verify->first == 0)
		check_all_known(verify);
	MemoryContextDelete(context);
}

/*
 * Read all entries and tell which batches are to be checked; false if the
 * incarnations do not begin as their rows say, so that windows are in doubt.
 */
static bool
make_plan(AtVerify *verify, AtProbePlan *plan, MemoryContext context)
{
	MemoryContext save = MemoryContextSwitchTo(context);
	AtEntryReader *entries = at_verify_entries(verify);
	const AtEntryRow *row;
	bool fits = true;

	plan->state = MemoryContextAllocExtended(verify->context, plan->size - plan->first + 1,
											 MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	if (plan->first > 0)
		at_verify_seed(verify, &verify->lives, plan->first);
	at_entry_reader_start(entries, plan->first, plan->size - 1);
	while (fits && plan->first < plan->size && (row = at_entry_reader_next(entries)) != NULL)
	{
		CHECK_FOR_INTERRUPTS();
		MemoryContextReset(context);
		fits = plan_entry(verify, plan, row);
	}
	MemoryContextSwitchTo(save);
	if (fits && verify->scope->resume)
		at_memory_load(verify, plan->state, plan->first, plan->size);
	if (fits)
		recall(verify, plan);
	return fits;
}

static bool
plan_entry(AtVerify *verify, AtProbePlan *plan, const AtEntryRow *row)
{
	AtBatch batch = {.log_index = row->place};
	AtLife *life;

	if (!read_batch(verify, row, &batch))
		return false;
	if (!batch.is_events && !batch.begins_life)
		return true;
	life = at_verify_life(verify, &verify->lives, batch.entry.incarnation, row->place);
	if (batch.begins_life && !fits_row(verify, &batch))
		return false;
	at_verify_end_window(&verify->lives, life, batch.end);
	if (batch.is_events && batch.is_wanted)
		plan->state[row->place - plan->first] = AT_PROBE_TODO;
	else if (batch.is_events)
		verify->passed++;
	return true;
}

/* Count what is to be done, and what an earlier verification has done. */
static void
recall(AtVerify *verify, AtProbePlan *plan)
{
	AtEntryReader *entries = at_verify_entries(verify);
	const AtEntryRow *row;

	if (plan->first == plan->size)
		return;
	at_entry_reader_start(entries, plan->first, plan->size - 1);
	while ((row = at_entry_reader_next(entries)) != NULL)
	{
		uint8 state = plan->state[row->place - plan->first];

		if (state == AT_PROBE_TODO)
		{
			plan->batches++;
			plan->events += row->body.event_count;
		}
		if (state != AT_PROBE_BEFORE)
			continue;
		plan->batches_before++;
		plan->events_before += row->body.event_count;
		verify->transactions += row->body.tx_count;
		verify->events += row->body.event_count;
		verify->tiles += (row->body.leaf_count + AT_TILE_LEAVES - 1) / AT_TILE_LEAVES;
	}
	verify->batches += plan->batches_before;
	at_progress_plan(plan->batches + plan->batches_before, plan->events + plan->events_before);
}

/* What is not fine is looked at by this process, in the order of the log. */
static void
check_again(AtVerify *verify, const AtProbePlan *plan, MemoryContext context)
{
	MemoryContext save = MemoryContextSwitchTo(context);

	for (uint64 i = plan->first; i < plan->size; i++)
	{
		AtLives lives = {.context = context};
		AtBatch batch = {.log_index = i};
		AtRange range = {.first = i, .last = i, .last_is_sound = true};
		AtLife *life;

		if (plan->state[i - plan->first] != AT_PROBE_AGAIN)
			continue;
		MemoryContextReset(context);
		if (!at_verify_read_batch(verify, i, &batch))
			continue;
		life = at_verify_life(verify, &lives, batch.entry.incarnation, i);
		range.root = batch.entry.root;
		range.leaf_count = batch.entry.leaf_count;
		range.window = at_verify_window(life, batch.end);
		at_verify_check_batch(verify, &batch, &range);
	}
	MemoryContextSwitchTo(save);
}

/* Go through the log; what is kept of an entry lives in `context` until the next. */
static void
walk(AtVerify *verify, MemoryContext context)
{
	MemoryContext save = MemoryContextSwitchTo(context);
	AtRange range = {.first = AT_UNSEALED};
	AtLife *life = NULL;

	if (verify->first > 0)
		life = at_verify_seed(verify, &verify->lives, verify->first);
	for (uint64 i = verify->first; i < verify->log_size; i++)
	{
		const AtDoubt *doubt = at_verify_doubt(verify, i);
		AtBatch batch = {.log_index = i};

		CHECK_FOR_INTERRUPTS();
		MemoryContextReset(context);
		range.first = Min(range.first, i);
		if ((doubt != NULL && !doubt->is_swapped) ||
			!at_verify_read_batch(verify, doubt ? doubt->row_at : i, &batch))
		{
			i = doubt ? doubt->last : i;
			continue;
		}
		walk_batch(verify, &batch, &range, &life);
		range = (AtRange){.first = AT_UNSEALED};
	}
	if (range.first < verify->log_size)
		walk_end(verify, &range, life);
	MemoryContextSwitchTo(save);
}

/* An entry that is believed; the range begins with it, or with what is in doubt before it. */
static void
walk_batch(AtVerify *verify, const AtBatch *batch, AtRange *range, AtLife **life)
{
	uint64 i = batch->log_index;

	/* an incarnation that begins ends the one before */
	if (batch->begins_life && range->first < i && *life != NULL)
	{
		range->last = i - 1;
		range->window = at_verify_window(*life, NULL);
		at_verify_by_name(verify, range);
	}
	if (batch->begins_life)
		check_origin(verify, batch);
	if (!batch->begins_life && !batch->is_events)
		return;
	*life = at_verify_life(verify, &verify->lives, batch->entry.incarnation, i);
	if (batch->is_events && (batch->is_wanted || range->first < i))
	{
		range->last = i;
		range->last_is_sound = true;
		range->root = batch->entry.root;
		range->leaf_count = batch->entry.leaf_count;
		range->window = at_verify_window(*life, batch->end);
		at_verify_check_batch(verify, batch, range);
		at_progress_done(verify->batches, verify->events);
	}
	else if (batch->is_events)
		verify->passed++;
	at_verify_end_window(&verify->lives, *life, batch->end);
}

/* What is in doubt at the end cannot be told from what is not sealed yet. */
static void
walk_end(AtVerify *verify, AtRange *range, AtLife *life)
{
	if (life == NULL && verify->nincarnations > 0)
		life = at_verify_life(verify, &verify->lives,
							  verify->incarnation[verify->nincarnations - 1].incarnation, 0);
	range->last = verify->log_size - 1;
	range->is_tail = true;
	if (life == NULL)
		return;
	range->window = at_verify_window(life, NULL);
	at_verify_by_name(verify, range);
	life->is_closed = true;
}

bool
at_verify_read_batch(AtVerify *verify, uint64 row_at, AtBatch *batch)
{
	AtEntryReader *entries = at_verify_entries(verify);
	const AtEntryRow *row;

	at_entry_reader_start(entries, row_at, row_at);
	row = at_entry_reader_next(entries);
	return row != NULL && read_batch(verify, row, batch);
}

static bool
read_batch(AtVerify *verify, const AtEntryRow *row, AtBatch *batch)
{
	AtSettled *end = palloc(sizeof(AtSettled));

	batch->entry = row->body;
	batch->is_events = at_entry_is(&row->body, AT_KIND_EVENTS);
	batch->begins_life = !batch->is_events && at_entry_has_window(&row->body);
	batch->is_wanted = batch->is_events && at_scope_wants(verify->scope, &row->body);
	if (row->body.payload.data != NULL && batch->begins_life)
		batch->payload = pnstrdup(row->body.payload.data, row->body.payload.len);
	if (row->body.snapshot.data != NULL)
	{
		if (!at_settled_parse(row->body.snapshot, end))
			return false;
		batch->end = end;
	}
	return true;
}

AtWindow
at_verify_window(const AtLife *life, const AtSettled *to)
{
	return (AtWindow){.incarnation = life->origin.incarnation,
					  .system_identifier = life->origin.system_identifier,
					  .database_oid = life->origin.database_oid,
					  .from = life->end,
					  .to = to};
}

/*
 * The end of the last window before an entry: of an incarnation, or of any (0).
 * Tells which incarnation it is of; 0 if there is none.
 */
static int32
find_window_before(AtVerify *verify, uint64 log_index, int32 incarnation, AtBatch *batch)
{
	while (log_index-- > 0)
	{
		*batch = (AtBatch){.log_index = log_index};
		if (at_verify_read_batch(verify, log_index, batch) &&
			(batch->is_events || batch->begins_life) &&
			(incarnation == 0 || (int32) batch->entry.incarnation == incarnation))
			return batch->entry.incarnation;
	}
	return 0;
}

/* Add a life, with what audit.incarnation says of it. */
static AtLife *
add_life(AtVerify *verify, AtLives *lives, int32 incarnation)
{
	Size size = sizeof(AtLife) * (lives->count + 1);
	AtLife *life;

	lives->life =
		lives->life ? repalloc(lives->life, size) : MemoryContextAlloc(lives->context, size);
	life = &lives->life[lives->count++];
	*life = (AtLife){.origin.incarnation = incarnation};
	for (int i = 0; i < verify->nincarnations; i++)
		if (verify->incarnation[i].incarnation == incarnation)
			life->origin = verify->incarnation[i];
	return life;
}

AtLife *
at_verify_life(AtVerify *verify, AtLives *lives, int32 incarnation, uint64 log_index)
{
	AtBatch batch;
	AtLife *life;

	for (int i = 0; i < lives->count; i++)
		if (lives->life[i].origin.incarnation == incarnation)
			return &lives->life[i];
	life = add_life(verify, lives, incarnation);

	/* the walk meets every window itself, from the first on */
	if (lives != &verify->lives && find_window_before(verify, log_index, incarnation, &batch) != 0)
		at_verify_end_window(lives, life, batch.end);
	return life;
}

AtLife *
at_verify_seed(AtVerify *verify, AtLives *lives, uint64 log_index)
{
	AtBatch batch;
	int32 incarnation = find_window_before(verify, log_index, 0, &batch);
	AtLife *life;

	if (incarnation == 0)
		return NULL;
	life = add_life(verify, lives, incarnation);
	at_verify_end_window(lives, life, batch.end);
	return life;
}

void
at_verify_end_window(AtLives *lives, AtLife *life, const AtSettled *end)
{
	MemoryContext save;

	if (life->end != NULL)
	{
		pfree(life->end->running);
		pfree(life->end);
		life->end = NULL;
	}
	life->is_closed = end == NULL;
	if (end == NULL)
		return;
	save = MemoryContextSwitchTo(lives->context);
	life->end = palloc(sizeof(AtSettled));
	*life->end = *end;
	life->end->running = palloc(sizeof(int64) * (end->nrunning + 1));
	memcpy(life->end->running, end->running, sizeof(int64) * end->nrunning);
	MemoryContextSwitchTo(save);
}

/* Does an incarnation begin as its one row says? Then it is known. */
static bool
fits_row(AtVerify *verify, const AtBatch *batch)
{
	int found = -1;

	for (int i = 0; i < verify->nincarnations; i++)
	{
		if (verify->incarnation[i].incarnation != (int32) batch->entry.incarnation)
			continue;
		if (found >= 0)
			return false;
		found = i;
	}
	if (found < 0 || batch->payload == NULL ||
		strcmp(at_log_origin_payload(&verify->incarnation[found]), batch->payload) != 0)
		return false;
	verify->is_known[found] = true;
	return true;
}

/* An incarnation begins: the log is believed, its row in audit.incarnation compared. */
static void
check_origin(AtVerify *verify, const AtBatch *batch)
{
	int32 number = batch->entry.incarnation;
	AtLife *life = at_verify_life(verify, &verify->lives, number, batch->log_index);
	AtFault fault = AT_FAULT_MISSING;
	const char *found = NULL;

	for (int i = 0; i < verify->nincarnations; i++)
	{
		if (verify->incarnation[i].incarnation != number)
			continue;
		verify->is_known[i] = true;
		found = at_log_origin_payload(&verify->incarnation[i]);
		fault = AT_FAULT_CHANGED;
	}
	if (batch->payload == NULL || (found != NULL && strcmp(found, batch->payload) == 0))
		return;

	sscanf(batch->payload,
		   "{\"incarnation\":%*d,\"system_identifier\":\"" UINT64_FORMAT "\",\"database_oid\":%u",
		   &life->origin.system_identifier, &life->origin.database_oid);
	at_findings_add(verify->findings, &(AtFinding){.thing = AT_THING_INCARNATION,
												   .fault = fault,
												   .object = psprintf("%d", number),
												   .place = psprintf("incarnation %d", number),
												   .expected = batch->payload,
												   .found = found});
}

/* Every incarnation has one row, and an entry in the log. */
static void
check_all_known(AtVerify *verify)
{
	for (int i = 1; i < verify->nincarnations; i++)
	{
		int32 number = verify->incarnation[i].incarnation;

		if (number == verify->incarnation[i - 1].incarnation)
			at_findings_add(verify->findings,
							&(AtFinding){.thing = AT_THING_INCARNATION,
										 .fault = AT_FAULT_DUPLICATED,
										 .object = psprintf("%d", number),
										 .place = psprintf("incarnation %d", number),
										 .found = at_log_origin_payload(&verify->incarnation[i])});
	}
	for (int i = 0; i < verify->nincarnations && verify->ndoubts == 0; i++)
		if (!verify->is_known[i])
			at_findings_add(
				verify->findings,
				&(AtFinding){.thing = AT_THING_INCARNATION,
							 .fault = AT_FAULT_ADDED,
							 .object = psprintf("%d", verify->incarnation[i].incarnation),
							 .place =
								 psprintf("incarnation %d", verify->incarnation[i].incarnation),
							 .found = at_log_origin_payload(&verify->incarnation[i]),
							 .detail = "the log has no entry of its beginning"});
}
