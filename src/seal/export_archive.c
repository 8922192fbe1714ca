/*-------------------------------------------------------------------------
 * export_archive.c
 *		All that was sealed as files: an archive that needs no server to be
 *		read and verified.
 *
 * Each item is given to the reader of archives (core/archive.h) before it is
 * written, so nothing is exported that would not verify: the leaves of each
 * batch, in the order that its tiles tell, and the root of the log.
 *
 * An export goes on at the checkpoint of the one before it in the same
 * directory. A segment ends after some events or bytes, wherever that is, so
 * memory does not depend on how large a batch is.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "base/compat.h"
#include "core/archive.h"
#include "ledger/datum.h"
#include "ledger/log_read.h"
#include "ledger/owner.h"
#include "seal/export.h"
#include "seal/leaves.h"

/* A segment ends behind so many events, or bytes before they are compressed. */
#define SEGMENT_EVENTS 1000
#define SEGMENT_BYTES  (4 * 1024 * 1024)

typedef struct Bytes
{
	char *data;
	Size len;
	Size room;
} Bytes;

typedef struct ArchiveExport
{
	AtExport common;
	AtArchive archive; /* what a reader knows so far */
	uint64 segments;

	/* the segment being made */
	bool in_segment;
	AtSegment segment;
	Bytes content;

	/* the batch being read */
	Bytes entry; /* its ATL1 */
	Bytes body;
	AtTileReader *tiles;
	AtLeafReader *leaves;
	AtSessionReader *sessions;
	uint64 tx_id; /* whose leaves are being read; 0: nobody's */

	/* what was purged */
	const AtGaps *gaps;
	AtTileReader *gap_tiles;
	AtGhost *ghosts; /* of the batch */
} ArchiveExport;

static void go_on(ArchiveExport *export);
static void write_entries(ArchiveExport *export);
static void write_batch(ArchiveExport *export);
static void write_run(ArchiveExport *export, const AtRun *run);
static void put_event(ArchiveExport *export, const AtEventBody *body);
static void put_gone(ArchiveExport *export, const AtLeaf *leaf);
static void put_ordered(ArchiveExport *export, int64 deletion_id);
static void demand_signed(const ArchiveExport *export, uint64 log_index);
static void put_transaction(ArchiveExport *export, const AtLeaf *leaf);
static void put(ArchiveExport *export, char kind, AtSpan bytes);
static void begin_segment(ArchiveExport *export);
static void end_segment(ArchiveExport *export);
static uint8 *reserve(Bytes *buffer, Size len);
static AtSpan written(Bytes *buffer, const uint8 *end);
static Datum make_result(FunctionCallInfo fcinfo, const ArchiveExport *export);

PG_FUNCTION_INFO_V1(at_export_archive);

/* export_archive(directory text): (size, segments, events) */
Datum
at_export_archive(PG_FUNCTION_ARGS)
{
	ArchiveExport *export = MemoryContextAllocZero(CurrentMemoryContext, sizeof(ArchiveExport));
	AtOwnerState state;

	at_export_begin(&export->common, text_to_cstring(PG_GETARG_TEXT_PP(0)), "segment");
	at_owner_enter(&state);
	go_on(export);
	write_entries(export);
	at_export_targets(&export->common);
	at_owner_leave(&state);
	at_export_end(&export->common);
	PG_RETURN_DATUM(make_result(fcinfo, export));
}

pg_noreturn static void
broken_batch(const ArchiveExport *export, const char *why)
{
	at_export_broken(
		psprintf("Of entry " UINT64_FORMAT ": %s.", (uint64) export->archive.place.log_index, why));
}

static void
demand(const ArchiveExport *export, AtError error)
{
	if (error != AT_OK)
		broken_batch(export, at_error_text(error));
}

