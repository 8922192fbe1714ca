/*-------------------------------------------------------------------------
 * test_hash.c
 *		SHA-256, leaves and nodes: published vectors, pieces, failures.
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "check.h"
#include "vectors.h"

/* FIPS 180-4, appendix B, and the empty message */
#define HASH_EMPTY  "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define HASH_ABC    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define HASH_448    "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
#define MESSAGE_448 "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"

static void
test_hash(void)
{
	AtHash hash;

	check(at_hash_init() && at_hash_init(), "the known answer is right, as often as asked");

	check(at_hash("", 0, &hash), "an empty message has a hash");
	check_hex(&hash, AT_HASH_LEN, HASH_EMPTY, "the hash of an empty message");
	check(at_hash(NULL, 0, &hash), "so has one that is nowhere");
	check_hex(&hash, AT_HASH_LEN, HASH_EMPTY, "and it is the same");
	check(at_hash("abc", 3, &hash), "a message of one block has a hash");
	check_hex(&hash, AT_HASH_LEN, HASH_ABC, "FIPS 180-4, B.1");
	check(at_hash(MESSAGE_448, strlen(MESSAGE_448), &hash), "a message of two blocks has a hash");
	check_hex(&hash, AT_HASH_LEN, HASH_448, "FIPS 180-4, B.2");
}

/* However a message is cut in two, the hash is the same. */
static void
test_two_pieces(void)
{
	uint8_t message[200];
	AtHash whole;
	AtHash pieces;
	int equal = 0;

	for (size_t i = 0; i < sizeof(message); i++)
		message[i] = (uint8_t) (i * 7);
	at_hash(message, sizeof(message), &whole);

	for (size_t cut = 0; cut <= sizeof(message); cut++)
		if (at_hash_two(message, cut, message + cut, sizeof(message) - cut, &pieces) &&
			memcmp(&whole, &pieces, sizeof(whole)) == 0)
			equal++;
	check(equal == 201, "two pieces hash like the whole, cut anywhere");

	check(at_hash_two(NULL, 0, NULL, 0, &pieces), "two pieces of nothing have a hash");
	check_hex(&pieces, AT_HASH_LEN, HASH_EMPTY, "that of an empty message");
}

/* A message that comes in pieces of 0, 1, 2, ... bytes. */
typedef struct Pieces
{
	const uint8_t *at;
	const uint8_t *end;
	size_t next;
} Pieces;

static bool
next_piece(void *arg, const void **piece, size_t *len)
{
	Pieces *pieces = arg;
	size_t left = (size_t) (pieces->end - pieces->at);

	if (left == 0)
		return false;
	*piece = pieces->at;
	*len = pieces->next < left ? pieces->next : left;
	pieces->at += *len;
	pieces->next++;
	return true;
}

static bool
hash_in_pieces(const uint8_t *message, size_t len, AtHash *out)
{
	Pieces pieces = {message, message + len, 0};

	return at_hash_pieces(next_piece, &pieces, out);
}

/* Messages of all lengths up to some blocks hash in pieces as they do whole. */
static void
test_many_pieces(void)
{
	uint8_t message[300];
	AtHash whole;
	AtHash pieces;
	int equal = 0;

	for (size_t i = 0; i < sizeof(message); i++)
		message[i] = (uint8_t) (i * 11);
	for (size_t len = 0; len <= sizeof(message); len++)
		if (at_hash(message, len, &whole) && hash_in_pieces(message, len, &pieces) &&
			memcmp(&whole, &pieces, sizeof(whole)) == 0)
			equal++;
	check(equal == 301, "pieces hash like the whole");
}

static void
test_primitives(void)
{
	for (size_t i = 0; i < lengthof(vector_primitive); i++)
	{
		uint8_t left[64];
		AtHash hash;
		AtHash right;
		size_t len = from_hex(vector_primitive[i].left, left, sizeof(left));

		if (vector_primitive[i].right == NULL)
			check(at_hash_leaf(left, len, &hash), "a leaf has a hash");
		else
		{
			memcpy(&hash, left, AT_HASH_LEN);
			from_hex(vector_primitive[i].right, right.bytes, AT_HASH_LEN);
			check(at_hash_node(&hash, &right, &hash), "a node has a hash, in the place of a child");
		}
		check_hex(&hash, AT_HASH_LEN, vector_primitive[i].hash, vector_primitive[i].name);
	}
}

/* The prefix goes before data of every length around the size of a block. */
static void
test_leaf_lengths(void)
{
	uint8_t message[300] = {0};
	int equal = 0;

	for (size_t i = 1; i < sizeof(message); i++)
		message[i] = (uint8_t) (i * 11);
	for (size_t len = 0; len < sizeof(message); len++)
	{
		AtHash leaf;
		AtHash whole;

		if (at_hash_leaf(message + 1, len, &leaf) && at_hash(message, len + 1, &whole) &&
			memcmp(&leaf, &whole, sizeof(leaf)) == 0)
			equal++;
	}
	check(equal == 300, "a leaf hashes like its data behind a zero byte, at any length");
}

static bool
call_hash(void)
{
	AtHash hash;

	return at_hash("abc", 3, &hash);
}

static bool
call_two(void)
{
	AtHash hash;

	return at_hash_two("a", 1, "bc", 2, &hash);
}

static bool
call_pieces(void)
{
	AtHash hash;

	return hash_in_pieces((const uint8_t *) "abc", 3, &hash);
}

static bool
call_leaf(void)
{
	AtHash hash;

	return at_hash_leaf("abc", 3, &hash);
}

static bool
call_node(void)
{
	AtHash hash = {{0}};

	return at_hash_node(&hash, &hash, &hash);
}

static void
test_failures(void)
{
	check_failures(at_hash_init, 4, "at_hash_init reports every failure of libcrypto");
	check_failures(call_hash, 4, "at_hash reports every failure of libcrypto");
	check_failures(call_two, 4, "at_hash_two reports every failure of libcrypto");
	check_failures(call_pieces, 5, "at_hash_pieces reports every failure of libcrypto");
	check_failures(call_leaf, 4, "at_hash_leaf reports every failure of libcrypto");
	check_failures(call_node, 4, "at_hash_node reports every failure of libcrypto");

	corrupt_libcrypto(true);
	check(!at_hash_init(), "at_hash_init reports a wrong answer of libcrypto");
	corrupt_libcrypto(false);
	check(at_hash_init(), "at_hash_init is content again");
}

int
main(void)
{
	test_hash();
	test_two_pieces();
	test_many_pieces();
	test_primitives();
	test_leaf_lengths();
	test_failures();
	return check_done();
}
