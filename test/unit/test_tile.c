/*-------------------------------------------------------------------------
 * test_tile.c
 *		Leaf tiles: runs as leaves come, across edges, and what is refused.
 *-------------------------------------------------------------------------
 */
#define _POSIX_C_SOURCE 200809L

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "core/bytes.h"
#include "vectors.h"

/* the first twelve bytes of a run, in hexadecimal */
#define TX "000000000000000100000001"

static void number_leaf(uint64_t number, AtHash *leaf);
static void fill(AtTile *tile, uint64_t tx_id, uint32_t first, int count);
static bool has_run(const AtTile *tile, int i, AtRun run);
static bool read_back(const AtTile *tile);
static bool reads(int leaves, const char *owners);

static void
test_empty(void)
{
	AtTile tile;

	at_tile_init(&tile);
	check(tile.leaf_count == 0 && tile.run_count == 0, "a new tile is empty");
	check(at_tile_read(&tile, NULL, 0, NULL, 0) && tile.leaf_count == 0 && tile.run_count == 0,
		  "nothing is read as an empty tile");
}

/* The frozen runs, made leaf by leaf. */
static void
test_vector(void)
{
	AtTile tile;
	AtHash leaf = {{0}};
	uint8_t owners[lengthof(vector_run) * AT_RUN_LEN];
	bool equal = true;

	at_tile_init(&tile);
	for (size_t i = 0; i < lengthof(vector_run); i++)
	{
		fill(&tile, vector_run[i].tx_id, vector_run[i].first_ordinal, (int) vector_run[i].count);
		if (vector_run[i].closes)
			at_tile_add_transaction(&tile, vector_run[i].tx_id, &leaf);
	}
	check(tile.leaf_count == 11, "the vector has 11 leaves");
	check(tile.run_count == lengthof(vector_run), "and 5 runs");
	for (size_t i = 0; i < lengthof(vector_run); i++)
		equal = equal && has_run(&tile, (int) i, vector_run[i]);
	check(equal, "which are its runs");
	at_tile_write_owners(&tile, owners);
	check_hex(owners, sizeof(owners), vector_owners, "the owners as stored");
	check(read_back(&tile), "the owners are read as they were written");
}

/* When a leaf lengthens the last run and when it begins one. */
static void
test_runs(void)
{
	AtTile tile;
	AtHash leaf = {{0}};

	at_tile_init(&tile);
	fill(&tile, 5, 1, 2);
	fill(&tile, 5, 4, 1);
	check(tile.run_count == 2 && has_run(&tile, 1, (AtRun){5, 4, 1, false}),
		  "a gap between ordinals begins a run");
	fill(&tile, 5, 4, 1);
	check(tile.run_count == 3, "an ordinal that comes twice begins a run");
	at_tile_add_transaction(&tile, 6, &leaf);
	check(tile.run_count == 4 && has_run(&tile, 3, (AtRun){6, 0, 0, true}),
		  "the leaf of another transaction begins a run of no events");
	at_tile_add_transaction(&tile, 6, &leaf);
	check(tile.run_count == 5, "a run closes once");
	fill(&tile, 6, 1, 1);
	check(tile.run_count == 6, "an event behind the close begins a run");
	check(tile.leaf_count == 7 && read_back(&tile), "all of it is read back");
}

