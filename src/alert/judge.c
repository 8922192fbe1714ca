/*-------------------------------------------------------------------------
 * judge.c
 *		Rules that take more than one event: bursts, and what did not follow.
 *
 * A pass takes the matches whose transactions have settled since the pass before, the
 * difference of two snapshots, with one REPEATABLE READ snapshot for the pick
 * and the new cursor, as the notifier does. Of each actor that has new ones it counts
 * those around them again. An alert for a burst leaves a match that says so, so
 * that one that is committed late raises no second one for the same time.
 *
 * Locks: that of passes on audit.alert_judgement.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "alert/burst.h"
#include "alert/judge.h"
#include "alert/match.h"
#include "alert/notifier.h"
#include "alert/raise.h"
#include "alert/recorded.h"
#include "alert/sealing.h"
#include "alert/spent.h"
#include "base/catalog.h"
#include "base/clock.h"
#include "base/columns.h"
#include "base/latest.h"
#include "ledger/append.h"
#include "ledger/datum.h"
#include "ledger/let_go.h"
#include "ledger/reader.h"
#include "ledger/settled.h"
#include "ledger/transaction.h"

/* The notifier may be woken hundreds of times a second. */
#define PAUSE_MS 100

/* How soon to look without being woken. */
#define POLL_MS 1000

/* Of one actor's matches, so many in memory. */
#define PORTION 1000

/* Of what is due, so many are judged in a pass. */
#define MAX_DUE 1000

/* From the last pass to now. */
typedef struct Window
{
	int64 pass_id;
	bool first;
	AtSettled from;
	AtSettled until;
	char *until_text;
	TimestampTz now;
} Window;

/* A row of audit.alert_match. */
typedef struct Match
{
	AtEventName name;
	const char *rule;
	const char *actor; /* NULL: none */
	TimestampTz matched_at;
	TimestampTz due_at; /* 0: it is of a burst */
	bool alerted;       /* it is no match, but tells that a burst raised an alert for this event */
} Match;

/* The new matches of an actor. */
typedef struct Fresh
{
	char *rule;
	char *actor;
	TimestampTz first_at;
	TimestampTz last_at;
} Fresh;

/* Right after an error: a plan is set only when whole. */
static struct
{
	int64 judged_ms; /* when a pass was last */
	bool any_rules;  /* it found rules that are judged later */
	SPIPlanPtr cursor;
	SPIPlanPtr fresh;
	SPIPlanPtr around;
	SPIPlanPtr alerted;
	SPIPlanPtr due;
	SPIPlanPtr next_due;
} judge;

/* Which matches of this database are new: $1 xmax and $2 running of the last pass, $3 and $4 of
 * now. */
#define IS_HERE                                                                                    \
	"EXISTS (SELECT FROM audit.transaction t WHERE t.tx_id = m.tx_id "                             \
	"AND t.system_identifier = $5 AND t.database_oid = $6)"
#define IS_FRESH "(m.xid >= $1 OR m.xid = ANY ($2)) AND m.xid < $3 AND m.xid <> ALL ($4)"

static const char cursor_query[] =
	"SELECT (SELECT coalesce(max(p.pass_id), 0) + 1 FROM audit.alert_judgement p), "
	"l.snapshot FROM (SELECT 1) o LEFT JOIN LATERAL ("
	"SELECT p.snapshot FROM audit.alert_judgement p WHERE "
	"p.system_identifier = $1 AND p.database_oid = $2 ORDER BY p.pass_id DESC LIMIT 1) l ON true";

static const char fresh_query[] =
	"SELECT m.rule_name, m.actor, min(m.matched_at), max(m.matched_at) FROM audit.alert_match m "
	"WHERE m.due_at IS NULL AND NOT m.alerted AND " IS_FRESH " AND " IS_HERE " GROUP BY 1, 2";

static const char around_query[] =
	"SELECT m.matched_at, m.alerted, m.tx_id, m.ordinal FROM audit.alert_match m "
	"WHERE m.rule_name = $1 AND m.actor IS NOT DISTINCT FROM $2 AND m.due_at IS NULL "
	"AND m.matched_at > $3 AND m.matched_at < $4 "
	"ORDER BY m.matched_at, m.alerted DESC, m.tx_id, m.ordinal";

