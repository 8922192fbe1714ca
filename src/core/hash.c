/*-------------------------------------------------------------------------
 * hash.c
 *		SHA-256 and HMAC-SHA256 as the ledger uses them.
 *
 * Two digests are made for each audited row, so what surrounds the
 * compression function counts. We call libcrypto's SHA256_*() and not
 * EVP_*(): the state lies on the stack, nothing is fetched or allocated,
 * nothing is shared between threads. doc/decisions.md has the figures.
 *
 * Caveat: SHA256_*() are deprecated since OpenSSL 3.0 in favour of EVP,
 * and do not pass through a FIPS provider. This file is the only one to
 * know.
 *-------------------------------------------------------------------------
 */
#define OPENSSL_SUPPRESS_DEPRECATED

#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <string.h>

#include "core/hash.h"

#define BLOCK_LEN SHA256_CBLOCK

/* What a key becomes in HMAC: a block in which it is padded with zeros. */
typedef struct KeyBlock
{
	uint8_t bytes[BLOCK_LEN];
} KeyBlock;

static bool make_key_block(const void *key, size_t key_len, KeyBlock *block);
static bool hash_keyed(const KeyBlock *block, uint8_t pad, const void *first, size_t first_len,
					   const void *second, size_t second_len, AtHash *out);
static bool hash_two(const void *first, size_t first_len, const void *second, size_t second_len,
					 AtHash *out);

bool
at_hash_init(void)
{
	/* FIPS 180-4, appendix B.1 */
	static const AtHash expected = {{0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea,
									 0x41, 0x41, 0x40, 0xde, 0x5d, 0xae, 0x22, 0x23,
									 0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17, 0x7a, 0x9c,
									 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad}};
	AtHash hash;

	return at_hash("abc", 3, &hash) && memcmp(&hash, &expected, sizeof(hash)) == 0;
}

bool
at_hash(const void *data, size_t len, AtHash *out)
{
	return hash_two(data, len, NULL, 0, out);
}

bool
at_hash_two(const void *first, size_t first_len, const void *second, size_t second_len, AtHash *out)
{
	return hash_two(first, first_len, second, second_len, out);
}

bool
at_hash_pieces(AtHashNext next, void *arg, AtHash *out)
{
	SHA256_CTX state;
	const void *piece;
	size_t len;
	bool ok = SHA256_Init(&state) == 1;

	while (ok && next(arg, &piece, &len))
		ok = SHA256_Update(&state, piece, len) == 1;
	return ok && SHA256_Final(out->bytes, &state) == 1;
}

bool
at_hmac(const void *key, size_t key_len, const void *first, size_t first_len, const void *second,
		size_t second_len, AtHash *out)
{
	KeyBlock block;
	bool done = make_key_block(key, key_len, &block) &&
				hash_keyed(&block, 0x36, first, first_len, second, second_len, out) &&
				hash_keyed(&block, 0x5c, out->bytes, AT_HASH_LEN, NULL, 0, out);

	OPENSSL_cleanse(&block, sizeof(block));
	return done;
}

/* A key that is longer than a block is replaced by its hash. */
static bool
make_key_block(const void *key, size_t key_len, KeyBlock *block)
{
	AtHash hash;
	bool done = true;

	memset(block, 0, sizeof(*block));
	if (key_len <= BLOCK_LEN)
		memcpy(block->bytes, key, key_len);
	else
	{
		done = at_hash(key, key_len, &hash);
		memcpy(block->bytes, hash.bytes, AT_HASH_LEN);
		OPENSSL_cleanse(&hash, sizeof(hash));
	}
	return done;
}

/* SHA-256(block xor pad | first | second). */
static bool
hash_keyed(const KeyBlock *block, uint8_t pad, const void *first, size_t first_len,
		   const void *second, size_t second_len, AtHash *out)
{
	KeyBlock padded;
	SHA256_CTX state;
	bool done;

	for (size_t i = 0; i < BLOCK_LEN; i++)
		padded.bytes[i] = block->bytes[i] ^ pad;
	done = SHA256_Init(&state) == 1 && SHA256_Update(&state, padded.bytes, BLOCK_LEN) == 1 &&
		   SHA256_Update(&state, first, first_len) == 1 &&
		   SHA256_Update(&state, second, second_len) == 1 && SHA256_Final(out->bytes, &state) == 1;
	OPENSSL_cleanse(&padded, sizeof(padded));
	OPENSSL_cleanse(&state, sizeof(state));
	return done;
}

bool
at_hash_leaf(const void *data, size_t len, AtHash *out)
{
	static const uint8_t prefix = 0x00;

	return hash_two(&prefix, sizeof(prefix), data, len, out);
}

bool
at_hash_node(const AtHash *left, const AtHash *right, AtHash *out)
{
	uint8_t block[1 + 2 * AT_HASH_LEN];

	/* one update of 65 bytes is faster than three */
	block[0] = 0x01;
	memcpy(block + 1, left->bytes, AT_HASH_LEN);
	memcpy(block + 1 + AT_HASH_LEN, right->bytes, AT_HASH_LEN);
	return hash_two(block, sizeof(block), NULL, 0, out);
}

void
at_hash_hex(const AtHash *hash, char out[AT_HASH_HEX_LEN])
{
	static const char digit[] = "0123456789abcdef";

	for (int i = 0; i < AT_HASH_LEN; i++)
	{
		*out++ = digit[hash->bytes[i] >> 4];
		*out++ = digit[hash->bytes[i] & 15];
	}
}

/* SHA-256 of two pieces; libcrypto does nothing for a piece of length 0. */
static bool
hash_two(const void *first, size_t first_len, const void *second, size_t second_len, AtHash *out)
{
	SHA256_CTX state;

	return SHA256_Init(&state) == 1 && SHA256_Update(&state, first, first_len) == 1 &&
		   SHA256_Update(&state, second, second_len) == 1 && SHA256_Final(out->bytes, &state) == 1;
}