/* Where the earlier export ended, the log must be what it was. */
static void
go_on(ArchiveExport *export)
{
	AtCheckpointReader *checkpoints;
	const AtCheckpointRow *row;
	AtEntryReader *entries;
	const AtEntryRow *last;
	uint64 size = export->common.old_size;

	at_archive_init(&export->archive);
	if (size == 0)
		return;
	checkpoints = at_checkpoint_reader_open(export->common.snapshot);
	at_checkpoint_reader_start(checkpoints, size, size);
	row = at_checkpoint_reader_next(checkpoints);
	entries = at_entry_reader_open(export->common.snapshot);
	at_entry_reader_start(entries, size - 1, size - 1);
	last = at_entry_reader_next(entries);
	if (row == NULL || !row->is_sound || last == NULL || last->is_odd)
		at_export_broken(psprintf("Checkpoint " UINT64_FORMAT
								  " or the entry before it is missing or was changed.",
								  size));
	if (memcmp(&row->root, &export->common.directory.last.root, sizeof(AtHash)) != 0)
		at_export_refuse_other(&export->common);
	at_archive_resume(&export->archive, &row->tree, &last->hash);
	at_entry_reader_close(entries);
	at_checkpoint_reader_close(checkpoints);
}

static void
write_entries(ArchiveExport *export)
{
	const AtCheckpoint *checkpoint = &export->common.checkpoint;
	AtEntryReader *entries = at_entry_reader_open(export->common.snapshot);
	const AtEntryRow *row;
	AtHash root;

	export->gaps = at_gaps_read(export->common.snapshot);
	export->gap_tiles = at_tile_reader_open(export->common.snapshot);
	export->tiles = at_tile_reader_open(export->common.snapshot);
	export->leaves = at_leaf_reader_open(export->common.snapshot);
	export->sessions = at_session_reader_open(export->common.snapshot);
	at_entry_reader_start(entries, export->common.old_size, checkpoint->size - 1);
	while (export->archive.place.log_index < checkpoint->size)
	{
		row = at_entry_reader_next(entries);
		if (row == NULL || row->is_odd || row->place != export->archive.place.log_index)
			broken_batch(export, "it is missing or was changed");
		written(&export->entry,
				at_entry_body_write(&row->body,
									reserve(&export->entry, at_entry_body_size(&row->body))));
		put(export, AT_ARCHIVE_ENTRY, (AtSpan){export->entry.data, export->entry.len});
		if (row->body.leaf_count > 0)
			write_batch(export);
		if (export->archive.has_order)
			put_ordered(export, row->body.log_index);
	}
	if (export->in_segment)
		end_segment(export);
	if (!at_merkle_root(&export->archive.log, &root))
		at_hash_failed();
	if (memcmp(&root, &checkpoint->root, sizeof(root)) != 0)
		at_export_broken(
			psprintf("Its entries do not give the root that was signed for size " UINT64_FORMAT ".",
					 (uint64) checkpoint->size));
	at_session_reader_close(export->sessions);
	at_leaf_reader_close(export->leaves);
	at_tile_reader_close(export->tiles);
	at_tile_reader_close(export->gap_tiles);
	at_entry_reader_close(entries);
}

/* The leaves of the batch, in the order that its tiles tell. */
static void
write_batch(ArchiveExport *export)
{
	uint64 log_index = export->archive.place.log_index;
	const AtTileRow *row;
	uint64 nghosts;

	nghosts = at_gaps_ghosts(export->gaps, export->gap_tiles, log_index, &export->ghosts);
	if (nghosts > 0)
		demand_signed(export, log_index);
	at_leaf_reader_set_ghosts(export->leaves, export->ghosts, nghosts);
	export->tx_id = 0;
	at_tile_reader_start(export->tiles, log_index, log_index);
	while ((row = at_tile_reader_next(export->tiles)) != NULL)
	{
		if (row->is_odd || export->archive.place.log_index != log_index)
			broken_batch(export, psprintf("tile %u was changed or added", row->place));
		for (int i = 0; i < row->tile.run_count; i++)
			write_run(export, &row->tile.run[i]);
	}
	if (export->archive.place.log_index == log_index)
		broken_batch(export, "a tile of its leaves is missing");
	at_leaf_reader_set_ghosts(export->leaves, NULL, 0);
	if (export->ghosts != NULL)
		pfree(export->ghosts);
}

