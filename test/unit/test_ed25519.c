/*-------------------------------------------------------------------------
 * test_ed25519.c
 *		Ed25519: RFC 8032's vectors, flipped bits, second forms.
 *-------------------------------------------------------------------------
 */
#include <openssl/err.h>
#include <string.h>

#include "check.h"
#include "core/ed25519.h"

typedef struct Signed
{
	uint8_t seed[AT_ED25519_SEED_LEN];
	uint8_t public_key[AT_ED25519_PUBLIC_LEN];
	uint8_t message[4];
	uint8_t signature[AT_ED25519_SIGNATURE_LEN];
	AtText text;
} Signed;

/* The order of the group, as a number of 32 bytes, the least first. */
static const uint8_t order[32] = {0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7,
								  0xa2, 0xde, 0xf9, 0xde, 0x14, 0,    0,    0,    0,    0,    0,
								  0,    0,    0,    0,    0,    0,    0,    0,    0,    0x10};

static void make_signed(Signed *made);
static void add_order(uint8_t number[32]);

/* RFC 8032, section 7.1, tests 1 to 3. */
static void
test_vectors(void)
{
	static const struct
	{
		const char *seed;
		const char *public_key;
		const char *message;
		const char *signature;
	} cases[] = {
		{"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
		 "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
		 "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
		 "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"},
		{"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
		 "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
		 "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
		 "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"},
		{"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
		 "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
		 "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
		 "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"},
	};

	for (size_t i = 0; i < lengthof(cases); i++)
	{
		uint8_t seed[32];
		uint8_t message[2];
		uint8_t public_key[32];
		uint8_t signature[64];
		size_t len = from_hex(cases[i].message, message, sizeof(message));
		AtText text = {(const char *) message, len};

		from_hex(cases[i].seed, seed, sizeof(seed));
		check(at_ed25519_public(seed, public_key) == AT_OK, "a seed has a public key");
		check_hex(public_key, sizeof(public_key), cases[i].public_key, "that of the RFC");
		check(at_ed25519_sign(seed, text, signature) == AT_OK, "a message is signed");
		check_hex(signature, sizeof(signature), cases[i].signature, "as in the RFC");
		check(at_ed25519_verify(public_key, text, signature) == AT_OK, "and verified");
	}
}

static void
test_flips(void)
{
	Signed made;
	int refused = 0;

	make_signed(&made);
	for (int bit = 0; bit < 8 * (int) sizeof(made.signature); bit++)
	{
		made.signature[bit / 8] ^= (uint8_t) (1 << bit % 8);
		refused +=
			at_ed25519_verify(made.public_key, made.text, made.signature) == AT_ERR_SIGNATURE;
		made.signature[bit / 8] ^= (uint8_t) (1 << bit % 8);
	}
	check(refused == 512, "a signature with any bit flipped is refused");

	refused = 0;
	for (int bit = 0; bit < 8 * (int) sizeof(made.message); bit++)
	{
		made.message[bit / 8] ^= (uint8_t) (1 << bit % 8);
		refused += at_ed25519_verify(made.public_key, made.text, made.signature) != AT_OK;
		made.message[bit / 8] ^= (uint8_t) (1 << bit % 8);
	}
	check(refused == 32, "a message with any bit flipped is refused");

	refused = 0;
	for (int bit = 0; bit < 8 * (int) sizeof(made.public_key); bit++)
	{
		made.public_key[bit / 8] ^= (uint8_t) (1 << bit % 8);
		refused += at_ed25519_verify(made.public_key, made.text, made.signature) != AT_OK;
		made.public_key[bit / 8] ^= (uint8_t) (1 << bit % 8);
	}
	check(refused == 256, "a key with any bit flipped is refused");
	check(at_ed25519_verify(made.public_key, made.text, made.signature) == AT_OK,
		  "what was flipped back is accepted");
}

/* S and S + L mean the same to the curve: only the smaller is a signature. */
static void
test_second_form(void)
{
	Signed made;

	make_signed(&made);
	add_order(made.signature + 32);
	check(at_ed25519_verify(made.public_key, made.text, made.signature) == AT_ERR_SIGNATURE,
		  "S + L is refused");
	memcpy(made.signature + 32, order, sizeof(order));
	check(at_ed25519_verify(made.public_key, made.text, made.signature) == AT_ERR_SIGNATURE,
		  "S = L is refused");
	memset(made.signature + 32, 0xff, 32);
	check(at_ed25519_verify(made.public_key, made.text, made.signature) == AT_ERR_SIGNATURE,
		  "the largest S is refused");
}