static const char alerted_query[] =
	"SELECT FROM audit.alert_match m WHERE m.rule_name = $1 AND m.actor IS NOT DISTINCT FROM $2 "
	"AND m.alerted AND m.matched_at > $3 AND m.matched_at < $4";

/* What was judged leaves, so all that is there is to be judged. */
static const char due_query[] =
	"SELECT m.tx_id, m.ordinal, m.rule_name, m.due_at, m.ctid, EXISTS (SELECT FROM "
	"audit.transaction t WHERE t.tx_id = m.tx_id AND t.system_identifier = $2 AND "
	"t.database_oid = $3) FROM audit.alert_match m WHERE m.due_at <= $1 "
	"ORDER BY m.due_at LIMIT $4";

static const char next_due_query[] =
	"SELECT min(m.due_at) FROM audit.alert_match m WHERE m.due_at IS NOT NULL";

static long judge_as_reader(void);
static long judge_window(void);
static bool any_rules(void);
static void read_window(Window *window);
static List *read_fresh(const Window *window);
static bool has_alert(const Fresh *fresh, TimestampTz after, TimestampTz before);
static void judge_burst(const Fresh *fresh);
static void raise_burst(const AtRule *rule, const Fresh *fresh, TimestampTz at, AtEventName name);
static int judge_due(const Window *window);
static void judge_absence(const char *name, AtEventName event, TimestampTz due);
static long until_due(TimestampTz now);
static void raise_recorded(const AtRule *rule, AtRecorded *recorded);
static bool find_rule(const char *name, AtRuleKind kind, AtRule *rule);
static void append_match(const Match *match);
static void append_judgement(const Window *window);

/* ---- in the transaction of the event ---- */

void
at_judge_note(const AtRule *rule, AtObserved *observed)
{
	TimestampTz at = at_observed_at(observed);

	append_match(&(Match){
		.name = observed->change->name,
		.rule = rule->name,
		.actor = at_observed_who(observed)->actor,
		.matched_at = at,
		.due_at = rule->kind == AT_RULE_ABSENT ? at + rule->within : 0,
	});
}

static void
append_match(const Match *match)
{
	Datum values[Natts_alert_match];
	bool nulls[Natts_alert_match] = {false};

	values[Anum_alert_match_xid - 1] =
		Int64GetDatum(U64FromFullTransactionId(GetTopFullTransactionId()));
	values[Anum_alert_match_tx_id - 1] = Int64GetDatum(match->name.tx_id);
	values[Anum_alert_match_ordinal - 1] = Int32GetDatum(match->name.ordinal);
	at_set_text(values, nulls, Anum_alert_match_rule_name, match->rule);
	at_set_text(values, nulls, Anum_alert_match_actor, match->actor);
	values[Anum_alert_match_matched_at - 1] = TimestampTzGetDatum(match->matched_at);
	values[Anum_alert_match_due_at - 1] = TimestampTzGetDatum(match->due_at);
	nulls[Anum_alert_match_due_at - 1] = match->due_at == 0;
	values[Anum_alert_match_alerted - 1] = BoolGetDatum(match->alerted);
	at_append(AT_LEDGER_ALERT_MATCH, values, nulls);
}

/* ---- in the notifier ---- */

long
at_judge_pass(void)
{
	static const AtLedgerTable written[] = {AT_LEDGER_ALERT,           AT_LEDGER_ALERT_MATCH,
											AT_LEDGER_ALERT_JUDGEMENT, AT_LEDGER_EVENT,
											AT_LEDGER_TRANSACTION,     AT_LEDGER_SESSION};
	int64 since_ms = at_clock_ms() - judge.judged_ms;
	long next_ms = POLL_MS;

	if (RecoveryInProgress())
		return POLL_MS;
	if (since_ms < PAUSE_MS)
		return judge.any_rules ? PAUSE_MS - since_ms : POLL_MS;
	judge.judged_ms = at_clock_ms();
	StartTransactionCommand();
	XactIsoLevel = XACT_REPEATABLE_READ;
	judge.any_rules = at_ledger_exists() && at_incarnation_begun() && any_rules();
	if (judge.any_rules)
	{
		at_ledger_lock_passes(AT_LEDGER_ALERT_JUDGEMENT);
		at_ledger_lock_to_write(written, lengthof(written));
		at_notifier_use_indexes();
		PushActiveSnapshot(GetTransactionSnapshot());
		SPI_connect();
		next_ms = judge_as_reader();
		at_sealing_own();
		SPI_finish();
		PopActiveSnapshot();
	}
	CommitTransactionCommand();
	return next_ms;
}

