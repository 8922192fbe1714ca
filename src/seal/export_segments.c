/*-------------------------------------------------------------------------
 * export_segments.c
 *		audit.export_segments(): an archived partition as a file of its segments, and
 *		beside it the proof (core/cold_proof.h) that its rows were sealed.
 *
 * The segments are written as they are, wherever they are, and the leaf of each row is
 * computed on the way. Then the batches of that time are read: where they have these
 * rows, and the hashes that lead from there to their roots. The proof is verified before it
 * is written, so what was changed in the ledger makes an error here.
 *
 * Both files are written aside, put on disk and renamed, the proof last.
 *
 * Memory: 72 bytes a row, the proof, and the hashes of one batch.
 *
 * Locks: AccessShareLock on the partition and its store, which keeps segments where they are.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "access/table.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "storage/fd.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "base/compat.h"
#include "base/errors.h"
#include "core/cold_proof.h"
#include "ledger/anchor_receipt.h"
#include "ledger/cold.h"
#include "ledger/cold_file.h"
#include "ledger/cold_segment.h"
#include "ledger/datum.h"
#include "ledger/log_read.h"
#include "ledger/log_tree.h"
#include "ledger/owner.h"
#include "seal/export.h"

typedef struct SegmentExport
{
	const char *directory;
	const char *name; /* of the partition */
	int32 store;
	AtCheckpointFile file;
	Snapshot snapshot;
	AtColdProof head;

	/* the rows, and what they are about */
	uint64 segments;
	uint64 rows;
	uint64 room;
	AtColdLeaf *leaf;
	int64 first_tx_at;
	int64 last_tx_at;
	int ntargets;
	AtColdTarget *target;
	bool *is_used;

	/* the batch that is being read */
	uint64 nhashes;
	AtHash *hash;
	uint64 nruns;
	uint64 runs_room;
	AtColdRun *run;
	AtLogTree *tree;

	uint32 batches;
	StringInfoData batch; /* of the proof, those so far */
	StringInfoData proof;
} SegmentExport;

static void check_partition(Relation rel);
static void read_targets(SegmentExport *export);
static char *write_segments(SegmentExport *export);
static void add_segment(SegmentExport *export, const AtSegmentRow *row, AtText bytes);
static void add_leaves(SegmentExport *export, const AtCold *cold, AtText content);
static void prove_rows(SegmentExport *export);
static uint64 *list_batches(SegmentExport *export, uint64 *count);
static void prove_batch(SegmentExport *export, uint64 log_index);
static void read_hashes(SegmentExport *export, const AtEntryRow *entry);
static void add_runs(SegmentExport *export, const AtRun *run, uint64 number);
static void put_batch(SegmentExport *export, const AtEntryRow *entry);
static void make_proof(SegmentExport *export);
static void verify_proof(SegmentExport *export);
static int begin_file(const char *path);
static void write_file(int fd, const char *path, const void *bytes, Size len);
static void end_file(int fd, const char *path);
static char *proof_name(const char *file);

PG_FUNCTION_INFO_V1(at_export_segments);

