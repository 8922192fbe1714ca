/*-------------------------------------------------------------------------
 * search.c
 *		audit.search(): events by any combination of dimensions, newest first; and
 *		audit.search_attached().
 *
 * The view audit.events is a union of joins, and PostgreSQL hands no ORDER BY ... LIMIT down into
 * it: where the conditions leave a million events, all of them would be joined before the newest
 * hundred are known. So the view is asked about one stretch of time after the other, beginning
 * with the newest, until there are enough. A stretch is as long as the transactions of the actor
 * or session, or of anybody, that have so many events, and the next one has several times as many:
 * what is common is found in the first, and what is rare costs little more than one question about
 * all.
 *
 * All stretches are read in the snapshot of the query. The view is read with the rights of whoever
 * asks, so row security and masking are its own; only where a stretch begins is found
 * with the owner's rights, and that is told to nobody.
 *
 * Memory: the events that are given, in a tuplestore; those of one stretch besides.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

#include "base/compat.h"
#include "base/errors.h"
#include "ledger/event.h"
#include "ledger/owner.h"

/* The first stretch has so many events for each one that is wanted, and at least so many. */
#define FIRST_FACTOR 2
#define FIRST_LEAST  64

/* And each further one so many times those of the one before. */
#define GROWTH 8

#define MAX_PARAMS 64

/* What is given, as sql/install/61_search.sql declares it. */
#define COLUMNS                                                                                    \
	"event_id, occurred_at, context, category, event_type, action, resource_type, resource_id, "   \
	"table_schema, table_name, changed, old_values, new_values, actor, actor_type, db_user, "      \
	"client_ip, application_name, session_id, request_id, reason, tx_at"

/* Arguments of the function. */
enum
{
	ARG_FILTER,
	ARG_SINCE,
	ARG_UNTIL,
	ARG_TARGET,
	ARG_CONDITION,
	ARG_MAX_ROWS,
	ARG_BEFORE
};

/* A column that can be filtered by, and its type as the filter's texts are cast. */
typedef struct Dimension
{
	const char *name;
	const char *type;
	bool is_array;  /* a value is looked for among its own */
	bool is_narrow; /* a value has few events, found by an index */
} Dimension;

static const Dimension dimensions[] = {
	{.name = "action", .type = "text"},
	{.name = "actor", .type = "text"},
	{.name = "actor_source", .type = "text"},
	{.name = "actor_type", .type = "text"},
	{.name = "application_name", .type = "text"},
	{.name = "backend_pid", .type = "int"},
	{.name = "category", .type = "text"},
	{.name = "changed", .type = "text", .is_array = true},
	{.name = "claimed_client_ip", .type = "text"},
	{.name = "claimed_session", .type = "text"},
	{.name = "client_ip", .type = "text"},
	{.name = "client_port", .type = "int"},
	{.name = "context", .type = "text"},
	{.name = "db_role", .type = "text"},
	{.name = "db_user", .type = "text"},
	{.name = "event_type", .type = "text"},
	{.name = "login_user", .type = "text"},
	{.name = "reason", .type = "text"},
	{.name = "request_id", .type = "text", .is_narrow = true},
	{.name = "resource_id", .type = "text", .is_narrow = true},
	{.name = "resource_type", .type = "text"},
	{.name = "session_id", .type = "bigint"},
	{.name = "statement", .type = "text"},
	{.name = "table_name", .type = "text"},
	{.name = "table_schema", .type = "text"},
	{.name = "trace_parent", .type = "text"},
	{.name = "trigger_depth", .type = "int"},
	{.name = "tx_id", .type = "bigint", .is_narrow = true},
	{.name = "xid", .type = "bigint", .is_narrow = true},
};

/* Values of the parameters $1, $2, ... of a command. */
typedef struct Params
{
	int count;
	Oid type[MAX_PARAMS];
	Datum value[MAX_PARAMS];
} Params;

typedef struct Search
{
	const char *source;   /* what is read: FROM this */
	StringInfoData where; /* conditions that hold in every stretch, each with AND before it */
	Params params;
	bool is_narrow;   /* one stretch is enough */
	Datum actor;      /* by whose transactions stretches are measured; 0: not by that */
	Datum session_id; /* likewise, as a text */

	/* what is left to look at: since <= tx_at < until */
	TimestampTz since;
	TimestampTz until;
	int wanted;
} Search;

PG_FUNCTION_INFO_V1(at_search);
PG_FUNCTION_INFO_V1(at_search_attached);