/* The view of events has row policies, which a worker does without otherwise; and this is no
 * reading of anybody's. */
static long
judge_as_reader(void)
{
	volatile long next_ms = 0;
	int nest_level = NewGUCNestLevel();
	bool save = at_reader_is_ours;

	(void) set_config_option("row_security", "on", PGC_SUSET, PGC_S_SESSION, GUC_ACTION_SAVE, true,
							 0, false);
	PG_TRY();
	{
		at_reader_is_ours = true;
		next_ms = judge_window();
	}
	PG_FINALLY();
	{
		at_reader_is_ours = save;
	}
	PG_END_TRY();
	AtEOXact_GUC(true, nest_level);
	return next_ms;
}

/* Idle passes leave no trace, but the first one sets the cursor. */
static long
judge_window(void)
{
	Window window;
	List *fresh;
	ListCell *cell;
	int due;

	read_window(&window);
	fresh = read_fresh(&window);
	due = judge_due(&window);
	foreach (cell, fresh)
		judge_burst(lfirst(cell));
	if (window.first || fresh != NIL)
	{
		append_judgement(&window);
		at_spent_let_go(&window.until, window.now);
	}
	return due == MAX_DUE ? PAUSE_MS : until_due(window.now);
}

/* Are there rules that are judged later? */
static bool
any_rules(void)
{
	AtLatest latest;
	HeapTuple tuple;
	bool any = false;

	at_latest_begin(&latest, at_audit_relid(AT_RULE_TABLE), NULL, 0, NULL);
	while (!any && HeapTupleIsValid(tuple = at_latest_next(&latest)))
	{
		bool isnull;
		char *kind = TextDatumGetCString(heap_getattr(tuple, Anum_rule_kind, latest.desc, &isnull));

		any = strcmp(kind, at_rule_kinds[AT_RULE_BURST]) == 0 ||
			  strcmp(kind, at_rule_kinds[AT_RULE_ABSENT]) == 0;
	}
	at_latest_end(&latest);
	return any;
}

static void
query(SPIPlanPtr *plan, const char *text, int nargs, Oid *types, Datum *values, const char *nulls)
{
	if (SPI_execute_plan(at_notifier_plan(plan, text, nargs, types), values, nulls, true, 0) !=
		SPI_OK_SELECT)
		elog(ERROR, "could not execute: %s", text);
}

static void
read_window(Window *window)
{
	Oid types[] = {INT8OID, OIDOID};
	Datum values[] = {Int64GetDatum(GetSystemIdentifier()), ObjectIdGetDatum(MyDatabaseId)};
	const char *from;
	bool isnull;

	query(&judge.cursor, cursor_query, lengthof(types), types, values, NULL);

	HeapTuple row = SPI_tuptable->vals[0];
	TupleDesc desc = SPI_tuptable->tupdesc;

	window->pass_id = DatumGetInt64(SPI_getbinval(row, desc, 1, &isnull));
	from = SPI_getvalue(row, desc, 2);
	window->first = from == NULL;
	window->until_text = at_settled_now();
	window->now = at_clock_now();
	if (!at_settled_parse(at_span_of(from != NULL ? from : "1:1:"), &window->from) ||
		!at_settled_parse(at_span_of(window->until_text), &window->until))
		elog(ERROR, "unexpected snapshot: \"%s\" or \"%s\"", from, window->until_text);
}