/* Purged meanwhile, by an order that the checkpoint does not have: the next one will have it. */
static void
demand_signed(const ArchiveExport *export, uint64 log_index)
{
	for (uint64 i = 0; i < export->gaps->count; i++)
		if (export->gaps->gap[i].log_index == log_index && export->gaps->gap[i].is_done &&
			(uint64) export->gaps->gap[i].deletion_id >= export->common.checkpoint.size)
			ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
							errmsg("events of batch " UINT64_FORMAT " were just purged", log_index),
							errdetail("No signed checkpoint has the order yet."),
							errhint("Export again when the log is signed.")));
}

/* A transaction that goes on in the next tile is read on. */
static void
write_run(ArchiveExport *export, const AtRun *run)
{
	const AtLeaf *leaf;

	if (export->tx_id != run->tx_id)
		at_leaf_reader_find(export->leaves, run->tx_id, AT_EVENTS_INDEXED);
	export->tx_id = run->tx_id;
	for (uint32 i = 0; i < run->count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		leaf = at_leaf_reader_next(export->leaves);
		if (leaf != NULL && leaf->is_purged && leaf->ordinal == run->first_ordinal + i)
		{
			put_gone(export, leaf);
			continue;
		}
		if (leaf == NULL || leaf->event == NULL || leaf->ordinal != run->first_ordinal + i)
			broken_batch(export, psprintf("event " UINT64_FORMAT ".%u is missing or was added",
										  (uint64) run->tx_id, run->first_ordinal + i));
		put_event(export, &leaf->event->body);
	}
	if (!run->closes)
		return;
	leaf = at_leaf_reader_next(export->leaves);
	if (leaf != NULL && leaf->is_purged && leaf->ordinal == 0)
	{
		put_gone(export, leaf);
		export->tx_id = 0;
		return;
	}
	if (leaf == NULL || leaf->transaction == NULL)
		broken_batch(export, psprintf("transaction " UINT64_FORMAT
									  " is missing, or an event of it was added",
									  (uint64) run->tx_id));
	put_transaction(export, leaf);
	export->tx_id = 0;
}

static void
put_event(ArchiveExport *export, const AtEventBody *body)
{
	uint8 *out = reserve(&export->body, at_event_body_size(body));

	put(export, AT_ARCHIVE_EVENT, written(&export->body, at_event_body_write(body, out)));
}

/* What was purged leaves its hash. */
static void
put_gone(ArchiveExport *export, const AtLeaf *leaf)
{
	uint8 bytes[AT_ARCHIVE_GONE_LEN];

	at_archive_gone_write(leaf->tx_id, leaf->ordinal, &leaf->hash, bytes);
	put(export, AT_ARCHIVE_GONE, (AtSpan){bytes, sizeof(bytes)});
}

/* The list of leaves of an order, behind it. */
static void
put_ordered(ArchiveExport *export, int64 deletion_id)
{
	for (int i = 0; i < export->gaps->ndeletions; i++)
	{
		const AtDeletion *deletion = &export->gaps->deletion[i];

		if (deletion->log_index == deletion_id && deletion->problem == NULL)
		{
			put(export, AT_ARCHIVE_ORDERED, (AtSpan){deletion->gaps, deletion->gaps_len});
			return;
		}
	}
	at_export_broken(psprintf("The list of what deletion " INT64_FORMAT
							  " has removed is missing or was changed.",
							  deletion_id));
}

