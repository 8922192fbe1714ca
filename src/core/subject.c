/*-------------------------------------------------------------------------
 * subject.c
 *		The key of a person, and values that only it opens.
 *
 * Nonces are drawn at random. A key seals far fewer than the 2^32 values for which
 * that is good enough (NIST SP 800-38D, section 8.3).
 *-------------------------------------------------------------------------
 */
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <string.h>

#include "core/base64.h"
#include "core/hash.h"
#include "core/subject.h"

#define MAGIC_LEN 4
#define NONCE_LEN 12
#define TAG_LEN   16

/* What is encrypted, and what is bound to it. */
typedef struct Box
{
	const char *magic;
	AtSpan bound;
	const uint8_t *key; /* of AES */
} Box;

static bool derive(const uint8_t *secret, const char *magic, AtHash *key);
static bool seal_box(const Box *box, const uint8_t *in, size_t len, uint8_t *out);
static bool encrypt(EVP_CIPHER_CTX *context, const Box *box, const uint8_t *in, size_t len,
					uint8_t *out);
static bool open_box(const Box *box, const uint8_t *in, size_t len, uint8_t *out);
static bool decrypt(EVP_CIPHER_CTX *context, const Box *box, const uint8_t *in, size_t len,
					uint8_t *out);
static bool read_hex(AtText text, uint8_t *out, size_t len);
static int digit_of(char c);
static void write_hex(AtWriter *writer, const uint8_t *bytes, size_t len);

bool
at_subject_name(const uint8_t *master, const uint8_t *log_id, uint32_t generation, AtSpan subject,
				uint8_t *name)
{
	uint8_t head[MAGIC_LEN + AT_LOG_ID_LEN + 4];
	uint8_t *at = head + MAGIC_LEN + AT_LOG_ID_LEN;
	AtHash hash;

	memcpy(head, "ATN1", MAGIC_LEN);
	memcpy(head + MAGIC_LEN, log_id, AT_LOG_ID_LEN);
	for (int i = 0; i < 4; i++)
		at[i] = (uint8_t) (generation >> (24 - 8 * i));
	if (!at_hmac(master, AT_SUBJECT_KEY_LEN, head, sizeof(head), subject.data, subject.len, &hash))
		return false;
	memcpy(name, hash.bytes, AT_SUBJECT_NAME_LEN);
	return true;
}

bool
at_subject_draw(uint8_t *key)
{
	ERR_set_mark();

	bool done = RAND_priv_bytes(key, AT_SUBJECT_KEY_LEN) == 1;

	ERR_pop_to_mark();
	return done;
}

bool
at_subject_wrap(const uint8_t *master, const uint8_t *name, const uint8_t *key, uint8_t *wrapped)
{
	AtHash derived;
	Box box = {.magic = "ATW1",
			   .bound = {.data = (const char *) name, .len = AT_SUBJECT_NAME_LEN},
			   .key = derived.bytes};
	bool done = derive(master, "ATM1", &derived) &&
				seal_box(&box, key, AT_SUBJECT_KEY_LEN, wrapped + MAGIC_LEN);

	memcpy(wrapped, box.magic, MAGIC_LEN);
	OPENSSL_cleanse(&derived, sizeof(derived));
	return done;
}

bool
at_subject_unwrap(const uint8_t *master, const uint8_t *name, const uint8_t *wrapped, uint8_t *key)
{
	AtHash derived;
	Box box = {.magic = "ATW1",
			   .bound = {.data = (const char *) name, .len = AT_SUBJECT_NAME_LEN},
			   .key = derived.bytes};
	bool done = memcmp(wrapped, box.magic, MAGIC_LEN) == 0 && derive(master, "ATM1", &derived) &&
				open_box(&box, wrapped + MAGIC_LEN, AT_WRAPPED_KEY_LEN - MAGIC_LEN, key);

	OPENSSL_cleanse(&derived, sizeof(derived));
	return done;
}

bool
at_subject_seal(const uint8_t *key, AtSpan column, const void *value, size_t len, uint8_t *sealed)
{
	AtHash derived;
	Box box = {.magic = "ATZ1", .bound = column, .key = derived.bytes};
	bool done = derive(key, box.magic, &derived) && seal_box(&box, value, len, sealed);

	OPENSSL_cleanse(&derived, sizeof(derived));
	return done;
}

bool
at_subject_open(const uint8_t *key, AtSpan column, const uint8_t *sealed, size_t len,
				uint8_t *value)
{
	AtHash derived;
	Box box = {.magic = "ATZ1", .bound = column, .key = derived.bytes};
	bool done = derive(key, box.magic, &derived) && open_box(&box, sealed, len, value);

	OPENSSL_cleanse(&derived, sizeof(derived));
	return done;
}

