/*-------------------------------------------------------------------------
 * test_hash.c
 *		SHA-256, HMAC, leaves and nodes: published vectors, pieces, failures.
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

/* RFC 4231, section 4; a byte and how often it comes, or a text. Case 5 is cut to 128 bits there.
 */
typedef struct HmacCase
{
	const char *name;
	const char *key;
	int key_byte;
	size_t key_len;
	const char *data;
	int data_byte;
	size_t data_len;
	const char *hmac;
} HmacCase;

static const HmacCase hmac_cases[] = {
	{"RFC 4231, 4.2", NULL, 0x0b, 20, "Hi There", 0, 8,
	 "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
	{"RFC 4231, 4.3", "Jefe", 0, 4, "what do ya want for nothing?", 0, 28,
	 "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
	{"RFC 4231, 4.4", NULL, 0xaa, 20, NULL, 0xdd, 50,
	 "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
	{"RFC 4231, 4.5",
	 "\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\x11\x12\x13\x14\x15\x16\x17"
	 "\x18\x19",
	 0, 25, NULL, 0xcd, 50, "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"},
	{"RFC 4231, 4.6", NULL, 0x0c, 20, "Test With Truncation", 0, 20,
	 "a3b6167473100ee06e0c796c2955552b"},
	{"RFC 4231, 4.7", NULL, 0xaa, 131, "Test Using Larger Than Block-Size Key - Hash Key First", 0,
	 54, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
	{"RFC 4231, 4.8", NULL, 0xaa, 131,
	 "This is a test using a larger than block-size key and a larger than block-size data. The key "
	 "needs to be hashed before being used by the HMAC algorithm.",
	 0, 152, "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"},
};

static const uint8_t *
fill(uint8_t *room, const char *text, int byte, size_t len)
{
	if (text != NULL)
		memcpy(room, text, len);
	else
		memset(room, byte, len);
	return room;
}

/* Each published case, its data in one piece and cut anywhere in two. */
static void
test_hmac(void)
{
	for (size_t i = 0; i < lengthof(hmac_cases); i++)
	{
		const HmacCase *one = &hmac_cases[i];
		uint8_t key_room[200];
		uint8_t data_room[200];
		const uint8_t *key = fill(key_room, one->key, one->key_byte, one->key_len);
		const uint8_t *data = fill(data_room, one->data, one->data_byte, one->data_len);
		size_t equal = 0;
		AtHash whole;
		AtHash pieces;

		check(at_hmac(key, one->key_len, data, one->data_len, NULL, 0, &whole), "there is an HMAC");
		check_hex(&whole, strlen(one->hmac) / 2, one->hmac, one->name);
		for (size_t cut = 0; cut <= one->data_len; cut++)
			if (at_hmac(key, one->key_len, data, cut, data + cut, one->data_len - cut, &pieces) &&
				memcmp(&whole, &pieces, sizeof(whole)) == 0)
				equal++;
		check(equal == one->data_len + 1, "and it is the same cut anywhere");
	}
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

static bool
call_hmac(void)
{
	AtHash hash;

	return at_hmac("key", 3, "a", 1, "bc", 2, &hash);
}

static bool
call_hmac_with_long_key(void)
{
	static const uint8_t key[65] = {0};
	AtHash hash;

	return at_hmac(key, sizeof(key), "a", 1, "bc", 2, &hash);
}

static void
test_failures(void)
{
	check_failures(at_hash_init, 4, "at_hash_init reports every failure of libcrypto");
	check_failures(call_hash, 4, "at_hash reports every failure of libcrypto");
	check_failures(call_two, 4, "at_hash_two reports every failure of libcrypto");
	check_failures(call_pieces, 5, "at_hash_pieces reports every failure of libcrypto");
	check_failures(call_hmac, 10, "at_hmac reports every failure of libcrypto");
	check_failures(call_hmac_with_long_key, 14, "at_hmac does, where it hashes the key");
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
	test_hmac();
	test_primitives();
	test_leaf_lengths();
	test_failures();
	return check_done();
}
