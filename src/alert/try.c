/*-------------------------------------------------------------------------
 * try.c
 *		audit.try_alert(): how often would a rule have raised an alert?
 *
 * The recorded events are read with the caller's rights, in the order of their times, and
 * meet the rule as they would have when they happened. Memory is that of a portion of
 * events, of the examples, and of a burst what it counts of each actor.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/json.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "alert/burst.h"
#include "alert/match.h"
#include "alert/recorded.h"
#include "alert/rule_row.h"
#include "base/jsonb_make.h"

#define PORTION 500

/* What the times of bursts may take in all, in bytes. */
#define MAX_BURSTS_SIZE (64 * 1024 * 1024)

/* Arguments behind those of the definition. */
#define ARG_SINCE      (AT_RULE_ARGUMENTS)
#define ARG_UNTIL      (AT_RULE_ARGUMENTS + 1)
#define ARG_EXAMPLES   (AT_RULE_ARGUMENTS + 2)
#define ARG_MAX_EVENTS (AT_RULE_ARGUMENTS + 3)

/* An actor's burst. */
typedef struct Actor
{
	uint64 hash;
	AtBurst burst;
} Actor;

typedef struct Trial
{
	AtRule rule;
	TimestampTz until;
	int max_examples;
	MemoryContext memory; /* of the whole trial */
	HTAB *actors;
	int max_actors;

	/* what was found */
	int64 events;
	int64 matches;
	int64 alerts;
	int64 undecided;
	TimestampTz first_at;
	TimestampTz last_at;
	int nexamples;
	StringInfoData examples;
	bool complete;
} Trial;

PG_FUNCTION_INFO_V1(at_try_alert);

static void begin_trial(Trial *trial, FunctionCallInfo fcinfo);
static void run_trial(Trial *trial, TimestampTz since, int64 max_events);
static void try_event(Trial *trial, HeapTuple row, TupleDesc desc);
static bool raises(Trial *trial, AtRecorded *recorded);
static bool makes_burst(Trial *trial, AtRecorded *recorded);
static void note_alert(Trial *trial, AtRecorded *recorded, const AtMatch *match);
static Datum result(Trial *trial, FunctionCallInfo fcinfo);

Datum
at_try_alert(PG_FUNCTION_ARGS)
{
	Trial trial = {.memory = CurrentMemoryContext, .complete = true};
	TimestampTz since;

	begin_trial(&trial, fcinfo);
	since = PG_ARGISNULL(ARG_SINCE) ? trial.until - 30 * USECS_PER_DAY
									: PG_GETARG_TIMESTAMPTZ(ARG_SINCE);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "could not connect to SPI");
	run_trial(&trial, since,
			  PG_ARGISNULL(ARG_MAX_EVENTS) ? PG_INT64_MAX - 1 : PG_GETARG_INT64(ARG_MAX_EVENTS));
	SPI_finish();
	return result(&trial, fcinfo);
}

