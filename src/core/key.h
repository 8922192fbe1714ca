/*-------------------------------------------------------------------------
 * key.h
 *		Keys that sign notes, and their text forms.
 *
 * C2SP signed-note: a public key is "name+id+base64" (vkey), where base64
 * stands for the type, one byte, and the 32 bytes of the key, and id, in
 * eight lower-case hexadecimal digits, is the start of
 * SHA-256(name | '\n' | type | key). A private key is
 * "PRIVATE+KEY+name+id+base64" with the seed in the place of the public
 * key, as Go's golang.org/x/mod/sumdb/note writes it; its id is that of its
 * public key. One newline may follow either, as it does in files.
 *
 * An AtPrivateKey holds a secret: at_key_forget() it. So does its text, which
 * is the caller's to overwrite.
 *-------------------------------------------------------------------------
 */
#ifndef AT_KEY_H
#define AT_KEY_H

#include "core/ed25519.h"
#include "core/text.h"

#define AT_KEY_NAME_MAX 255

/* Longest text forms, the newline not counted. */
#define AT_PUBLIC_KEY_TEXT_MAX  (AT_KEY_NAME_MAX + 54)
#define AT_PRIVATE_KEY_TEXT_MAX (12 + AT_PUBLIC_KEY_TEXT_MAX)

typedef enum AtKeyType
{
	AT_KEY_NOTE = 0x01,       /* Ed25519 over the text of a note */
	AT_KEY_COSIGNATURE = 0x04 /* Ed25519 with a time, C2SP tlog-cosignature */
} AtKeyType;

typedef struct AtPublicKey
{
	char name[AT_KEY_NAME_MAX + 1]; /* ends in a zero byte */
	AtKeyType type;
	uint32_t id;
	uint8_t bytes[AT_ED25519_PUBLIC_LEN];
} AtPublicKey;

typedef struct AtPrivateKey
{
	AtPublicKey public_key;
	uint8_t seed[AT_ED25519_SEED_LEN];
} AtPrivateKey;

/* Is this a name for a key: UTF-8, not empty, without spaces, plus signs and control characters? */
extern bool at_key_name_is_valid(AtText name);

/* A key of its parts. Errors: AT_ERR_KEY_NAME, AT_ERR_KEY_POINT, AT_ERR_LIBCRYPTO. */
extern AtError at_key_make_public(AtPublicKey *key, AtKeyType type, AtText name,
								  const uint8_t bytes[AT_ED25519_PUBLIC_LEN]);
extern AtError at_key_make_private(AtPrivateKey *key, AtKeyType type, AtText name,
								   const uint8_t seed[AT_ED25519_SEED_LEN]);

/* Are these one key? */
extern bool at_public_key_equal(const AtPublicKey *one, const AtPublicKey *other);

/* A new key. */
extern AtError at_key_generate(AtPrivateKey *key, AtKeyType type, AtText name);

/* Read a text form. On failure a private key is forgotten. */
extern AtError at_key_read_public(AtPublicKey *key, AtText text);
extern AtError at_key_read_private(AtPrivateKey *key, AtText text);

/* Write a text form, without a newline. */
extern void at_key_write_public(AtWriter *writer, const AtPublicKey *key);
extern void at_key_write_private(AtWriter *writer, const AtPrivateKey *key);

/* Overwrite the secret, in a way that no compiler leaves out. */
extern void at_key_forget(AtPrivateKey *key);

#endif
