/*-------------------------------------------------------------------------
 * findings.c
 *		What verification found: one finding for each cause.
 *
 * The list has an end, so that a table that was changed throughout does not
 * fill the memory: what comes later is counted.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "nodes/pg_list.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

#include "seal/findings.h"

#define MAX_FINDINGS    10000
#define MAX_DIFFERENCES 100000

/* What is known of a target. */
typedef struct TargetState
{
	int32 target_id; /* key */
	bool is_fine;
	bool is_missing;
	bool is_reported;
	uint64 differing;
} TargetState;

/* The name of a leaf, and a difference that has it. */
typedef struct NameEntry
{
	struct
	{
		uint64 tx_id;
		uint64 ordinal;
	} name; /* key */
	int difference;
} NameEntry;

/* The hash of a sealed leaf, and the difference that expects it. */
typedef struct ExpectedEntry
{
	AtHash expected; /* key */
	int difference;
} ExpectedEntry;

/* See at_findings_excuse(). */
typedef struct Excuse
{
	bool are_events;
	uint64 first;
	uint64 last;
} Excuse;

struct AtFindings
{
	MemoryContext context;
	AtFinding *finding;
	int count;
	int capacity;
	uint64 uncounted; /* that found no room */

	AtDifference *difference;
	bool *settled; /* for each: it became part of a finding */
	int ndifferences;
	int difference_capacity;

	List *excuses; /* of Excuse */

	HTAB *targets;
	HTAB *named;     /* NameEntry of differences that miss or change a leaf */
	HTAB *expected;  /* made when resolving */
	int32 last_fine; /* target, so that a run of events asks once */
	bool is_partial; /* not all events were looked at */
};

static bool is_excused(const AtFindings *findings, const AtDifference *difference);
static void resolve_targets(AtFindings *findings);
static void resolve_moved(AtFindings *findings);
static void report_move(AtFindings *findings, int at, int from);
static void report_difference(AtFindings *findings, const AtDifference *difference);

