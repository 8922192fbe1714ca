/*-------------------------------------------------------------------------
 * verify_log_tile.c
 *		Are the tiles of the log's tree those that its entries give?
 *
 * A tile is right if the root of its hashes is that of the subtree that it
 * stands for, which one checkpoint and one entry tell. Where it is not, each
 * of its hashes is compared with what they tell of it: either that shows the
 * hash that is wrong, or the checkpoint was, which the step "log" has said.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "ledger/datum.h"
#include "ledger/log_tiles.h"
#include "ledger/log_tree.h"
#include "seal/verify.h"

/* Findings for missing tiles one by one. */
#define MAX_MISSING 100

/* The name of a tile. The table is in their order: by number, then by level. */
typedef struct TileName
{
	uint64 tile;
	int level;
} TileName;

typedef struct TileCheck
{
	AtVerify *verify;
	AtLogTree *tree;
	TileName next; /* the first that the table has not been looked through for */
	int missing;
} TileCheck;

static void miss_until(TileCheck *check, const TileName *until);
static void check_tile(TileCheck *check, const AtLogTileRow *row);
static void compare_hashes(TileCheck *check, const AtLogTileRow *row);
static void report(const TileCheck *check, AtFault fault, const TileName *name,
				   const char *expected, const char *found, const char *detail);

/* Does a log of this size have the tile? */
static bool
is_expected(const AtVerify *verify, const TileName *name)
{
	return name->tile < at_log_tiles_stored(verify->log_size, name->level);
}

static bool
precedes(const TileName *one, const TileName *other)
{
	return one->tile < other->tile || (one->tile == other->tile && one->level < other->level);
}

void
at_verify_log_tiles(AtVerify *verify)
{
	AtLogTileReader *reader = at_log_tile_reader_open(verify->snapshot);
	TileCheck check = {.verify = verify, .tree = at_log_tree_open(verify->snapshot)};
	TileName end = {.tile = at_log_tiles_stored(verify->log_size, 0)};
	const AtLogTileRow *row;

	at_log_tile_reader_start(reader);
	while ((row = at_log_tile_reader_next(reader)) != NULL)
	{
		TileName name = {row->tile, row->level};

		verify->log_tiles++;
		if (!is_expected(verify, &name))
			report(&check, AT_FAULT_ADDED, &name, NULL, NULL,
				   "the log does not have the entries that would fill it");
		else if (precedes(&name, &check.next))
			report(&check, AT_FAULT_DUPLICATED, &name, NULL, NULL, NULL);
		else
		{
			miss_until(&check, &name);
			check_tile(&check, row);
			check.next = (TileName){name.tile, name.level + 1};
		}
	}
	miss_until(&check, &end);
	at_log_tree_close(check.tree);
	at_log_tile_reader_close(reader);
}

/* All that should be before this one and was not met is missing. */
static void
miss_until(TileCheck *check, const TileName *until)
{
	TileName *next = &check->next;

	while (precedes(next, until))
	{
		if (!is_expected(check->verify, next))
		{
			*next = (TileName){next->tile + 1, 0};
			continue;
		}
		if (++check->missing <= MAX_MISSING)
			report(check, AT_FAULT_MISSING, next, NULL, NULL,
				   check->missing == MAX_MISSING ? "perhaps more are, which are not shown" : NULL);
		next->level++;
	}
}

static void
check_tile(TileCheck *check, const AtLogTileRow *row)
{
	AtHash hash[AT_LOG_TILE_WIDTH];
	AtHash root;

	if (row->is_odd)
	{
		report(check, AT_FAULT_CHANGED, &(TileName){row->tile, row->level}, NULL, NULL,
			   "it does not have 256 hashes, or says that it is another");
		return;
	}
	memcpy(hash, row->hash, sizeof(hash));
	if (!at_log_tile_join(hash, AT_LOG_TILE_WIDTH))
		at_hash_failed();
	if (!at_log_tree_subtree(check->tree, (row->level + 1) * AT_LOG_TILE_HEIGHT, row->tile,
							 &root) ||
		memcmp(&root, &hash[0], sizeof(root)) != 0)
		compare_hashes(check, row);
}

/* What entries that are not believed would tell is not asked. */
static void
compare_hashes(TileCheck *check, const AtLogTileRow *row)
{
	int height = row->level * AT_LOG_TILE_HEIGHT;

	for (int i = 0; i < AT_LOG_TILE_WIDTH; i++)
	{
		uint64 index = row->tile * AT_LOG_TILE_WIDTH + i;
		AtHash expected;

		if (at_verify_doubt(check->verify, ((index + 1) << height) - 1) != NULL ||
			!at_log_tree_subtree(check->tree, height, index, &expected) ||
			memcmp(&expected, &row->hash[i], sizeof(expected)) == 0)
			continue;
		report(check, AT_FAULT_CHANGED, &(TileName){row->tile, row->level}, at_hash_text(&expected),
			   at_hash_text(&row->hash[i]), psprintf("hash %d is the first that is not right", i));
		return;
	}
}

static void
report(const TileCheck *check, AtFault fault, const TileName *name, const char *expected,
	   const char *found, const char *detail)
{
	char *text = psprintf("%d/" UINT64_FORMAT, name->level, name->tile);

	at_findings_add(check->verify->findings, &(AtFinding){.thing = AT_THING_LOG_TILE,
														  .fault = fault,
														  .object = text,
														  .place = psprintf("log tile %s", text),
														  .expected = expected,
														  .found = found,
														  .detail = detail});
}
