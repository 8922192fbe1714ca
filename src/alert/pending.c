/*-------------------------------------------------------------------------
 * pending.c
 *		Alerts that are to be told the first time, in the order of commits.
 *
 * The window lies between two snapshots, as that of the sealer. In it are
 * those that were running at the first and have ended, and those that began
 * later. Which of them committed first, no snapshot tells; each has the time
 * at which it was about to commit, and who commits after having seen
 * another's commit has a later one.
 *
 * A storm is read in parts, so that memory is bounded: within a part the
 * order is that of commits, and the parts follow one another by transaction
 * id. What has a delivery is left out when it is to be told, so that a window that was told in
 * part by a notifier that is gone is told to its end by the next one.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "alert/notifier.h"
#include "alert/pending.h"
#include "alert/tell.h"
#include "ledger/datum.h"
#include "ledger/settled.h"

/* Alerts of a part: 16 bytes each. */
#define PART 100000

/* A place in the order of a part. */
typedef struct Place
{
	int64 xid;
	int64 alert_id;
} Place;

typedef struct Pending
{
	int64 alert_id;
	int64 action_id; /* the request to tell it again; 0: it is told the first time */
} Pending;

/*
 * Of the window, what was running at its begin and has ended, or what began
 * later. By the index on (xid, alert_id); OFFSET 0 keeps the planner from
 * joining: what the window holds may be little, and what is behind it much.
 */
#define BRANCH(number, condition)                                                                  \
	"(SELECT " number " AS branch, a.alert_id, a.xid, a.tx_id FROM audit.alert a WHERE " condition \
	" ORDER BY a.xid, a.alert_id LIMIT $8)"

static const char part_query[] =
	"SELECT p.branch, p.alert_id, p.xid, t.committed_at IS NOT NULL "
	"FROM (" BRANCH(
		"0",
		"a.xid = ANY ($1) AND (a.xid, a.alert_id) > "
		"($2, $3)") " UNION ALL " BRANCH("1",
										 "a.xid < $4 AND a.xid <> ALL ($5) AND (a.xid, a.alert_id) "
										 "> "
										 "($6, $7)") ") p LEFT JOIN LATERAL (SELECT t.committed_at "
													 "FROM audit.transaction t WHERE t.tx_id = "
													 "p.tx_id "
													 "AND t.system_identifier = $9 AND "
													 "t.database_oid "
													 "= $10 OFFSET 0) t ON true "
													 "ORDER BY t.committed_at, p.xid, p.alert_id";

static const char actions_query[] =
	"SELECT r.alert_id, r.action_id FROM (SELECT * FROM audit.alert_action b WHERE b.xid = ANY "
	"($1) "
	"UNION ALL SELECT * FROM audit.alert_action e WHERE e.xid >= $2 AND e.xid < $3 AND "
	"e.xid <> ALL ($4)) r WHERE r.kind = 'resend' AND r.system_identifier = $5 AND "
	"r.database_oid = $6 ORDER BY r.acted_at, r.action_id";

static const char items_query[] =
	"SELECT " AT_TELL_COLUMNS ", i.action_id, r.channel "
	"FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2)) WITH ORDINALITY "
	"AS i (alert_id, action_id, n) CROSS JOIN LATERAL (SELECT * FROM audit.alert x "
	"WHERE x.alert_id = i.alert_id OFFSET 0) a LEFT JOIN LATERAL (SELECT y.channel "
	"FROM audit.alert_action y WHERE y.action_id = i.action_id AND i.action_id <> 0 OFFSET 0) r ON "
	"true "
	"WHERE NOT EXISTS (SELECT FROM audit.alert_delivery d WHERE d.alert_id = i.alert_id "
	"AND (i.action_id = 0 OR d.action_id = i.action_id) OFFSET 0) ORDER BY i.n";

/*
 * Right after an error: what has been read stays valid, and is taken off the
 * list only when it is committed. memory is NULL or whole.
 */
static struct
{
	MemoryContext memory; /* of what follows; NULL: no window */
	int64 pass_id;        /* the pass that will end it */
	AtSettled from;
	AtSettled until;
	char *until_text;
	int64 *ended; /* were running at from, and have ended at until */
	int nended;
	int64 count; /* alerts so far */

	/* a part of it */
	Place ended_after;
	Place began_after;
	bool is_last;
	Pending *items;
	int nitems;
	int next;

	SPIPlanPtr part_plan;
	SPIPlanPtr actions_plan;
	SPIPlanPtr items_plan;
} pending;