/* A transaction of 255, 256, 257 events: where the edge falls, its runs are cut. */
static void
test_edges(void)
{
	AtTile tile;
	AtTile next;
	AtHash leaf = {{0}};

	at_tile_init(&tile);
	fill(&tile, 9, 1, 255);
	at_tile_add_transaction(&tile, 9, &leaf);
	check(tile.leaf_count == AT_TILE_LEAVES && tile.run_count == 1 &&
			  has_run(&tile, 0, (AtRun){9, 1, 255, true}) && read_back(&tile),
		  "255 events and their transaction fill a tile with one run");

	at_tile_init(&tile);
	at_tile_init(&next);
	fill(&tile, 9, 1, 256);
	at_tile_add_transaction(&next, 9, &leaf);
	check(has_run(&tile, 0, (AtRun){9, 1, 256, false}) && read_back(&tile),
		  "256 events fill a tile and leave it open");
	check(has_run(&next, 0, (AtRun){9, 0, 0, true}) && read_back(&next),
		  "the transaction's leaf is alone behind the edge");

	at_tile_init(&next);
	fill(&next, 9, 257, 1);
	at_tile_add_transaction(&next, 9, &leaf);
	check(has_run(&next, 0, (AtRun){9, 257, 1, true}) && read_back(&next),
		  "the 257th event is behind the edge, by its ordinal");

	at_tile_init(&tile);
	for (uint64_t i = 0; i < AT_TILE_LEAVES; i++)
		at_tile_add_transaction(&tile, i, &leaf);
	check(tile.run_count == AT_TILE_LEAVES && read_back(&tile), "a tile may have 256 runs");
}

/* The hashes lie in a tile as C2SP tlog-tiles has them. */
static void
test_hashes(void)
{
	for (size_t i = 0; i < lengthof(vector_tile); i++)
	{
		AtTile tile;
		AtHash leaf;
		AtHash hash;

		at_tile_init(&tile);
		for (int j = 0; j < vector_tile[i].width; j++)
		{
			number_leaf(vector_tile[i].first + (uint64_t) j, &leaf);
			at_tile_add_event(&tile, 1, (uint32_t) j + 1, &leaf);
		}
		at_hash(tile.leaf, (size_t) tile.leaf_count * AT_HASH_LEN, &hash);
		check_hex(&hash, AT_HASH_LEN, vector_tile[i].hash, "a leaf tile of the big tree");
	}
}

/* Lengths that are odd or do not fit each other. */
static void
test_read_lengths(void)
{
	static const uint8_t hashes[AT_HASH_LEN * 2];
	static const uint8_t owners[300 * AT_RUN_LEN] = {[15] = 1};
	AtTile tile;

	check(at_tile_read(&tile, hashes, 32, owners, 16), "a hash and its owner are read");
	check(!at_tile_read(&tile, hashes, 31, owners, 16), "31 bytes of hashes are refused");
	check(!at_tile_read(&tile, hashes, 33, owners, 16), "33 bytes of hashes are refused");
	check(!at_tile_read(&tile, hashes, 32, owners, 15), "15 bytes of owners are refused");
	check(!at_tile_read(&tile, hashes, 32, owners, 17), "17 bytes of owners are refused");
	check(!at_tile_read(&tile, hashes, 32, owners, 0), "hashes without owners are refused");
	check(!at_tile_read(&tile, hashes, 0, owners, 16), "owners without hashes are refused");
	check(!at_tile_read(&tile, hashes, 32, owners, sizeof(owners)), "300 owners are refused");
}

/* Runs that do not own the leaves that there are. */
static void
test_read_runs(void)
{
	static const struct
	{
		bool accepted;
		int leaves;
		const char *owners; /* tx_id and first ordinal, closes and count */
		const char *name;
	} cases[] = {
		{true, 1, TX "00000001", "an event is read"},
		{true, 1, TX "80000000", "a transaction is read"},
		{true, 2, TX "80000001", "one of each is read"},
		{true, 3, TX "80000001" TX "00000001", "two runs are read"},
		{true, 256, TX "800000ff", "256 leaves are read"},
		{false, 257, TX "80000100", "257 leaves are refused"},
		{false, 257, TX "00000101", "257 events are refused"},
		{false, 1, TX "00000000", "an empty run is refused"},
		{false, 2, TX "00000002" TX "00000000", "an empty run at the end is refused"},
		{false, 2, TX "00000000" TX "00000002", "an empty run at the start is refused"},
		{false, 1, TX "00000002", "an event too many is refused"},
		{false, 1, TX "80000001", "a close too many is refused"},
		{false, 1, TX "00000001" TX "00000001", "a run too many is refused"},
		{false, 3, TX "00000002", "an event too few is refused"},
		{false, 3, TX "7fffffff", "the longest run is refused"},
		{false, 3, TX "ffffffff", "the longest run that closes is refused"},
		{false, 3, TX "ffffffff" TX "ffffffff" TX "00000003", "2^32 + 3 are not 3"},
	};

	for (size_t i = 0; i < lengthof(cases); i++)
		check(reads(cases[i].leaves, cases[i].owners) == cases[i].accepted, cases[i].name);
}

