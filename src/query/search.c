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
 * what is common is found in the first. Of the longer ones only those parts are read whose batches
 * have such events as the log tells (query/batches.h), so that what is rare, or not there at all,
 * costs little more than a look at the log; where a filter has nothing the log knows, one question
 * about all.
 *
 * All stretches are read in the snapshot of the query. The view is read with the rights of whoever
 * asks, so row security and masking are its own; only where a stretch begins and which parts of it
 * are read is found with the owner's rights, and that is told to nobody. The first stretch is
 *always read, so that whoever may not read the view is refused, and that it was read is recorded.
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
#include "query/batches.h"

/* The first stretch has so many events for each one that is wanted, and at least so many. */
#define FIRST_FACTOR 2
#define FIRST_LEAST  64

/* And each further one so many times those of the one before. */
#define GROWTH 8

/* From so many on the log is asked what a stretch has: what is common was found before. */
#define FIRST_ASKED 4096

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
	bool is_listed; /* batches tell: one of AT_BATCH_COLUMNS */
} Dimension;

static const Dimension dimensions[] = {
	{.name = "action", .type = "text", .is_listed = true},
	{.name = "actor", .type = "text"},
	{.name = "actor_source", .type = "text"},
	{.name = "actor_type", .type = "text"},
	{.name = "application_name", .type = "text"},
	{.name = "backend_pid", .type = "int"},
	{.name = "category", .type = "text", .is_listed = true},
	{.name = "changed", .type = "text", .is_array = true},
	{.name = "claimed_client_ip", .type = "text"},
	{.name = "claimed_session", .type = "text"},
	{.name = "client_ip", .type = "text"},
	{.name = "client_port", .type = "int"},
	{.name = "context", .type = "text", .is_listed = true},
	{.name = "db_role", .type = "text"},
	{.name = "db_user", .type = "text"},
	{.name = "event_type", .type = "text", .is_listed = true},
	{.name = "login_user", .type = "text"},
	{.name = "reason", .type = "text"},
	{.name = "request_id", .type = "text", .is_narrow = true},
	{.name = "resource_id", .type = "text", .is_narrow = true},
	{.name = "resource_type", .type = "text", .is_listed = true},
	{.name = "session_id", .type = "bigint"},
	{.name = "statement", .type = "text"},
	{.name = "table_name", .type = "text", .is_listed = true},
	{.name = "table_schema", .type = "text", .is_listed = true},
	{.name = "trace_parent", .type = "text"},
	{.name = "trigger_depth", .type = "int"},
	{.name = "tx_id", .type = "bigint", .is_narrow = true},
	{.name = "xid", .type = "bigint", .is_narrow = true},
};

