/*-------------------------------------------------------------------------
 * verify_alert_action.c
 *		Does audit.alert_action say what the sealed events say?
 *
 * Each row has an event, which says the same and besides what the alert was
 * about. So a row without an event is forged, an event without a row tells of
 * one that was removed, and where the two differ the row was changed, or that
 * of the alert. The events themselves were checked by the steps before: what is
 * reported there is not said again.
 *
 * Where the event was purged by authority its name still stands in the tiles.
 * That the row was not changed since can then not be told.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/hsearch.h"
#include "utils/memutils.h"

#include "ledger/alert_action.h"
#include "ledger/datum.h"
#include "ledger/scan.h"
#include "seal/verify.h"

/* The event that a row names. */
typedef struct Named
{
	struct
	{
		uint64 tx_id;
		uint64 ordinal;
	} name; /* key */
	int64 action_id;
	bool is_there; /* or was purged */
} Named;

typedef struct ActionCheck
{
	AtVerify *verify;
	MemoryContext row_context;
	AtEventReader *events;
	AtScan *alerts;
	HTAB *named;
	int absent; /* rows whose event is not there */
} ActionCheck;

static void check_row(TupleTableSlot *slot, void *arg);
static const AtEventRow *find_event(ActionCheck *check, AtEventName name);
static const char *question(ActionCheck *check, const AtAlertAction *action,
							const AtEventRow *event);
static bool find_alert(ActionCheck *check, int64 alert_id, AtAlertFacts *alert);
static void excuse_purged(ActionCheck *check);
static void report_absent(ActionCheck *check);
static void check_events(ActionCheck *check);
static Named *find_named(ActionCheck *check, AtEventName name, HASHACTION action, bool *found);
static void report(AtVerify *verify, AtFault fault, int64 action_id, const char *detail);

void
at_verify_alert_actions(AtVerify *verify)
{
	HASHCTL control = {.keysize = sizeof(((Named *) NULL)->name),
					   .entrysize = sizeof(Named),
					   .hcxt = CurrentMemoryContext};
	ActionCheck check = {
		.verify = verify,
		.row_context =
			AllocSetContextCreate(CurrentMemoryContext, "audit row", ALLOCSET_DEFAULT_SIZES),
		.events = at_event_reader_open(verify->snapshot),
		.alerts = at_scan_open(AT_SCAN_ALERT_BY_ID, verify->snapshot),
		.named =
			hash_create("audit alert actions", 64, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT),
	};

	at_scan_heap(AT_LEDGER_ALERT_ACTION, verify->snapshot, check_row, &check);
	if (check.absent > 0)
	{
		excuse_purged(&check);
		report_absent(&check);
	}
	check_events(&check);
	at_scan_close(check.alerts);
	at_event_reader_close(check.events);
}

static void
check_row(TupleTableSlot *slot, void *arg)
{
	ActionCheck *check = arg;
	MemoryContext save = MemoryContextSwitchTo(check->row_context);
	bool should_free;
	HeapTuple row = ExecFetchSlotHeapTuple(slot, false, &should_free);
	AtAlertAction action;
	Named *named;
	bool again;

	at_alert_action_read(&action, row, slot->tts_tupleDescriptor);
	named = find_named(check, action.event, HASH_ENTER, &again);
	if (again)
		report(check->verify, AT_FAULT_DUPLICATED, action.action_id, NULL);
	else
	{
		const AtEventRow *event = find_event(check, action.event);
		const char *problem = event != NULL ? question(check, &action, event) : NULL;

		named->action_id = action.action_id;
		named->is_there = event != NULL;
		check->absent += event == NULL;
		if (problem != NULL)
			report(check->verify, AT_FAULT_CHANGED, action.action_id, problem);
	}
	MemoryContextSwitchTo(save);
	MemoryContextReset(check->row_context);
}

static const AtEventRow *
find_event(ActionCheck *check, AtEventName name)
{
	const AtEventRow *event;

	at_event_reader_start(check->events, AT_EVENTS_UNSEALED, name.tx_id, name.ordinal);
	event = at_event_reader_next(check->events);
	return event != NULL && event->place == name.ordinal ? event : NULL;
}

static bool
is_text(AtSpan span, const char *text)
{
	return span.data != NULL && text != NULL && span.len == strlen(text) &&
		   memcmp(span.data, text, span.len) == 0;
}