static void read_arguments(Search *search, FunctionCallInfo fcinfo);
static void read_span(Search *search, FunctionCallInfo fcinfo, int since, int max_rows);
static void add_condition(Search *search, Datum path);
static void add_filter(Search *search, Jsonb *filter);
static const Dimension *find_dimension(const JsonbValue *key);
static const Dimension *find_dimension_named(const char *name);
static void add_dimension(Search *search, const Dimension *dimension, const JsonbValue *value);
static Datum texts_of(const Dimension *dimension, const JsonbValue *array);
static Datum text_of(const Dimension *dimension, const JsonbValue *value);
pg_noreturn static void refuse_value(const Dimension *dimension);
static void add_target(Search *search, Oid target);
static void start_before(Search *search, const char *event_id, Datum archive);
static char *attached_source(Search *search, FunctionCallInfo fcinfo);
static TimestampTz find_segments(const Search *search, int64 segments);
static int add_param(Params *params, Oid type, Datum value);
static TimestampTz find_begin(const Search *search, int64 events);
static void read_stretch(Search *search, TimestampTz from, ReturnSetInfo *result);
static void execute(const char *command, Params *params, long max_rows);

Datum
at_search(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Search search = {.source = "audit.events"};
	int64 events;

	InitMaterializedSRF(fcinfo, 0);
	initStringInfo(&search.where);
	SPI_connect();
	read_arguments(&search, fcinfo);

	events = Max((int64) search.wanted * FIRST_FACTOR, FIRST_LEAST);
	while (search.wanted > 0 && search.since < search.until)
	{
		TimestampTz from = search.is_narrow ? search.since : find_begin(&search, events);

		CHECK_FOR_INTERRUPTS();
		read_stretch(&search, from, result);
		search.until = from;
		events *= GROWTH;
	}
	SPI_finish();
	return (Datum) 0;
}

/* Arguments of search_attached(). */
enum
{
	ATTACHED_ARCHIVE,
	ATTACHED_FILTER,
	ATTACHED_SINCE,
	ATTACHED_UNTIL,
	ATTACHED_CONDITION,
	ATTACHED_MAX_ROWS,
	ATTACHED_BEFORE
};

/* Its first stretch has so many segments. */
#define FIRST_SEGMENTS 2

/*
 * search_attached(archive, filter, since, until, condition, max_rows, before): the same of an
 * archive of another server. Stretches are measured by its segments; which of them are read, the
 * filter tells as far as one value is asked for.
 */
Datum
at_search_attached(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Search search = {0};
	int64 segments = FIRST_SEGMENTS;

	InitMaterializedSRF(fcinfo, 0);
	if (PG_ARGISNULL(ATTACHED_ARCHIVE))
		return (Datum) 0;
	initStringInfo(&search.where);
	SPI_connect();
	read_span(&search, fcinfo, ATTACHED_SINCE, ATTACHED_MAX_ROWS);
	add_param(&search.params, TEXTOID, PG_GETARG_DATUM(ATTACHED_ARCHIVE));
	add_param(&search.params, TIMESTAMPTZOID, TimestampTzGetDatum(search.since));
	add_param(&search.params, TIMESTAMPTZOID, TimestampTzGetDatum(search.until));
	search.source = attached_source(&search, fcinfo);
	if (!PG_ARGISNULL(ATTACHED_FILTER))
		add_filter(&search, PG_GETARG_JSONB_P(ATTACHED_FILTER));
	if (!PG_ARGISNULL(ATTACHED_CONDITION))
		add_condition(&search, PG_GETARG_DATUM(ATTACHED_CONDITION));
	if (!PG_ARGISNULL(ATTACHED_BEFORE))
		start_before(&search, text_to_cstring(PG_GETARG_TEXT_PP(ATTACHED_BEFORE)),
					 PG_GETARG_DATUM(ATTACHED_ARCHIVE));

	/* also where nothing is to be read: whether there is such an archive */
	do
	{
		TimestampTz from = search.is_narrow ? search.since : find_segments(&search, segments);

		CHECK_FOR_INTERRUPTS();
		search.params.value[1] = TimestampTzGetDatum(from);
		search.params.value[2] = TimestampTzGetDatum(search.until);
		read_stretch(&search, from, result);
		search.until = from;
		segments *= GROWTH;
	} while (search.wanted > 0 && search.since < search.until);
	SPI_finish();
	return (Datum) 0;
}

