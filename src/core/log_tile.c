/*-------------------------------------------------------------------------
 * log_tile.c
 *		The tiles of a log's tree: C2SP tlog-tiles.
 *-------------------------------------------------------------------------
 */
#include "core/log_tile.h"
#include "core/merkle.h"

#define PATH_START   "tile/"
#define ENTRIES      "entries"
#define PARTIAL      ".p/"
#define GROUP_DIGITS 3
#define GROUP        1000

static uint64_t level_width(uint64_t size, int level);
static void write_index(AtWriter *writer, uint64_t index);
static bool read_tile(AtLogTile *tile, AtText path);
static bool read_level(int *level, AtText text);
static bool read_index(uint64_t *index, AtText *text);
static bool read_group(uint64_t *index, AtText *text);
static bool read_width(int *width, AtText text);
static bool load(AtLogTileTree *tree, int level, uint64_t index);

uint64_t
at_log_tile_count(uint64_t size, int level)
{
	uint64_t width = level_width(size, level);

	return width / AT_LOG_TILE_WIDTH + (width % AT_LOG_TILE_WIDTH != 0 ? 1 : 0);
}

uint64_t
at_log_tile_first_new(uint64_t old_size, uint64_t size, int level)
{
	uint64_t old_width = level_width(old_size, level);

	if (old_width >= level_width(size, level))
		return at_log_tile_count(size, level);

	return old_width / AT_LOG_TILE_WIDTH;
}

int
at_log_tile_width(uint64_t size, int level, uint64_t index)
{
	uint64_t width = level_width(size, level);

	if (index < width / AT_LOG_TILE_WIDTH)
		return AT_LOG_TILE_WIDTH;

	return index == width / AT_LOG_TILE_WIDTH ? (int) (width % AT_LOG_TILE_WIDTH) : 0;
}

void
at_log_tile_write_path(AtWriter *writer, const AtLogTile *tile)
{
	at_write_string(writer, PATH_START);
	if (tile->level == AT_LOG_TILE_ENTRIES)
		at_write_string(writer, ENTRIES);
	else
		at_write_decimal(writer, (uint64_t) tile->level);
	at_write_string(writer, "/");
	write_index(writer, tile->index);
	if (tile->width == AT_LOG_TILE_WIDTH)
		return;

	at_write_string(writer, PARTIAL);
	at_write_decimal(writer, (uint64_t) tile->width);
}

AtError
at_log_tile_read_path(AtLogTile *tile, AtText path)
{
	char buffer[AT_LOG_TILE_PATH_MAX];
	AtWriter again = at_writer(buffer, sizeof(buffer));

	if (!read_tile(tile, path))
		return AT_ERR_TILE_PATH;

	/* one path a tile: this finds what the reading of the parts is too lenient for */
	at_log_tile_write_path(&again, tile);
	return at_text_equal((AtText){again.data, again.len}, path) ? AT_OK : AT_ERR_TILE_PATH;
}

bool
at_log_tile_subtree(void *source, int level, uint64_t index, AtHash *root)
{
	AtLogTileTree *tree = source;
	int height = level % AT_LOG_TILE_HEIGHT; /* above the hashes of the tile */
	uint64_t first = index << height;
	int offset = (int) (first % AT_LOG_TILE_WIDTH);
	int count = 1 << height;
	AtHash hash[AT_LOG_TILE_WIDTH / 2];

	if (level >= AT_MERKLE_MAX_PEAKS || index >= tree->size >> level ||
		!load(tree, level / AT_LOG_TILE_HEIGHT, first / AT_LOG_TILE_WIDTH))
		return false;

	memcpy(hash, tree->hash + offset, sizeof(AtHash) * (size_t) count);
	if (!at_log_tile_join(hash, count))
		return false;
	*root = hash[0];
	return true;
}

bool
at_log_tile_join(AtHash *hash, int count)
{
	for (; count > 1; count /= 2)
		for (int i = 0; i < count / 2; i++)
			if (!at_hash_node(&hash[2 * i], &hash[2 * i + 1], &hash[i]))
				return false;

	return true;
}

/* How many hashes this level has over all its tiles. */
static uint64_t
level_width(uint64_t size, int level)
{
	if (level == AT_LOG_TILE_ENTRIES)
		level = 0;

	return level <= AT_LOG_TILE_MAX_LEVEL ? size >> AT_LOG_TILE_HEIGHT * level : 0;
}

/* Three digits a path element, all but the last behind an x. */
static void
write_index(AtWriter *writer, uint64_t index)
{
	char text[40]; /* 64 bits are 7 elements of up to 5 characters */
	size_t start = sizeof(text);
	uint64_t rest = index;

	do
	{
		if (start < sizeof(text))
			text[--start] = '/';
		for (int i = 0; i < GROUP_DIGITS; i++)
		{
			text[--start] = (char) ('0' + rest % 10);
			rest /= 10;
		}
		if (start + GROUP_DIGITS < sizeof(text))
			text[--start] = 'x';
	} while (rest > 0);
	at_write(writer, (AtText){text + start, sizeof(text) - start});
}

static bool
read_tile(AtLogTile *tile, AtText path)
{
	AtText level;

	return at_text_skip(&path, PATH_START) && at_text_until(&path, '/', &level) &&
		   read_level(&tile->level, level) && read_index(&tile->index, &path) &&
		   read_width(&tile->width, path);
}

static bool
read_level(int *level, AtText text)
{
	uint64_t number;

	if (at_text_equal(text, at_text(ENTRIES)))
	{
		*level = AT_LOG_TILE_ENTRIES;
		return true;
	}
	if (!at_text_decimal(text, &number) || number > AT_LOG_TILE_MAX_LEVEL)
		return false;
	*level = (int) number;
	return true;
}

static bool
read_index(uint64_t *index, AtText *text)
{
	*index = 0;
	while (at_text_skip(text, "x"))
		if (!read_group(index, text) || !at_text_skip(text, "/"))
			return false;

	return read_group(index, text);
}

/* Three more digits; false where they are none or the number would be too large for any tile. */
static bool
read_group(uint64_t *index, AtText *text)
{
	uint64_t group = 0;

	if (text->len < GROUP_DIGITS || *index > (UINT64_MAX - GROUP) / GROUP)
		return false;

	for (int i = 0; i < GROUP_DIGITS; i++)
	{
		char digit = text->data[i];

		if (digit < '0' || digit > '9')
			return false;
		group = group * 10 + (uint64_t) (digit - '0');
	}
	*index = *index * GROUP + group;
	*text = (AtText){text->data + GROUP_DIGITS, text->len - GROUP_DIGITS};
	return true;
}

/* The end of the path: nothing, or how wide a partial tile is. */
static bool
read_width(int *width, AtText text)
{
	uint64_t number = AT_LOG_TILE_WIDTH;

	if (text.len > 0 && (!at_text_skip(&text, PARTIAL) || !at_text_decimal(text, &number) ||
						 number == 0 || number >= AT_LOG_TILE_WIDTH))
		return false;
	*width = (int) number;
	return true;
}

/* Have this tile at hand; false if the tree has none there, or it cannot be had. */
static bool
load(AtLogTileTree *tree, int level, uint64_t index)
{
	AtLogTile tile = {level, index, at_log_tile_width(tree->size, level, index)};

	if (tree->tile.width > 0 && tree->tile.level == level && tree->tile.index == index)
		return true;

	tree->tile.width = 0;
	if (tile.width == 0 || !tree->load(tree->store, &tile, tree->hash))
		return false;
	tree->tile = tile;
	return true;
}
