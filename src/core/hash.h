/*-------------------------------------------------------------------------
 * hash.h
 *		SHA-256 and HMAC-SHA256 as the ledger uses them.
 *
 * Leaves and nodes are hashed as in RFC 6962, section 2.1: a leaf with a
 * 0x00 byte before it, a node with 0x01 before its two children.
 *
 * Every function returns false if libcrypto fails, and then leaves *out
 * undefined. out may be one of the inputs. Nothing is kept between calls:
 * no allocation, no state, any thread.
 *-------------------------------------------------------------------------
 */
#ifndef AT_HASH_H
#define AT_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AT_HASH_LEN 32

typedef struct AtHash
{
	uint8_t bytes[AT_HASH_LEN];
} AtHash;

/* Check libcrypto against a known answer: call once at module load, false is fatal. */
extern bool at_hash_init(void);

/* SHA-256 of data. */
extern bool at_hash(const void *data, size_t len, AtHash *out);

/* SHA-256 of two pieces, one behind the other. */
extern bool at_hash_two(const void *first, size_t first_len, const void *second, size_t second_len,
						AtHash *out);

/* Yields the next piece of a message, valid until the next call, or false after the last. */
typedef bool (*AtHashNext)(void *arg, const void **piece, size_t *len);

/* SHA-256 of all pieces that next(arg) yields, one behind the other. */
extern bool at_hash_pieces(AtHashNext next, void *arg, AtHash *out);

/*
 * HMAC-SHA256 (RFC 2104) of two pieces, one behind the other. Nothing of the
 * key is left on the stack.
 */
extern bool at_hmac(const void *key, size_t key_len, const void *first, size_t first_len,
					const void *second, size_t second_len, AtHash *out);

/* RFC 6962 leaf hash: SHA-256(0x00 | data). */
extern bool at_hash_leaf(const void *data, size_t len, AtHash *out);

/* RFC 6962 node hash: SHA-256(0x01 | left | right). */
extern bool at_hash_node(const AtHash *left, const AtHash *right, AtHash *out);

/* The hash in lower-case digits, without a zero byte behind them. */
#define AT_HASH_HEX_LEN (2 * AT_HASH_LEN)
extern void at_hash_hex(const AtHash *hash, char out[AT_HASH_HEX_LEN]);

#endif