/* What is read: audit.attached_events(), told what the filter has one value for. */
static char *
attached_source(Search *search, FunctionCallInfo fcinfo)
{
	static const struct
	{
		const char *key;
		const char *argument;
		const char *type;
	} known[] = {
		{"resource_id", "resource_id", "text"}, {"actor", "of_actor", "text"},
		{"request_id", "of_request", "text"},   {"table_name", "of_table", "text"},
		{"tx_id", "of_tx_id", "bigint"},
	};
	Jsonb *filter = PG_ARGISNULL(ATTACHED_FILTER) ? NULL : PG_GETARG_JSONB_P(ATTACHED_FILTER);
	StringInfoData source;

	initStringInfo(&source);
	appendStringInfoString(&source, "audit.attached_events($1, $2, $3");
	for (int i = 0; i < lengthof(known); i++)
	{
		JsonbValue buffer;
		JsonbValue *value = filter == NULL || !JB_ROOT_IS_OBJECT(filter)
								? NULL
								: getKeyJsonValueFromContainer(&filter->root, known[i].key,
															   strlen(known[i].key), &buffer);

		if (value == NULL || (value->type != jbvString && value->type != jbvNumeric))
			continue;
		appendStringInfo(
			&source, ", %s => $%d::%s", known[i].argument,
			add_param(&search->params, TEXTOID, text_of(find_dimension_named(known[i].key), value)),
			known[i].type);
	}
	appendStringInfoChar(&source, ')');
	return source.data;
}

/* Where a stretch begins that ends where the search stands and has so many segments. */
static TimestampTz
find_segments(const Search *search, int64 segments)
{
	Params params = {0};
	AtOwnerState state;
	TimestampTz begin = search->since;
	TimestampTz found;
	bool is_null;

	add_param(&params, TEXTOID, search->params.value[0]);
	add_param(&params, TIMESTAMPTZOID, TimestampTzGetDatum(search->until));
	add_param(&params, INT8OID, Int64GetDatum(segments));
	at_owner_enter(&state);
	execute("SELECT min(s.first_tx_at), count(*) FROM (SELECT g.first_tx_at "
			"FROM audit.attached_segment AS g WHERE g.archive = $1 AND g.events > 0 "
			"AND g.first_tx_at < $2 ORDER BY g.last_tx_at DESC, g.number DESC LIMIT $3) AS s",
			&params, 1);
	found = DatumGetTimestampTz(
		SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &is_null));
	if (!is_null && DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 2,
												&is_null)) == segments)
		begin = Max(begin, found);
	at_owner_leave(&state);
	return begin;
}

/* Since when, until when, and how many; numbers of arguments, of which the second follows the
 * first. */
static void
read_span(Search *search, FunctionCallInfo fcinfo, int since, int max_rows)
{
	search->since = PG_ARGISNULL(since) ? DT_NOBEGIN : PG_GETARG_TIMESTAMPTZ(since);
	search->until = PG_ARGISNULL(since + 1) ? DT_NOEND : PG_GETARG_TIMESTAMPTZ(since + 1);
	search->wanted = PG_ARGISNULL(max_rows) ? 0 : PG_GETARG_INT32(max_rows);
	if (search->wanted < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("max_rows must be at least 1"),
				 errhint("To go on after them, give the last event_id as before.")));
}

static void
add_condition(Search *search, Datum path)
{
	appendStringInfo(&search->where,
					 " AND jsonb_path_exists(jsonb_build_object('old', "
					 "audit.to_jsonb(old_values), 'new', audit.to_jsonb(new_values)), $%d, "
					 "silent => true)",
					 add_param(&search->params, JSONPATHOID, path));
}

static void
read_arguments(Search *search, FunctionCallInfo fcinfo)
{
	read_span(search, fcinfo, ARG_SINCE, ARG_MAX_ROWS);
	if (!PG_ARGISNULL(ARG_FILTER))
		add_filter(search, PG_GETARG_JSONB_P(ARG_FILTER));
	if (!PG_ARGISNULL(ARG_TARGET))
		add_target(search, PG_GETARG_OID(ARG_TARGET));
	if (!PG_ARGISNULL(ARG_CONDITION))
		add_condition(search, PG_GETARG_DATUM(ARG_CONDITION));
	if (!PG_ARGISNULL(ARG_BEFORE))
		start_before(search, text_to_cstring(PG_GETARG_TEXT_PP(ARG_BEFORE)), (Datum) 0);
}

static void
add_filter(Search *search, Jsonb *filter)
{
	JsonbIterator *it = JsonbIteratorInit(&filter->root);
	JsonbValue key;
	JsonbValue value;

	if (!JB_ROOT_IS_OBJECT(filter))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("the filter must be a JSON object"),
						errhint("For example: '{\"actor\": \"anna\", \"action\": [\"update\", "
								"\"delete\"]}'.")));
	(void) JsonbIteratorNext(&it, &key, true);
	while (JsonbIteratorNext(&it, &key, true) == WJB_KEY)
	{
		(void) JsonbIteratorNext(&it, &value, true);
		add_dimension(search, find_dimension(&key), &value);
	}
}

