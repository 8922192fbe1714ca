/*-------------------------------------------------------------------------
 * hash.c
 *		SHA-256 as the ledger uses it.
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

#include <openssl/sha.h>
#include <string.h>

#include "core/hash.h"

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

/* SHA-256 of two pieces; libcrypto does nothing for a piece of length 0. */
static bool
hash_two(const void *first, size_t first_len, const void *second, size_t second_len, AtHash *out)
{
	SHA256_CTX state;

	return SHA256_Init(&state) == 1 && SHA256_Update(&state, first, first_len) == 1 &&
		   SHA256_Update(&state, second, second_len) == 1 && SHA256_Final(out->bytes, &state) == 1;
}
