/*-------------------------------------------------------------------------
 * tell.c
 *		Telling one alert: a NOTIFY on each of its channels, and a row of
 *		audit.alert_delivery for each.
 *
 * NOTIFY fails when the transaction commits, and with it the whole pass.
 * So the queue is looked at first. Where it fills up all the same, or the disk
 * below it, the next passes do without it, for a second and then for longer; the one after that
 * tells half as many.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "commands/async.h"
#include "executor/spi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "alert/notifier.h"
#include "alert/restraint.h"
#include "alert/tell.h"
#include "base/clock.h"
#include "base/columns.h"
#include "base/debug_point.h"
#include "base/guc.h"
#include "ledger/append.h"
#include "ledger/datum.h"
#include "ledger/number.h"
#include "ledger/target.h"

/* The queue counts as full from here on; others want to use it too. */
#define QUEUE_FULL 0.9

/* For so long passes do without NOTIFY after it failed, doubling. */
#define FULL_FIRST_MS 1000
#define FULL_LAST_MS  10000

/* The pause before an alert is told again doubles so many times at most, and is no longer. */
#define MAX_DOUBLINGS 16
#define MAX_PAUSE_S   (24 * 60 * 60)

/* What a target is called in a notification; a version of a table is never changed. */
typedef struct TargetName
{
	int32 target_id;
	char *table; /* NULL: there is no such target */
} TargetName;

/* A row of audit.alert_delivery, but for what is the same for all. */
typedef struct Delivery
{
	int64 alert_id;
	int attempt;
	const char *channel;
	const char *outcome;
	const char *detail; /* NULL: none */
	TimestampTz due_at; /* 0: never */
	int64 action_id;    /* 0: none */
} Delivery;

/* Right after an error: at_tell_end() is called after each pass, and the rest set before one; rows
 * are those of the running pass, which begins without. */
static struct
{
	bool unheard;
	bool was_full;          /* the last pass failed for want of room */
	int64 full_until_ms;    /* NOTIFY has failed for want of room: not before this */
	int64 full_ms;          /* the pause after that; 0: it has not failed since it did well */
	int limit;              /* 0: AT_TELL_PORTION */
	TimestampTz not_before; /* what is told is due after this */
	List *rows;             /* of audit.alert_delivery, yet to be written; in the pass's memory */
	SPIPlanPtr attempt;
	HTAB *names; /* of targets; an entry is whole or not there */
} tell;

static double queue_usage(void);
static const char *table_of(int32 target_id);
static bool wants_answer(const char *severity);
static TimestampTz due_after(int attempt);
static void hold_back(const AtTelling *telling, const AtRestraint *restraint);
static void tell_on(AtTelling *telling, const char *channel, int attempt, int64 action_id);
static void tell_next_on(AtTelling *telling, const char *channel, int64 action_id);
static const char *check_channel(const char *channel);
static int next_attempt(int64 alert_id, const char *channel);
static bool is_escalated(const AtTelling *telling);
static void append_delivery(const Delivery *delivery);

void
at_tell_begin(TimestampTz not_before)
{
	tell.not_before = not_before;
	tell.rows = NIL;

	/* where the disk is full it cannot even be asked how full the queue is */
	if (tell.was_full)
		tell.full_until_ms = at_clock_ms() + tell.full_ms;
	tell.unheard = at_clock_ms() < tell.full_until_ms || queue_usage() > QUEUE_FULL;
}

/* Before PostgreSQL 17 the queue takes 8 GB: most tests cannot fill it. */
static double
queue_usage(void)
{
	if (at_debug_point_is_on("notifier-queue-full"))
		return 1;
	return DatumGetFloat8(DirectFunctionCall1(pg_notification_queue_usage, (Datum) 0));
}

bool
at_tell_is_unheard(void)
{
	return tell.unheard;
}

int
at_tell_limit(void)
{
	return tell.limit == 0 ? AT_TELL_PORTION : tell.limit;
}

void
at_tell_write(void)
{
	at_append_rows(AT_LEDGER_ALERT_DELIVERY, tell.rows);
	tell.rows = NIL;
}

void
at_tell_end(int sqlstate)
{
	bool was_full = sqlstate == ERRCODE_PROGRAM_LIMIT_EXCEEDED || sqlstate == ERRCODE_DISK_FULL;

	if (sqlstate != 0)
		at_restraint_forget();
	if (was_full)
	{
		tell.limit = Max(at_tell_limit() / 2, 1);
		tell.full_ms = Min(Max(tell.full_ms * 2, FULL_FIRST_MS), FULL_LAST_MS);
	}
	else if (sqlstate == 0 && !tell.unheard)
	{
		tell.limit = Min(at_tell_limit() * 2, AT_TELL_PORTION);
		tell.full_ms = 0;
	}
	if (sqlstate == 0 || was_full)
		tell.was_full = was_full;
}

static char *
get_text(const Datum *values, const bool *nulls, int column)
{
	return nulls[column - 1] ? NULL : TextDatumGetCString(values[column - 1]);
}