/* export_segments(partition regclass, directory text): (file, rows, segments, proof_bytes) */
Datum
at_export_segments(PG_FUNCTION_ARGS)
{
	SegmentExport *export = MemoryContextAllocZero(CurrentMemoryContext, sizeof(SegmentExport));
	Relation rel = table_open(PG_GETARG_OID(0), AccessShareLock);
	AtOwnerState state;
	char *file;
	int fd;
	char *aside;
	TupleDesc desc;
	Datum values[4];
	bool nulls[4] = {false};

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	check_partition(rel);
	export->directory = at_export_path(text_to_cstring(PG_GETARG_TEXT_PP(1)));
	export->name = RelationGetRelationName(rel);
	at_export_checkpoint(&export->file);
	export->snapshot = RegisterSnapshot(GetLatestSnapshot());
	PushActiveSnapshot(export->snapshot);
	at_export_check_signature(&export->file);
	at_owner_enter(&state);
	export->store = at_cold_store(RelationGetRelid(rel));
	export->head.kind = at_cold_kind(RelationGetDescr(rel));
	read_targets(export);
	file = write_segments(export);
	prove_rows(export);
	make_proof(export);
	verify_proof(export);
	at_owner_leave(&state);
	PopActiveSnapshot();
	UnregisterSnapshot(export->snapshot);

	aside = psprintf("%s/%s-%d" AT_COLD_PROOF_END ".new", export->directory, export->name,
					 export->store);
	fd = begin_file(aside);
	write_file(fd, aside, export->proof.data, export->proof.len);
	end_file(fd, aside);
	(void) durable_rename(aside, psprintf("%s/%s", export->directory, proof_name(file)), ERROR);
	table_close(rel, NoLock);

	values[0] = CStringGetTextDatum(file);
	values[1] = Int64GetDatum(export->rows);
	values[2] = Int64GetDatum(export->segments);
	values[3] = Int64GetDatum(export->proof.len);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}

static void
check_partition(Relation rel)
{
	if (!at_is_cold(rel))
		ereport(ERROR, (errcode(ERRCODE_WRONG_OBJECT_TYPE),
						errmsg("\"%s\" is not an archived partition", RelationGetRelationName(rel)),
						errdetail("Only what was archived has segments."),
						errhint("SELECT DISTINCT partition_name FROM audit.segment;")));
}