/* What the event tells otherwise; NULL: nothing. */
static const char *
question(ActionCheck *check, const AtAlertAction *action, const AtEventRow *event)
{
	const AtEventBody *body = &event->body;
	char *name = psprintf("event " UINT64_FORMAT ".%u", action->event.tx_id, action->event.ordinal);
	StringInfoData values;
	AtAlertFacts alert;

	/* what is wrong with the alert is said already */
	if (hash_search(check->verify->odd_alerts, &action->alert_id, HASH_FIND, NULL) != NULL)
		return NULL;
	if (body->op != AT_ALERT_ACTION_OP ||
		!is_text(body->event_type, at_alert_action_type(action->kind)) ||
		!is_text(body->record_key, psprintf(INT64_FORMAT, action->alert_id)) ||
		body->occurred_at != at_unix_microseconds(action->acted_at))
		return psprintf("%s tells of something else", name);
	if (!find_alert(check, action->alert_id, &alert))
		return psprintf("%s tells of alert " INT64_FORMAT ", which is missing", name,
						action->alert_id);
	initStringInfo(&values);
	appendStringInfoChar(&values, '{');
	at_alert_action_values(action, &alert, &values);
	appendStringInfoChar(&values, '}');
	if (!is_text(body->new_values, values.data))
		return psprintf(
			"%s has %s, and the rows of the action and of alert " INT64_FORMAT " have %s", name,
			pnstrdup(body->new_values.data, body->new_values.len), action->alert_id, values.data);
	return NULL;
}

static bool
find_alert(ActionCheck *check, int64 alert_id, AtAlertFacts *alert)
{
	TupleTableSlot *slot;
	bool should_free;

	at_scan_start(check->alerts, alert_id, alert_id);
	if (!at_scan_next(check->alerts))
		return false;
	slot = check->alerts->slot;
	at_alert_facts_read(alert, ExecFetchSlotHeapTuple(slot, false, &should_free),
						slot->tts_tupleDescriptor);
	return alert->alert_id == alert_id;
}

/* Events that were purged by authority are still named by the tiles. */
static void
excuse_purged(ActionCheck *check)
{
	AtVerify *verify = check->verify;
	const AtGaps *gaps = verify->gaps;

	for (uint64 i = 0; i < gaps->count; i++)
	{
		MemoryContext save = MemoryContextSwitchTo(check->row_context);
		AtGhost *ghosts;
		uint64 count;

		/* the gaps of a batch stand together, and are read together */
		if (i > 0 && gaps->gap[i - 1].log_index == gaps->gap[i].log_index)
		{
			MemoryContextSwitchTo(save);
			continue;
		}
		count = at_gaps_ghosts(gaps, at_verify_tiles(verify), gaps->gap[i].log_index, &ghosts);
		for (uint64 j = 0; j < count; j++)
		{
			Named *named = find_named(
				check, (AtEventName){.tx_id = ghosts[j].tx_id, .ordinal = ghosts[j].ordinal},
				HASH_FIND, NULL);

			if (named != NULL)
				named->is_there = true;
		}
		MemoryContextSwitchTo(save);
		MemoryContextReset(check->row_context);
	}
}

/* Should the transaction have that event? Then its loss is reported already. */
static bool
is_missing(AtTransactionReader *reader, const Named *named)
{
	const AtTransactionRow *row;

	at_transaction_finder_start(reader, named->name.tx_id);
	row = at_transaction_reader_next(reader);
	return row != NULL && named->name.ordinal <= row->body.event_count;
}

static void
report_absent(ActionCheck *check)
{
	AtFindings *findings = check->verify->findings;
	AtTransactionReader *reader = at_transaction_finder_open(check->verify->snapshot);
	HASH_SEQ_STATUS status;
	Named *named;

	hash_seq_init(&status, check->named);
	while ((named = hash_seq_search(&status)) != NULL)
		if (!named->is_there && !is_missing(reader, named) &&
			!at_findings_misses(findings, named->name.tx_id, 0))
			report(check->verify, AT_FAULT_ADDED, named->action_id,
				   psprintf("there is no event " UINT64_FORMAT "." UINT64_FORMAT
							" that tells of it",
							named->name.tx_id, named->name.ordinal));
	at_transaction_reader_close(reader);
}

/* Each event has its row. */
static void
check_events(ActionCheck *check)
{
	for (uint64 i = 0; i < check->verify->actions.count; i++)
	{
		AtEventName name = check->verify->actions.name[i];

		if (find_named(check, name, HASH_FIND, NULL) == NULL)
			report(check->verify, AT_FAULT_MISSING, 0,
				   psprintf("event " UINT64_FORMAT ".%u tells of it", name.tx_id, name.ordinal));
	}
}

static Named *
find_named(ActionCheck *check, AtEventName name, HASHACTION action, bool *found)
{
	Named key = {.name = {.tx_id = name.tx_id, .ordinal = name.ordinal}};

	return hash_search(check->named, &key.name, action, found);
}

static void
report(AtVerify *verify, AtFault fault, int64 action_id, const char *detail)
{
	at_findings_add(
		verify->findings,
		&(AtFinding){.thing = AT_THING_ALERT_ACTION,
					 .fault = fault,
					 .object = action_id == 0 ? NULL : psprintf(INT64_FORMAT, action_id),
					 .place = action_id == 0 ? pstrdup("audit.alert_action")
											 : psprintf("alert action " INT64_FORMAT, action_id),
					 .detail = detail});
}
