/*-------------------------------------------------------------------------
 * gap.c
 *		Leaves of the log whose rows were purged, by authority.
 *
 * Memory grows with the number of runs, 40 bytes each. A purge of all events
 * of a month has one run a batch.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"

#include "base/catalog.h"
#include "base/columns.h"
#include "base/compat.h"
#include "core/bytes.h"
#include "core/json_text.h"
#include "ledger/datum.h"
#include "ledger/gap.h"
#include "ledger/scan.h"

static void read_rows(AtGaps *gaps, Snapshot snapshot);
static void decode(AtDeletion *deletion, TupleTableSlot *slot);
static void ask_log(AtDeletion *deletion, AtEntryReader *entries);
static const char *question(const AtDeletion *deletion, const AtEntryRow *row);
static void collect_gaps(AtGaps *gaps);
static int compare_gaps(const void *a, const void *b);

AtGaps *
at_gaps_read(Snapshot snapshot)
{
	AtGaps *gaps = palloc0(sizeof(AtGaps));
	AtEntryReader *entries;

	read_rows(gaps, snapshot);
	if (gaps->ndeletions == 0)
		return gaps;
	entries = at_entry_reader_open(snapshot);
	for (int i = 0; i < gaps->ndeletions; i++)
		ask_log(&gaps->deletion[i], entries);
	at_entry_reader_close(entries);
	collect_gaps(gaps);
	return gaps;
}

static void
read_rows(AtGaps *gaps, Snapshot snapshot)
{
	AtScan *scan = at_scan_open(AT_SCAN_DELETION_BY_LOG_INDEX, snapshot);
	int capacity = 0;

	at_scan_start(scan, PG_INT64_MIN, PG_INT64_MAX);
	while (at_scan_next(scan))
	{
		if (gaps->ndeletions == capacity)
		{
			capacity = Max(capacity * 2, 16);
			gaps->deletion = gaps->deletion != NULL
								 ? repalloc(gaps->deletion, sizeof(AtDeletion) * capacity)
								 : palloc(sizeof(AtDeletion) * capacity);
		}
		decode(&gaps->deletion[gaps->ndeletions++], scan->slot);
	}
	at_scan_close(scan);
}

/* A bytea of the row, in memory of its own. */
static const uint8 *
get_bytes(TupleTableSlot *slot, int column, size_t *len)
{
	struct varlena *bytes;

	*len = 0;
	if (slot->tts_isnull[column - 1])
		return NULL;
	bytes = pg_detoast_datum_copy((struct varlena *) DatumGetPointer(slot->tts_values[column - 1]));
	*len = VARSIZE_ANY_EXHDR(bytes);
	return (const uint8 *) VARDATA_ANY(bytes);
}

static void
decode(AtDeletion *deletion, TupleTableSlot *slot)
{
	slot_getallattrs(slot);
	*deletion = (AtDeletion){
		.deletion_id = DatumGetInt64(slot->tts_values[Anum_deletion_deletion_id - 1]),
		.log_index = DatumGetInt64(slot->tts_values[Anum_deletion_log_index - 1]),
		.phase = TextDatumGetCString(slot->tts_values[Anum_deletion_phase - 1]),
		.certificate = TextDatumGetCString(slot->tts_values[Anum_deletion_certificate - 1]),
	};
	deletion->gaps = get_bytes(slot, Anum_deletion_gaps, &deletion->gaps_len);
	deletion->sessions = get_bytes(slot, Anum_deletion_sessions, &deletion->sessions_len);
}

/* Does the log have the record, and is it this? */
static void
ask_log(AtDeletion *deletion, AtEntryReader *entries)
{
	const AtEntryRow *row;

	if (deletion->log_index < 0)
	{
		deletion->problem = "it names no record of the log";
		return;
	}
	at_entry_reader_start(entries, deletion->log_index, deletion->log_index);
	row = at_entry_reader_next(entries);
	deletion->problem = row == NULL ? "the log has no such record" : question(deletion, row);
}

