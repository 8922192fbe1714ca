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
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "base/catalog.h"
#include "common/hashfn.h"
#include "ledger/owner.h"
#include "ledger/tables_list.h"
#include "ledger/unsealed.h"
#include "query/batches.h"

/* To ask once more costs as much as to read about so many events. */
#define WORTH_ASKING 2000

#define FETCH_ROWS 1000

/* A longer one is not remembered: the log was tampered with. */
#define LONGEST_KIND 8192

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

/* The earliest transaction that the snapshot sees and the log in it has not; our own is one. */
static TimestampTz
find_unsealed(void)
{
	/* not from the earliest on, as min() would go along tx_at */
	static const char command[] =
		"SELECT min(t.tx_at) FROM (SELECT tx_at FROM audit.transaction WHERE tx_id >= $1 UNION ALL "
		"SELECT tx_at FROM audit.transaction WHERE tx_id = ANY ($2) OFFSET 0) AS t";
	TimestampTz earliest = GetCurrentTransactionStartTimestamp();
	AtUnsealed unsealed;
	AtParams params = {0};
	Datum *running;
	int nrunning;
	TimestampTz found;
	bool is_null;

	(void) at_ledger_relid(AT_LEDGER_LOG_ENTRY);
	unsealed = at_unsealed_read_in(GetActiveSnapshot());
	nrunning = unsealed.sealed != NULL ? unsealed.sealed->nrunning : 0;
	running = palloc(sizeof(Datum) * Max(nrunning, 1));
	for (int i = 0; i < nrunning; i++)
		running[i] = Int64GetDatum(unsealed.base + unsealed.sealed->running[i]);
	at_params_add(
		&params, INT8OID,
		Int64GetDatum(unsealed.base + (unsealed.sealed != NULL ? unsealed.sealed->xmax : 0)));
	at_params_add(&params, INT8ARRAYOID,
				  PointerGetDatum(construct_array(running, nrunning, INT8OID, sizeof(int64),
												  FLOAT8PASSBYVAL, TYPALIGN_DOUBLE)));
	at_params_select(&params, command, 1);
	found = DatumGetTimestampTz(
		SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &is_null));
	return is_null ? earliest : Min(earliest, found);
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
at_batches_measure(TimestampTz since, TimestampTz until, int64 events)
{
	static const char command[] =
		"SELECT b.first_tx_at FROM (SELECT first_tx_at, sum(event_count) OVER "
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
	batch->until = DatumGetTimestampTz(SPI_getbinval(row, desc, 2, &is_null)) + 1;
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
			else if (batch.until > part.from || between < WORTH_ASKING)
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
	bool wanted;

	if (kind != NULL)
		return kind->wanted;
	wanted = json.len > LONGEST_KIND || ask(batches, json);
	if (json.len <= LONGEST_KIND)
	{
		char *copy = MemoryContextAlloc(batches->memory, Max(json.len, 1));
		AtJsonSlice key = {.data = copy, .len = json.len};

		memcpy(copy, json.data, json.len);
		kind = hash_search(batches->kinds, &key, HASH_ENTER, NULL);
		kind->wanted = wanted;
	}
	return wanted;
}

/* Of versions of a table that are not known, everything is possible. No type is an empty one. */
static bool
ask(AtBatches *batches, AtJsonSlice json)
{
	AtParams params = batches->params;
	AtListedKind listed;
	StringInfoData command;
	int first;
	bool is_null;
	bool wanted;

	if (!at_listed_kind_read(json, &listed))
		return true;
	first = add_text(&params, listed.schema);
	add_text(&params, listed.table);
	add_text(&params, listed.op);
	add_text(&params, listed.event_type);
	initStringInfo(&command);
	appendStringInfo(
		&command,
		"SELECT coalesce(bool_or((true%s) IS TRUE), true) FROM (SELECT g.target_id, g.context, "
		"audit.name_category(nullif($%d, ''), $%d::\"char\", g.context) AS category, "
		"audit.name_event_type(nullif($%d, ''), $%d::\"char\", g.resource_type) AS event_type, "
		"audit.name_action($%d::\"char\") AS action, g.resource_type, g.table_schema, "
		"g.table_name FROM audit.target AS g WHERE g.table_schema = $%d AND g.table_name = $%d) "
		"AS kind (" AT_BATCH_COLUMNS ")",
		batches->conditions, first + 3, first + 2, first + 3, first + 2, first + 2, first,
		first + 1);
	at_params_select(&params, command.data, 1);
	wanted = DatumGetBool(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &is_null));
	SPI_freetuptable(SPI_tuptable);
	pfree(command.data);
	return wanted;
}

static int
add_text(AtParams *params, AtJsonSlice text)
{
	return at_params_add(params, TEXTOID,
						 PointerGetDatum(cstring_to_text_with_len(text.data, text.len)));
}
