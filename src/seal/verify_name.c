/*-------------------------------------------------------------------------
 * verify_name.c
 *		Batches checked name by name, to say what exactly is wrong.
 *
 * First the names and hashes in the tiles are loaded (names.h), then each
 * transaction is looked up by its name and compared with what was sealed,
 * then the window is searched for transactions that no tile names.
 *
 * In careful mode, what cannot be read is found by trying event for event.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

#include "ledger/datum.h"
#include "seal/names.h"

/* Bytes of a record key that are shown. */
#define KEY_SHOWN 60

/* Unreadable rows of a transaction that are passed over. */
#define MAX_UNREADABLE 20

/* A transaction's own leaf comes after those of its events. */
#define CLOSING_KEY PG_INT64_MAX

/* A transaction being compared. */
typedef struct OwnerCheck
{
	AtNames *check;
	AtOwner *owner;
	uint32 from_ordinal; /* where to start, in careful mode */
	uint64 next;         /* sealed leaf to be met, of the owner's */
	int64 last_key;      /* of the sealed leaf before */
	uint64 absent;
	List *differences; /* of AtDifference */

	/* seen */
	uint64 events;
	uint64 transactions;
	uint64 sessions;
} OwnerCheck;

static void check_owner(AtNames *check, AtOwner *owner);
static void compare_all(void *arg);
static void compare_events(void *arg);
static void compare_rows(void *arg);
static void compare(OwnerCheck *state, const AtLeaf *leaf);
static void add_found(OwnerCheck *state, const AtLeaf *leaf, const AtSealed *sealed);
static void pass_absent(OwnerCheck *state, int64 key);
static void compare_carefully(OwnerCheck *state);
static void report_owner(OwnerCheck *state);
static void read_window(void *arg);
static void check_stranger(void *arg);
static void report_unreadable(AtNames *check, const char *message);
static void check_unseen(AtNames *check);

void
at_verify_by_name(AtVerify *verify, const AtRange *range)
{
	AtNames check;
	uint64 before = at_findings_total(verify->findings);
	MemoryContext save = MemoryContextSwitchTo(at_names_open(&check, verify, range));
	char *message;

	(void) at_names_load(&check);
	for (uint64 i = 0; i < check.nowners; i++)
		check_owner(&check, &check.owner[i]);

	if (at_verify_try(verify, read_window, &check, &message))
	{
		for (uint64 i = 0; i < check.nstrangers; i++)
		{
			check.present = &check.stranger[i];
			if (!at_verify_try(verify, check_stranger, &check, &message))
				report_unreadable(&check, message);
		}
		check_unseen(&check);
	}
	if (range->first == range->last && range->last_is_sound &&
		at_findings_total(verify->findings) == before)
		at_findings_add(verify->findings,
						&(AtFinding){.thing = AT_THING_BATCH,
									 .fault = AT_FAULT_CHANGED,
									 .object = psprintf(UINT64_FORMAT, range->last),
									 .place = psprintf("batch " UINT64_FORMAT, range->last),
									 .expected = at_hash_text(&range->root),
									 .detail = "its rows do not give its root, counts or times"});
	MemoryContextSwitchTo(save);
	MemoryContextDelete(check.context);
}

bool
at_verify_one_by_name(AtVerify *verify, const AtRange *range, uint64 tx_id)
{
	AtNames check;
	MemoryContext save = MemoryContextSwitchTo(at_names_open(&check, verify, range));
	bool loaded = at_names_load(&check);
	char *message;

	for (uint64 i = 0; loaded && i < check.nowners; i++)
		if (check.owner[i].tx_id == tx_id)
			check_owner(&check, &check.owner[i]);
	if (loaded && at_verify_try(verify, read_window, &check, &message))
		for (uint64 i = 0; i < check.nstrangers; i++)
		{
			check.present = &check.stranger[i];
			if (check.stranger[i].tx_id == tx_id)
				check_stranger(&check);
		}
	MemoryContextSwitchTo(save);
	MemoryContextDelete(check.context);
	return loaded;
}

static void
check_owner(AtNames *check, AtOwner *owner)
{
	MemoryContext save = MemoryContextSwitchTo(check->owner_context);
	OwnerCheck state = {.check = check, .owner = owner, .from_ordinal = 1};
	char *message;

	if (!at_verify_try(check->verify, compare_all, &state, &message))
	{
		state = (OwnerCheck){.check = check, .owner = owner, .from_ordinal = 1};
		compare_carefully(&state);
	}
	report_owner(&state);
	check->verify->events += state.events;
	check->verify->transactions += state.transactions;
	check->verify->sessions += state.sessions;
	MemoryContextSwitchTo(save);
	MemoryContextReset(check->owner_context);
}

