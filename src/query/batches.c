/*-------------------------------------------------------------------------
 * batches.c
 *		Where in time events that are searched for may be, as the log tells.
 *
 * A batch lists its kinds of events, and few kinds are listed in all: whether one meets the
 * conditions is asked once, of those versions of its table that have its names.
 *
 * Transactions that are not sealed are among the newest nearly always, but one that was open for
 * long may have begun long ago: from the earliest on, everything is told.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "base/catalog.h"
#include "base/clock.h"
#include "base/columns.h"
#include "base/compat.h"
#include "ledger/owner.h"
#include "ledger/scan.h"
#include "ledger/tables_list.h"
#include "ledger/transaction.h"
#include "ledger/unsealed.h"
#include "query/batches.h"

/*
 * To ask once more costs as much as to read about so many events; and nobody waits for more parts
 * of a stretch than these, of which the last is all the rest.
 */
#define WORTH_ASKING 2000
#define MOST_PARTS   100

#define FETCH_ROWS 1000

/* More kinds than these nobody has who names them himself: all further ones may be wanted. */
#define MOST_KINDS 1000

/* A kind of events as it is listed, and whether it meets the conditions. */
typedef struct KnownKind
{
	AtJsonSlice json; /* the key */
	bool wanted;
} KnownKind;

struct AtBatches
{
	MemoryContext memory;
	const char *conditions;
	AtParams params;
	HTAB *kinds;          /* of KnownKind */
	TimestampTz unsealed; /* transactions from here on may not be sealed */
	int64 count;
};

static TimestampTz find_unsealed(void);
static TimestampTz find_earliest(AtScan *scan, int64 low, int64 high);
static int64 count_entries(void);
static bool is_wanted(AtJsonSlice json, void *arg);
static bool ask(AtBatches *batches, AtJsonSlice json);
static int add_text(AtParams *params, AtJsonSlice text);

static uint32
hash_kind(const void *key, Size size)
{
	const AtJsonSlice *json = key;

	return hash_bytes((const unsigned char *) json->data, json->len);
}

static int
compare_kinds(const void *a, const void *b, Size size)
{
	const AtJsonSlice *one = a;
	const AtJsonSlice *other = b;

	return one->len != other->len || memcmp(one->data, other->data, one->len) != 0;
}

AtBatches *
at_batches_open(const char *conditions, const AtParams *params)
{
	AtBatches *batches = palloc0(sizeof(AtBatches));
	HASHCTL control = {.keysize = sizeof(AtJsonSlice),
					   .entrysize = sizeof(KnownKind),
					   .hash = hash_kind,
					   .match = compare_kinds,
					   .hcxt = CurrentMemoryContext};
	AtOwnerState state;

	batches->memory = CurrentMemoryContext;
	batches->conditions = conditions;
	batches->params = *params;
	batches->kinds = hash_create("audit kinds of batches", 64, &control,
								 HASH_ELEM | HASH_FUNCTION | HASH_COMPARE | HASH_CONTEXT);
	at_owner_enter(&state);
	batches->unsealed = find_unsealed();
	batches->count = count_entries();
	at_owner_leave(&state);
	return batches;
}

/*
 * The earliest transaction that the snapshot sees and the log in it has not, or our own if it has
 * events.
 */
static TimestampTz
find_unsealed(void)
{
	AtScan *scan;
	AtUnsealed unsealed;
	TimestampTz earliest = DT_NOEND;
	int64 own;

	(void) at_ledger_relid(AT_LEDGER_LOG_ENTRY); /* an error without a ledger */
	unsealed = at_unsealed_read_in(GetActiveSnapshot());
	scan = at_scan_open(AT_SCAN_TRANSACTION_BY_TX_ID, GetActiveSnapshot());
	for (int i = 0; unsealed.sealed != NULL && i < unsealed.sealed->nrunning; i++)
	{
		int64 tx_id = unsealed.base + unsealed.sealed->running[i];

		earliest = Min(earliest, find_earliest(scan, tx_id, tx_id));
	}
	earliest = Min(
		earliest,
		find_earliest(scan, unsealed.base + (unsealed.sealed != NULL ? unsealed.sealed->xmax : 0),
					  PG_INT64_MAX));
	at_scan_close(scan);
	if (at_transaction_has_events(&own))
		earliest = Min(earliest, at_clock_shift(GetCurrentTransactionStartTimestamp()));
	return earliest;
}

