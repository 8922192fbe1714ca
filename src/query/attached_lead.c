/*-------------------------------------------------------------------------
 * attached_lead.c
 *		Which segments of an attached archive can have what is asked for.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type_d.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "base/compat.h"
#include "core/bloom.h"
#include "ledger/datum.h"
#include "ledger/owner.h"
#include "query/attached_index.h"
#include "query/attached_lead.h"

static void load_refs(AtAttachedLead *lead, const char *archive, const AtAttachedAsked *asked);
static void load_targets(AtAttachedLead *lead, const char *archive, const AtAttachedAsked *asked);
static bool may_have(const AtAttachedAsked *asked, AtSpan bloom);

AtAttachedLead *
at_attached_lead_read(const char *archive, const AtAttachedAsked *asked)
{
	AtAttachedLead *lead = palloc0(sizeof(AtAttachedLead));

	load_refs(lead, archive, asked);
	load_targets(lead, archive, asked);
	return lead;
}

/* Run a query about the archive as the owner; its rows are in SPI_tuptable until SPI_finish(). */
static void
ask(const char *archive, const AtAttachedAsked *asked, const char *query)
{
	Oid types[] = {TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID, INT8OID, INT8OID};
	Datum values[] = {
		CStringGetTextDatum(archive),
		TimestampTzGetDatum(asked->since),
		TimestampTzGetDatum(asked->until),
		Int64GetDatum(asked->has_tx_id ? asked->tx_id : PG_INT64_MIN),
		Int64GetDatum(asked->has_tx_id ? asked->tx_id : PG_INT64_MAX),
	};

	SPI_connect();
	if (SPI_execute_with_args(query, lengthof(types), types, values, NULL, true, 0) !=
		SPI_OK_SELECT)
		elog(ERROR, "could not read what leads to attached archives");
}

/* Segments of the time and transaction that are asked for. */
static void
load_refs(AtAttachedLead *lead, const char *archive, const AtAttachedAsked *asked)
{
	static const char query[] =
		"SELECT s.number, s.kind, s.file, s.file_offset, s.bytes, s.ends_in, s.first_tx_id, "
		"s.last_tx_id, s.checksum, s.bloom FROM audit.attached_segment AS s WHERE s.archive = $1 "
		"AND s.last_tx_at >= $2 AND s.first_tx_at < $3 AND s.last_tx_id >= $4 "
		"AND s.first_tx_id <= $5 AND s.events + s.transactions > 0 ORDER BY s.number";
	MemoryContext owner = CurrentMemoryContext;
	AtOwnerState state;

	at_owner_enter(&state);
	ask(archive, asked, query);
	lead->nrefs = SPI_processed;
	lead->ref = MemoryContextAllocHuge(owner, sizeof(AtAttachedRef) * (SPI_processed + 1));
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		HeapTuple row = SPI_tuptable->vals[i];
		TupleDesc desc = SPI_tuptable->tupdesc;
		AtAttachedRef *ref = &lead->ref[i];
		bool isnull;
		AtSpan checksum;

#define COLUMN(number) SPI_getbinval(row, desc, number, &isnull)
		ref->number = DatumGetInt32(COLUMN(1));
		ref->kind = DatumGetChar(COLUMN(2));
		ref->file = MemoryContextStrdup(owner, SPI_getvalue(row, desc, 3));
		ref->offset = DatumGetInt64(COLUMN(4));
		ref->bytes = DatumGetInt64(COLUMN(5));
		ref->ends_in = DatumGetInt32(COLUMN(6));
		ref->first_tx_id = DatumGetInt64(COLUMN(7));
		ref->last_tx_id = DatumGetInt64(COLUMN(8));
		checksum = at_span_of_varlena(PG_DETOAST_DATUM_PACKED(COLUMN(9)));
		memset(&ref->checksum, 0, AT_HASH_LEN);
		if (checksum.len == AT_HASH_LEN)
			memcpy(&ref->checksum, checksum.data, AT_HASH_LEN);
		ref->is_wanted = ref->kind != AT_ATTACHED_TRANSACTIONS &&
						 may_have(asked, at_span_of_varlena(PG_DETOAST_DATUM_PACKED(COLUMN(10))));
#undef COLUMN
	}
	SPI_finish();
	at_owner_leave(&state);
}