/* A reader that tells the purged leaves of the range; in careful mode it is another each time. */
static AtLeafReader *
get_leaves(AtNames *check)
{
	AtLeafReader *leaves = at_verify_leaves(check->verify);

	if (leaves != check->leaves)
	{
		MemoryContext save = MemoryContextSwitchTo(check->context);

		at_verify_set_ghosts(check->verify, leaves, check->range->first, check->range->last);
		MemoryContextSwitchTo(save);
		check->leaves = check->verify->is_careful ? NULL : leaves;
	}
	return leaves;
}

static void
compare_all(void *arg)
{
	OwnerCheck *state = arg;
	AtLeafReader *leaves = get_leaves(state->check);
	const AtLeaf *leaf;

	at_leaf_reader_find(leaves, state->owner->tx_id, AT_EVENTS_INDEXED);
	while ((leaf = at_leaf_reader_next(leaves)) != NULL)
		compare(state, leaf);
	pass_absent(state, PG_INT64_MAX);
}

static void
compare_events(void *arg)
{
	OwnerCheck *state = arg;
	AtLeafReader *leaves = get_leaves(state->check);
	const AtLeaf *leaf;

	at_leaf_reader_find_events(leaves, state->owner->tx_id, state->from_ordinal);
	while ((leaf = at_leaf_reader_next(leaves)) != NULL)
		compare(state, leaf);
	pass_absent(state, CLOSING_KEY - 1);
}

static void
compare_rows(void *arg)
{
	OwnerCheck *state = arg;
	AtLeafReader *leaves = get_leaves(state->check);
	const AtLeaf *leaf;

	at_leaf_reader_find_rows(leaves, state->owner->tx_id);
	while ((leaf = at_leaf_reader_next(leaves)) != NULL)
		compare(state, leaf);
	pass_absent(state, PG_INT64_MAX);
}

/* The sealed leaf to be met, or NULL. */
static const AtSealed *
next_sealed(const OwnerCheck *state)
{
	if (state->next == state->owner->count)
		return NULL;
	return &state->check->sealed[state->owner->first + state->next];
}

static int64
key_of(uint32 ordinal)
{
	return ordinal == 0 ? CLOSING_KEY : ordinal;
}

/* "public.orders, key 17", as far as it is text. */
static char *
describe_event(const AtEventRow *row)
{
	const AtEventBody *body = &row->body;
	int key_len = Min(body->record_key.len, KEY_SHOWN);
	StringInfoData text;

	initStringInfo(&text);
	if (row->target_missing)
		appendStringInfo(&text, "target %d", row->target_id);
	else
		appendStringInfo(&text, "%.*s.%.*s", (int) body->schema.len,
						 (const char *) body->schema.data, (int) body->table.len,
						 (const char *) body->table.data);
	if (body->record_key.data != NULL)
	{
		key_len = pg_mbcliplen(body->record_key.data, body->record_key.len, key_len);
		appendStringInfo(&text, ", key %.*s%s", key_len, (const char *) body->record_key.data,
						 key_len < body->record_key.len ? "..." : "");
	}
	if (!pg_verifymbstr(text.data, text.len, true))
		return NULL;
	return text.data;
}

/* A difference at the sealed leaf to be met, or, of what was added, before it. */
static AtDifference *
add_difference(OwnerCheck *state, AtFault fault, uint32 ordinal)
{
	AtDifference *difference = palloc0(sizeof(AtDifference));
	int64 at = state->owner->first + state->next;
	bool is_sealed = fault == AT_FAULT_CHANGED || fault == AT_FAULT_MISSING;

	difference->fault = fault;
	difference->tx_id = state->owner->tx_id;
	difference->ordinal = ordinal;
	difference->log_index = state->owner->log_index;
	difference->before = at_names_neighbour(state->check, at - 1, -1, ordinal != 0);
	difference->after = at_names_neighbour(state->check, is_sealed ? at + 1 : at, 1, ordinal != 0);
	state->differences = lappend(state->differences, difference);
	return difference;
}