/* When the earliest of the transactions from one to another began, both included. */
static TimestampTz
find_earliest(AtScan *scan, int64 low, int64 high)
{
	TimestampTz earliest = DT_NOEND;
	bool is_null;

	at_scan_start(scan, low, high);
	while (at_scan_next(scan))
		earliest =
			Min(earliest,
				DatumGetTimestampTz(slot_getattr(scan->slot, Anum_transaction_tx_at, &is_null)));
	return earliest;
}

static int64
count_entries(void)
{
	AtParams none = {0};
	bool is_null;

	at_params_select(
		&none, "SELECT log_index + 1 FROM audit.log_entry ORDER BY log_index DESC LIMIT 1", 1);
	return SPI_processed == 0 ? 0
							  : DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0],
															SPI_tuptable->tupdesc, 1, &is_null));
}

int64
at_batches_count(const AtBatches *batches)
{
	return batches->count;
}

TimestampTz
at_batches_unsealed(const AtBatches *batches)
{
	return batches->unsealed;
}

TimestampTz
at_batches_measure(TimestampTz since, TimestampTz until, int64 events)
{
	static const char command[] =
		"SELECT b.last_tx_at FROM (SELECT last_tx_at, sum(event_count) OVER "
		"(ORDER BY last_tx_at DESC ROWS UNBOUNDED PRECEDING) AS events FROM audit.log_entry "
		"WHERE last_tx_at >= $1 AND last_tx_at < $2) AS b WHERE b.events >= $3 LIMIT 1";
	AtParams params = {0};
	AtOwnerState state;
	TimestampTz begin = since;
	bool is_null;

	at_params_add(&params, TIMESTAMPTZOID, TimestampTzGetDatum(since));
	at_params_add(&params, TIMESTAMPTZOID, TimestampTzGetDatum(until));
	at_params_add(&params, INT8OID, Int64GetDatum(events));
	at_owner_enter(&state);
	at_params_select(&params, command, 1);
	if (SPI_processed > 0)
	{
		TimestampTz found = DatumGetTimestampTz(
			SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &is_null));

		if (!is_null)
			begin = Max(begin, found);
	}
	at_owner_leave(&state);
	return begin;
}

/* A part to be read, of the stretch; the list has the latest first. */
static List *
add_part(List *parts, AtStretch part, AtStretch stretch)
{
	AtStretch *added = palloc(sizeof(AtStretch));

	added->from = Max(part.from, stretch.from);
	added->until = Min(part.until, stretch.until);
	return added->from < added->until ? lappend(parts, added) : parts;
}

/* What a row says: a batch, of which something may be wanted. */
static bool
read_batch(AtBatches *batches, HeapTuple row, TupleDesc desc, AtStretch *batch, int64 *events)
{
	bool is_null;
	Datum payload;
	text *json = NULL;
	AtSpan span = {0};
	bool wanted;

	batch->from = DatumGetTimestampTz(SPI_getbinval(row, desc, 1, &is_null));
	batch->until = DatumGetTimestampTz(SPI_getbinval(row, desc, 2, &is_null));
	if (!TIMESTAMP_IS_NOEND(batch->until))
		batch->until++;
	*events = DatumGetInt64(SPI_getbinval(row, desc, 3, &is_null));
	payload = SPI_getbinval(row, desc, 4, &is_null);
	if (!is_null)
	{
		json = DatumGetTextPP(payload);
		span = (AtSpan){.data = (const void *) VARDATA_ANY(json), .len = VARSIZE_ANY_EXHDR(json)};
	}
	wanted = at_tables_list_may_have(span, is_wanted, batches);
	if ((Pointer) json != DatumGetPointer(payload))
		pfree(json);
	return wanted;
}

/*
 * Batches come in the order of their last transaction, the latest first. So one meets the part
 * before it if at all, and no earlier one.
 */