/* Is the member of the certificate this, as a number or a string? */
static bool
says(const AtDeletion *deletion, const char *member, const char *value)
{
	AtText found;

	if (!at_json_text_find(at_text(deletion->certificate), member, &found))
		return false;
	(void) at_json_text_unquote(&found);
	return found.len == strlen(value) && memcmp(found.data, value, found.len) == 0;
}

static bool
hash_fits(const AtDeletion *deletion, const char *member, const uint8 *bytes, size_t len)
{
	char hex[AT_HASH_LEN * 2 + 1];
	AtHash hash;

	if (!at_hash(bytes != NULL ? bytes : (const uint8 *) "", len, &hash))
		at_hash_failed();
	hex_encode((const char *) &hash, AT_HASH_LEN, hex);
	hex[AT_HASH_LEN * 2] = '\0';
	return says(deletion, member, hex);
}

static const char *
question(const AtDeletion *deletion, const AtEntryRow *row)
{
	const AtSpan *payload = &row->body.payload;
	bool is_order = strcmp(deletion->phase, AT_PHASE_ORDERED) == 0;
	bool is_done = strcmp(deletion->phase, AT_PHASE_DONE) == 0;

	if (!at_entry_is(&row->body, is_order  ? AT_KIND_PURGE
								 : is_done ? AT_KIND_PURGED
										   : AT_KIND_PURGE_CANCELLED))
		return "the record of the log is of another kind";
	if (payload->data == NULL || payload->len != strlen(deletion->certificate) ||
		memcmp(payload->data, deletion->certificate, payload->len) != 0)
		return "the record of the log says something else";
	if (is_order ? deletion->deletion_id != deletion->log_index
				 : !says(deletion, "deletion", psprintf(INT64_FORMAT, deletion->deletion_id)))
		return "the record of the log is of another deletion";
	if (is_order && (deletion->gaps_len % AT_GAP_LEN != 0 ||
					 !hash_fits(deletion, "gaps_sha256", deletion->gaps, deletion->gaps_len)))
		return "the list of leaves is not the one that was sealed";
	if (is_order &&
		(deletion->sessions_len % AT_SESSION_LEN != 0 ||
		 !hash_fits(deletion, "sessions_sha256", deletion->sessions, deletion->sessions_len)))
		return "the list of sessions is not the one that was sealed";
	return NULL;
}

static bool
has_phase(const AtGaps *gaps, int64 deletion_id, const char *phase)
{
	for (int i = 0; i < gaps->ndeletions; i++)
		if (gaps->deletion[i].deletion_id == deletion_id && gaps->deletion[i].problem == NULL &&
			strcmp(gaps->deletion[i].phase, phase) == 0)
			return true;
	return false;
}

bool
at_deletion_is_done(const AtGaps *gaps, int64 deletion_id)
{
	return has_phase(gaps, deletion_id, AT_PHASE_DONE);
}

bool
at_deletion_is_cancelled(const AtGaps *gaps, int64 deletion_id)
{
	return has_phase(gaps, deletion_id, AT_PHASE_CANCELLED);
}

static void
collect_gaps(AtGaps *gaps)
{
	uint64 room = 0;

	for (int i = 0; i < gaps->ndeletions; i++)
		room += gaps->deletion[i].gaps_len / AT_GAP_LEN;
	gaps->gap = palloc_extended(sizeof(AtGap) * Max(room, 1), MCXT_ALLOC_HUGE);
	for (int i = 0; i < gaps->ndeletions; i++)
	{
		const AtDeletion *deletion = &gaps->deletion[i];
		bool done = at_deletion_is_done(gaps, deletion->deletion_id);

		if (deletion->problem != NULL ||
			(!done && at_deletion_is_cancelled(gaps, deletion->deletion_id)))
			continue;
		for (size_t at = 0; at < deletion->gaps_len; at += AT_GAP_LEN)
		{
			AtGap *gap = &gaps->gap[gaps->count++];

			*gap = at_gap_read(deletion->gaps + at);
			gap->deletion_id = deletion->deletion_id;
			gap->is_done = done;
		}
	}
	qsort(gaps->gap, gaps->count, sizeof(AtGap), compare_gaps);
}

