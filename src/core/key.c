/*-------------------------------------------------------------------------
 * key.c
 *		Keys that sign notes, and their text forms.
 *
 * A private key's public half is computed, and its id checked against it.
 * So a seed that was damaged in its file is found when it is read, not by
 * those who cannot verify what it signed.
 *-------------------------------------------------------------------------
 */
#include <openssl/crypto.h>

#include "core/base64.h"
#include "core/bytes.h"
#include "core/hash.h"
#include "core/key.h"

#define PRIVATE_START "PRIVATE+KEY+"
#define ID_DIGITS     8
#define BLOB_LEN      33 /* type and key, both kinds have 32 bytes */

typedef struct KeyParts
{
	AtText name;
	uint32_t id;
	uint8_t blob[BLOB_LEN];
} KeyParts;

static AtError read_parts(KeyParts *parts, AtText text);
static bool read_id(AtText text, uint32_t *id);
static AtError make_public(AtPublicKey *key, AtKeyType type, AtText name, const uint8_t *bytes);
static AtError make_private(AtPrivateKey *key, const KeyParts *parts);
static void write_parts(AtWriter *writer, const AtPublicKey *key, const uint8_t *bytes);
static AtError compute_id(AtPublicKey *key);

bool
at_key_name_is_valid(AtText name)
{
	if (name.len == 0 || name.len > AT_KEY_NAME_MAX)
		return false;

	while (name.len > 0)
	{
		int32_t code_point = at_text_character(&name);

		if (code_point < ' ' || code_point == '+' || at_is_space(code_point))
			return false;
	}
	return true;
}

AtError
at_key_make_public(AtPublicKey *key, AtKeyType type, AtText name,
				   const uint8_t bytes[AT_ED25519_PUBLIC_LEN])
{
	AtError error = make_public(key, type, name, bytes);

	return error == AT_OK ? at_ed25519_check_public(bytes) : error;
}

AtError
at_key_make_private(AtPrivateKey *key, AtKeyType type, AtText name,
					const uint8_t seed[AT_ED25519_SEED_LEN])
{
	uint8_t public_bytes[AT_ED25519_PUBLIC_LEN];
	AtError error = at_ed25519_public(seed, public_bytes);

	if (error == AT_OK)
		error = make_public(&key->public_key, type, name, public_bytes);
	if (error == AT_OK)
		memmove(key->seed, seed, AT_ED25519_SEED_LEN);
	return error;
}

bool
at_public_key_equal(const AtPublicKey *one, const AtPublicKey *other)
{
	return one->id == other->id && strcmp(one->name, other->name) == 0 &&
		   memcmp(one->bytes, other->bytes, sizeof(one->bytes)) == 0;
}

AtError
at_key_generate(AtPrivateKey *key, AtKeyType type, AtText name)
{
	uint8_t seed[AT_ED25519_SEED_LEN];
	AtError error = at_ed25519_generate(seed);

	if (error == AT_OK)
		error = at_key_make_private(key, type, name, seed);
	OPENSSL_cleanse(seed, sizeof(seed));
	return error;
}

AtError
at_key_read_public(AtPublicKey *key, AtText text)
{
	KeyParts parts;
	AtError error = read_parts(&parts, text);

	if (error == AT_OK)
		error = make_public(key, parts.blob[0], parts.name, parts.blob + 1);
	if (error == AT_OK && key->id != parts.id)
		error = AT_ERR_KEY_ID;
	if (error == AT_OK)
		error = at_ed25519_check_public(key->bytes);
	return error;
}

AtError
at_key_read_private(AtPrivateKey *key, AtText text)
{
	KeyParts parts = {.id = 0};
	AtError error = AT_ERR_KEY_FORM;

	if (at_text_skip(&text, PRIVATE_START))
		error = read_parts(&parts, text);
	if (error == AT_OK)
		error = make_private(key, &parts);
	if (error != AT_OK)
		at_key_forget(key);
	OPENSSL_cleanse(&parts, sizeof(parts));
	return error;
}

void
at_key_write_public(AtWriter *writer, const AtPublicKey *key)
{
	write_parts(writer, key, key->bytes);
}