static Datum
xid_array(const AtSettled *settled)
{
	Datum *elements = palloc(sizeof(Datum) * Max(settled->nrunning, 1));

	for (int i = 0; i < settled->nrunning; i++)
		elements[i] = Int64GetDatum(settled->running[i]);
	return PointerGetDatum(construct_array(elements, settled->nrunning, INT8OID, sizeof(int64),
										   FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}

/* The parameters $1 to $6 of a window. */
#define WINDOW_TYPES INT8OID, INT8ARRAYOID, INT8OID, INT8ARRAYOID, INT8OID, OIDOID
#define WINDOW_VALUES(window)                                                                      \
	Int64GetDatum((window)->from.xmax), xid_array(&(window)->from),                                \
		Int64GetDatum((window)->until.xmax), xid_array(&(window)->until),                          \
		Int64GetDatum(GetSystemIdentifier()), ObjectIdGetDatum(MyDatabaseId)

static List *
read_fresh(const Window *window)
{
	Oid types[] = {WINDOW_TYPES};
	Datum values[] = {WINDOW_VALUES(window)};
	List *all = NIL;
	bool isnull;

	query(&judge.fresh, fresh_query, lengthof(types), types, values, NULL);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		HeapTuple row = SPI_tuptable->vals[i];
		TupleDesc desc = SPI_tuptable->tupdesc;
		Fresh *fresh = palloc(sizeof(Fresh));

		*fresh = (Fresh){
			.rule = SPI_getvalue(row, desc, 1),
			.actor = SPI_getvalue(row, desc, 2),
			.first_at = DatumGetTimestampTz(SPI_getbinval(row, desc, 3, &isnull)),
			.last_at = DatumGetTimestampTz(SPI_getbinval(row, desc, 4, &isnull)),
		};
		all = lappend(all, fresh);
	}
	return all;
}

/* The parameters of queries about an actor's matches between two times. */
static void
actor_values(const Fresh *fresh, TimestampTz after, TimestampTz before, Datum *values, char *nulls)
{
	values[0] = CStringGetTextDatum(fresh->rule);
	values[1] = fresh->actor != NULL ? CStringGetTextDatum(fresh->actor) : (Datum) 0;
	values[2] = TimestampTzGetDatum(after);
	values[3] = TimestampTzGetDatum(before);
	memcpy(nulls, fresh->actor != NULL ? "    " : " n  ", 5);
}

/* Was an alert raised between these times? */
static bool
has_alert(const Fresh *fresh, TimestampTz after, TimestampTz before)
{
	Oid types[] = {TEXTOID, TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID};
	Datum values[4];
	char nulls[5];

	actor_values(fresh, after, before, values, nulls);
	query(&judge.alerted, alerted_query, lengthof(types), types, values, nulls);
	return SPI_processed > 0;
}

/*
 * Count the matches of an actor anew, around those that are new; unless there is an alert for all
 * of their times already. So what is counted in one go is not much more than the rule's number.
 */
static void
judge_burst(const Fresh *fresh)
{
	Oid types[] = {TEXTOID, TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID};
	Datum values[4];
	char nulls[5];
	AtBurst burst;
	AtRule rule;
	Portal portal;
	uint64 count;

	if (!find_rule(fresh->rule, AT_RULE_BURST, &rule))
		return;
	if (has_alert(fresh, fresh->last_at - rule.within, fresh->first_at + rule.within))
		return;
	actor_values(fresh, fresh->first_at - rule.within, fresh->last_at + rule.within, values, nulls);
	at_burst_begin(&burst, &rule);
	portal =
		SPI_cursor_open(NULL, at_notifier_plan(&judge.around, around_query, lengthof(types), types),
						values, nulls, true);
	do
	{
		SPITupleTable *rows;

		SPI_cursor_fetch(portal, true, PORTION);
		rows = SPI_tuptable;
		count = SPI_processed;
		for (uint64 i = 0; i < count; i++)
		{
			bool isnull;
			TimestampTz at =
				DatumGetTimestampTz(SPI_getbinval(rows->vals[i], rows->tupdesc, 1, &isnull));
			AtEventName name = {
				.tx_id = DatumGetInt64(SPI_getbinval(rows->vals[i], rows->tupdesc, 3, &isnull)),
				.ordinal = DatumGetInt32(SPI_getbinval(rows->vals[i], rows->tupdesc, 4, &isnull)),
			};

			CHECK_FOR_INTERRUPTS();
			if (DatumGetBool(SPI_getbinval(rows->vals[i], rows->tupdesc, 2, &isnull)))
				burst.alerted = at;
			else if (at_burst_add(&burst, at))
				raise_burst(&rule, fresh, at, name);
		}
		SPI_freetuptable(rows);
	} while (count > 0);
	SPI_cursor_close(portal);
}

/* Unless one was raised for this time. */
static void
raise_burst(const AtRule *rule, const Fresh *fresh, TimestampTz at, AtEventName name)
{
	AtRecorded recorded;

	if (has_alert(fresh, at - rule->within, at + rule->within) ||
		!at_recorded_find(name, rule->relid, &recorded))
		return;
	raise_recorded(rule, &recorded);
	append_match(&(Match){
		.name = name,
		.rule = rule->name,
		.actor = fresh->actor,
		.matched_at = at,
		.alerted = true,
	});
}

/* What was expected until now; returns how many. That of another database is not ours to judge. */
static int
judge_due(const Window *window)
{
	Oid types[] = {TIMESTAMPTZOID, INT8OID, OIDOID, INT8OID};
	Datum values[] = {TimestampTzGetDatum(window->now), Int64GetDatum(GetSystemIdentifier()),
					  ObjectIdGetDatum(MyDatabaseId), Int64GetDatum(MAX_DUE)};

	query(&judge.due, due_query, lengthof(types), types, values, NULL);

	SPITupleTable *rows = SPI_tuptable;

	for (uint64 i = 0; i < rows->numvals; i++)
	{
		HeapTuple row = rows->vals[i];
		TupleDesc desc = rows->tupdesc;
		bool isnull;
		AtEventName name = {
			.tx_id = DatumGetInt64(SPI_getbinval(row, desc, 1, &isnull)),
			.ordinal = DatumGetInt32(SPI_getbinval(row, desc, 2, &isnull)),
		};

		CHECK_FOR_INTERRUPTS();
		if (DatumGetBool(SPI_getbinval(row, desc, 6, &isnull)))
			judge_absence(SPI_getvalue(row, desc, 3), name,
						  DatumGetTimestampTz(SPI_getbinval(row, desc, 4, &isnull)));
		at_let_go_note(AT_LEDGER_ALERT_MATCH,
					   (ItemPointer) DatumGetPointer(SPI_getbinval(row, desc, 5, &isnull)));
	}
	return rows->numvals;
}

static void
judge_absence(const char *name, AtEventName event, TimestampTz due)
{
	AtRecorded recorded;
	AtRule rule;

	if (find_rule(name, AT_RULE_ABSENT, &rule) && at_recorded_find(event, rule.relid, &recorded) &&
		!at_recorded_follows(&rule, &recorded, due))
		raise_recorded(&rule, &recorded);
}

/* Milliseconds until something is due that is expected; not more than the poll. */
static long
until_due(TimestampTz now)
{
	Datum due;
	bool isnull;

	query(&judge.next_due, next_due_query, 0, NULL, NULL, NULL);
	due = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull);
	if (isnull)
		return POLL_MS;
	return Min(POLL_MS, TimestampDifferenceMilliseconds(now, DatumGetTimestampTz(due)) + 1);
}