static void begin_window(int64 pass_id, const char *since);
static void find_ended(void);
static void read_part(void);
static void add_part(SPITupleTable *rows, uint64 count);
static void read_actions(void);
static Datum int8_array(const int64 *numbers, int count);
static uint64 run(SPIPlanPtr *plan, const char *query, int nargs, Oid *types, Datum *values);

void
at_pending_read(int64 pass_id, const char *since)
{
	/* somebody else may have told it, and moved the cursor */
	if (pending.memory != NULL && pending.pass_id != pass_id)
	{
		MemoryContextDelete(pending.memory);
		pending.memory = NULL;
	}
	if (pending.memory == NULL)
		begin_window(pass_id, since);
	while (pending.next == pending.nitems && !pending.is_last)
		read_part();
}

static void
begin_window(int64 pass_id, const char *since)
{
	MemoryContext memory =
		AllocSetContextCreate(CurrentMemoryContext, "audit alerts pending", ALLOCSET_DEFAULT_SIZES);
	MemoryContext save = MemoryContextSwitchTo(memory);

	pending.pass_id = pass_id;
	pending.until_text = at_settled_now();
	if (!at_settled_parse(at_span_of(since == NULL ? "1:1:" : since), &pending.from) ||
		!at_settled_parse(at_span_of(pending.until_text), &pending.until))
		elog(ERROR, "unexpected snapshot: \"%s\" or \"%s\"", since, pending.until_text);
	find_ended();
	pending.ended_after = (Place){0};
	pending.began_after = (Place){.xid = pending.from.xmax - 1, .alert_id = PG_INT64_MAX};
	pending.count = 0;
	pending.items = NULL;
	pending.nitems = 0;
	pending.next = 0;
	pending.is_last = false;
	MemoryContextSwitchTo(save);
	MemoryContextSetParent(memory, TopMemoryContext);
	pending.memory = memory;
}

static void
find_ended(void)
{
	pending.ended = palloc(sizeof(int64) * Max(pending.from.nrunning, 1));
	pending.nended = 0;
	for (int i = 0; i < pending.from.nrunning; i++)
		if (at_settled_has(&pending.until, pending.from.running[i]))
			pending.ended[pending.nended++] = pending.from.running[i];
}

static void
read_part(void)
{
	Oid types[] = {INT8ARRAYOID, INT8OID, INT8OID, INT8OID, INT8ARRAYOID,
				   INT8OID,      INT8OID, INT8OID, INT8OID, OIDOID};
	Datum values[] = {
		int8_array(pending.ended, pending.nended),
		Int64GetDatum(pending.ended_after.xid),
		Int64GetDatum(pending.ended_after.alert_id),
		Int64GetDatum(pending.until.xmax),
		int8_array(pending.until.running, pending.until.nrunning),
		Int64GetDatum(pending.began_after.xid),
		Int64GetDatum(pending.began_after.alert_id),
		Int64GetDatum(PART),
		Int64GetDatum(GetSystemIdentifier()),
		ObjectIdGetDatum(MyDatabaseId),
	};
	uint64 count = run(&pending.part_plan, part_query, lengthof(types), types, values);

	add_part(SPI_tuptable, count);
	if (pending.is_last)
		read_actions();
}

static void
reserve(int count)
{
	Pending *items =
		MemoryContextAlloc(pending.memory, sizeof(Pending) * Max(pending.nitems + count, 1));

	if (pending.items != NULL)
	{
		memcpy(items, pending.items, sizeof(Pending) * pending.nitems);
		pfree(pending.items);
	}
	pending.items = items;
}

/* A branch that was cut off goes on behind the last of it; one that was not is through. */
static void
advance(Place *after, const Place *last, int count)
{
	*after = count < PART ? (Place){.xid = PG_INT64_MAX, .alert_id = PG_INT64_MAX} : *last;
}

