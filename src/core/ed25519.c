/*-------------------------------------------------------------------------
 * ed25519.c
 *		Ed25519 (RFC 8032, section 5.1) with keys as bare bytes.
 *
 * Keys and contexts of libcrypto live for one call: signing is done once a
 * checkpoint, and nothing has to be right after an error. libcrypto wipes
 * its copy of the seed when the key is freed. What it puts into its queue
 * of errors is taken out again, as the queue belongs to the whole process.
 *-------------------------------------------------------------------------
 */
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include "core/ed25519.h"

static bool read_public(const uint8_t *seed, uint8_t *public_key);
static bool sign(EVP_MD_CTX *context, const uint8_t *seed, AtText message, uint8_t *signature);
static AtError verify(EVP_MD_CTX *context, const uint8_t *public_key, AtText message,
					  const uint8_t *signature);

AtError
at_ed25519_generate(uint8_t seed[AT_ED25519_SEED_LEN])
{
	ERR_set_mark();

	bool done = RAND_priv_bytes(seed, AT_ED25519_SEED_LEN) == 1;

	ERR_pop_to_mark();
	return done ? AT_OK : AT_ERR_LIBCRYPTO;
}

AtError
at_ed25519_public(const uint8_t seed[AT_ED25519_SEED_LEN],
				  uint8_t public_key[AT_ED25519_PUBLIC_LEN])
{
	ERR_set_mark();

	bool done = read_public(seed, public_key);

	ERR_pop_to_mark();
	return done ? AT_OK : AT_ERR_LIBCRYPTO;
}

AtError
at_ed25519_sign(const uint8_t seed[AT_ED25519_SEED_LEN], AtText message,
				uint8_t signature[AT_ED25519_SIGNATURE_LEN])
{
	ERR_set_mark();

	EVP_MD_CTX *context = EVP_MD_CTX_new();
	bool done = context != NULL && sign(context, seed, message, signature);

	EVP_MD_CTX_free(context);
	ERR_pop_to_mark();
	return done ? AT_OK : AT_ERR_LIBCRYPTO;
}

AtError
at_ed25519_verify(const uint8_t public_key[AT_ED25519_PUBLIC_LEN], AtText message,
				  const uint8_t signature[AT_ED25519_SIGNATURE_LEN])
{
	ERR_set_mark();

	EVP_MD_CTX *context = EVP_MD_CTX_new();
	AtError error =
		context != NULL ? verify(context, public_key, message, signature) : AT_ERR_LIBCRYPTO;

	EVP_MD_CTX_free(context);
	ERR_pop_to_mark();
	return error;
}

static bool
read_public(const uint8_t *seed, uint8_t *public_key)
{
	EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, AT_ED25519_SEED_LEN);
	size_t len = AT_ED25519_PUBLIC_LEN;
	bool done = key != NULL && EVP_PKEY_get_raw_public_key(key, public_key, &len) == 1 &&
				len == AT_ED25519_PUBLIC_LEN;

	EVP_PKEY_free(key);
	return done;
}

static bool
sign(EVP_MD_CTX *context, const uint8_t *seed, AtText message, uint8_t *signature)
{
	EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, AT_ED25519_SEED_LEN);
	size_t len = AT_ED25519_SIGNATURE_LEN;
	bool done = key != NULL && EVP_DigestSignInit(context, NULL, NULL, NULL, key) == 1 &&
				EVP_DigestSign(context, signature, &len, (const unsigned char *) message.data,
							   message.len) == 1 &&
				len == AT_ED25519_SIGNATURE_LEN;

	EVP_PKEY_free(key);
	return done;
}

static AtError
verify(EVP_MD_CTX *context, const uint8_t *public_key, AtText message, const uint8_t *signature)
{
	EVP_PKEY *key =
		EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, public_key, AT_ED25519_PUBLIC_LEN);
	AtError error = AT_ERR_LIBCRYPTO;

	if (key != NULL && EVP_DigestVerifyInit(context, NULL, NULL, NULL, key) == 1)
	{
		int result = EVP_DigestVerify(context, signature, AT_ED25519_SIGNATURE_LEN,
									  (const unsigned char *) message.data, message.len);

		/* negative would be for trouble, but an ill-formed signature may also be reported so */
		error = result == 1 ? AT_OK : AT_ERR_SIGNATURE;
	}
	EVP_PKEY_free(key);
	return error;
}