/* Under a key of small order this signature verifies, of many messages or all. */
static void
test_small_order(void)
{
	static const char *const points[] = {
		"0100000000000000000000000000000000000000000000000000000000000000", /* order 1 */
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", /* 2 */
		"0000000000000000000000000000000000000000000000000000000000000000", /* 4 */
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a", /* 8 */
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05", /* 8 */
	};
	uint8_t anything[AT_ED25519_SIGNATURE_LEN] = {1};
	uint8_t public_key[AT_ED25519_PUBLIC_LEN];

	from_hex(points[0], public_key, sizeof(public_key));
	check(at_ed25519_verify(public_key, at_text("what nobody signed"), anything) == AT_OK,
		  "a key of order 1 would verify what nobody signed");
	for (size_t i = 0; i < lengthof(points); i++)
	{
		from_hex(points[i], public_key, sizeof(public_key));
		check(at_ed25519_check_public(public_key) == AT_ERR_KEY_POINT,
			  "a key of small order is refused");
		public_key[31] ^= 0x80;
		check(at_ed25519_check_public(public_key) == AT_ERR_KEY_POINT,
			  "so is its negative, or what has a sign and no x");
	}
}

static void
test_points(void)
{
	static const char *const points[] = {
		"0200000000000000000000000000000000000000000000000000000000000000", /* no x */
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", /* p, for 0 */
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", /* p + 1 */
		"f0ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", /* p + 3 */
		"ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", /* p + 18 */
		"ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
	};
	uint8_t public_key[AT_ED25519_PUBLIC_LEN];
	uint8_t seed[AT_ED25519_SEED_LEN] = {0};
	int wrong = 0;
	int on_curve = 0;

	for (size_t i = 0; i < lengthof(points); i++)
	{
		from_hex(points[i], public_key, sizeof(public_key));
		check(at_ed25519_check_public(public_key) == AT_ERR_KEY_POINT,
			  "no point, or not the one form of it");
	}
	from_hex("0300000000000000000000000000000000000000000000000000000000000000", public_key,
			 sizeof(public_key));
	check(at_ed25519_check_public(public_key) == AT_OK, "y = 3 has an x");
	for (int i = 0; i < 500; i++)
	{
		seed[0] = (uint8_t) i;
		seed[1] = (uint8_t) (i >> 8);
		at_ed25519_public(seed, public_key);
		wrong += at_ed25519_check_public(public_key) != AT_OK;
		public_key[4] ^= 1;
		on_curve += at_ed25519_check_public(public_key) == AT_OK;
	}
	check(wrong == 0, "the public keys of seeds are points");
	check(on_curve > 180 && on_curve < 320, "of other bytes about every second is");
}

static void
test_generate(void)
{
	uint8_t one[32] = {0};
	uint8_t other[32] = {0};

	check(at_ed25519_generate(one) == AT_OK && at_ed25519_generate(other) == AT_OK,
		  "seeds are generated");
	check(memcmp(one, other, sizeof(one)) != 0, "no two alike");
}

static bool
call_generate(void)
{
	uint8_t seed[32];

	return at_ed25519_generate(seed) != AT_ERR_LIBCRYPTO;
}

static bool
call_public(void)
{
	uint8_t seed[32] = {0};
	uint8_t public_key[32];

	return at_ed25519_public(seed, public_key) != AT_ERR_LIBCRYPTO;
}

static bool
call_sign(void)
{
	uint8_t seed[32] = {0};
	uint8_t signature[64];

	return at_ed25519_sign(seed, at_text("x"), signature) != AT_ERR_LIBCRYPTO;
}

static bool
call_verify(void)
{
	Signed made = {.text = {NULL, 0}};

	return at_ed25519_verify(made.public_key, made.text, made.signature) != AT_ERR_LIBCRYPTO;
}

static void
test_failures(void)
{
	check_failures(call_generate, 1, "at_ed25519_generate reports every failure of libcrypto");
	check_failures(call_public, 2, "so does at_ed25519_public");
	check_failures(call_sign, 4, "so does at_ed25519_sign");
	check_failures(call_verify, 3, "and at_ed25519_verify, which says no signature is bad then");
	check(ERR_peek_error() == 0, "nothing is left in libcrypto's queue of errors");
}

int
main(void)
{
	test_vectors();
	test_flips();
	test_second_form();
	test_small_order();
	test_points();
	test_generate();
	test_failures();
	return check_done();
}

static void
make_signed(Signed *made)
{
	*made = (Signed){.seed = {1, 2, 3}, .message = {4, 5, 6, 7}};
	made->text = (AtText){(const char *) made->message, sizeof(made->message)};
	at_ed25519_public(made->seed, made->public_key);
	at_ed25519_sign(made->seed, made->text, made->signature);
}

static void
add_order(uint8_t number[32])
{
	unsigned carry = 0;

	for (int i = 0; i < 32; i++)
	{
		carry += (unsigned) number[i] + order[i];
		number[i] = (uint8_t) carry;
		carry >>= 8;
	}
}