/* Alerts that were raised in another server or database, before a restore, are not told here. */
static void
add_part(SPITupleTable *rows, uint64 count)
{
	Place last[2] = {{0}, {0}};
	int found[2] = {0, 0};
	bool isnull;

	pending.nitems = pending.next = 0;
	reserve(count);
	for (uint64 i = 0; i < count; i++)
	{
		int branch =
			DatumGetInt32(SPI_getbinval(rows->vals[i], rows->tupdesc, 1, &isnull)) == 0 ? 0 : 1;
		Place place = {
			.alert_id = DatumGetInt64(SPI_getbinval(rows->vals[i], rows->tupdesc, 2, &isnull)),
			.xid = DatumGetInt64(SPI_getbinval(rows->vals[i], rows->tupdesc, 3, &isnull)),
		};

		found[branch]++;
		if (place.xid > last[branch].xid ||
			(place.xid == last[branch].xid && place.alert_id > last[branch].alert_id))
			last[branch] = place;
		if (DatumGetBool(SPI_getbinval(rows->vals[i], rows->tupdesc, 4, &isnull)))
			pending.items[pending.nitems++] = (Pending){.alert_id = place.alert_id};
	}
	advance(&pending.ended_after, &last[0], found[0]);
	advance(&pending.began_after, &last[1], found[1]);
	pending.is_last = found[0] < PART && found[1] < PART;
}

/* Behind the alerts: nobody asks for one that was not told yet. */
static void
read_actions(void)
{
	Oid types[] = {INT8ARRAYOID, INT8OID, INT8OID, INT8ARRAYOID, INT8OID, OIDOID};
	Datum values[] = {
		int8_array(pending.ended, pending.nended),
		Int64GetDatum(pending.from.xmax),
		Int64GetDatum(pending.until.xmax),
		int8_array(pending.until.running, pending.until.nrunning),
		Int64GetDatum(GetSystemIdentifier()),
		ObjectIdGetDatum(MyDatabaseId),
	};
	uint64 count = run(&pending.actions_plan, actions_query, lengthof(types), types, values);
	SPITupleTable *rows = SPI_tuptable;
	bool isnull;

	reserve(count);
	for (uint64 i = 0; i < count; i++)
		pending.items[pending.nitems++] = (Pending){
			.alert_id = DatumGetInt64(SPI_getbinval(rows->vals[i], rows->tupdesc, 1, &isnull)),
			.action_id = DatumGetInt64(SPI_getbinval(rows->vals[i], rows->tupdesc, 2, &isnull)),
		};
}

int
at_pending_tell(int limit)
{
	int count = Min(limit, pending.nitems - pending.next);
	const Pending *items = pending.items + pending.next;
	Oid types[] = {INT8ARRAYOID, INT8ARRAYOID};
	int64 *ids = palloc(sizeof(int64) * Max(2 * count, 1));

	if (count == 0)
		return 0;
	for (int i = 0; i < count; i++)
	{
		ids[i] = items[i].alert_id;
		ids[count + i] = items[i].action_id;
	}

	Datum values[] = {int8_array(ids, count), int8_array(ids + count, count)};
	uint64 found = run(&pending.items_plan, items_query, lengthof(types), types, values);
	SPITupleTable *rows = SPI_tuptable;

	for (uint64 i = 0; i < found; i++)
	{
		AtTelling telling;
		bool isnull;
		int64 action_id = DatumGetInt64(
			SPI_getbinval(rows->vals[i], rows->tupdesc, AT_TELL_NEXT_COLUMN, &isnull));

		CHECK_FOR_INTERRUPTS();
		at_tell_read(rows->vals[i], rows->tupdesc, &telling);
		if (action_id == 0)
			at_tell_first(&telling);
		else
			at_tell_again(&telling,
						  SPI_getvalue(rows->vals[i], rows->tupdesc, AT_TELL_NEXT_COLUMN + 1),
						  action_id);
	}
	return count;
}

bool
at_pending_ends(int taken)
{
	return pending.is_last && pending.next + taken == pending.nitems;
}

void
at_pending_taken(int count)
{
	if (pending.memory == NULL || count < 0)
		return;
	pending.next += count;
	pending.count += count;
	if (at_pending_ends(0))
	{
		MemoryContextDelete(pending.memory);
		pending.memory = NULL;
	}
}

int64
at_pending_count(void)
{
	return pending.count;
}

const char *
at_pending_until(void)
{
	return pending.until_text;
}

static Datum
int8_array(const int64 *numbers, int count)
{
	Datum *elements = palloc(sizeof(Datum) * Max(count, 1));

	for (int i = 0; i < count; i++)
		elements[i] = Int64GetDatum(numbers[i]);
	return PointerGetDatum(
		construct_array(elements, count, INT8OID, sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}

static uint64
run(SPIPlanPtr *plan, const char *query, int nargs, Oid *types, Datum *values)
{
	if (SPI_execute_plan(at_notifier_plan(plan, query, nargs, types), values, NULL, true, 0) !=
		SPI_OK_SELECT)
		elog(ERROR, "could not run: %s", query);
	return SPI_processed;
}