/* Past the end a crash is better than silence. */
static void
test_full(void)
{
	fflush(NULL);

	pid_t child = fork();

	if (child == 0)
	{
		AtTile tile;

		if (freopen("/dev/null", "w", stderr) == NULL)
			_exit(EXIT_FAILURE);
		at_tile_init(&tile);
		fill(&tile, 1, 1, AT_TILE_LEAVES + 1);
		_exit(EXIT_SUCCESS);
	}

	int status = 0;

	check(child > 0 && waitpid(child, &status, 0) == child && WIFSIGNALED(status) &&
			  WTERMSIG(status) == SIGABRT,
		  "a 257th leaf aborts");
}

int
main(void)
{
	test_empty();
	test_vector();
	test_runs();
	test_edges();
	test_hashes();
	test_read_lengths();
	test_read_runs();
	test_full();
	return check_done();
}

/* A leaf of the big tree. */
static void
number_leaf(uint64_t number, AtHash *leaf)
{
	uint8_t data[8];

	at_put_u64(data, number);
	at_hash_leaf(data, sizeof(data), leaf);
}

/* Add events of consecutive ordinals. */
static void
fill(AtTile *tile, uint64_t tx_id, uint32_t first, int count)
{
	for (int i = 0; i < count; i++)
	{
		AtHash leaf;

		number_leaf(tx_id + (uint64_t) i, &leaf);
		at_tile_add_event(tile, tx_id, first + (uint32_t) i, &leaf);
	}
}

static bool
has_run(const AtTile *tile, int i, AtRun run)
{
	const AtRun *got = &tile->run[i];

	return i < tile->run_count && got->tx_id == run.tx_id &&
		   got->first_ordinal == run.first_ordinal && got->count == run.count &&
		   got->closes == run.closes;
}

/* Write a tile, read it into dirty memory, compare. */
static bool
read_back(const AtTile *tile)
{
	static AtTile copy;
	uint8_t owners[AT_TILE_LEAVES * AT_RUN_LEN];

	memset(&copy, 0xee, sizeof(copy));
	at_tile_write_owners(tile, owners);
	if (!at_tile_read(&copy, (const uint8_t *) tile->leaf, (size_t) tile->leaf_count * AT_HASH_LEN,
					  owners, (size_t) tile->run_count * AT_RUN_LEN))
		return false;

	for (int i = 0; i < tile->run_count; i++)
		if (!has_run(&copy, i, tile->run[i]))
			return false;
	return copy.leaf_count == tile->leaf_count && copy.run_count == tile->run_count &&
		   memcmp(copy.leaf, tile->leaf, (size_t) tile->leaf_count * AT_HASH_LEN) == 0;
}

/* Is a tile of so many leaves and these owners read? */
static bool
reads(int leaves, const char *owners)
{
	static const uint8_t hashes[AT_HASH_LEN * (AT_TILE_LEAVES + 1)];
	uint8_t bytes[4 * AT_RUN_LEN];
	AtTile tile;
	size_t len = from_hex(owners, bytes, sizeof(bytes));

	return at_tile_read(&tile, hashes, (size_t) leaves * AT_HASH_LEN, bytes, len);
}