static int
compare_gaps(const void *a, const void *b)
{
	const AtGap *one = a;
	const AtGap *other = b;

	if (one->log_index != other->log_index)
		return one->log_index < other->log_index ? -1 : 1;
	return one->first < other->first ? -1 : one->first > other->first;
}

/* The first gap of a batch, or of a later one. */
static uint64
first_gap(const AtGaps *gaps, uint64 log_index)
{
	uint64 low = 0;
	uint64 high = gaps->count;

	while (low < high)
	{
		uint64 middle = (low + high) / 2;

		if (gaps->gap[middle].log_index < log_index)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool
at_gaps_have(const AtGaps *gaps, uint64 log_index, uint32 leaf)
{
	for (uint64 i = first_gap(gaps, log_index);
		 i < gaps->count && gaps->gap[i].log_index == log_index && gaps->gap[i].first <= leaf; i++)
		if (leaf - gaps->gap[i].first < gaps->gap[i].count)
			return true;
	return false;
}

/* The leaves of a tile that are in the gaps from *gap on. */
static uint64
read_tile(const AtGaps *gaps, const AtTile *tile, uint32 number, uint64 gap, AtGhost *ghosts)
{
	uint64 log_index = gaps->gap[gap].log_index;
	uint32 leaf = number * AT_TILE_LEAVES;
	uint64 count = 0;
	int at = 0;

	for (int i = 0; i < tile->run_count; i++)
	{
		const AtRun *run = &tile->run[i];

		for (uint32 j = 0; j < run->count + (run->closes ? 1 : 0); j++, at++, leaf++)
		{
			while (gap < gaps->count && gaps->gap[gap].log_index == log_index &&
				   leaf >= gaps->gap[gap].first + gaps->gap[gap].count)
				gap++;
			if (gap == gaps->count || gaps->gap[gap].log_index != log_index)
				return count;
			if (leaf >= gaps->gap[gap].first)
				ghosts[count++] = (AtGhost){.tx_id = run->tx_id,
											.ordinal = j < run->count ? run->first_ordinal + j : 0,
											.is_done = gaps->gap[gap].is_done,
											.hash = tile->leaf[at]};
		}
	}
	return count;
}

uint64
at_gaps_ghosts(const AtGaps *gaps, AtTileReader *tiles, uint64 log_index, AtGhost **ghosts)
{
	uint64 first = first_gap(gaps, log_index);
	uint64 gap = first;
	uint64 room = 0;
	uint64 count = 0;
	uint32 number = 0;

	for (uint64 i = first; i < gaps->count && gaps->gap[i].log_index == log_index; i++)
		room += gaps->gap[i].count;
	*ghosts = room > 0 ? palloc_extended(sizeof(AtGhost) * room, MCXT_ALLOC_HUGE) : NULL;
	while (gap < gaps->count && gaps->gap[gap].log_index == log_index)
	{
		const AtTileRow *row;

		number = Max(number, gaps->gap[gap].first / AT_TILE_LEAVES);
		row = at_tile_reader_find(tiles, log_index, number);
		if (row != NULL && !row->is_odd)
			count += read_tile(gaps, &row->tile, number, gap, *ghosts + count);
		number++;
		while (gap < gaps->count && gaps->gap[gap].log_index == log_index &&
			   gaps->gap[gap].first + gaps->gap[gap].count <= number * AT_TILE_LEAVES)
			gap++;
	}
	return count;
}

void
at_gap_write(const AtGap *gap, uint8 *out)
{
	at_put_u64(out, gap->log_index);
	at_put_u32(out + 8, gap->first);
	at_put_u32(out + 12, gap->count);
}

AtGap
at_gap_read(const uint8 *bytes)
{
	return (AtGap){.log_index = at_get_u64(bytes),
				   .first = at_get_u32(bytes + 8),
				   .count = at_get_u32(bytes + 12)};
}
