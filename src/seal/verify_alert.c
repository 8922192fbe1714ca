/*-------------------------------------------------------------------------
 * verify_alert.c
 *		Is audit.alert what the sealed events say?
 *
 * Events of the notifier name alerts, each with a hash of its row
 * (ledger/alert_seal.h). So an alert that an event names and that is not there
 * was removed, and one with another hash was changed.
 *
 * An alert that no event names is younger than the last of them, or its event
 * was purged. But where there is an event of the window in which its
 * transaction has settled, that would name it: then it is forged. So it is
 * if there is no such transaction.
 *
 * Memory: a number for each alert.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xlog.h"
#include "lib/qunique.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "base/columns.h"
#include "ledger/alert_seal.h"
#include "ledger/datum.h"
#include "ledger/scan.h"
#include "seal/verify.h"

#define MIN_NAMED 1024

/* An alert that no event names, with the transaction of its event. */
typedef struct Lone
{
	int64 alert_id;
	int64 tx_id;
	bool is_recorded; /* there is such a transaction: */
	int64 xid;
	uint64 system_identifier;
	Oid database_oid;
	bool is_settled; /* reported, or excused */
} Lone;

typedef struct AlertCheck
{
	AtVerify *verify;
	MemoryContext row_context;
	AtEventReader *events;
	AtTransactionReader *transactions;
	AtScan *alerts;

	/* numbers of alerts that events name, ascending when all are known */
	uint64 nnamed;
	uint64 room;
	int64 *named;
	bits8 *met; /* a bit for each: its row was met */

	uint64 nlone;
	Lone *lone;
} AlertCheck;

/* What an event says; texts are of its row. */
typedef struct Seal
{
	AtEventName name;
	AtText since;
	AtText until;
	AtText alerts;
} Seal;

static void each_seal(AlertCheck *check, void (*see)(AlertCheck *check, Seal *seal));
static void see_named(AlertCheck *check, Seal *seal);
static void compare(AlertCheck *check, const Seal *seal, int64 alert_id, AtText hash);
static void sort_named(AlertCheck *check);
static void meet_row(TupleTableSlot *slot, void *arg);
static void add_lone(AlertCheck *check, int64 alert_id, int64 tx_id);
static void judge_lone(AlertCheck *check);
static void find_transaction(AlertCheck *check, Lone *lone);
static void excuse_purged(AlertCheck *check);
static void see_window(AlertCheck *check, Seal *seal);
static void report(AlertCheck *check, AtFault fault, int64 alert_id, AtFinding finding);