static const Dimension *
find_dimension(const JsonbValue *key)
{
	return find_dimension_named(pnstrdup(key->val.string.val, key->val.string.len));
}

static const Dimension *
find_dimension_named(const char *name)
{
	for (int i = 0; i < lengthof(dimensions); i++)
		if (strcmp(dimensions[i].name, name) == 0)
			return &dimensions[i];
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_COLUMN), errmsg("events cannot be searched by \"%s\"", name),
			 errhint("Use names of columns of audit.events; for values there is the "
					 "argument condition, for time since and until.")));
}

/* A value, null, or an array of which one is to be found. */
static void
add_dimension(Search *search, const Dimension *dimension, const JsonbValue *value)
{
	StringInfo where = &search->where;
	Datum text;
	int param;

	if (value->type == jbvNull)
	{
		appendStringInfo(where, " AND %s IS NULL", dimension->name);
		return;
	}
	search->is_narrow = search->is_narrow || dimension->is_narrow;
	if (value->type == jbvBinary)
	{
		param = add_param(&search->params, TEXTARRAYOID, texts_of(dimension, value));
		appendStringInfo(where,
						 dimension->is_array ? " AND %s && $%d::%s[]" : " AND %s = ANY ($%d::%s[])",
						 dimension->name, param, dimension->type);
		return;
	}
	text = text_of(dimension, value);
	param = add_param(&search->params, TEXTOID, text);
	appendStringInfo(where, dimension->is_array ? " AND %s @> ARRAY[$%d::%s]" : " AND %s = $%d::%s",
					 dimension->name, param, dimension->type);
	if (strcmp(dimension->name, "actor") == 0)
		search->actor = text;
	else if (strcmp(dimension->name, "session_id") == 0)
		search->session_id = text;
}

static Datum
texts_of(const Dimension *dimension, const JsonbValue *array)
{
	JsonbIterator *it = JsonbIteratorInit(array->val.binary.data);
	ArrayBuildState *texts = initArrayResult(TEXTOID, CurrentMemoryContext, false);
	JsonbIteratorToken token;
	JsonbValue value;

	if (!JsonContainerIsArray(array->val.binary.data))
		refuse_value(dimension);
	while ((token = JsonbIteratorNext(&it, &value, true)) != WJB_DONE)
		if (token == WJB_ELEM)
			accumArrayResult(texts, text_of(dimension, &value), false, TEXTOID,
							 CurrentMemoryContext);
	return makeArrayResult(texts, CurrentMemoryContext);
}

static Datum
text_of(const Dimension *dimension, const JsonbValue *value)
{
	switch (value->type)
	{
		case jbvString:
			return PointerGetDatum(
				cstring_to_text_with_len(value->val.string.val, value->val.string.len));
		case jbvNumeric:
			return CStringGetTextDatum(DatumGetCString(
				DirectFunctionCall1(numeric_out, NumericGetDatum(value->val.numeric))));
		default:
			refuse_value(dimension);
	}
}

static void
refuse_value(const Dimension *dimension)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("events cannot be searched by what the filter has for \"%s\"", dimension->name),
			 errdetail("It takes a string, a number, null, or an array of strings and "
					   "numbers.")));
}

/* All versions of a table, whatever it was called. */
static void
add_target(Search *search, Oid target)
{
	Params params = {0};
	Datum versions;
	bool is_null;

	add_param(&params, REGCLASSOID, ObjectIdGetDatum(target));
	execute("SELECT array_agg(v) FROM audit.target_versions($1) v", &params, 1);
	versions = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &is_null);
	if (is_null)
		ereport(ERROR, (errcode(ERRCODE_AT_BAD_TARGET),
						errmsg("table \"%s\" is not audited", get_rel_name(target)),
						errhint("For events of a table that was, use table_name in the filter.")));
	appendStringInfo(&search->where, " AND target_id = ANY ($%d)",
					 add_param(&search->params, INT4ARRAYOID, versions));
}