/* All of them: which are needed is known behind the last row. */
static void
read_targets(SegmentExport *export)
{
	MemoryContext owner = CurrentMemoryContext;

	SPI_connect();
	if (SPI_execute("SELECT target_id, table_schema, table_name, resource_type, context "
					"FROM audit.target ORDER BY target_id",
					true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read the versions of tables");
	export->ntargets = SPI_processed;
	export->target = MemoryContextAllocZero(owner, sizeof(AtColdTarget) * (SPI_processed + 1));
	export->is_used = MemoryContextAllocZero(owner, SPI_processed + 1);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		HeapTuple row = SPI_tuptable->vals[i];
		TupleDesc desc = SPI_tuptable->tupdesc;
		AtSpan text[4];
		bool isnull;

		for (int j = 0; j < lengthof(text); j++)
			text[j] = at_span_of(MemoryContextStrdup(owner, SPI_getvalue(row, desc, j + 2)));
		export->target[i] = (AtColdTarget){
			.target_id = DatumGetInt32(SPI_getbinval(row, desc, 1, &isnull)),
			.schema = text[0],
			.table = text[1],
			.resource_type = text[2],
			.context = text[3],
		};
	}
	SPI_finish();
}

/* Returns the name that the file has now. */
static char *
write_segments(SegmentExport *export)
{
	char *aside = psprintf("%s/%s-%d" AT_COLD_FILE_END ".new", export->directory, export->name,
						   export->store);
	MemoryContext context =
		AllocSetContextCreate(CurrentMemoryContext, "audit segment", ALLOCSET_DEFAULT_SIZES);
	AtSegmentScan *scan = at_segment_scan_open(export->store, export->snapshot);
	const AtSegmentRow *row;
	char hex[AT_HASH_HEX_LEN + 1] = "";
	char *file;
	int fd = begin_file(aside);

	at_segment_scan_start(scan, PG_INT64_MIN);
	while ((row = at_segment_scan_next(scan)) != NULL)
	{
		MemoryContext save = MemoryContextSwitchTo(context);
		AtText bytes = {NULL, 0};
		const char *why = at_segment_bytes(row, &bytes);

		CHECK_FOR_INTERRUPTS();
		if (why != NULL)
			at_export_broken(psprintf("Of segment %d: %s", row->number, why));
		add_segment(export, row, bytes);
		write_file(fd, aside, bytes.data, bytes.len);
		MemoryContextSwitchTo(save);
		MemoryContextReset(context);
	}
	at_segment_scan_close(scan);
	MemoryContextDelete(context);
	end_file(fd, aside);
	if (export->rows == 0)
		at_export_broken(psprintf("Partition \"%s\" has no segment.", export->name));
	if (!at_cold_file_hash(aside, &export->head.file))
		ereport(ERROR, (errcode_for_file_access(), errmsg("could not read file \"%s\": %m", aside),
						errdetail("It was just written."), errhint("Try again.")));
	at_hash_hex(&export->head.file, hex);
	file = psprintf("%s-%d.%s" AT_COLD_FILE_END, export->name, export->store, hex);
	(void) durable_rename(aside, psprintf("%s/%s", export->directory, file), ERROR);
	return file;
}

static void
demand(const AtSegmentRow *row, AtError error)
{
	if (error != AT_OK)
		at_export_broken(psprintf("Of segment %d: %s.", row->number, at_error_text(error)));
}

/* In a context that is reset behind it. */
static void
add_segment(SegmentExport *export, const AtSegmentRow *row, AtText bytes)
{
	AtCold cold;
	size_t len;
	char *content;
	AtColdTargets targets = {export->ntargets, export->target};
	const AtColdLeaf *before = export->rows > 0 ? &export->leaf[export->rows - 1] : NULL;

	demand(row, at_cold_read(&cold, bytes, &len));
	if (len != bytes.len || cold.kind != export->head.kind ||
		memcmp(cold.log_id, at_log_id(), AT_LOG_ID_LEN) != 0)
		demand(row, AT_ERR_SEGMENT);
	content = palloc_extended(cold.content_len + 1, MCXT_ALLOC_HUGE);
	demand(row, at_cold_unpack(&cold, content));
	if (export->rows + cold.rows > export->room)
	{
		export->room = Max(2 * export->room, export->rows + cold.rows);
		export->leaf = export->leaf == NULL
						   ? MemoryContextAllocHuge(GetMemoryChunkContext(export),
													sizeof(AtColdLeaf) * export->room)
						   : repalloc_huge(export->leaf, sizeof(AtColdLeaf) * export->room);
		before = export->rows > 0 ? &export->leaf[export->rows - 1] : NULL;
	}
	demand(row,
		   at_cold_leaves(&cold, (AtText){content, cold.content_len}, &targets,
						  palloc_extended(AT_COLD_SCRATCH(cold.content_len), MCXT_ALLOC_HUGE),
						  AT_COLD_SCRATCH(cold.content_len), before, &export->leaf[export->rows]));
	add_leaves(export, &cold, (AtText){content, cold.content_len});
}

/* They are computed; what remains is of which times and tables they are. */
static void
add_leaves(SegmentExport *export, const AtCold *cold, AtText content)
{
	AtColdTargets targets = {export->ntargets, export->target};
	AtColdWalk walk;
	AtEventBody event;
	int32_t target_id;

	if (export->segments++ == 0)
	{
		export->first_tx_at = cold->first_tx_at;
		export->last_tx_at = cold->last_tx_at;
	}
	export->first_tx_at = Min(export->first_tx_at, cold->first_tx_at);
	export->last_tx_at = Max(export->last_tx_at, cold->last_tx_at);
	export->rows += cold->rows;
	if (cold->kind != AT_COLD_EVENTS || at_cold_walk_open(&walk, cold, content) != AT_OK)
		return;
	while (at_cold_walk_event(&walk, &event, &target_id))
		export->is_used[at_cold_target_find(&targets, target_id) - export->target] = true;
}

static void
prove_rows(SegmentExport *export)
{
	uint64 count;
	uint64 *batch = list_batches(export, &count);

	initStringInfo(&export->batch);
	export->tree = at_log_tree_open(export->snapshot);
	for (uint64 i = 0; i < count; i++)
		prove_batch(export, batch[i]);
	at_log_tree_close(export->tree);
}

/* Batches of the time of the rows, in the log that was signed. */
static uint64 *
list_batches(SegmentExport *export, uint64 *count)
{
	char *sql = psprintf("SELECT log_index FROM audit.log_entry WHERE kind = '" AT_KIND_EVENTS
						 "' AND leaf_count > 0 AND log_index < " UINT64_FORMAT
						 " AND first_tx_at <= $2 AND last_tx_at >= $1 ORDER BY log_index",
						 (uint64) export->file.last.size);
	Oid types[] = {TIMESTAMPTZOID, TIMESTAMPTZOID};
	Datum values[] = {TimestampTzGetDatum(at_pg_timestamp(export->first_tx_at)),
					  TimestampTzGetDatum(at_pg_timestamp(export->last_tx_at))};
	MemoryContext owner = CurrentMemoryContext;
	uint64 *batch;
	bool isnull;

	SPI_connect();
	if (SPI_execute_with_args(sql, lengthof(types), types, values, NULL, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read the entries of the log");
	*count = SPI_processed;
	batch = MemoryContextAllocHuge(owner, sizeof(uint64) * (SPI_processed + 1));
	for (uint64 i = 0; i < SPI_processed; i++)
		batch[i] =
			DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1, &isnull));
	SPI_finish();
	return batch;
}

static void
prove_batch(SegmentExport *export, uint64 log_index)
{
	MemoryContext context =
		AllocSetContextCreate(CurrentMemoryContext, "audit batch", ALLOCSET_DEFAULT_SIZES);
	MemoryContext save = MemoryContextSwitchTo(context);
	AtEntryReader *entries = at_entry_reader_open(export->snapshot);
	const AtEntryRow *entry;

	CHECK_FOR_INTERRUPTS();
	at_entry_reader_start(entries, log_index, log_index);
	entry = at_entry_reader_next(entries);
	if (entry == NULL || entry->is_odd)
		at_export_broken(psprintf("Entry " UINT64_FORMAT " is missing or was changed.", log_index));
	read_hashes(export, entry);
	if (export->nruns > 0)
		put_batch(export, entry);
	at_entry_reader_close(entries);
	MemoryContextSwitchTo(save);
	MemoryContextDelete(context);
}

/* The hashes of all leaves of a batch, and where rows of ours are among them. */
static void
read_hashes(SegmentExport *export, const AtEntryRow *entry)
{
	uint64 log_index = entry->body.log_index;
	AtTileReader *tiles = at_tile_reader_open(export->snapshot);
	const AtTileRow *row;

	export->nhashes = 0;
	export->nruns = 0;
	export->runs_room = 0;
	export->hash = palloc_extended(sizeof(AtHash) * (entry->body.leaf_count + 1), MCXT_ALLOC_HUGE);
	at_tile_reader_start(tiles, log_index, log_index);
	while ((row = at_tile_reader_next(tiles)) != NULL)
	{
		uint64 number = export->nhashes;

		CHECK_FOR_INTERRUPTS();
		if (row->is_odd || export->nhashes + row->tile.leaf_count > entry->body.leaf_count)
			at_export_broken(psprintf("Tile %u of entry " UINT64_FORMAT " was changed or added.",
									  row->place, log_index));
		memcpy(&export->hash[number], row->tile.leaf, sizeof(AtHash) * row->tile.leaf_count);
		export->nhashes += row->tile.leaf_count;
		for (int i = 0; i < row->tile.run_count; i++)
		{
			add_runs(export, &row->tile.run[i], number);
			number += row->tile.run[i].count + row->tile.run[i].closes;
		}
	}
	if (export->nhashes != entry->body.leaf_count)
		at_export_broken(psprintf("Tiles of entry " UINT64_FORMAT " are missing.", log_index));
	at_tile_reader_close(tiles);
}

/* A row of ours, which goes on the last run if it stands beside it. */
static void
add_row(SegmentExport *export, const AtColdLeaf *leaf, uint64 number)
{
	AtColdRun *last = export->nruns > 0 ? &export->run[export->nruns - 1] : NULL;

	if (last != NULL && leaf->tx_id == last->tx_id && number == last->number + last->count &&
		leaf->ordinal == last->ordinal + last->count)
	{
		last->count++;
		return;
	}
	if (export->nruns == export->runs_room)
	{
		export->runs_room = Max(1024, 2 * export->runs_room);
		export->run = export->nruns == 0
						  ? palloc_extended(sizeof(AtColdRun) * export->runs_room, MCXT_ALLOC_HUGE)
						  : repalloc_huge(export->run, sizeof(AtColdRun) * export->runs_room);
	}
	export->run[export->nruns++] = (AtColdRun){number, leaf->tx_id, leaf->ordinal, 1};
}

/* Which leaves of a run of the tile are rows of ours? */
static void
add_runs(SegmentExport *export, const AtRun *run, uint64 number)
{
	AtColdLeaf *leaf = NULL;
	AtColdLeaf *end = export->leaf + export->rows;

	if (export->head.kind == AT_COLD_TRANSACTIONS)
	{
		if (run->closes)
			leaf = at_cold_leaf_find(export->leaf, export->rows, run->tx_id, 0);
		if (leaf != NULL)
			add_row(export, leaf, number + run->count);
		return;
	}
	for (uint32 i = 0; i < run->count; i++)
	{
		uint32 ordinal = run->first_ordinal + i;

		/* most often it is the next one */
		if (leaf == NULL || leaf + 1 == end || leaf[1].tx_id != run->tx_id ||
			leaf[1].ordinal != ordinal)
			leaf = at_cold_leaf_find(export->leaf, export->rows, run->tx_id, ordinal);
		else
			leaf++;
		if (leaf != NULL)
			add_row(export, leaf, number + i);
	}
}

static void
put_batch(SegmentExport *export, const AtEntryRow *entry)
{
	Size runs_room = AT_COLD_RUN_ROOM * export->nruns;
	Size hashes_room = sizeof(AtHash) * export->nhashes;
	AtWriter runs = at_writer(palloc_extended(runs_room, MCXT_ALLOC_HUGE), runs_room);
	AtWriter hashes = at_writer(palloc_extended(hashes_room, MCXT_ALLOC_HUGE), hashes_room);
	AtColdBatch batch = {.bytes.len = at_entry_body_size(&entry->body)};
	char *bytes = palloc(batch.bytes.len);
	AtColdRun before = {0};
	AtWriter out;
	AtError error;

	at_entry_body_write(&entry->body, (uint8 *) bytes);
	batch.bytes.data = bytes;
	if (at_proof_make_inclusion(&batch.log, entry->body.log_index, export->file.last.size,
								at_log_tree_subtree, export->tree) != AT_OK)
		at_export_broken(psprintf("Entry " UINT64_FORMAT " is not in the log that was signed.",
								  (uint64) entry->body.log_index));
	for (uint64 i = 0; i < export->nruns; i++)
	{
		at_cold_run_write(&runs, &export->run[i], &before);
		before = export->run[i];
	}
	error =
		at_cold_hashes_write(&hashes, export->hash, export->nhashes, export->run, export->nruns);
	if (error != AT_OK)
		elog(ERROR, "could not write hashes: %s", at_error_text(error));
	batch.runs = (AtText){runs.data, runs.len};
	batch.hashes = (AtText){hashes.data, hashes.len};
	enlargeStringInfo(&export->batch, AT_COLD_BATCH_ROOM + batch.bytes.len + runs.len + hashes.len);
	out =
		at_writer(export->batch.data + export->batch.len, export->batch.maxlen - export->batch.len);
	at_cold_proof_write_batch(&out, &batch);
	export->batch.len += out.len;
	export->batches++;
}

static void
make_proof(SegmentExport *export)
{
	StringInfo proof = &export->proof;
	AtWriter out;
	AtHash checksum;
	Size room;

	export->head.log_id = at_log_id();
	export->head.checkpoint =
		at_cosigned(at_text(export->file.note), export->file.last.size, export->snapshot);
	room = AT_COLD_PROOF_ROOM + export->head.checkpoint.len;
	for (int i = 0; i < export->ntargets; i++)
	{
		const AtColdTarget *target = &export->target[i];

		if (!export->is_used[i])
			continue;
		export->head.targets++;
		room += AT_COLD_TARGET_ROOM + target->schema.len + target->table.len +
				target->resource_type.len + target->context.len;
	}
	initStringInfo(proof);
	enlargeStringInfo(proof, room);
	out = at_writer(proof->data, room);
	at_cold_proof_write_head(&out, &export->head);
	for (int i = 0; i < export->ntargets; i++)
		if (export->is_used[i])
			at_cold_proof_write_target(&out, &export->target[i]);
	at_cold_proof_write_count(&out, export->batches);
	if (at_writer_error(&out) != AT_OK)
		elog(ERROR, "could not write a proof: %s", at_error_text(at_writer_error(&out)));
	proof->len = out.len;
	appendBinaryStringInfo(proof, export->batch.data, export->batch.len);
	if (!at_hash(proof->data, proof->len, &checksum))
		at_hash_failed();
	appendBinaryStringInfo(proof, (const char *) &checksum, sizeof(checksum));
}

/* As whoever gets it does. */
static void
verify_proof(SegmentExport *export)
{
	AtColdProof proof;
	AtColdBatch batch;
	const AtColdLeaf *left;
	AtColdTarget *target = palloc(sizeof(AtColdTarget) * (export->ntargets + 1));
	AtError error = at_cold_proof_read(&proof, (AtText){export->proof.data, export->proof.len});
	bool found = true;

	if (error == AT_OK)
		error = at_cold_proof_targets(&proof, target);
	while (error == AT_OK && found)
	{
		CHECK_FOR_INTERRUPTS();
		error = at_cold_proof_batch(&proof, &batch, &found);
		if (error == AT_OK && found)
			error =
				at_cold_batch_check(&batch, &proof, &export->file.last, export->leaf, export->rows);
	}
	if (error != AT_OK)
		at_export_broken(psprintf("The rows of \"%s\" are not as they were sealed: %s.",
								  export->name, at_error_text(error)));
	left = at_cold_unproved(export->leaf, export->rows);
	if (left != NULL)
		at_export_broken(psprintf("Row " UINT64_FORMAT ".%u of \"%s\" is in no batch of the log "
								  "that was signed.",
								  (uint64) left->tx_id, left->ordinal, export->name));
}

pg_noreturn static void
failed(const char *what, const char *path)
{
	ereport(ERROR, (errcode_for_file_access(), errmsg("could not %s file \"%s\": %m", what, path),
					errdetail("The segments were not exported."),
					errhint("Mend the cause, and try again.")));
}

/* Whoever else writes the directory could lead us elsewhere by a link. */
static int
begin_file(const char *path)
{
	int fd;

	if (unlink(path) != 0 && errno != ENOENT)
		failed("remove", path);
	fd = OpenTransientFilePerm(path, O_WRONLY | O_CREAT | O_EXCL | PG_BINARY, S_IRUSR | S_IWUSR);
	if (fd < 0)
		failed("create", path);
	return fd;
}

static void
write_file(int fd, const char *path, const void *bytes, Size len)
{
	for (Size done = 0; done < len;)
	{
		ssize_t got = write(fd, (const char *) bytes + done, len - done);

		if (got <= 0)
		{
			if (got == 0)
				errno = ENOSPC;
			failed("write", path);
		}
		done += got;
	}
}

static void
end_file(int fd, const char *path)
{
	if (pg_fsync(fd) != 0)
		failed("fsync", path);
	if (CloseTransientFile(fd) != 0)
		failed("close", path);
}

/* FILE.atq has FILE.proof. */
static char *
proof_name(const char *file)
{
	return psprintf("%.*s" AT_COLD_PROOF_END, (int) (strlen(file) - strlen(AT_COLD_FILE_END)),
					file);
}
