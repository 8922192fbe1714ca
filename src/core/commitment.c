/*-------------------------------------------------------------------------
 * commitment.c
 *		Keyed hashes and commitments of values.
 *
 * Strings go into a salt as their hashes, so that it is made of parts of
 * fixed length.
 *-------------------------------------------------------------------------
 */
#include <openssl/crypto.h>
#include <string.h>

#include "core/commitment.h"

#define MAGIC_LEN 4
#define SALT_LEN  (MAGIC_LEN + AT_LOG_ID_LEN + AT_NONCE_LEN + 1 + 1 + 2 * AT_HASH_LEN)

static bool make_salt(const uint8_t *secret, const AtCommitmentPlace *place, AtHash *salt);
static uint8_t *put(uint8_t *out, const void *bytes, size_t len);

bool
at_secret_id(const uint8_t *secret, uint8_t *id)
{
	AtHash hash;
	bool done = at_hmac(secret, AT_SECRET_LEN, "ATK1", MAGIC_LEN, NULL, 0, &hash);

	memcpy(id, hash.bytes, AT_SECRET_ID_LEN);
	return done;
}

bool
at_keyed_hash(const uint8_t *secret, const void *value, size_t len, AtHash *out)
{
	return at_hmac(secret, AT_SECRET_LEN, "ATH1", MAGIC_LEN, value, len, out);
}

bool
at_commitment(const uint8_t *secret, const AtCommitmentPlace *place, const void *value, size_t len,
			  AtHash *out)
{
	uint8_t prefix[MAGIC_LEN + AT_HASH_LEN];
	AtHash salt = {{0}};
	bool done = make_salt(secret, place, &salt);

	(void) put(put(prefix, "ATV1", MAGIC_LEN), salt.bytes, AT_HASH_LEN);
	done = done && at_hash_two(prefix, sizeof(prefix), value, len, out);
	OPENSSL_cleanse(prefix, sizeof(prefix));
	OPENSSL_cleanse(&salt, sizeof(salt));
	return done;
}

static bool
make_salt(const uint8_t *secret, const AtCommitmentPlace *place, AtHash *salt)
{
	AtHash subject = {{0}};
	AtHash column;
	uint8_t input[SALT_LEN];
	uint8_t has_subject = place->subject.data != NULL;
	uint8_t *at = input;

	if (has_subject && !at_hash(place->subject.data, place->subject.len, &subject))
		return false;
	if (!at_hash(place->column.data, place->column.len, &column))
		return false;
	at = put(at, "ATP1", MAGIC_LEN);
	at = put(at, place->log_id, AT_LOG_ID_LEN);
	at = put(at, place->nonce, AT_NONCE_LEN);
	at = put(at, &place->side, 1);
	at = put(at, &has_subject, 1);
	at = put(at, subject.bytes, AT_HASH_LEN);
	(void) put(at, column.bytes, AT_HASH_LEN);
	return at_hmac(secret, AT_SECRET_LEN, input, sizeof(input), NULL, 0, salt);
}

static uint8_t *
put(uint8_t *out, const void *bytes, size_t len)
{
	memcpy(out, bytes, len);
	return out + len;
}
