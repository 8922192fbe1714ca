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
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include "core/ed25519.h"

/* The field's p = 2^255 - 19, and the curve -x^2 + y^2 = 1 + d x^2 y^2. */
#define FIELD   "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffed"
#define CURVE_D "52036cee2b6ffe738cc740797779e89800700a4d4141d8ab75eb4dca135978a3"

static bool read_public(const uint8_t *seed, uint8_t *public_key);
static AtError check_point(BN_CTX *context, BIGNUM *y, const uint8_t *public_key);
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
at_ed25519_check_public(const uint8_t public_key[AT_ED25519_PUBLIC_LEN])
{
	ERR_set_mark();

	BN_CTX *context = BN_CTX_new();
	BIGNUM *y = BN_new();
	AtError error =
		context != NULL && y != NULL ? check_point(context, y, public_key) : AT_ERR_LIBCRYPTO;

	BN_free(y);
	BN_CTX_free(context);
	ERR_pop_to_mark();
	return error;
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

/*
 * The bytes are y, the least first, and the top bit, a sign, of x. There is an
 * x if (y^2 - 1) / (d y^2 + 1) is a square, which its numerator times its
 * denominator is likewise. Of small order are y = 0, y = 1 and y = -1, where
 * that is 0, and the two solutions of d y^4 + 2 y^2 = 1, whose doubles have y = 0.
 */
static AtError
check_point(BN_CTX *context, BIGNUM *y, const uint8_t *public_key)
{
	uint8_t bytes[AT_ED25519_PUBLIC_LEN];
	BIGNUM *p = NULL;
	BIGNUM *d = NULL;
	BIGNUM *square = BN_new();
	BIGNUM *above = BN_new();
	BIGNUM *below = BN_new();
	BIGNUM *double_y = BN_new();
	AtError error = AT_ERR_LIBCRYPTO;
	int residue = -2;

	memcpy(bytes, public_key, sizeof(bytes));
	bytes[AT_ED25519_PUBLIC_LEN - 1] &= 0x7f;
	if (square != NULL && above != NULL && below != NULL && double_y != NULL &&
		BN_hex2bn(&p, FIELD) != 0 && BN_hex2bn(&d, CURVE_D) != 0 &&
		BN_lebin2bn(bytes, sizeof(bytes), y) != NULL && BN_mod_sqr(square, y, p, context) == 1 &&
		BN_mod_mul(below, square, d, p, context) == 1 && BN_copy(above, square) != NULL &&
		BN_copy(double_y, below) != NULL && BN_add_word(double_y, 2) == 1 &&
		BN_mod_mul(double_y, double_y, square, p, context) == 1 && BN_sub_word(above, 1) == 1 &&
		BN_add_word(below, 1) == 1 && BN_mod_mul(above, above, below, p, context) == 1)
		residue = BN_kronecker(above, p, context);
	if (residue > -2)
		error = residue == 1 && BN_cmp(y, p) < 0 && !BN_is_zero(y) && !BN_is_one(double_y)
					? AT_OK
					: AT_ERR_KEY_POINT;

	BN_free(double_y);
	BN_free(below);
	BN_free(above);
	BN_free(square);
	BN_free(d);
	BN_free(p);
	return error;
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
