/*-------------------------------------------------------------------------
 * subject.h
 *		The key of a person, and values that only it opens.
 *
 * Personal values go into the trail encrypted under a key of the person
 * (the subject) whose they are. To destroy that key is to destroy the values, in
 * every copy of the trail there is, while what is hashed stays as it was.
 *
 * A key has a name, under which it is kept, and which stands in each value. Who does
 * not have the master key cannot tell whose name it is. After a subject was erased the next
 * key has another generation, and so another name:
 *
 *	name		HMAC-SHA256(master, "ATN1" | log_id | u32 generation | subject), 16 bytes
 *	wrapped key	"ATW1" | nonce[12] | AES-256-GCM(HMAC-SHA256(master, "ATM1"), nonce,
 *				key[32], aad = "ATW1" | name) | tag[16]
 *	sealed value	nonce[12] | AES-256-GCM(HMAC-SHA256(key, "ATZ1"), nonce, value,
 *				aad = "ATZ1" | column) | tag[16]
 *
 * As recorded, a value is the text
 *
 *	personal:NAME:COMMITMENT:SEALED
 *
 * with the name and the commitment (commitment.h, the secret being the key) in lower-case
 * hexadecimal digits and the sealed value in base64; that is empty where the value was
 * too long to be kept. What is sealed is a byte, 1 for a JSON string and 0 for other
 * JSON, and the bare text of the value. These formats are frozen like those of body.h.
 *
 * Functions that return a bool return false if libcrypto fails, and those that open or
 * unwrap also if the key is not the one, or the bytes are not what it made; what
 * they were to fill in is then undefined. Nothing of a key is left on the stack.
 *-------------------------------------------------------------------------
 */
#ifndef AT_SUBJECT_H
#define AT_SUBJECT_H

#include "core/body.h"
#include "core/text.h"

#define AT_SUBJECT_KEY_LEN  32
#define AT_SUBJECT_NAME_LEN 16
#define AT_WRAPPED_KEY_LEN  (4 + 12 + AT_SUBJECT_KEY_LEN + 16)

/* What a sealed value is longer than the value. */
#define AT_SEALED_MORE (12 + 16)

#define AT_PERSONAL_PREFIX "personal:"

/* The longest recorded text of a sealed value of so many bytes. */
#define AT_PERSONAL_LEN(sealed)                                                                    \
	(sizeof(AT_PERSONAL_PREFIX) + 2 * AT_SUBJECT_NAME_LEN + 2 * AT_HASH_LEN + 2 +                  \
	 ((sealed) + 2) / 3 * 4)

extern bool at_subject_name(const uint8_t *master, const uint8_t *log_id, uint32_t generation,
							AtSpan subject, uint8_t *name);

/* Draw a new key. */
extern bool at_subject_draw(uint8_t *key);

extern bool at_subject_wrap(const uint8_t *master, const uint8_t *name, const uint8_t *key,
							uint8_t *wrapped);
extern bool at_subject_unwrap(const uint8_t *master, const uint8_t *name, const uint8_t *wrapped,
							  uint8_t *key);

/* Seal a value; sealed takes len + AT_SEALED_MORE bytes. */
extern bool at_subject_seal(const uint8_t *key, AtSpan column, const void *value, size_t len,
							uint8_t *sealed);

/* Open it; value takes len - AT_SEALED_MORE bytes, and len is no less than that. */
extern bool at_subject_open(const uint8_t *key, AtSpan column, const uint8_t *sealed, size_t len,
							uint8_t *value);

/* A recorded text in its parts. */
typedef struct AtPersonalText
{
	uint8_t name[AT_SUBJECT_NAME_LEN];
	AtHash commitment;
	AtText sealed;     /* base64 */
	size_t sealed_len; /* bytes that it stands for; 0: the value was too long */
} AtPersonalText;

/* False if it is none. */
extern bool at_personal_read(AtText text, AtPersonalText *personal);

extern void at_personal_write(AtWriter *writer, const uint8_t *name, const AtHash *commitment,
							  const uint8_t *sealed, size_t sealed_len);

#endif