typedef struct Search
{
	const char *source;    /* what is read: FROM this */
	StringInfoData where;  /* conditions that hold in every stretch, each with AND before it */
	StringInfoData listed; /* those of them that batches tell of; empty: none */
	AtParams params;
	AtBatches *batches; /* NULL: not asked yet */
	bool is_narrow;     /* one stretch is enough */
	Datum actor;        /* by whose transactions stretches are measured; 0: not by that */
	Datum session_id;   /* likewise, as a text */

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
static TimestampTz find_begin(const Search *search, int64 events);
static void read_stretch(Search *search, TimestampTz from, ReturnSetInfo *result);
static TimestampTz find_long_begin(const Search *search, int64 events);
static void read_parts(Search *search, int64 events, ReturnSetInfo *result);

Datum
at_search(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Search search = {.source = "audit.events"};
	bool is_first = true;
	int64 events; /* of a stretch, whether they are looked for or not */

	InitMaterializedSRF(fcinfo, 0);
	initStringInfo(&search.where);
	initStringInfo(&search.listed);
	SPI_connect();
	read_arguments(&search, fcinfo);

	events = Max((int64) search.wanted * FIRST_FACTOR, FIRST_LEAST);
	while (search.wanted > 0 && search.since < search.until)
	{
		CHECK_FOR_INTERRUPTS();
		if (search.is_narrow)
			read_stretch(&search, search.since, result);
		else if (is_first || events < FIRST_ASKED || search.listed.len == 0)
			read_stretch(&search, find_begin(&search, events), result);
		else
			read_parts(&search, events, result);
		is_first = false;
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
	initStringInfo(&search.listed);
	SPI_connect();
	read_span(&search, fcinfo, ATTACHED_SINCE, ATTACHED_MAX_ROWS);
	at_params_add(&search.params, TEXTOID, PG_GETARG_DATUM(ATTACHED_ARCHIVE));
	at_params_add(&search.params, TIMESTAMPTZOID, TimestampTzGetDatum(search.since));
	at_params_add(&search.params, TIMESTAMPTZOID, TimestampTzGetDatum(search.until));
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
		appendStringInfo(&source, ", %s => $%d::%s", known[i].argument,
						 at_params_add(&search->params, TEXTOID,
									   text_of(find_dimension_named(known[i].key), value)),
						 known[i].type);
	}
	appendStringInfoChar(&source, ')');
	return source.data;
}

/* Where a stretch begins that ends where the search stands and has so many segments. */
static TimestampTz
find_segments(const Search *search, int64 segments)
{
	AtParams params = {0};
	AtOwnerState state;
	TimestampTz begin = search->since;
	TimestampTz found;
	bool is_null;

	at_params_add(&params, TEXTOID, search->params.value[0]);
	at_params_add(&params, TIMESTAMPTZOID, TimestampTzGetDatum(search->until));
	at_params_add(&params, INT8OID, Int64GetDatum(segments));
	at_owner_enter(&state);
	at_params_select(
		&params,
		"SELECT min(s.first_tx_at), count(*) FROM (SELECT g.first_tx_at "
		"FROM audit.attached_segment AS g WHERE g.archive = $1 AND g.events > 0 "
		"AND g.first_tx_at < $2 ORDER BY g.last_tx_at DESC, g.number DESC LIMIT $3) AS s",
		1);
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
					 at_params_add(&search->params, JSONPATHOID, path));
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
	int before = where->len;
	const char *equals = dimension->is_array ? " AND %s @> ARRAY[$%d::%s]" : " AND %s = $%d::%s";
	const char *is_any = dimension->is_array ? " AND %s && $%d::%s[]" : " AND %s = ANY ($%d::%s[])";

	if (value->type == jbvNull)
		appendStringInfo(where, " AND %s IS NULL", dimension->name);
	else if (value->type == jbvBinary)
		appendStringInfo(where, is_any, dimension->name,
						 at_params_add(&search->params, TEXTARRAYOID, texts_of(dimension, value)),
						 dimension->type);
	else
	{
		Datum text = text_of(dimension, value);

		appendStringInfo(where, equals, dimension->name,
						 at_params_add(&search->params, TEXTOID, text), dimension->type);
		if (strcmp(dimension->name, "actor") == 0)
			search->actor = text;
		else if (strcmp(dimension->name, "session_id") == 0)
			search->session_id = text;
	}
	if (value->type != jbvNull)
		search->is_narrow = search->is_narrow || dimension->is_narrow;
	if (dimension->is_listed)
		appendStringInfoString(&search->listed, where->data + before);
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
	AtParams params = {0};
	Datum versions;
	bool is_null;
	int param;

	at_params_add(&params, REGCLASSOID, ObjectIdGetDatum(target));
	at_params_select(&params, "SELECT array_agg(v) FROM audit.target_versions($1) v", 1);
	versions = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &is_null);
	if (is_null)
		ereport(ERROR, (errcode(ERRCODE_AT_BAD_TARGET),
						errmsg("table \"%s\" is not audited", get_rel_name(target)),
						errhint("For events of a table that was, use table_name in the filter.")));
	param = at_params_add(&search->params, INT4ARRAYOID, versions);
	appendStringInfo(&search->where, " AND target_id = ANY ($%d)", param);
	appendStringInfo(&search->listed, " AND target_id = ANY ($%d)", param);
}

/* Go on behind an event that was given: of the trail (0), or of an archive. */
static void
start_before(Search *search, const char *event_id, Datum archive)
{
	AtEventName name = at_event_name_read(event_id);
	AtParams params = {0};
	Datum at;
	bool is_null;
	int first;

	at_params_add(&params, INT8OID, Int64GetDatum(name.tx_id));
	at_params_add(&params, INT4OID, Int32GetDatum(name.ordinal));
	if (archive != (Datum) 0)
		at_params_add(&params, TEXTOID, archive);
	at_params_select(
		&params,
		archive == (Datum) 0
			? "SELECT tx_at FROM audit.events WHERE tx_id = $1 AND ordinal = $2"
			: "SELECT tx_at FROM audit.attached_events($3, of_tx_id => $1) WHERE ordinal = $2",
		1);
	if (SPI_processed == 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("event \"%s\" does not exist", event_id),
						errdetail("Or it is not for you to see."),
						errhint("Give an event_id that audit.%s() has returned.",
								archive == (Datum) 0 ? "search" : "search_attached")));
	at = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &is_null);
	first = at_params_add(&search->params, TIMESTAMPTZOID, at);
	at_params_add(&search->params, INT8OID, Int64GetDatum(name.tx_id));
	at_params_add(&search->params, INT4OID, Int32GetDatum(name.ordinal));
	appendStringInfo(&search->where, " AND (tx_at, tx_id, ordinal) < ($%d, $%d, $%d)", first,
					 first + 1, first + 2);
	search->until = Min(search->until, DatumGetTimestampTz(at) + 1);
}