List *
at_batches_find(AtBatches *batches, AtStretch stretch)
{
	static const char command[] =
		"SELECT first_tx_at, last_tx_at, event_count, payload FROM audit.log_entry "
		"WHERE last_tx_at >= $1 AND first_tx_at < $2 ORDER BY last_tx_at DESC";
	AtStretch part = {.from = batches->unsealed, .until = DT_NOEND};
	AtParams params = {0};
	int64 between = 0; /* events since the part that need not be read */
	List *parts = NIL;
	AtOwnerState state;
	Portal portal;

	at_params_add(&params, TIMESTAMPTZOID, TimestampTzGetDatum(stretch.from));
	at_params_add(&params, TIMESTAMPTZOID, TimestampTzGetDatum(stretch.until));
	at_owner_enter(&state);
	portal = SPI_cursor_open_with_args(NULL, command, params.count, params.type, params.value, NULL,
									   true, 0);
	for (SPI_cursor_fetch(portal, true, FETCH_ROWS); SPI_processed > 0;
		 SPI_cursor_fetch(portal, true, FETCH_ROWS))
	{
		SPITupleTable *table = SPI_tuptable;

		CHECK_FOR_INTERRUPTS();
		for (uint64 i = 0; i < table->numvals; i++)
		{
			AtStretch batch;
			int64 events;

			if (!read_batch(batches, table->vals[i], table->tupdesc, &batch, &events))
				between += events;
			else if (batch.until > part.from || between < WORTH_ASKING ||
					 list_length(parts) == MOST_PARTS - 1)
			{
				part.from = Min(part.from, batch.from);
				between = 0;
			}
			else
			{
				parts = add_part(parts, part, stretch);
				part = batch;
				between = 0;
			}
		}
		SPI_freetuptable(table);
	}
	SPI_cursor_close(portal);
	at_owner_leave(&state);
	return add_part(parts, part, stretch);
}

/* May an event of this kind be one that is searched for? */
static bool
is_wanted(AtJsonSlice json, void *arg)
{
	AtBatches *batches = arg;
	KnownKind *kind = hash_search(batches->kinds, &json, HASH_FIND, NULL);
	AtJsonSlice key;
	bool wanted;

	if (kind != NULL)
		return kind->wanted;
	if (hash_get_num_entries(batches->kinds) >= MOST_KINDS)
		return true;
	wanted = ask(batches, json);
	key.data = MemoryContextAlloc(batches->memory, Max(json.len, 1));
	key.len = json.len;
	memcpy(unconstify(char *, key.data), json.data, json.len);
	kind = hash_search(batches->kinds, &key, HASH_ENTER, NULL);
	kind->wanted = wanted;
	return wanted;
}

/* Of versions of a table that are not known, everything is possible. */
static bool
ask(AtBatches *batches, AtJsonSlice json)
{
	AtParams params = batches->params;
	AtListedKind listed;
	StringInfoData type;
	StringInfoData command;
	int op;
	int schema;
	int table;
	bool is_null;
	bool wanted;

	if (!at_listed_kind_read(json, &listed))
		return true;
	schema = add_text(&params, listed.schema);
	table = add_text(&params, listed.table);
	op = add_text(&params, listed.op);
	initStringInfo(&type);
	if (listed.event_type.data != NULL)
		appendStringInfo(&type, "$%d", add_text(&params, listed.event_type));
	else
		appendStringInfoString(&type, "NULL");
	initStringInfo(&command);
	appendStringInfo(
		&command,
		"SELECT coalesce(bool_or((true%s) IS TRUE), true) FROM (SELECT g.target_id, g.context, "
		"audit.name_category(%s, $%d::\"char\", g.context) AS category, "
		"audit.name_event_type(%s, $%d::\"char\", g.resource_type) AS event_type, "
		"audit.name_action($%d::\"char\") AS action, g.resource_type, g.table_schema, "
		"g.table_name FROM audit.target AS g WHERE g.table_schema = $%d AND g.table_name = $%d) "
		"AS kind (" AT_BATCH_COLUMNS ")",
		batches->conditions, type.data, op, type.data, op, op, schema, table);
	at_params_select(&params, command.data, 1);
	wanted = DatumGetBool(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &is_null));
	SPI_freetuptable(SPI_tuptable);
	pfree(command.data);
	pfree(type.data);
	return wanted;
}

static int
add_text(AtParams *params, AtJsonSlice text)
{
	return at_params_add(params, TEXTOID,
						 PointerGetDatum(cstring_to_text_with_len(text.data, text.len)));
}