/* Compare what is stored with what was sealed under the same name. */
static void
compare(OwnerCheck *state, const AtLeaf *leaf)
{
	AtVerify *verify = state->check->verify;
	int64 key = key_of(leaf->ordinal);

	pass_absent(state, key - 1);

	const AtSealed *sealed = next_sealed(state);
	bool expected = sealed != NULL && key_of(sealed->ordinal) == key;
	bool same = expected && memcmp(&sealed->hash, &leaf->hash, sizeof(AtHash)) == 0;

	if (leaf->is_purged)
	{
		verify->purged_events += leaf->ordinal != 0;
		verify->purged_transactions += leaf->ordinal == 0;
		state->owner->row_is_there |= leaf->ordinal == 0;
		state->owner->row_is_in_window |= leaf->ordinal == 0;
	}
	else if (leaf->event != NULL)
		state->events++;
	else
	{
		state->transactions++;
		state->sessions += leaf->has_session;
		state->owner->row_is_there = true;
		state->owner->row_differs |= !same;
		if (same && leaf->flaws->any)
			at_verify_report_flaws(verify, leaf, state->owner->log_index,
								   state->differences != NIL);
	}
	if (!same && (expected || !state->check->is_incomplete))
		add_found(state, leaf, expected ? sealed : NULL);
	if (same && leaf->event != NULL)
		at_findings_target_is_fine(verify->findings, leaf->event->target_id);
	if (expected)
	{
		state->next++;
		state->last_key = key;
	}
}

/* What is stored is not what was sealed, or nothing was. */
static void
add_found(OwnerCheck *state, const AtLeaf *leaf, const AtSealed *sealed)
{
	bool again = key_of(leaf->ordinal) == state->last_key;
	AtDifference *difference = add_difference(state,
											  sealed != NULL ? AT_FAULT_CHANGED
											  : again        ? AT_FAULT_DUPLICATED
															 : AT_FAULT_ADDED,
											  leaf->ordinal);

	difference->found = leaf->hash;
	if (sealed != NULL)
		difference->expected = sealed->hash;
	if (leaf->event != NULL)
	{
		difference->subject = describe_event(leaf->event);
		difference->target_id = leaf->event->target_id;
		difference->target_missing = leaf->event->target_missing;
	}
}

/* AtSealed leaves up to a key were not found. */
static void
pass_absent(OwnerCheck *state, int64 key)
{
	const AtSealed *sealed;

	for (; (sealed = next_sealed(state)) != NULL && key_of(sealed->ordinal) <= key; state->next++)
	{
		add_difference(state, AT_FAULT_MISSING, sealed->ordinal)->expected = sealed->hash;
		state->absent++;
	}
}

/* The sealed leaf to be met could not be read. */
static void
pass_unreadable(OwnerCheck *state, const char *message)
{
	const AtSealed *sealed = next_sealed(state);
	AtDifference *difference = add_difference(state, AT_FAULT_CHANGED, sealed->ordinal);

	difference->expected = sealed->hash;
	difference->is_unreadable = true;
	difference->detail = psprintf("it cannot be read: %s", message);
	state->next++;
}

/* Events one after the other from the last that could not be read; then the row. */
static void
compare_carefully(OwnerCheck *state)
{
	AtVerify *verify = state->check->verify;
	char *message;

	for (int i = 0; i < MAX_UNREADABLE; i++)
	{
		if (at_verify_try(verify, compare_events, state, &message))
			break;

		const AtSealed *sealed = next_sealed(state);

		if (sealed == NULL || sealed->ordinal == 0)
			break;
		pass_unreadable(state, message);
		state->from_ordinal = sealed->ordinal + 1;
		state->events++;
	}
	while (next_sealed(state) != NULL && next_sealed(state)->ordinal != 0)
		state->next++;
	if (!at_verify_try(verify, compare_rows, state, &message) && next_sealed(state) != NULL)
	{
		pass_unreadable(state, message);
		state->transactions++;
		state->owner->row_is_there = true;
		state->owner->row_differs = true;
	}
}

/* A transaction that went with all of its events is one finding. */
static void
report_owner(OwnerCheck *state)
{
	const AtOwner *owner = state->owner;
	ListCell *cell;

	foreach (cell, state->differences)
	{
		AtDifference *difference = lfirst(cell);
		bool whole = state->absent == owner->count && !owner->row_is_there;

		if (whole && difference->ordinal != 0 && cell != list_last_cell(state->differences))
			continue;
		if (whole && difference->ordinal == 0 && owner->count > 1)
			difference->detail = psprintf("and its " UINT64_FORMAT " events", owner->count - 1);
		at_findings_add_difference(state->check->verify->findings, difference);
	}
}

