/*-------------------------------------------------------------------------
 * verify_log.c
 *		Verifies a whole log.
 *
 * The size in the checkpoint is believed only once the entries have given its
 * root; until then it says how many files are looked for, one after the
 * other, so a false one ends at the first that is not there.
 *-------------------------------------------------------------------------
 */
#include <inttypes.h>
#include <stdlib.h>

#include "core/bundle.h"
#include "core/note.h"
#include "core/tiling.h"
#include "describe.h"
#include "file.h"
#include "verify_log.h"
#include "log_entry.h"
#include "message.h"

#define CHECKPOINT_MAX 65536
#define BUNDLE_MAX     (AT_LOG_TILE_WIDTH * (2 + AT_BUNDLE_MAX_ENTRY))

typedef struct LogCheck
{
	AtResult *result;
	const char *directory;
	const AtKept *kept;
	size_t next_kept;

	AtText note;
	AtCheckpoint checkpoint; /* not verified before the end */
	AtLogWalk walk;
	AtTiling tiling;
} LogCheck;

/* A file that was read. */
typedef struct TileFile
{
	char path[AT_LOG_TILE_PATH_MAX + 1];
	int width; /* by its path */
	AtText text;
} TileFile;

static bool check_entries(LogCheck *check);
static bool check_bundle(LogCheck *check, const AtLogTile *tile);
static void add_entry(LogCheck *check, AtText entry);
static bool compare_tile(void *arg, const AtLogTile *tile, const AtHash *hashes);
static void say_difference(LogCheck *check, const AtLogTile *tile, const char *path, int number);
static bool check_root(LogCheck *check);
static bool read_tile(LogCheck *check, const AtLogTile *tile, size_t max, TileFile *file);
static bool read_tile_file(LogCheck *check, const AtLogTile *tile, size_t max, TileFile *file);
static void write_path(const AtLogTile *tile, char path[AT_LOG_TILE_PATH_MAX + 1]);

void
at_verify_log(AtResult *result, const char *directory, const AtUserTrust *trust, const AtKept *kept)
{
	LogCheck *check = at_alloc(sizeof(LogCheck));

	result->kind = "exported log";
	check->result = result;
	check->directory = directory;
	check->kept = kept;
	check->walk.trust = trust;
	check->walk.result = result;

	if (at_log_read_checkpoint(result, directory, trust, &check->note, &check->checkpoint) &&
		check_entries(check) && check_root(check) &&
		at_key_chain_open(&check->walk.keys, trust, check->note, AT_LOG_CHECKPOINT,
						  &check->checkpoint, result))
	{
		at_describe_checkpoint(result, &check->checkpoint);
		at_log_walk_say(&check->walk);
		at_kept_compare_end(result, kept, check->next_kept, &check->checkpoint, AT_LOG_CHECKPOINT);
		at_result_add(
			result, AT_NOT_PROVED,
			"the events: a log has the hashes of batches, so it takes proofs of events, or "
			"a bundle, to say what they are");
		at_result_add(result, AT_NOT_PROVED,
					  "what the times say: they are those of the database server's clock");
	}
	at_key_chain_free(&check->walk.keys);
	free((char *) check->note.data);
	free(check);
}

bool
at_log_read_checkpoint(AtResult *result, const char *directory, const AtUserTrust *trust,
					   AtText *bytes, AtCheckpoint *checkpoint)
{
	AtNote note;

	if (!at_file_read_in(directory, AT_LOG_CHECKPOINT, CHECKPOINT_MAX, bytes))
	{
		at_result_fault(result, AT_LOG_CHECKPOINT, "the file is missing");
		return false;
	}
	return at_result_error(result, AT_LOG_CHECKPOINT, at_note_read(&note, *bytes)) &&
		   at_result_error(result, AT_LOG_CHECKPOINT, at_trust_verify_given(trust, &note)) &&
		   at_result_error(result, AT_LOG_CHECKPOINT, at_checkpoint_read(checkpoint, note.text));
}

static bool
check_entries(LogCheck *check)
{
	uint64_t size = check->checkpoint.size;
	uint64_t count = at_log_tile_count(size, AT_LOG_TILE_ENTRIES);
	bool is_whole = true;

	for (uint64_t i = 0; i < count && is_whole; i++)
		is_whole =
			check_bundle(check, &(AtLogTile){AT_LOG_TILE_ENTRIES, i,
											 at_log_tile_width(size, AT_LOG_TILE_ENTRIES, i)});
	if (is_whole)
		at_check_machine(at_tiling_put_partial(&check->tiling, compare_tile, check));
	return is_whole;
}