void
at_tell_read(const Datum *values, const bool *nulls, AtTelling *telling)
{
	AtNotice *notice = &telling->notice;
	Datum *names;

	*telling = (AtTelling){.channel = get_text(values, nulls, Anum_alert_channel),
						   .escalate_to = get_text(values, nulls, Anum_alert_escalate_to)};
	if (telling->escalate_to == NULL)
		telling->escalate_to = at_guc_alert_escalate_to;
	*notice = (AtNotice){
		.alert_id = DatumGetInt64(values[Anum_alert_alert_id - 1]),
		.raised_at = DatumGetTimestampTz(values[Anum_alert_raised_at - 1]),
		.tx_id = DatumGetInt64(values[Anum_alert_tx_id - 1]),
		.ordinal = DatumGetInt32(values[Anum_alert_ordinal - 1]),
		.rule = get_text(values, nulls, Anum_alert_rule_name),
		.severity = get_text(values, nulls, Anum_alert_severity),
		.table = table_of(DatumGetInt32(values[Anum_alert_target_id - 1])),
		.resource_id = get_text(values, nulls, Anum_alert_record_key),
		.event_type = get_text(values, nulls, Anum_alert_event_type),
		.sentence = at_guc_alert_values ? get_text(values, nulls, Anum_alert_sentence) : NULL,
		.attempt = 1,
	};
	deconstruct_array(DatumGetArrayTypeP(values[Anum_alert_changed - 1]), TEXTOID, -1, false,
					  TYPALIGN_INT, &names, NULL, &notice->nchanged);
	notice->changed = palloc(sizeof(char *) * Max(notice->nchanged, 1));
	for (int i = 0; i < notice->nchanged; i++)
		notice->changed[i] = TextDatumGetCString(names[i]);
}