/*
 * Where a stretch begins that ends where the search stands and whose transactions have so many
 * events; the sum runs along an index and ends there.
 */
static TimestampTz
find_begin(const Search *search, int64 events)
{
	AtParams params = {0};
	StringInfoData command;
	AtOwnerState state;
	TimestampTz begin = search->since;
	bool is_null;

	initStringInfo(&command);
	appendStringInfo(&command,
					 "SELECT tx_at FROM (SELECT tx_at, sum(event_count) OVER "
					 "(ORDER BY tx_at DESC ROWS UNBOUNDED PRECEDING) AS events "
					 "FROM audit.transaction WHERE tx_at >= $%d",
					 at_params_add(&params, TIMESTAMPTZOID, TimestampTzGetDatum(search->since)));
	appendStringInfo(&command, " AND tx_at < $%d",
					 at_params_add(&params, TIMESTAMPTZOID, TimestampTzGetDatum(search->until)));
	if (search->actor != 0)
		appendStringInfo(&command, " AND actor = $%d",
						 at_params_add(&params, TEXTOID, search->actor));
	if (search->session_id != 0)
		appendStringInfo(&command, " AND session_id = $%d::bigint",
						 at_params_add(&params, TEXTOID, search->session_id));
	appendStringInfo(&command, ") t WHERE events >= $%d LIMIT 1",
					 at_params_add(&params, INT8OID, Int64GetDatum(events)));

	at_owner_enter(&state);
	at_params_select(&params, command.data, 1);
	if (SPI_processed > 0)
		begin = DatumGetTimestampTz(
			SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &is_null));
	at_owner_leave(&state);
	pfree(command.data);
	return begin;
}

/* Give what a stretch has, from there to where the search stands, which is then there. */
static void
read_stretch(Search *search, TimestampTz from, ReturnSetInfo *result)
{
	AtParams params = search->params;
	StringInfoData command;

	initStringInfo(&command);
	appendStringInfo(&command, "SELECT " COLUMNS " FROM %s WHERE true", search->source);
	if (from > DT_NOBEGIN)
		appendStringInfo(&command, " AND tx_at >= $%d",
						 at_params_add(&params, TIMESTAMPTZOID, TimestampTzGetDatum(from)));
	if (search->until < DT_NOEND)
		appendStringInfo(
			&command, " AND tx_at < $%d",
			at_params_add(&params, TIMESTAMPTZOID, TimestampTzGetDatum(search->until)));
	appendStringInfo(&command, "%s ORDER BY tx_at DESC, tx_id DESC, ordinal DESC LIMIT %d",
					 search->where.data, search->wanted);
	at_params_select(&params, command.data, 0);
	for (uint64 i = 0; i < SPI_processed; i++)
		tuplestore_puttuple(result->setResult, SPI_tuptable->vals[i]);
	search->wanted -= SPI_processed;
	search->until = from;
	SPI_freetuptable(SPI_tuptable);
	pfree(command.data);
}

/* Are stretches measured by the transactions of one actor or session? */
static bool
has_owner(const Search *search)
{
	return search->actor != 0 || search->session_id != 0;
}

/* Where a stretch begins, by the log if that is the shorter way. */
static TimestampTz
find_long_begin(const Search *search, int64 events)
{
	if (has_owner(search) || search->until > at_batches_unsealed(search->batches))
		return find_begin(search, events);
	return at_batches_measure(search->since, search->until, events);
}

/*
 * Give what a stretch of so many events has, and go to its beginning, by asking the log where they
 * may be. To ask takes a step for each of its entries in that time; the events of an actor or a
 * session may be fewer, and the time is long, so these are read without asking where the log is
 * longer than they.
 */
static void
read_parts(Search *search, int64 events, ReturnSetInfo *result)
{
	AtStretch stretch = {.until = search->until};
	List *parts;
	ListCell *cell;

	if (search->batches == NULL)
		search->batches = at_batches_open(search->listed.data, &search->params);
	stretch.from = find_long_begin(search, events);
	if (has_owner(search) && at_batches_count(search->batches) > events)
		parts = list_make1(&stretch);
	else
		parts = at_batches_find(search->batches, stretch);
	foreach (cell, parts)
	{
		AtStretch *part = lfirst(cell);

		if (search->wanted == 0)
			break;
		search->until = part->until;
		read_stretch(search, part->from, result);
	}
	search->until = stretch.from;
}