/* Search the window for what no tile names. */
static void
read_window(void *arg)
{
	AtNames *check = arg;
	AtTransactionReader *reader = at_transaction_reader_open(check->verify->snapshot);
	const AtTransactionRow *row;

	check->nstrangers = 0;
	at_transaction_reader_start(reader, &check->range->window);
	while ((row = at_transaction_reader_next(reader)) != NULL)
	{
		AtOwnerEntry *entry = hash_search(check->owner_by_tx_id, &row->body.tx_id, HASH_FIND, NULL);

		if (entry != NULL)
		{
			check->owner[entry->owner].row_is_in_window = true;
			continue;
		}
		check->stranger = at_names_grow(check, check->stranger, check->nstrangers,
										&check->stranger_capacity, sizeof(AtStranger));
		check->stranger[check->nstrangers++] =
			(AtStranger){.tx_id = row->body.tx_id, .relid = row->relid, .tid = row->tid};
	}
	at_transaction_reader_close(reader);
}

/* A transaction that no tile names: added, or not sealed yet, or its tile is not there. */
static void
check_stranger(void *arg)
{
	AtNames *check = arg;
	AtVerify *verify = check->verify;
	const AtRange *range = check->range;
	AtLeafReader *leaves = get_leaves(check);
	const AtLeaf *leaf;
	uint64 events = 0;

	at_leaf_reader_find(leaves, check->present->tx_id,
						range->is_tail ? AT_EVENTS_UNSEALED : AT_EVENTS_INDEXED);
	while ((leaf = at_leaf_reader_next(leaves)) != NULL)
	{
		events += leaf->event != NULL;

		/* a row that was changed may claim the name of another */
		if (leaf->transaction == NULL || leaf->transaction->relid != check->present->relid ||
			!ItemPointerEquals(unconstify(ItemPointerData *, &leaf->transaction->tid),
							   unconstify(ItemPointerData *, &check->present->tid)))
			continue;

		verify->transactions++;
		verify->sessions += leaf->has_session;
		verify->events += events;
		events = 0;
		if (range->is_tail)
			verify->unsealed++;
		if (range->is_tail || check->is_incomplete)
		{
			if (leaf->flaws->any)
				at_verify_report_flaws(verify, leaf, range->is_tail ? AT_UNSEALED : range->last,
									   false);
			continue;
		}
		at_findings_add_difference(
			verify->findings,
			&(AtDifference){
				.fault = AT_FAULT_ADDED,
				.tx_id = leaf->tx_id,
				.log_index = range->last,
				.found = leaf->hash,
				.detail = psprintf("and its %u events", leaf->transaction->body.event_count)});
	}
}

/* A transaction that no tile names, so that nothing is known of its events. */
static void
report_unreadable(AtNames *check, const char *message)
{
	uint64 log_index = check->range->is_tail ? AT_UNSEALED : check->range->last;
	uint64 tx_id = check->present->tx_id;

	at_findings_add(check->verify->findings,
					&(AtFinding){.thing = AT_THING_TRANSACTION,
								 .fault = AT_FAULT_CHANGED,
								 .object = psprintf(UINT64_FORMAT, tx_id),
								 .place = at_leaf_place(tx_id, 0, NULL, log_index),
								 .log_index = log_index,
								 .detail = psprintf("it cannot be read: %s", message)});
}

/* A row that is found by its name, but not among those of its time. */
static void
check_unseen(AtNames *check)
{
	for (uint64 i = 0; i < check->nowners; i++)
	{
		const AtOwner *owner = &check->owner[i];

		if (owner->row_is_there && !owner->row_differs && !owner->row_is_in_window)
			at_findings_add(
				check->verify->findings,
				&(AtFinding){
					.thing = AT_THING_TRANSACTION,
					.fault = AT_FAULT_MISSING,
					.object = psprintf(UINT64_FORMAT, owner->tx_id),
					.place = psprintf("transaction " UINT64_FORMAT ", batch " UINT64_FORMAT,
									  owner->tx_id, owner->log_index),
					.log_index = owner->log_index,
					.detail = "it is stored, but the index does not lead to it in its order"});
	}
}