static void
load_targets(AtAttachedLead *lead, const char *archive, const AtAttachedAsked *asked)
{
	static const char query[] =
		"SELECT t.target_id, (pg_catalog.date_part('epoch', t.defined_at) * 1000000)::bigint, "
		"t.table_schema, t.table_name, t.resource_type, t.context FROM audit.attached_target AS t "
		"WHERE t.archive = $1 ORDER BY t.target_id";
	MemoryContext owner = CurrentMemoryContext;
	AtOwnerState state;

	at_owner_enter(&state);
	ask(archive, asked, query);
	lead->ntargets = SPI_processed;
	lead->target = MemoryContextAllocHuge(owner, sizeof(AtAttachedTarget) * (SPI_processed + 1));
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		HeapTuple row = SPI_tuptable->vals[i];
		TupleDesc desc = SPI_tuptable->tupdesc;
		bool isnull;

		lead->target[i] = (AtAttachedTarget){
			.target_id = DatumGetInt32(SPI_getbinval(row, desc, 1, &isnull)),
			.defined_at = DatumGetInt64(SPI_getbinval(row, desc, 2, &isnull)),
			.schema = MemoryContextStrdup(owner, SPI_getvalue(row, desc, 3)),
			.table = MemoryContextStrdup(owner, SPI_getvalue(row, desc, 4)),
			.resource_type = MemoryContextStrdup(owner, SPI_getvalue(row, desc, 5)),
			.context = MemoryContextStrdup(owner, SPI_getvalue(row, desc, 6)),
		};
	}
	SPI_finish();
	at_owner_leave(&state);
}

static bool
has(AtSpan bloom, AtAttachedAbout about, const char *text)
{
	return text == NULL ||
		   at_bloom_has(bloom.data, bloom.len, at_bloom_hash(about, (AtSpan){text, strlen(text)}));
}

/* Can a segment with this filter have what is asked for? */
static bool
may_have(const AtAttachedAsked *asked, AtSpan bloom)
{
	bool has_own = has(bloom, AT_ABOUT_OWN_CONTEXT, "");

	return has(bloom, AT_ABOUT_RECORD_KEY, asked->resource_id) &&
		   has(bloom, AT_ABOUT_TABLE_NAME, asked->table_name) &&
		   (has_own || (has(bloom, AT_ABOUT_ACTOR, asked->actor) &&
						has(bloom, AT_ABOUT_REQUEST_ID, asked->request_id)));
}

static bool
is_text(AtSpan span, const char *text)
{
	return span.data != NULL && span.len == strlen(text) && memcmp(span.data, text, span.len) == 0;
}

bool
at_attached_wants(const AtAttachedAsked *asked, const AtEventBody *event)
{
	TimestampTz tx_at = at_pg_timestamp(event->tx_at);

	return tx_at >= asked->since && tx_at < asked->until &&
		   (!asked->has_tx_id || event->tx_id == (uint64) asked->tx_id) &&
		   (asked->resource_id == NULL || is_text(event->record_key, asked->resource_id)) &&
		   (asked->table_name == NULL || is_text(event->table, asked->table_name));
}

const AtAttachedTarget *
at_attached_target(const AtAttachedLead *lead, int32 target_id)
{
	uint64 low = 0;
	uint64 high = lead->ntargets;

	while (low < high)
	{
		uint64 middle = low + (high - low) / 2;

		if (lead->target[middle].target_id < target_id)
			low = middle + 1;
		else
			high = middle;
	}
	return low < lead->ntargets && lead->target[low].target_id == target_id ? &lead->target[low]
																			: NULL;
}

/* Of an archive, by the names: that of the version that was the last one then, or else the first.
 */
const char *
at_attached_context(const AtAttachedLead *lead, const AtEventBody *event)
{
	const AtAttachedTarget *found = NULL;

	for (uint64 i = 0; i < lead->ntargets; i++)
	{
		const AtAttachedTarget *target = &lead->target[i];

		if (!is_text(event->schema, target->schema) || !is_text(event->table, target->table) ||
			!is_text(event->resource_type, target->resource_type))
			continue;
		if (found == NULL ||
			(target->defined_at <= event->occurred_at && target->defined_at >= found->defined_at))
			found = target;
	}
	return found == NULL ? NULL : found->context;
}