void
at_verify_alerts(AtVerify *verify)
{
	HASHCTL control = {
		.keysize = sizeof(int64), .entrysize = sizeof(int64), .hcxt = verify->context};
	AlertCheck check = {
		.verify = verify,
		.row_context =
			AllocSetContextCreate(CurrentMemoryContext, "audit row", ALLOCSET_DEFAULT_SIZES),
		.events = at_event_reader_open(verify->snapshot),
		.transactions = at_transaction_finder_open(verify->snapshot),
		.alerts = at_scan_open(AT_SCAN_ALERT_BY_ID, verify->snapshot),
		.room = MIN_NAMED,
		.named = palloc(sizeof(int64) * MIN_NAMED),
	};

	verify->odd_alerts =
		hash_create("audit odd alerts", 64, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	each_seal(&check, see_named);
	sort_named(&check);
	at_scan_heap(AT_LEDGER_ALERT, verify->snapshot, meet_row, &check);
	if (check.nlone > 0)
		judge_lone(&check);
	at_scan_close(check.alerts);
	at_transaction_reader_close(check.transactions);
	at_event_reader_close(check.events);
}

/* An event that cannot be read is none of ours, or reported. */
static void
each_seal(AlertCheck *check, void (*see)(AlertCheck *check, Seal *seal))
{
	const AtEventNames *names = &check->verify->seals;

	for (uint64 i = 0; i < names->count; i++)
	{
		MemoryContext save = MemoryContextSwitchTo(check->row_context);
		Seal seal = {.name = names->name[i]};
		const AtEventRow *event;

		CHECK_FOR_INTERRUPTS();
		at_event_reader_start(check->events, AT_EVENTS_UNSEALED, seal.name.tx_id,
							  seal.name.ordinal);
		event = at_event_reader_next(check->events);
		if (event != NULL && event->place == seal.name.ordinal &&
			at_alert_seal_read(event->body.new_values, &seal.since, &seal.until, &seal.alerts))
			see(check, &seal);
		MemoryContextSwitchTo(save);
		MemoryContextReset(check->row_context);
	}
}

static void
see_named(AlertCheck *check, Seal *seal)
{
	int64 alert_id;
	AtText hash;

	while (at_alert_seal_next(&seal->alerts, &alert_id, &hash))
	{
		if (check->nnamed == check->room)
		{
			check->room *= 2;
			check->named = repalloc_huge(check->named, sizeof(int64) * check->room);
		}
		check->named[check->nnamed++] = alert_id;
		compare(check, seal, alert_id, hash);
	}
}

static void
compare(AlertCheck *check, const Seal *seal, int64 alert_id, AtText hash)
{
	char *detail =
		psprintf("event " UINT64_FORMAT ".%u names it", seal->name.tx_id, seal->name.ordinal);
	char *expected = pnstrdup(hash.data, hash.len);
	char *found;

	at_scan_start(check->alerts, alert_id, alert_id);
	if (!at_scan_next(check->alerts))
	{
		report(check, AT_FAULT_MISSING, alert_id,
			   (AtFinding){.expected = expected, .detail = detail});
		return;
	}
	slot_getallattrs(check->alerts->slot);
	found = at_alert_seal_hash(check->alerts->slot->tts_values, check->alerts->slot->tts_isnull);
	if (strcmp(found, expected) != 0)
		report(check, AT_FAULT_CHANGED, alert_id,
			   (AtFinding){.expected = expected, .found = found, .detail = detail});
}

static int
compare_numbers(const void *a, const void *b)
{
	int64 x = *(const int64 *) a;
	int64 y = *(const int64 *) b;

	return x < y ? -1 : x > y;
}

/* More than one event may name an alert, where the place of the notifier was lost. */
static void
sort_named(AlertCheck *check)
{
	qsort(check->named, check->nnamed, sizeof(int64), compare_numbers);
	check->nnamed = qunique(check->named, check->nnamed, sizeof(int64), compare_numbers);
	check->met = MemoryContextAllocExtended(CurrentMemoryContext, check->nnamed / 8 + 1,
											MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
}

static void
meet_row(TupleTableSlot *slot, void *arg)
{
	AlertCheck *check = arg;
	bool isnull;
	int64 alert_id = DatumGetInt64(slot_getattr(slot, Anum_alert_alert_id, &isnull));
	int64 *named = bsearch(&alert_id, check->named, check->nnamed, sizeof(int64), compare_numbers);

	if (named == NULL)
	{
		add_lone(check, alert_id, DatumGetInt64(slot_getattr(slot, Anum_alert_tx_id, &isnull)));
		return;
	}

	bits8 *bits = &check->met[(named - check->named) / 8];
	bits8 bit = 1 << (named - check->named) % 8;

	if (*bits & bit)
		report(check, AT_FAULT_DUPLICATED, alert_id, (AtFinding){0});
	*bits |= bit;
}

static void
add_lone(AlertCheck *check, int64 alert_id, int64 tx_id)
{
	uint64 count = check->nlone;

	if (count == 0)
		check->lone = palloc(sizeof(Lone) * MIN_NAMED);
	else if (count >= MIN_NAMED && (count & (count - 1)) == 0)
		check->lone = repalloc_huge(check->lone, sizeof(Lone) * count * 2);
	check->lone[check->nlone++] = (Lone){.alert_id = alert_id, .tx_id = tx_id};
}

static int
compare_lone(const void *a, const void *b)
{
	return compare_numbers(&((const Lone *) a)->tx_id, &((const Lone *) b)->tx_id);
}

static int
compare_xids(const void *a, const void *b)
{
	return compare_numbers(&((const Lone *) a)->xid, &((const Lone *) b)->xid);
}

/* For windows they are in the order of their xids, for all before in that of their tx_ids. */
static void
judge_lone(AlertCheck *check)
{
	qsort(check->lone, check->nlone, sizeof(Lone), compare_lone);
	for (uint64 i = 0; i < check->nlone; i++)
		find_transaction(check, &check->lone[i]);
	excuse_purged(check);
	qsort(check->lone, check->nlone, sizeof(Lone), compare_xids);
	each_seal(check, see_window);
	for (uint64 i = 0; i < check->nlone; i++)
	{
		const Lone *lone = &check->lone[i];

		if (!lone->is_settled && !lone->is_recorded &&
			!at_findings_misses(check->verify->findings, lone->tx_id, 0))
			report(check, AT_FAULT_ADDED, lone->alert_id,
				   (AtFinding){.detail = psprintf("there is no transaction " INT64_FORMAT
												  ", which it names",
												  lone->tx_id)});
	}
}

static void
find_transaction(AlertCheck *check, Lone *lone)
{
	const AtTransactionRow *row;

	at_transaction_finder_start(check->transactions, lone->tx_id);
	row = at_transaction_reader_next(check->transactions);
	lone->is_recorded = row != NULL;
	if (row == NULL)
		return;
	lone->xid = row->body.xid;
	lone->system_identifier = row->body.system_identifier;
	lone->database_oid = row->body.database_oid;
}

/* Where the transaction was purged by authority, so was what names the alert, perhaps. */
static void
excuse_purged(AlertCheck *check)
{
	const AtGaps *gaps = check->verify->gaps;

	for (uint64 i = 0; i < gaps->count; i++)
	{
		MemoryContext save = MemoryContextSwitchTo(check->row_context);
		AtGhost *ghosts;
		uint64 count = 0;

		/* the gaps of a batch stand together, and are read together */
		if (i == 0 || gaps->gap[i - 1].log_index != gaps->gap[i].log_index)
			count = at_gaps_ghosts(gaps, at_verify_tiles(check->verify), gaps->gap[i].log_index,
								   &ghosts);
		for (uint64 j = 0; j < count; j++)
		{
			Lone key = {.tx_id = ghosts[j].tx_id};
			Lone *lone = bsearch(&key, check->lone, check->nlone, sizeof(Lone), compare_lone);

			while (lone != NULL && lone > check->lone && lone[-1].tx_id == key.tx_id)
				lone--;
			for (; lone != NULL && lone < check->lone + check->nlone && lone->tx_id == key.tx_id;
				 lone++)
				lone->is_settled |= !lone->is_recorded;
		}
		MemoryContextSwitchTo(save);
		MemoryContextReset(check->row_context);
	}
}

/* The first whose transaction is this one, or a later one. */
static uint64
find_lone(const AlertCheck *check, int64 xid)
{
	uint64 low = 0;
	uint64 high = check->nlone;

	while (low < high)
	{
		uint64 middle = low + (high - low) / 2;

		if (check->lone[middle].xid < xid)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* An event that would name an alert whose transaction settled in its window. */
static void
see_window(AlertCheck *check, Seal *seal)
{
	const AtTransactionRow *row;
	AtSettled since = {.xmax = 1};
	AtSettled until;

	if (seal->until.len == 0 ||
		!at_settled_parse((AtSpan){seal->until.data, seal->until.len}, &until) ||
		(seal->since.len > 0 &&
		 !at_settled_parse((AtSpan){seal->since.data, seal->since.len}, &since)))
		return;
	at_transaction_finder_start(check->transactions, seal->name.tx_id);
	row = at_transaction_reader_next(check->transactions);
	for (uint64 i = find_lone(check, since.nrunning > 0 ? since.running[0] : since.xmax);
		 row != NULL && i < check->nlone && check->lone[i].xid < until.xmax; i++)
	{
		Lone *lone = &check->lone[i];

		if (lone->is_settled || !lone->is_recorded ||
			lone->system_identifier != row->body.system_identifier ||
			lone->database_oid != row->body.database_oid || !at_settled_has(&until, lone->xid) ||
			at_settled_has(&since, lone->xid))
			continue;
		lone->is_settled = true;
		report(check, AT_FAULT_ADDED, lone->alert_id,
			   (AtFinding){.detail = psprintf("event " UINT64_FORMAT
											  ".%u names those of its time, and not this one",
											  seal->name.tx_id, seal->name.ordinal)});
	}
}

static void
report(AlertCheck *check, AtFault fault, int64 alert_id, AtFinding finding)
{
	finding.thing = AT_THING_ALERT;
	finding.fault = fault;
	finding.object = psprintf(INT64_FORMAT, alert_id);
	finding.place = psprintf("alert " INT64_FORMAT, alert_id);
	at_findings_add(check->verify->findings, &finding);
	(void) hash_search(check->verify->odd_alerts, &alert_id, HASH_ENTER, NULL);
}
