/*-------------------------------------------------------------------------
 * start.c
 *		A control record in the log for each start of the server.
 *
 * It says when that was, how the server had been left, and since when nobody
 * can vouch that the library was loaded, where that is so. What an earlier
 * run found and did not come to seal here is told too.
 *
 * The log itself vouches as well: whoever sealed its last entry before the
 * start had the library loaded. So an unseen time begins no earlier, and that is
 * all there is to know if the server's own record is lost.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "base/run.h"
#include "ledger/log_read.h"
#include "seal/start.h"

/* Right after an error: the log is asked again, unless what it says was committed. */
static struct
{
	bool known; /* the log has what there is to say */
	bool said;  /* in this pass */
} start;

static const char *const end_names[] = {
	[AT_SERVER_END_CLEAN] = "clean",
	[AT_SERVER_END_CRASH] = "crash",
	[AT_SERVER_END_COPY] = "copy",
};

static const char *const cause_names[] = {
	[AT_UNSEEN_CHANGED] = "something else has written pg_control",
	[AT_UNSEEN_NO_RECORD] = "there was no record of the time before",
};

/* A time as text; an unseen time is known by that of its end. */
#define UTC "'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'"

/*
 * No row if there is nothing to say: the log has an entry of this start, or was
 * begun after it.
 */
static const char payload_query[] =
	"WITH origin AS (SELECT e.sealed_at FROM audit.log_entry AS e"
	" WHERE e.kind IN ('boot', 'incarnation') ORDER BY e.log_index DESC LIMIT 1"
	"), told AS (SELECT pg_catalog.json_extract_path_text(e.payload, 'at') AS at,"
	" pg_catalog.json_extract_path(e.payload, 'unseen') AS unseen"
	" FROM audit.log_entry AS e WHERE e.kind = 'start'"
	"), gap AS (SELECT greatest(u.since, (SELECT e.sealed_at FROM audit.log_entry AS e"
	" WHERE e.sealed_at < u.until ORDER BY e.log_index DESC LIMIT 1)) AS since,"
	" pg_catalog.to_char(pg_catalog.timezone('UTC', u.until), " UTC ") AS until, u.found"
	" FROM origin AS o JOIN ROWS FROM (pg_catalog.unnest($3), pg_catalog.unnest($4),"
	" pg_catalog.unnest($5)) AS u(since, until, found) ON u.until > o.sealed_at"
	"), news AS (SELECT pg_catalog.json_agg(pg_catalog.json_build_object("
	"'since', pg_catalog.to_char(pg_catalog.timezone('UTC', g.since), " UTC "),"
	" 'until', g.until, 'found', g.found) ORDER BY g.until) AS unseen"
	" FROM gap AS g WHERE g.until NOT IN ("
	"SELECT pg_catalog.json_extract_path_text(v.value, 'until')"
	" FROM told AS t, pg_catalog.json_array_elements(t.unseen) AS v)"
	") SELECT pg_catalog.json_strip_nulls(pg_catalog.json_build_object("
	"'at', this.at, 'before', $2, 'unseen', n.unseen)) FROM origin AS o, news AS n,"
	" pg_catalog.to_char(pg_catalog.timezone('UTC', $1), " UTC ") AS this(at)"
	" WHERE o.sealed_at < $1 AND this.at NOT IN (SELECT t.at FROM told AS t)";

static char *make_payload(const AtServerRun *run);
static Datum array_of(Datum *values, bool *nulls, int count, Oid type);

void
at_start_seal(AtLogHead *head, int32 incarnation)
{
	char *payload;

	start.said = false;
	if (start.known || at_run_this() == NULL)
		return;
	start.said = true;
	payload = make_payload(at_run_this());
	if (payload != NULL)
		at_log_append_control(head, incarnation, AT_KIND_START, NULL, payload);
}

void
at_start_sealed(void)
{
	start.known |= start.said;
}

/* In the caller's context; NULL if the log needs no entry. */
static char *
make_payload(const AtServerRun *run)
{
	MemoryContext context = CurrentMemoryContext;
	Oid types[] = {TIMESTAMPTZOID, TEXTOID, TIMESTAMPTZARRAYOID, TIMESTAMPTZARRAYOID, TEXTARRAYOID};
	Datum since[AT_MAX_UNSEEN];
	Datum until[AT_MAX_UNSEEN];
	Datum found[AT_MAX_UNSEEN];
	bool unknown[AT_MAX_UNSEEN];
	char *payload = NULL;

	for (int i = 0; i < run->nunseen; i++)
	{
		since[i] = TimestampTzGetDatum(run->unseen[i].since);
		unknown[i] = run->unseen[i].since == 0;
		until[i] = TimestampTzGetDatum(run->unseen[i].until);
		found[i] = CStringGetTextDatum(cause_names[run->unseen[i].cause]);
	}

	Datum values[] = {
		TimestampTzGetDatum(run->started_at),
		CStringGetTextDatum(end_names[run->before]),
		array_of(since, unknown, run->nunseen, TIMESTAMPTZOID),
		array_of(until, NULL, run->nunseen, TIMESTAMPTZOID),
		array_of(found, NULL, run->nunseen, TEXTOID),
	};

	SPI_connect();
	if (SPI_execute_with_args(payload_query, lengthof(values), types, values, NULL, true, 1) !=
		SPI_OK_SELECT)
		elog(ERROR, "unexpected result of: %s", payload_query);
	if (SPI_processed > 0)
		payload = MemoryContextStrdup(
			context, SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1));
	SPI_finish();
	return payload;
}

static Datum
array_of(Datum *values, bool *nulls, int count, Oid type)
{
	int length = type == TEXTOID ? -1 : sizeof(TimestampTz);
	bool by_value = type == TEXTOID ? false : FLOAT8PASSBYVAL;
	char alignment = type == TEXTOID ? TYPALIGN_INT : TYPALIGN_DOUBLE;
	int lower_bound = 1;

	return PointerGetDatum(construct_md_array(values, nulls, 1, &count, &lower_bound, type, length,
											  by_value, alignment));
}