void
at_key_write_private(AtWriter *writer, const AtPrivateKey *key)
{
	at_write_string(writer, PRIVATE_START);
	write_parts(writer, &key->public_key, key->seed);
}

void
at_key_forget(AtPrivateKey *key)
{
	OPENSSL_cleanse(key, sizeof(*key));
}

/* Read name+id+base64; the id is not checked yet. */
static AtError
read_parts(KeyParts *parts, AtText text)
{
	AtText id;
	size_t len;

	if (text.len > 0 && text.data[text.len - 1] == '\n')
		text.len--;

	/* the base64 may have plus signs of its own: what is left is all of it */
	if (!at_text_until(&text, '+', &parts->name) || !at_text_until(&text, '+', &id) ||
		!read_id(id, &parts->id) || !at_base64_check(text, &len))
		return AT_ERR_KEY_FORM;

	/* keys of other types have other lengths */
	if (!at_base64_decode(text, parts->blob, BLOB_LEN))
		return AT_ERR_KEY_TYPE;
	if (parts->blob[0] != AT_KEY_NOTE && parts->blob[0] != AT_KEY_COSIGNATURE)
		return AT_ERR_KEY_TYPE;

	return AT_OK;
}

/* Eight lower-case hexadecimal digits. */
static bool
read_id(AtText text, uint32_t *id)
{
	*id = 0;
	if (text.len != ID_DIGITS)
		return false;

	for (int i = 0; i < ID_DIGITS; i++)
	{
		char digit = text.data[i];

		if (digit >= '0' && digit <= '9')
			*id = *id << 4 | (uint32_t) (digit - '0');
		else if (digit >= 'a' && digit <= 'f')
			*id = *id << 4 | (uint32_t) (digit - 'a' + 10);
		else
			return false;
	}
	return true;
}

/* Of bytes that are not checked. */
static AtError
make_public(AtPublicKey *key, AtKeyType type, AtText name, const uint8_t *bytes)
{
	if (!at_key_name_is_valid(name))
		return AT_ERR_KEY_NAME;

	memset(key, 0, sizeof(*key));
	memcpy(key->name, name.data, name.len);
	memcpy(key->bytes, bytes, AT_ED25519_PUBLIC_LEN);
	key->type = type;
	return compute_id(key);
}

static AtError
make_private(AtPrivateKey *key, const KeyParts *parts)
{
	AtError error = at_key_make_private(key, parts->blob[0], parts->name, parts->blob + 1);

	if (error == AT_OK && key->public_key.id != parts->id)
		error = AT_ERR_KEY_ID;
	return error;
}

/* Write name+id+base64 of the type and these bytes. */
static void
write_parts(AtWriter *writer, const AtPublicKey *key, const uint8_t *bytes)
{
	static const char hex[] = "0123456789abcdef";
	char id[] = "+........+"; /* of ID_DIGITS */
	uint8_t blob[BLOB_LEN];

	for (int i = 0; i < ID_DIGITS; i++)
		id[1 + i] = hex[key->id >> (28 - 4 * i) & 15];
	blob[0] = (uint8_t) key->type;
	memcpy(blob + 1, bytes, BLOB_LEN - 1);

	at_write_string(writer, key->name);
	at_write(writer, (AtText){id, strlen(id)});
	at_write_base64(writer, blob, sizeof(blob));
	OPENSSL_cleanse(blob, sizeof(blob));
}

static AtError
compute_id(AtPublicKey *key)
{
	uint8_t data[AT_KEY_NAME_MAX + 2 + AT_ED25519_PUBLIC_LEN];
	size_t len = strlen(key->name);
	AtHash hash;

	memcpy(data, key->name, len);
	data[len++] = '\n';
	data[len++] = (uint8_t) key->type;
	memcpy(data + len, key->bytes, AT_ED25519_PUBLIC_LEN);

	if (!at_hash(data, len + AT_ED25519_PUBLIC_LEN, &hash))
		return AT_ERR_LIBCRYPTO;

	key->id = at_get_u32(hash.bytes);
	return AT_OK;
}