/* With its session, if that is the one it was sealed with. */
static void
put_transaction(ArchiveExport *export, const AtLeaf *leaf)
{
	const AtTransactionBody *body = &leaf->transaction->body;
	const AtSessionBody *session = NULL;
	uint8 *out;

	if (leaf->has_session && leaf->flaws->session == AT_SESSION_FINE)
		session = at_session_reader_find(export->sessions, body->session_id);
	if (session != NULL)
	{
		out = reserve(&export->body, at_session_body_size(session));
		put(export, AT_ARCHIVE_SESSION,
			written(&export->body, at_session_body_write(session, out)));
	}
	out = reserve(&export->body, at_transaction_body_size(body));
	put(export, AT_ARCHIVE_TRANSACTION,
		written(&export->body, at_transaction_body_write(body, out)));
}

/* Into the segment, of which there is one when there is something to put. */
static void
put(ArchiveExport *export, char kind, AtSpan bytes)
{
	Bytes *content = &export->content;
	Size len = AT_SEGMENT_ITEM_LEN(bytes.len);
	AtWriter writer;

	if (!export->in_segment)
		begin_segment(export);
	demand(export, at_archive_add(&export->archive, kind, bytes));
	writer = at_writer((char *) reserve(content, content->len + len) + content->len, len);
	at_segment_item_write(&writer, kind, bytes);
	content->len += len;

	/* between two leaves or entries */
	if (kind == AT_ARCHIVE_SESSION ||
		(kind == AT_ARCHIVE_ENTRY && (export->archive.leaf_count > 0 || export->archive.has_order)))
		return;
	if (export->archive.segment_events >= SEGMENT_EVENTS || content->len >= SEGMENT_BYTES)
		end_segment(export);
}

static void
begin_segment(ArchiveExport *export)
{
	export->segment = (AtSegment){.log_id = at_log_id(), .begin = export->archive.place};
	demand(export, at_archive_begin_segment(&export->archive, &export->segment));
	export->in_segment = true;
	export->content.len = 0;
	if (export->archive.place.leaf > 0)
		put(export, AT_ARCHIVE_ENTRY, (AtSpan){export->entry.data, export->entry.len});
}

static void
end_segment(ArchiveExport *export)
{
	AtSegment *segment = &export->segment;
	Size room = at_segment_room(export->content.len);
	AtWriter writer = at_writer(palloc_extended(room, MCXT_ALLOC_HUGE), room);
	char path[AT_SEGMENT_PATH_MAX + 1];
	AtWriter path_writer = at_writer(path, AT_SEGMENT_PATH_MAX);

	segment->end = export->archive.place;
	segment->events = export->archive.segment_events;
	segment->transactions = export->archive.segment_transactions;
	segment->first_tx_at = export->archive.segment_first_tx_at;
	segment->last_tx_at = export->archive.segment_last_tx_at;
	export->archive.segment = *segment;
	demand(export, at_archive_end_segment(&export->archive));
	demand(export,
		   at_segment_write(&writer, segment, (AtText){export->content.data, export->content.len}));
	at_segment_path_write(&path_writer, segment->begin);
	path[path_writer.len] = '\0';
	at_log_directory_write(&export->common.directory, path, writer.data, writer.len);
	pfree(writer.data);
	export->in_segment = false;
	export->segments++;
}

/* Have room for so many bytes, and keep what is there. */
static uint8 *
reserve(Bytes *buffer, Size len)
{
	if (len > buffer->room)
	{
		buffer->room = Max(len, Max(buffer->room * 2, 1024));
		buffer->data = buffer->data ? repalloc_huge(buffer->data, buffer->room)
									: palloc_extended(buffer->room, MCXT_ALLOC_HUGE);
	}
	return (uint8 *) buffer->data;
}

/* What was written to a buffer, up to its end. */
static AtSpan
written(Bytes *buffer, const uint8 *end)
{
	buffer->len = end - (uint8 *) buffer->data;
	return (AtSpan){buffer->data, buffer->len};
}

static Datum
make_result(FunctionCallInfo fcinfo, const ArchiveExport *export)
{
	TupleDesc desc;
	Datum values[3];
	bool nulls[3] = {false};

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	values[0] = Int64GetDatum(export->common.checkpoint.size);
	values[1] = Int64GetDatum(export->segments);
	values[2] = Int64GetDatum(export->archive.events);
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls));
}