/* Go on behind an event that was given: of the trail (0), or of an archive. */
static void
start_before(Search *search, const char *event_id, Datum archive)
{
	AtEventName name = at_event_name_read(event_id);
	Params params = {0};
	Datum at;
	bool is_null;
	int first;

	add_param(&params, INT8OID, Int64GetDatum(name.tx_id));
	add_param(&params, INT4OID, Int32GetDatum(name.ordinal));
	if (archive != (Datum) 0)
		add_param(&params, TEXTOID, archive);
	execute(archive == (Datum) 0
				? "SELECT tx_at FROM audit.events WHERE tx_id = $1 AND ordinal = $2"
				: "SELECT tx_at FROM audit.attached_events($3, of_tx_id => $1) WHERE ordinal = $2",
			&params, 1);
	if (SPI_processed == 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("event \"%s\" does not exist", event_id),
						errdetail("Or it is not for you to see."),
						errhint("Give an event_id that audit.%s() has returned.",
								archive == (Datum) 0 ? "search" : "search_attached")));
	at = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &is_null);
	first = add_param(&search->params, TIMESTAMPTZOID, at);
	add_param(&search->params, INT8OID, Int64GetDatum(name.tx_id));
	add_param(&search->params, INT4OID, Int32GetDatum(name.ordinal));
	appendStringInfo(&search->where, " AND (tx_at, tx_id, ordinal) < ($%d, $%d, $%d)", first,
					 first + 1, first + 2);
	search->until = Min(search->until, DatumGetTimestampTz(at) + 1);
}

/* Add a parameter; returns its number. */
static int
add_param(Params *params, Oid type, Datum value)
{
	if (params->count == MAX_PARAMS)
		elog(ERROR, "too many parameters");
	params->type[params->count] = type;
	params->value[params->count] = value;
	return ++params->count;
}

/*
 * Where a stretch begins that ends where the search stands and whose transactions have so many
 * events; the sum runs along an index and ends there.
 */
static TimestampTz
find_begin(const Search *search, int64 events)
{
	Params params = {0};
	StringInfoData command;
	AtOwnerState state;
	TimestampTz begin = search->since;
	bool is_null;

	initStringInfo(&command);
	appendStringInfo(&command,
					 "SELECT tx_at FROM (SELECT tx_at, sum(event_count) OVER "
					 "(ORDER BY tx_at DESC ROWS UNBOUNDED PRECEDING) AS events "
					 "FROM audit.transaction WHERE tx_at >= $%d",
					 add_param(&params, TIMESTAMPTZOID, TimestampTzGetDatum(search->since)));
	appendStringInfo(&command, " AND tx_at < $%d",
					 add_param(&params, TIMESTAMPTZOID, TimestampTzGetDatum(search->until)));
	if (search->actor != 0)
		appendStringInfo(&command, " AND actor = $%d", add_param(&params, TEXTOID, search->actor));
	if (search->session_id != 0)
		appendStringInfo(&command, " AND session_id = $%d::bigint",
						 add_param(&params, TEXTOID, search->session_id));
	appendStringInfo(&command, ") t WHERE events >= $%d LIMIT 1",
					 add_param(&params, INT8OID, Int64GetDatum(events)));

	at_owner_enter(&state);
	execute(command.data, &params, 1);
	if (SPI_processed > 0)
		begin = DatumGetTimestampTz(
			SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &is_null));
	at_owner_leave(&state);
	pfree(command.data);
	return begin;
}

/* Give what a stretch has: from there to where the search stands. */
static void
read_stretch(Search *search, TimestampTz from, ReturnSetInfo *result)
{
	Params params = search->params;
	StringInfoData command;

	initStringInfo(&command);
	appendStringInfo(&command, "SELECT " COLUMNS " FROM %s WHERE true", search->source);
	if (from > DT_NOBEGIN)
		appendStringInfo(&command, " AND tx_at >= $%d",
						 add_param(&params, TIMESTAMPTZOID, TimestampTzGetDatum(from)));
	if (search->until < DT_NOEND)
		appendStringInfo(&command, " AND tx_at < $%d",
						 add_param(&params, TIMESTAMPTZOID, TimestampTzGetDatum(search->until)));
	appendStringInfo(&command, "%s ORDER BY tx_at DESC, tx_id DESC, ordinal DESC LIMIT %d",
					 search->where.data, search->wanted);
	execute(command.data, &params, 0);
	for (uint64 i = 0; i < SPI_processed; i++)
		tuplestore_puttuple(result->setResult, SPI_tuptable->vals[i]);
	search->wanted -= SPI_processed;
	SPI_freetuptable(SPI_tuptable);
	pfree(command.data);
}

static void
execute(const char *command, Params *params, long max_rows)
{
	int code = SPI_execute_with_args(command, params->count, params->type, params->value, NULL,
									 true, max_rows);

	if (code != SPI_OK_SELECT)
		elog(ERROR, "could not search the trail: %s", SPI_result_code_string(code));
}