static bool
derive(const uint8_t *secret, const char *magic, AtHash *key)
{
	return at_hmac(secret, AT_SUBJECT_KEY_LEN, magic, MAGIC_LEN, NULL, 0, key);
}

/* A nonce, what is encrypted, a tag. */
static bool
seal_box(const Box *box, const uint8_t *in, size_t len, uint8_t *out)
{
	ERR_set_mark();

	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	bool done = context != NULL && encrypt(context, box, in, len, out);

	EVP_CIPHER_CTX_free(context);
	ERR_pop_to_mark();
	return done;
}

static bool
encrypt(EVP_CIPHER_CTX *context, const Box *box, const uint8_t *in, size_t len, uint8_t *out)
{
	int done;

	return RAND_bytes(out, NONCE_LEN) == 1 &&
		   EVP_EncryptInit_ex(context, EVP_aes_256_gcm(), NULL, box->key, out) == 1 &&
		   EVP_EncryptUpdate(context, NULL, &done, (const uint8_t *) box->magic, MAGIC_LEN) == 1 &&
		   EVP_EncryptUpdate(context, NULL, &done, (const uint8_t *) box->bound.data,
							 (int) box->bound.len) == 1 &&
		   EVP_EncryptUpdate(context, out + NONCE_LEN, &done, in, (int) len) == 1 &&
		   EVP_EncryptFinal_ex(context, out + NONCE_LEN + len, &done) == 1 &&
		   EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, TAG_LEN, out + NONCE_LEN + len) == 1;
}

static bool
open_box(const Box *box, const uint8_t *in, size_t len, uint8_t *out)
{
	ERR_set_mark();

	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	bool done = context != NULL && decrypt(context, box, in, len, out);

	EVP_CIPHER_CTX_free(context);
	ERR_pop_to_mark();
	return done;
}

static bool
decrypt(EVP_CIPHER_CTX *context, const Box *box, const uint8_t *in, size_t len, uint8_t *out)
{
	size_t text_len = len - NONCE_LEN - TAG_LEN;
	uint8_t tag[TAG_LEN];
	uint8_t end[TAG_LEN];
	int done;

	memcpy(tag, in + NONCE_LEN + text_len, TAG_LEN);
	return EVP_DecryptInit_ex(context, EVP_aes_256_gcm(), NULL, box->key, in) == 1 &&
		   EVP_DecryptUpdate(context, NULL, &done, (const uint8_t *) box->magic, MAGIC_LEN) == 1 &&
		   EVP_DecryptUpdate(context, NULL, &done, (const uint8_t *) box->bound.data,
							 (int) box->bound.len) == 1 &&
		   EVP_DecryptUpdate(context, out, &done, in + NONCE_LEN, (int) text_len) == 1 &&
		   EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, TAG_LEN, tag) == 1 &&
		   EVP_DecryptFinal_ex(context, end, &done) == 1;
}

bool
at_personal_read(AtText text, AtPersonalText *personal)
{
	AtText name;
	AtText commitment;

	if (!at_text_skip(&text, AT_PERSONAL_PREFIX) || !at_text_until(&text, ':', &name) ||
		!at_text_until(&text, ':', &commitment) ||
		!read_hex(name, personal->name, AT_SUBJECT_NAME_LEN) ||
		!read_hex(commitment, personal->commitment.bytes, AT_HASH_LEN) ||
		!at_base64_check(text, &personal->sealed_len))
		return false;
	personal->sealed = text;
	return personal->sealed_len == 0 || personal->sealed_len > AT_SEALED_MORE;
}

void
at_personal_write(AtWriter *writer, const uint8_t *name, const AtHash *commitment,
				  const uint8_t *sealed, size_t sealed_len)
{
	at_write_string(writer, AT_PERSONAL_PREFIX);
	write_hex(writer, name, AT_SUBJECT_NAME_LEN);
	at_write_string(writer, ":");
	write_hex(writer, commitment->bytes, AT_HASH_LEN);
	at_write_string(writer, ":");
	at_write_base64(writer, sealed, sealed_len);
}

static bool
read_hex(AtText text, uint8_t *out, size_t len)
{
	if (text.len != 2 * len)
		return false;
	for (size_t i = 0; i < len; i++)
	{
		int high = digit_of(text.data[2 * i]);
		int low = digit_of(text.data[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		out[i] = (uint8_t) (high * 16 + low);
	}
	return true;
}

static int
digit_of(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *found = memchr(digits, c, 16);

	return found != NULL ? (int) (found - digits) : -1;
}

static void
write_hex(AtWriter *writer, const uint8_t *bytes, size_t len)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < len; i++)
	{
		char pair[2] = {digits[bytes[i] >> 4], digits[bytes[i] & 15]};

		at_write(writer, (AtText){pair, 2});
	}
}
