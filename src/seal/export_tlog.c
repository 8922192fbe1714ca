/*-------------------------------------------------------------------------
 * export_tlog.c
 *		The log as files, for those who read transparency logs: C2SP tlog-tiles.
 *
 * An export goes on where the one before it in the same directory ended: at
 * the first tile that was not full. From there each entry is read and hashed,
 * and put into tiles. Three things must be met, or there is no new checkpoint:
 * the root when the size of the earlier checkpoint is reached, the root in
 * the end (see core/tiling.h for what that proves), and the stored tiles.
 *
 * Files of an earlier export are not read again. Those of its tiles that were
 * not full stay: whoever holds the earlier checkpoint may still ask for them.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"

#include "core/bundle.h"
#include "core/tiling.h"
#include "ledger/datum.h"
#include "ledger/log_read.h"
#include "ledger/log_tiles.h"
#include "ledger/log_tree.h"
#include "seal/export.h"

#define BUNDLE_ROOM (AT_LOG_TILE_WIDTH * (2 + AT_BUNDLE_MAX_ENTRY))

typedef struct Export
{
	AtExport common;

	AtLogTileReader *stored;
	AtTiling tiling;
	AtWriter writer; /* has the entries that are in no bundle yet */
} Export;

static void write_tiles(Export *export);
static void add_entry(Export *export, const AtEntryRow *row);
static void write_bundle(Export *export);
static bool put_tile(void *arg, const AtLogTile *tile, const AtHash *hashes);
static void write_tile(Export *export, const AtLogTile *tile, const void *bytes, Size len);
static bool root_is(const AtTiling *tiling, const AtHash *expected);
static Datum make_result(FunctionCallInfo fcinfo, const Export *export);

PG_FUNCTION_INFO_V1(at_export_tlog);

static void
demand(AtError error)
{
	if (error != AT_OK)
		elog(ERROR, "could not make tiles of the log: %s", at_error_text(error));
}

/* export_tlog(directory text): (size, files) */
Datum
at_export_tlog(PG_FUNCTION_ARGS)
{
	Export *export = palloc0(sizeof(Export));

	at_export_begin(&export->common, text_to_cstring(PG_GETARG_TEXT_PP(0)), "tile");
	write_tiles(export);
	at_export_end(&export->common);
	PG_RETURN_DATUM(make_result(fcinfo, export));
}

static void
write_tiles(Export *export)
{
	AtLogTree *tree = at_log_tree_open(export->common.snapshot);
	AtEntryReader *entries = at_entry_reader_open(export->common.snapshot);
	AtTiling *tiling = &export->tiling;
	uint64 first = export->common.old_size - export->common.old_size % AT_LOG_TILE_WIDTH;
	uint64 size = export->common.checkpoint.size;

	export->stored = at_log_tile_reader_open(export->common.snapshot);
	export->writer = at_writer(palloc_extended(BUNDLE_ROOM, MCXT_ALLOC_HUGE), BUNDLE_ROOM);
	if (at_tiling_start(tiling, first, at_log_tree_subtree, tree) != AT_OK)
		at_export_broken(
			psprintf("Entries before " UINT64_FORMAT " are missing or were changed.", first));

	at_entry_reader_start(entries, first, size - 1);
	for (;;)
	{
		if (tiling->size == export->common.old_size && export->common.directory.has_note &&
			!root_is(tiling, &export->common.directory.last.root))
			at_export_refuse_other(&export->common);
		if (tiling->size == size)
			break;
		add_entry(export, at_entry_reader_next(entries));
	}
	if (!root_is(tiling, &export->common.checkpoint.root))
		at_export_broken(psprintf(
			"Its entries do not give the root that was signed for size " UINT64_FORMAT ".", size));
	demand(at_tiling_put_partial(tiling, put_tile, export));
	if (size % AT_LOG_TILE_WIDTH != 0)
		write_bundle(export);
	at_log_tile_reader_close(export->stored);
	at_entry_reader_close(entries);
	at_log_tree_close(tree);
}

static bool
root_is(const AtTiling *tiling, const AtHash *expected)
{
	AtHash root;

	demand(at_tiling_root(tiling, &root));
	return memcmp(&root, expected, sizeof(root)) == 0;
}

/* The next entry goes into its bundle, its leaf into the tiles. */
static void
add_entry(Export *export, const AtEntryRow *row)
{
	uint64 place = export->tiling.size;
	AtError error;

	if (row == NULL || row->is_odd || row->place != place)
		at_export_broken(psprintf("Entry " UINT64_FORMAT " is missing or was changed.", place));

	size_t len = at_entry_body_size(&row->body);
	uint8 *bytes = palloc_extended(len, MCXT_ALLOC_HUGE);

	at_entry_body_write(&row->body, bytes);
	error = at_bundle_add(&export->writer, bytes, len);
	pfree(bytes);
	if (error != AT_OK)
		at_export_broken(psprintf("Entry " UINT64_FORMAT " has %zu bytes; %d are the limit.", place,
								  len, AT_BUNDLE_MAX_ENTRY));
	demand(at_tiling_add(&export->tiling, &row->leaf, put_tile, export));
	if (export->tiling.size % AT_LOG_TILE_WIDTH == 0)
		write_bundle(export);
}

/* The entries that were added since the last bundle. */
static void
write_bundle(Export *export)
{
	uint64 size = export->tiling.size;
	uint64 index = (size - 1) / AT_LOG_TILE_WIDTH;

	write_tile(export,
			   &(AtLogTile){AT_LOG_TILE_ENTRIES, index,
							at_log_tile_width(size, AT_LOG_TILE_ENTRIES, index)},
			   export->writer.data, export->writer.len);
	export->writer = at_writer(export->writer.data, BUNDLE_ROOM);
}

/* An AtTilingPut. What is stored must be what the entries give. */
static bool
put_tile(void *arg, const AtLogTile *tile, const AtHash *hashes)
{
	Export *export = arg;
	Size len = sizeof(AtHash) * tile->width;

	if (tile->width == AT_LOG_TILE_WIDTH)
	{
		const AtLogTileRow *row = at_log_tile_reader_find(export->stored, tile->level, tile->index);

		if (row == NULL || memcmp(row->hash, hashes, len) != 0)
			at_export_broken(psprintf("Tile " UINT64_FORMAT " of level %d is %s.",
									  (uint64) tile->index, tile->level,
									  row == NULL ? "missing" : "not what the entries give"));
	}
	write_tile(export, tile, hashes, len);
	return true;
}

/* Unless the earlier export has it as it is. */
static void
write_tile(Export *export, const AtLogTile *tile, const void *bytes, Size len)
{
	char name[AT_LOG_TILE_PATH_MAX + 1];
	AtWriter writer = at_writer(name, AT_LOG_TILE_PATH_MAX);

	if (tile->index <
		at_log_tile_first_new(export->common.old_size, export->common.checkpoint.size, tile->level))
		return;
	at_log_tile_write_path(&writer, tile);
	name[writer.len] = '\0';
	at_log_directory_write(&export->common.directory, name, bytes, len);
}

static Datum
make_result(FunctionCallInfo fcinfo, const Export *export)
{
	TupleDesc desc;
	Datum values[2];
	bool nulls[2] = {false};

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	values[0] = Int64GetDatum(export->common.checkpoint.size);
	values[1] = Int64GetDatum(export->common.directory.nwritten);
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls));
}
