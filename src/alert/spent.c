/*-------------------------------------------------------------------------
 * spent.c
 *		Matches and judgements that nobody needs any more leave.
 *
 * What is expected leaves when it has been judged (judge.c). A match of a burst is needed as long
 *as one may come within its rule's time of it: by a transaction that runs, or begins later. When
 * the transactions of that kind began is not known, but a judgement knows some of it: who had not
 *begun in its snapshot began after it. So one is kept as a mark. When all have ended that had begun
 * by then, whatever comes happened after the mark, and what happened before that by more than the
 *rule's time is spent. The newest judgement is then the next mark.
 *
 * Events that come through the ring are recorded a moment after they happened: hence the grace.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/timestamp.h"

#include "alert/notifier.h"
#include "alert/spent.h"
#include "base/debug_point.h"
#include "ledger/datum.h"
#include "ledger/let_go.h"

/* How much older than its window a match and a mark are, at least. */
#define GRACE_S 60

/* A judgement that others are measured by. */
typedef struct Mark
{
	int64 pass_id;
	TimestampTz judged_at;
	AtSettled settled;
} Mark;

static const char mark_query[] =
	"SELECT p.pass_id, p.judged_at, p.snapshot FROM audit.alert_judgement p "
	"WHERE p.system_identifier = $1 AND p.database_oid = $2 ORDER BY p.pass_id LIMIT 1";

/* Notes of rules that are gone, or of another kind now, too. */
static const char spent_query[] =
	"SELECT m.ctid FROM audit.alert_match m LEFT JOIN audit.alert_rule r "
	"ON r.name = m.rule_name AND r.kind = 'burst' WHERE m.due_at IS NULL AND m.xid < $1 "
	"AND (r.name IS NULL OR m.matched_at < $2 - r.within)";

static const char judgements_query[] =
	"SELECT p.ctid FROM audit.alert_judgement p "
	"WHERE p.system_identifier = $1 AND p.database_oid = $2 AND p.pass_id <> $3";

/* Right after an error: a plan is set only when whole. */
static struct
{
	SPIPlanPtr mark;
	SPIPlanPtr matches;
	SPIPlanPtr judgements;
} spent;

static bool read_mark(Mark *mark);
static bool is_past(const Mark *mark, const AtSettled *until, TimestampTz now, int64 grace);
static void let_go_matches(const Mark *mark, int64 grace);
static void let_go_judgements(int64 but);
static void let_go_rows(AtLedgerTable table);

void
at_spent_let_go(const AtSettled *until, TimestampTz now)
{
	int64 grace =
		at_debug_point_is_on("alert-match-no-grace") ? 0 : GRACE_S * (int64) USECS_PER_SEC;
	Mark mark;
	bool past;

	if (!read_mark(&mark))
		return;
	past = is_past(&mark, until, now, grace);
	if (past)
		let_go_matches(&mark, grace);
	let_go_judgements(past ? 0 : mark.pass_id);
}

/* The judgement of this pass is not seen yet; false if there is no other. */
static bool
read_mark(Mark *mark)
{
	Oid types[] = {INT8OID, OIDOID};
	Datum values[] = {Int64GetDatum(GetSystemIdentifier()), ObjectIdGetDatum(MyDatabaseId)};
	bool isnull;

	if (SPI_execute_plan(at_notifier_plan(&spent.mark, mark_query, lengthof(types), types), values,
						 NULL, true, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not read audit.alert_judgement");
	if (SPI_processed == 0)
		return false;

	HeapTuple row = SPI_tuptable->vals[0];
	TupleDesc desc = SPI_tuptable->tupdesc;

	mark->pass_id = DatumGetInt64(SPI_getbinval(row, desc, 1, &isnull));
	mark->judged_at = DatumGetTimestampTz(SPI_getbinval(row, desc, 2, &isnull));
	if (!at_settled_parse(at_span_of(SPI_getvalue(row, desc, 3)), &mark->settled))
		elog(ERROR, "unexpected snapshot in audit.alert_judgement");
	return true;
}

/* Have all ended that had begun by then? */
static bool
is_past(const Mark *mark, const AtSettled *until, TimestampTz now, int64 grace)
{
	return now >= mark->judged_at + grace &&
		   (until->nrunning == 0 || until->running[0] >= mark->settled.xmax);
}

static void
let_go_matches(const Mark *mark, int64 grace)
{
	Oid types[] = {INT8OID, TIMESTAMPTZOID};
	Datum values[] = {Int64GetDatum(mark->settled.xmax),
					  TimestampTzGetDatum(mark->judged_at - grace)};

	if (SPI_execute_plan(at_notifier_plan(&spent.matches, spent_query, lengthof(types), types),
						 values, NULL, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read audit.alert_match");
	let_go_rows(AT_LEDGER_ALERT_MATCH);
}

/* All of this database that are seen, but for one. */
static void
let_go_judgements(int64 but)
{
	Oid types[] = {INT8OID, OIDOID, INT8OID};
	Datum values[] = {Int64GetDatum(GetSystemIdentifier()), ObjectIdGetDatum(MyDatabaseId),
					  Int64GetDatum(but)};

	if (SPI_execute_plan(
			at_notifier_plan(&spent.judgements, judgements_query, lengthof(types), types), values,
			NULL, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read audit.alert_judgement");
	let_go_rows(AT_LEDGER_ALERT_JUDGEMENT);
}

/* Those that were just found, by their places. */
static void
let_go_rows(AtLedgerTable table)
{
	SPITupleTable *rows = SPI_tuptable;
	bool isnull;

	for (uint64 i = 0; i < rows->numvals; i++)
	{
		CHECK_FOR_INTERRUPTS();
		at_let_go_note(table, (ItemPointer) DatumGetPointer(
								  SPI_getbinval(rows->vals[i], rows->tupdesc, 1, &isnull)));
	}
}