static HTAB *
make_table(AtFindings *findings, const char *name, Size key, Size entry)
{
	HASHCTL control = {.keysize = key, .entrysize = entry, .hcxt = findings->context};

	return hash_create(name, 64, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

AtFindings *
at_findings_new(void)
{
	AtFindings *findings = palloc0(sizeof(AtFindings));

	findings->context = CurrentMemoryContext;
	findings->targets = make_table(findings, "audit targets", sizeof(int32), sizeof(TargetState));
	findings->named =
		make_table(findings, "audit names", sizeof(((NameEntry *) NULL)->name), sizeof(NameEntry));
	return findings;
}

static const char *
copy_text(const AtFindings *findings, const char *text)
{
	return text ? MemoryContextStrdup(findings->context, text) : NULL;
}

void
at_findings_add(AtFindings *findings, const AtFinding *finding)
{
	if (findings->count == MAX_FINDINGS)
	{
		findings->uncounted++;
		return;
	}
	if (findings->count == findings->capacity)
	{
		MemoryContext save = MemoryContextSwitchTo(findings->context);

		findings->capacity = findings->capacity ? findings->capacity * 2 : 64;
		findings->finding =
			findings->finding ? repalloc(findings->finding, sizeof(AtFinding) * findings->capacity)
							  : palloc(sizeof(AtFinding) * findings->capacity);
		MemoryContextSwitchTo(save);
	}
	findings->finding[findings->count++] = (AtFinding){
		.thing = finding->thing,
		.fault = finding->fault,
		.object = copy_text(findings, finding->object),
		.place = copy_text(findings, finding->place),
		.expected = copy_text(findings, finding->expected),
		.found = copy_text(findings, finding->found),
		.detail = copy_text(findings, finding->detail),
		.before = copy_text(findings, finding->before),
		.after = copy_text(findings, finding->after),
		.cause = copy_text(findings, finding->cause),
		.log_index = finding->log_index,
	};
}

/* Room for one more difference. */
static void
reserve_difference(AtFindings *findings)
{
	MemoryContext save = MemoryContextSwitchTo(findings->context);
	int capacity = findings->difference_capacity;

	if (capacity == 0)
	{
		findings->difference_capacity = 64;
		findings->difference = palloc(sizeof(AtDifference) * 64);
		findings->settled = palloc(sizeof(bool) * 64);
	}
	else if (findings->ndifferences == capacity)
	{
		findings->difference_capacity = capacity * 2;
		findings->difference = repalloc(findings->difference, sizeof(AtDifference) * capacity * 2);
		findings->settled = repalloc(findings->settled, sizeof(bool) * capacity * 2);
	}
	MemoryContextSwitchTo(save);
}

static TargetState *
get_target(AtFindings *findings, int32 target_id)
{
	bool found;
	TargetState *state = hash_search(findings->targets, &target_id, HASH_ENTER, &found);

	if (!found)
	{
		memset(state, 0, sizeof(*state));
		state->target_id = target_id;
	}
	return state;
}

/* The entry of a missing or changed leaf; made if `enter`, else NULL if there is none. */
static NameEntry *
named_entry(const AtFindings *findings, uint64 tx_id, uint32 ordinal, bool enter)
{
	NameEntry key = {.name = {.tx_id = tx_id, .ordinal = ordinal}};

	return hash_search(findings->named, &key.name, enter ? HASH_ENTER : HASH_FIND, NULL);
}

void
at_findings_add_difference(AtFindings *findings, const AtDifference *difference)
{
	if (difference->target_id != 0)
	{
		TargetState *target = get_target(findings, difference->target_id);

		target->differing++;
		target->is_missing |= difference->target_missing;
	}
	if (findings->ndifferences == MAX_DIFFERENCES)
	{
		if (!is_excused(findings, difference))
			findings->uncounted++;
		return;
	}
	reserve_difference(findings);

	int at = findings->ndifferences++;

	findings->difference[at] = *difference;
	findings->difference[at].subject = copy_text(findings, difference->subject);
	findings->difference[at].detail = copy_text(findings, difference->detail);
	findings->difference[at].before = copy_text(findings, difference->before);
	findings->difference[at].after = copy_text(findings, difference->after);
	findings->settled[at] = false;
	if (!difference->is_digest &&
		(difference->fault == AT_FAULT_MISSING || difference->fault == AT_FAULT_CHANGED))
		named_entry(findings, difference->tx_id, difference->ordinal, true)->difference = at;
}

void
at_findings_target_is_fine(AtFindings *findings, int32 target_id)
{
	if (target_id == findings->last_fine)
		return;
	findings->last_fine = target_id;
	get_target(findings, target_id)->is_fine = true;
}

int
at_findings_fine_targets(const AtFindings *findings, int32 **targets)
{
	HASH_SEQ_STATUS scan;
	TargetState *target;
	int count = 0;

	*targets = palloc(sizeof(int32) * (hash_get_num_entries(findings->targets) + 1));
	hash_seq_init(&scan, findings->targets);
	while ((target = hash_seq_search(&scan)) != NULL)
		if (target->is_fine)
			(*targets)[count++] = target->target_id;
	return count;
}

void
at_findings_are_partial(AtFindings *findings)
{
	findings->is_partial = true;
}

void
at_findings_target_is_missing(AtFindings *findings, int32 target_id)
{
	get_target(findings, target_id)->is_missing = true;
}

bool
at_findings_miss_transaction(const AtFindings *findings)
{
	for (int i = 0; i < findings->ndifferences; i++)
		if (findings->difference[i].fault == AT_FAULT_MISSING &&
			findings->difference[i].ordinal == 0)
			return true;
	return false;
}

bool
at_findings_misses(const AtFindings *findings, uint64 tx_id, uint32 ordinal)
{
	NameEntry *entry = named_entry(findings, tx_id, ordinal, false);

	return entry != NULL && findings->difference[entry->difference].fault == AT_FAULT_MISSING;
}

bool
at_findings_unindexed(AtFindings *findings, uint64 tx_id, uint32 ordinal)
{
	NameEntry *entry = named_entry(findings, tx_id, ordinal, false);

	if (!at_findings_misses(findings, tx_id, ordinal))
		return false;
	findings->difference[entry->difference].detail =
		"a row of this name is stored, but the index that should lead to it does not";
	return true;
}

void
at_findings_excuse(AtFindings *findings, bool are_events, uint64 first, uint64 last)
{
	MemoryContext save = MemoryContextSwitchTo(findings->context);
	Excuse *excuse = palloc(sizeof(Excuse));

	*excuse = (Excuse){.are_events = are_events, .first = first, .last = last};
	findings->excuses = lappend(findings->excuses, excuse);
	MemoryContextSwitchTo(save);
}

static bool
is_excused(const AtFindings *findings, const AtDifference *difference)
{
	ListCell *cell;

	if (difference->fault != AT_FAULT_MISSING)
		return false;
	foreach (cell, findings->excuses)
	{
		const Excuse *excuse = lfirst(cell);

		if (excuse->are_events == (difference->ordinal != 0) &&
			difference->tx_id >= excuse->first && difference->tx_id <= excuse->last)
			return true;
	}
	return false;
}

void
at_findings_resolve(AtFindings *findings)
{
	MemoryContext save = MemoryContextSwitchTo(findings->context);

	for (int i = 0; i < findings->ndifferences && findings->excuses != NIL; i++)
		findings->settled[i] = is_excused(findings, &findings->difference[i]);
	resolve_targets(findings);
	resolve_moved(findings);
	for (int i = 0; i < findings->ndifferences; i++)
		if (!findings->settled[i])
			report_difference(findings, &findings->difference[i]);
	MemoryContextSwitchTo(save);
}

/*
 * Where all events of a target differ, and more than one, or where there is
 * no such target, the target is the cause.
 */
static void
resolve_targets(AtFindings *findings)
{
	HASH_SEQ_STATUS scan;
	TargetState *target;

	hash_seq_init(&scan, findings->targets);
	while ((target = hash_seq_search(&scan)) != NULL)
	{
		if (!target->is_missing &&
			(target->is_fine || target->differing < 2 || findings->is_partial))
			continue;
		target->is_reported = true;
		at_findings_add(
			findings,
			&(AtFinding){.thing = AT_THING_TARGET,
						 .fault = target->is_missing ? AT_FAULT_MISSING : AT_FAULT_CHANGED,
						 .object = psprintf("%d", target->target_id),
						 .place = psprintf("target %d", target->target_id),
						 .detail = psprintf(UINT64_FORMAT " sealed events that name it differ, "
														  "and none is as it was sealed",
											target->differing)});
	}

	for (int i = 0; i < findings->ndifferences; i++)
	{
		int32 target_id = findings->difference[i].target_id;

		if (target_id != 0 && get_target(findings, target_id)->is_reported)
			findings->settled[i] = true;
	}
}

/* Find leaves whose sealed content stands in the place of another. */
static void
resolve_moved(AtFindings *findings)
{
	findings->expected =
		make_table(findings, "audit expected", sizeof(AtHash), sizeof(ExpectedEntry));
	for (int i = 0; i < findings->ndifferences; i++)
	{
		AtFault fault = findings->difference[i].fault;

		if (!findings->settled[i] && !findings->difference[i].is_digest &&
			(fault == AT_FAULT_CHANGED || fault == AT_FAULT_MISSING))
		{
			ExpectedEntry *entry = hash_search(findings->expected,
											   &findings->difference[i].expected, HASH_ENTER, NULL);

			entry->difference = i;
		}
	}

	for (int i = 0; i < findings->ndifferences; i++)
	{
		const AtDifference *difference = &findings->difference[i];

		if (findings->settled[i] || difference->is_unreadable || difference->is_digest ||
			difference->fault == AT_FAULT_MISSING || difference->fault == AT_FAULT_DUPLICATED)
			continue;

		ExpectedEntry *entry = hash_search(findings->expected, &difference->found, HASH_FIND, NULL);
		NameEntry *name = named_entry(findings, difference->tx_id, difference->ordinal, false);

		if (entry != NULL && entry->difference != i && !findings->settled[entry->difference])
			report_move(findings, i, entry->difference);
		else if (name != NULL && difference->fault == AT_FAULT_ADDED)
		{
			/* it left its batch because its server, say, was changed */
			findings->difference[name->difference].fault = AT_FAULT_CHANGED;
			findings->difference[name->difference].found = difference->found;
			findings->difference[name->difference].subject = difference->subject;
			findings->settled[i] = true;
		}
	}
}

char *
at_leaf_place(uint64 tx_id, uint32 ordinal, const char *subject, uint64 log_index)
{
	StringInfoData text;

	initStringInfo(&text);
	if (ordinal == 0)
		appendStringInfo(&text, "transaction " UINT64_FORMAT, tx_id);
	else
		appendStringInfo(&text, "event " UINT64_FORMAT ".%u", tx_id, ordinal);
	if (subject != NULL)
		appendStringInfo(&text, " (%s)", subject);
	if (log_index == AT_UNSEALED)
		appendStringInfoString(&text, ", unsealed");
	else
		appendStringInfo(&text, ", batch " UINT64_FORMAT, log_index);
	return text.data;
}

static char *
difference_place(const AtDifference *difference)
{
	return at_leaf_place(difference->tx_id, difference->ordinal, difference->subject,
						 difference->log_index);
}

static char *
difference_object(const AtDifference *difference)
{
	if (difference->ordinal == 0)
		return psprintf(UINT64_FORMAT, difference->tx_id);
	return psprintf(UINT64_FORMAT ".%u", difference->tx_id, difference->ordinal);
}

/* What stands at one place was sealed at another. */
static void
report_move(AtFindings *findings, int at, int from)
{
	const AtDifference *here = &findings->difference[at];
	const AtDifference *there = &findings->difference[from];
	bool swapped = there->fault == AT_FAULT_CHANGED &&
				   memcmp(&there->found, &here->expected, AT_HASH_LEN) == 0;

	findings->settled[at] = true;
	if (swapped || there->fault == AT_FAULT_MISSING)
		findings->settled[from] = true;

	at_findings_add(
		findings,
		&(AtFinding){
			.thing = here->ordinal ? AT_THING_EVENT : AT_THING_TRANSACTION,
			.fault = AT_FAULT_REORDERED,
			.object = difference_object(here),
			.place = difference_place(here),
			.expected = here->fault == AT_FAULT_ADDED ? NULL : at_hash_text(&here->expected),
			.found = at_hash_text(&here->found),
			.before = here->before,
			.after = here->after,
			.log_index = here->log_index,
			.detail = psprintf("%s %s", swapped ? "it changed places with" : "in its place stands",
							   difference_place(there))});
}

static void
report_difference(AtFindings *findings, const AtDifference *difference)
{
	bool has_found = difference->fault != AT_FAULT_MISSING && !difference->is_unreadable;
	bool has_expected =
		difference->fault == AT_FAULT_CHANGED || difference->fault == AT_FAULT_MISSING;

	at_findings_add(
		findings,
		&(AtFinding){.thing = difference->ordinal ? AT_THING_EVENT : AT_THING_TRANSACTION,
					 .fault = difference->fault,
					 .object = difference_object(difference),
					 .place = difference_place(difference),
					 .expected = has_expected ? at_hash_text(&difference->expected) : NULL,
					 .found = has_found ? at_hash_text(&difference->found) : NULL,
					 .before = difference->before,
					 .after = difference->after,
					 .log_index = difference->log_index,
					 .detail = difference->detail});
}

uint64
at_findings_total(const AtFindings *findings)
{
	return findings->count + findings->ndifferences + findings->uncounted;
}

uint64
at_findings_count(const AtFindings *findings)
{
	return findings->count + findings->uncounted;
}

int
at_findings_kept(const AtFindings *findings)
{
	return findings->count;
}

const AtFinding *
at_findings_get(const AtFindings *findings, int index)
{
	return &findings->finding[index];
}

const AtFinding *
at_findings_first(const AtFindings *findings)
{
	const AtFinding *first = NULL;

	for (int i = 0; i < findings->count; i++)
	{
		const AtFinding *finding = &findings->finding[i];

		if ((finding->thing == AT_THING_EVENT || finding->thing == AT_THING_TRANSACTION) &&
			(first == NULL || finding->log_index < first->log_index))
			first = finding;
	}
	return first;
}

const char *
at_finding_name(const AtFinding *finding)
{
	static const char *const things[] = {
		[AT_THING_EVENT] = "event",
		[AT_THING_TRANSACTION] = "transaction",
		[AT_THING_BATCH] = "batch",
		[AT_THING_TILE] = "tile",
		[AT_THING_LOG_TILE] = "log tile",
		[AT_THING_CHECKPOINT] = "checkpoint",
		[AT_THING_SESSION] = "session",
		[AT_THING_TARGET] = "target",
		[AT_THING_INCARNATION] = "incarnation",
		[AT_THING_RECEIPT] = "receipt",
		[AT_THING_SEGMENT] = "segment",
		[AT_THING_DELETION] = "deletion",
		[AT_THING_ALERT] = "alert",
		[AT_THING_ALERT_ACTION] = "alert action",
		[AT_THING_LOG] = "log",
	};
	static const char *const faults[] = {
		[AT_FAULT_CHANGED] = "changed",       [AT_FAULT_MISSING] = "missing",
		[AT_FAULT_ADDED] = "added",           [AT_FAULT_REORDERED] = "reordered",
		[AT_FAULT_DUPLICATED] = "duplicated", [AT_FAULT_SHORTENED] = "shortened",
		[AT_FAULT_REWRITTEN] = "rewritten",   [AT_FAULT_FORKED] = "forked",
		[AT_FAULT_FORGED] = "forged",         [AT_FAULT_FOREIGN] = "foreign",
	};

	return psprintf("%s %s", things[finding->thing], faults[finding->fault]);
}

char *
at_hash_text(const AtHash *hash)
{
	char *text = palloc(AT_HASH_LEN * 2 + 1);

	hex_encode((const char *) hash, AT_HASH_LEN, text);
	text[AT_HASH_LEN * 2] = '\0';
	return text;
}