/* What is left of a full bundle, in the place of one that is not, is not looked at. */
static bool
check_bundle(LogCheck *check, const AtLogTile *tile)
{
	TileFile file;
	AtText rest;
	AtText entry;
	bool is_whole = true;

	if (!read_tile(check, tile, BUNDLE_MAX, &file))
		return false;
	rest = file.text;
	for (int i = 0; i < tile->width && is_whole; i++)
	{
		is_whole = at_bundle_next(&rest, &entry) == AT_OK;
		if (is_whole)
			add_entry(check, entry);
	}
	if (!is_whole || (rest.len > 0 && file.width == tile->width))
		at_result_fault(check->result, file.path, "%s", at_error_text(AT_ERR_BUNDLE));
	free((char *) file.text.data);
	return is_whole;
}

static void
add_entry(LogCheck *check, AtText entry)
{
	AtHash leaf;

	if (!at_hash_leaf(entry.data, entry.len, &leaf))
		at_check_machine(AT_ERR_LIBCRYPTO);
	at_log_walk_entry(&check->walk, entry);
	at_check_machine(at_tiling_add(&check->tiling, &leaf, compare_tile, check));
	if (at_kept_wants(check->kept, &check->next_kept, check->tiling.size))
	{
		AtHash root;

		at_check_machine(at_tiling_root(&check->tiling, &root));
		at_kept_compare_root(check->result, check->kept, &check->next_kept, &root,
							 &check->checkpoint, AT_LOG_CHECKPOINT);
	}
}

/* An AtTilingPut: what the entries give must be what the file has. */
static bool
compare_tile(void *arg, const AtLogTile *tile, const AtHash *hashes)
{
	LogCheck *check = arg;
	TileFile file;
	int i = 0;

	if (!read_tile(check, tile, AT_LOG_TILE_WIDTH * AT_HASH_LEN, &file))
		return true;
	if (file.text.len != (size_t) file.width * AT_HASH_LEN)
	{
		at_result_fault(check->result, file.path, "its length is not that of %d hashes",
						file.width);
		i = tile->width;
	}
	while (i < tile->width &&
		   memcmp(file.text.data + i * AT_HASH_LEN, &hashes[i], AT_HASH_LEN) == 0)
		i++;
	if (i < tile->width)
		say_difference(check, tile, file.path, i);
	free((char *) file.text.data);
	return true;
}

/* Whether a leaf hash or its entry was changed, the root will tell; or both were. */
static void
say_difference(LogCheck *check, const AtLogTile *tile, const char *path, int number)
{
	AtLogTile bundle = {AT_LOG_TILE_ENTRIES, tile->index, tile->width};
	char bundle_path[AT_LOG_TILE_PATH_MAX + 1];

	write_path(&bundle, bundle_path);
	if (tile->level == 0)
		at_result_fault(check->result, path,
						"hash %d is not that of entry %" PRIu64
						" in %s: one of the two files was changed",
						number, tile->index * AT_LOG_TILE_WIDTH + (uint64_t) number, bundle_path);
	else
		at_result_fault(check->result, path, "hash %d is not what the tiles below it give", number);
}

static bool
check_root(LogCheck *check)
{
	AtHash root;

	at_check_machine(at_tiling_root(&check->tiling, &root));
	if (memcmp(&root, &check->checkpoint.root, AT_HASH_LEN) == 0)
		return true;

	at_result_fault(check->result, AT_LOG_CHECKPOINT,
					"its root is not that of the %" PRIu64 " entries", check->checkpoint.size);
	return false;
}

/* A fault if it is neither there nor, for one that is not full, the full one. */
static bool
read_tile(LogCheck *check, const AtLogTile *tile, size_t max, TileFile *file)
{
	AtLogTile full = {tile->level, tile->index, AT_LOG_TILE_WIDTH};

	if (read_tile_file(check, tile, max, file) ||
		(tile->width < AT_LOG_TILE_WIDTH && read_tile_file(check, &full, max, file)))
		return true;

	write_path(tile, file->path);
	at_result_fault(check->result, file->path, "the file is missing");
	return false;
}

static bool
read_tile_file(LogCheck *check, const AtLogTile *tile, size_t max, TileFile *file)
{
	write_path(tile, file->path);
	file->width = tile->width;
	return at_file_read_in(check->directory, file->path, max, &file->text);
}

static void
write_path(const AtLogTile *tile, char path[AT_LOG_TILE_PATH_MAX + 1])
{
	AtWriter writer = at_writer(path, AT_LOG_TILE_PATH_MAX);

	at_log_tile_write_path(&writer, tile);
	path[writer.len] = '\0';
}