static void
begin_trial(Trial *trial, FunctionCallInfo fcinfo)
{
	HASHCTL control = {.keysize = sizeof(uint64), .entrysize = sizeof(Actor)};
	AtRuleRow row;

	at_rule_row_read(&row, fcinfo);
	at_rule_row_compile(&row, &trial->rule);
	trial->until =
		PG_ARGISNULL(ARG_UNTIL) ? GetCurrentTimestamp() : PG_GETARG_TIMESTAMPTZ(ARG_UNTIL);
	trial->max_examples = PG_ARGISNULL(ARG_EXAMPLES) ? 0 : PG_GETARG_INT32(ARG_EXAMPLES);
	trial->max_actors = MAX_BURSTS_SIZE / ((trial->rule.more_than + 1) * sizeof(TimestampTz));
	control.hcxt = CurrentMemoryContext;
	trial->actors =
		hash_create("audit_trail bursts", 64, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	initStringInfo(&trial->examples);
	appendStringInfoChar(&trial->examples, '[');
}

static void
run_trial(Trial *trial, TimestampTz since, int64 max_events)
{
	static const char of_table[] =
		"SELECT " AT_RECORDED_COLUMNS " FROM audit.events e "
		"WHERE e.target_id = ANY (ARRAY(SELECT audit.target_versions($1::oid::regclass))) "
		"AND e.occurred_at BETWEEN $2 AND $3 AND e.tx_at <= $3 "
		"ORDER BY e.occurred_at, e.tx_id, e.ordinal LIMIT $4";
	static const char of_none[] = "SELECT " AT_RECORDED_COLUMNS " FROM audit.events e "
								  "WHERE $1 = 0 AND e.occurred_at BETWEEN $2 AND $3 "
								  "AND e.tx_at <= $3 "
								  "ORDER BY e.occurred_at, e.tx_id, e.ordinal LIMIT $4";
	Oid types[] = {OIDOID, TIMESTAMPTZOID, TIMESTAMPTZOID, INT8OID};
	Datum values[] = {ObjectIdGetDatum(trial->rule.relid), TimestampTzGetDatum(since),
					  TimestampTzGetDatum(trial->until), Int64GetDatum(max_events + 1)};
	Portal portal =
		SPI_cursor_open_with_args(NULL, OidIsValid(trial->rule.relid) ? of_table : of_none,
								  lengthof(types), types, values, NULL, true, CURSOR_OPT_NO_SCROLL);
	MemoryContext per_event = AllocSetContextCreate(CurrentMemoryContext, "audit_trail tried event",
													ALLOCSET_DEFAULT_SIZES);

	for (;;)
	{
		SPITupleTable *rows;

		SPI_cursor_fetch(portal, true, PORTION);
		rows = SPI_tuptable;
		for (uint64 i = 0; i < rows->numvals && trial->complete; i++)
		{
			MemoryContext save = MemoryContextSwitchTo(per_event);

			CHECK_FOR_INTERRUPTS();
			if (trial->events == max_events)
				trial->complete = false;
			else
				try_event(trial, rows->vals[i], rows->tupdesc);
			MemoryContextSwitchTo(save);
			MemoryContextReset(per_event);
		}
		if (rows->numvals < PORTION || !trial->complete)
			break;
		SPI_freetuptable(rows);
	}
	SPI_cursor_close(portal);
}

static void
try_event(Trial *trial, HeapTuple row, TupleDesc desc)
{
	AtRecorded recorded;
	AtMatch match;

	at_recorded_read(row, desc, trial->rule.relid, &recorded);
	trial->events++;
	if (!at_match(&trial->rule, &recorded.observed, &match))
		return;
	trial->matches++;
	if (match.undecided)
		trial->undecided++;
	if (raises(trial, &recorded))
		note_alert(trial, &recorded, &match);
}

/* An event matches; is there an alert? */
static bool
raises(Trial *trial, AtRecorded *recorded)
{
	const AtRule *rule = &trial->rule;
	TimestampTz due = recorded->event.occurred_at + rule->within;

	if (rule->kind == AT_RULE_BURST)
		return makes_burst(trial, recorded);
	if (rule->kind == AT_RULE_ABSENT)
		return due <= trial->until && !at_recorded_follows(rule, recorded, due);
	return true;
}

static bool
makes_burst(Trial *trial, AtRecorded *recorded)
{
	const char *actor = recorded->observed.who.actor;
	uint64 hash =
		actor != NULL
			? DatumGetUInt64(hash_any_extended((const unsigned char *) actor, strlen(actor), 0))
			: 0;
	bool found;
	Actor *entry = hash_search(trial->actors, &hash, HASH_FIND, NULL);

	if (entry == NULL)
	{
		MemoryContext save = MemoryContextSwitchTo(trial->memory);

		if (hash_get_num_entries(trial->actors) >= trial->max_actors)
		{
			trial->complete = false;
			MemoryContextSwitchTo(save);
			return false;
		}
		entry = hash_search(trial->actors, &hash, HASH_ENTER, &found);
		at_burst_begin(&entry->burst, &trial->rule);
		MemoryContextSwitchTo(save);
	}
	return at_burst_add(&entry->burst, recorded->event.occurred_at);
}

static void
note_alert(Trial *trial, AtRecorded *recorded, const AtMatch *match)
{
	StringInfoData example;
	bool later = trial->rule.kind == AT_RULE_BURST || trial->rule.kind == AT_RULE_ABSENT;
	char *sentence = later ? at_match_later_sentence(&trial->rule, &recorded->observed)
						   : at_match_sentence(&trial->rule, &recorded->observed, match);

	if (trial->alerts++ == 0)
		trial->first_at = recorded->event.occurred_at;
	trial->last_at = recorded->event.occurred_at;
	if (trial->nexamples >= trial->max_examples)
		return;
	initStringInfo(&example);
	appendStringInfo(&example, "%s{\"event_id\":\"" UINT64_FORMAT ".%u\",\"sentence\":",
					 trial->nexamples++ > 0 ? "," : "", recorded->change.name.tx_id,
					 recorded->change.name.ordinal);
	escape_json(&example, sentence);
	appendStringInfoChar(&example, '}');
	appendStringInfoString(&trial->examples, example.data);
}

static Datum
result(Trial *trial, FunctionCallInfo fcinfo)
{
	TupleDesc desc;
	bool any = trial->alerts > 0;

	appendStringInfoChar(&trial->examples, ']');
	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");

	Datum values[] = {
		Int64GetDatum(trial->alerts),
		TimestampTzGetDatum(trial->first_at),
		TimestampTzGetDatum(trial->last_at),
		Int64GetDatum(trial->matches),
		Int64GetDatum(trial->undecided),
		Int64GetDatum(trial->events),
		BoolGetDatum(trial->complete),
		JsonbPGetDatum(at_jsonb_make(trial->examples.data, trial->examples.len, NULL)),
	};
	bool nulls[] = {false, !any, !any, false, false, false, false, false};

	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls));
}