static void
raise_recorded(const AtRule *rule, AtRecorded *recorded)
{
	const AtEvent *event = &recorded->event;

	at_alert_append(&(AtRaised){
		.name = recorded->change.name,
		.target_id = event->target_id,
		.record_key = event->record_key,
		.event_type = event->event_type,
		.rule = rule->name,
		.severity = rule->severity,
		.channel = rule->channel,
		.escalate_to = rule->escalate_to,
		.sentence = at_match_later_sentence(rule, &recorded->observed),
	});
}

/* The rule as it is now, if it still is and is enabled. */
static bool
find_rule(const char *name, AtRuleKind kind, AtRule *rule)
{
	const AtRule *named = at_rule_named(name);

	if (named == NULL)
		return false;
	*rule = *named;
	return rule->kind == kind && rule->enabled &&
		   (!OidIsValid(rule->relid) || get_rel_name(rule->relid) != NULL);
}

static void
append_judgement(const Window *window)
{
	Datum values[Natts_alert_judgement];
	bool nulls[Natts_alert_judgement] = {false};

	values[Anum_alert_judgement_pass_id - 1] = Int64GetDatum(window->pass_id);
	values[Anum_alert_judgement_judged_at - 1] = TimestampTzGetDatum(window->now);
	values[Anum_alert_judgement_system_identifier - 1] = Int64GetDatum(GetSystemIdentifier());
	values[Anum_alert_judgement_database_oid - 1] = ObjectIdGetDatum(MyDatabaseId);
	at_set_text(values, nulls, Anum_alert_judgement_snapshot, window->until_text);
	at_append(AT_LEDGER_ALERT_JUDGEMENT, values, nulls);
}