/* With its schema; they are few, and asked for again and again. */
static const char *
table_of(int32 target_id)
{
	HASHCTL control = {
		.keysize = sizeof(int32), .entrysize = sizeof(TargetName), .hcxt = TopMemoryContext};
	TargetName *name;
	AtTarget target;
	char *table = NULL;

	if (tell.names == NULL)
		tell.names = hash_create("audit_trail names of targets", 64, &control,
								 HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	name = hash_search(tell.names, &target_id, HASH_FIND, NULL);
	if (name != NULL)
		return name->table;
	if (at_target_read(target_id, &target))
		table = MemoryContextStrdup(
			TopMemoryContext, quote_qualified_identifier(target.table_schema, target.table_name));
	name = hash_search(tell.names, &target_id, HASH_ENTER, NULL);
	name->table = table;
	return table;
}

void
at_tell_first(AtTelling *telling)
{
	AtRestraint restraint = at_restraint_ask(telling->notice.rule);

	if (restraint.kind != AT_TOLD)
	{
		hold_back(telling, &restraint);
		return;
	}
	telling->notice.suppressed = restraint.suppressed;
	tell_on(telling, AT_ALERT_CHANNEL, 1, 0);
	if (strcmp(telling->channel, AT_ALERT_CHANNEL) != 0)
		tell_on(telling, telling->channel, 1, 0);
}

/* Its rule does not want it told now. Who reads sees it all the same where it is told later. */
static void
hold_back(const AtTelling *telling, const AtRestraint *restraint)
{
	bool quiet = restraint->kind == AT_QUIET;
	Delivery delivery = {
		.alert_id = telling->notice.alert_id,
		.attempt = 1,
		.channel = AT_ALERT_CHANNEL,
		.outcome = quiet                         ? "unheard"
				   : restraint->kind == AT_MUTED ? "muted"
												 : "limited",
		.detail = quiet ? AT_QUIET_DETAIL : NULL,
		.due_at = quiet ? Max(restraint->until, tell.not_before) : 0,
	};

	append_delivery(&delivery);
	if (strcmp(telling->channel, AT_ALERT_CHANNEL) == 0)
		return;
	delivery.channel = telling->channel;
	append_delivery(&delivery);
}

void
at_tell_again(AtTelling *telling, const char *channel, int64 action_id)
{
	const char *second = telling->escalate_to;

	if (channel != NULL)
	{
		tell_next_on(telling, channel, action_id);
		return;
	}
	telling->notice.is_escalated = is_escalated(telling);
	tell_next_on(telling, AT_ALERT_CHANNEL, action_id);
	if (strcmp(telling->channel, AT_ALERT_CHANNEL) != 0)
		tell_next_on(telling, telling->channel, action_id);
	if (telling->notice.is_escalated && strcmp(second, AT_ALERT_CHANNEL) != 0 &&
		strcmp(second, telling->channel) != 0)
		tell_next_on(telling, second, action_id);
}

/* Nobody has answered for so long that others are told too. */
static bool
is_escalated(const AtTelling *telling)
{
	return telling->escalate_to[0] != '\0' && wants_answer(telling->notice.severity) &&
		   TimestampDifferenceExceeds(telling->notice.raised_at, GetCurrentTimestamp(),
									  at_guc_alert_escalate_after * 1000);
}

static void
tell_next_on(AtTelling *telling, const char *channel, int64 action_id)
{
	tell_on(telling, channel, next_attempt(telling->notice.alert_id, channel), action_id);
}

/* NOTIFY, where that is possible, and the row that says so. */
static void
tell_on(AtTelling *telling, const char *channel, int attempt, int64 action_id)
{
	Delivery delivery = {.alert_id = telling->notice.alert_id,
						 .attempt = attempt,
						 .channel = channel,
						 .outcome = "notified",
						 .detail = check_channel(channel),
						 .action_id = action_id};

	if (telling->notice.attempt != attempt)
		telling->payload = NULL;
	telling->notice.attempt = attempt;
	if (delivery.detail != NULL)
		delivery.outcome = "undeliverable";
	else if (tell.unheard)
	{
		delivery.outcome = "unheard";
		delivery.detail = "the queue of NOTIFY was full";
		delivery.due_at = Max(GetCurrentTimestamp(), tell.not_before);
	}
	else
	{
		if (telling->payload == NULL)
			telling->payload = at_notice_json(&telling->notice);
		Async_Notify(channel, telling->payload);
		if (strcmp(channel, AT_ALERT_CHANNEL) == 0 && wants_answer(telling->notice.severity))
			delivery.due_at = due_after(attempt);
	}
	append_delivery(&delivery);
}

/* NULL, or why NOTIFY would refuse it: that error would come again and again. */
static const char *
check_channel(const char *channel)
{
	if (channel[0] == '\0')
		return "the channel has no name";
	if (strlen(channel) >= NAMEDATALEN)
		return "the name of the channel is too long";
	return NULL;
}

static bool
wants_answer(const char *severity)
{
	return strcmp(severity, "high") == 0 || strcmp(severity, "critical") == 0;
}

/* When it is told again, or the time is up: each pause is twice as long as the one before. */
static TimestampTz
due_after(int attempt)
{
	int64 pause = (int64) at_guc_alert_repeat_after << Min(attempt - 1, MAX_DOUBLINGS);

	if (pause == 0)
		return 0;
	return Max(GetCurrentTimestamp(), tell.not_before) + Min(pause, MAX_PAUSE_S) * USECS_PER_SEC;
}

static int
next_attempt(int64 alert_id, const char *channel)
{
	Oid types[] = {INT8OID, TEXTOID};
	Datum values[] = {Int64GetDatum(alert_id), CStringGetTextDatum(channel)};
	bool isnull;

	if (SPI_execute_plan(at_notifier_plan(&tell.attempt,
										  "SELECT coalesce(max(d.attempt), 0) + 1 FROM "
										  "audit.alert_delivery d WHERE d.alert_id = $1 AND "
										  "d.channel = $2",
										  lengthof(types), types),
						 values, NULL, true, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not read audit.alert_delivery");
	return DatumGetInt32(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
}

void
at_tell_give_up(const AtTelling *telling, int attempt)
{
	append_delivery(&(Delivery){
		.alert_id = telling->notice.alert_id,
		.attempt = attempt,
		.channel = AT_ALERT_CHANNEL,
		.outcome = "unanswered",
		.detail = psprintf("told %d times, and nobody has acknowledged it", attempt - 1)});
}

/* Note it; it is written with the others of the pass. */
static void
append_delivery(const Delivery *delivery)
{
	Datum *values = palloc(sizeof(Datum) * Natts_alert_delivery);
	bool *nulls = palloc0(sizeof(bool) * Natts_alert_delivery);
	AtRow *row = palloc(sizeof(AtRow));

	values[Anum_alert_delivery_delivery_id - 1] =
		Int64GetDatum(at_number_draw("alert_delivery_id_seq"));
	values[Anum_alert_delivery_alert_id - 1] = Int64GetDatum(delivery->alert_id);
	values[Anum_alert_delivery_delivered_at - 1] = TimestampTzGetDatum(GetCurrentTimestamp());
	values[Anum_alert_delivery_attempt - 1] = Int32GetDatum(delivery->attempt);
	at_set_text(values, nulls, Anum_alert_delivery_channel, delivery->channel);
	at_set_text(values, nulls, Anum_alert_delivery_outcome, delivery->outcome);
	at_set_text(values, nulls, Anum_alert_delivery_detail, delivery->detail);
	values[Anum_alert_delivery_due_at - 1] = TimestampTzGetDatum(delivery->due_at);
	nulls[Anum_alert_delivery_due_at - 1] = delivery->due_at == 0;
	values[Anum_alert_delivery_action_id - 1] = Int64GetDatum(delivery->action_id);
	nulls[Anum_alert_delivery_action_id - 1] = delivery->action_id == 0;
	*row = (AtRow){.values = values, .nulls = nulls};
	tell.rows = lappend(tell.rows, row);
}
