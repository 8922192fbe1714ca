/*-------------------------------------------------------------------------
 * cosignature.c
 *		What a witness says of a checkpoint: C2SP tlog-cosignature, version 1
 *		with Ed25519.
 *-------------------------------------------------------------------------
 */
#include "core/bytes.h"
#include "core/checkpoint.h"
#include "core/cosignature.h"

#define TIME_LEN    8
#define BYTE_LEN    (TIME_LEN + AT_ED25519_SIGNATURE_LEN)
#define TIME_MAX    INT64_MAX
#define HEAD        "cosignature/v1\ntime "
#define HEAD_MAX    (sizeof(HEAD) + AT_DECIMAL_MAX)
#define MESSAGE_MAX (HEAD_MAX + AT_CHECKPOINT_TEXT_MAX)

static AtError verify(AtText text, const AtPublicKey *key, const uint8_t *bytes);
static AtError write_message(AtWriter *writer, AtText text, uint64_t when);

AtError
at_cosignature_verify(const AtNote *note, const AtPublicKey *key, uint64_t *when)
{
	uint8_t bytes[BYTE_LEN];
	AtError error;
	int next = 0;
	bool verified = false;

	if (key->type != AT_KEY_COSIGNATURE)
		return AT_ERR_KEY_PURPOSE;

	*when = 0;
	while ((error = at_note_find(note, key, &next, bytes, sizeof(bytes))) == AT_OK)
	{
		error = verify(note->text, key, bytes);
		if (error != AT_OK)
			return error;
		if (at_get_u64(bytes) > *when)
			*when = at_get_u64(bytes);
		verified = true;
	}
	return error == AT_ERR_NOT_SIGNED && verified ? AT_OK : error;
}

AtError
at_cosignature_sign(AtWriter *writer, AtText text, uint64_t when, const AtPrivateKey *key)
{
	char buffer[MESSAGE_MAX];
	AtWriter message = at_writer(buffer, sizeof(buffer));
	uint8_t bytes[BYTE_LEN];
	AtCheckpoint checkpoint;

	if (key->public_key.type != AT_KEY_COSIGNATURE)
		return AT_ERR_KEY_PURPOSE;

	AtError error = at_checkpoint_read(&checkpoint, text);

	if (error == AT_OK)
		error = write_message(&message, text, when);
	if (error == AT_OK)
		error = at_ed25519_sign(key->seed, (AtText){message.data, message.len},
								at_put_u64(bytes, when));
	if (error != AT_OK)
		return error;

	at_note_write_signature(writer, &key->public_key, bytes, sizeof(bytes));
	return at_writer_error(writer);
}

static AtError
verify(AtText text, const AtPublicKey *key, const uint8_t *bytes)
{
	char buffer[MESSAGE_MAX];
	AtWriter message = at_writer(buffer, sizeof(buffer));
	AtError error = write_message(&message, text, at_get_u64(bytes));

	if (error != AT_OK)
		return error;

	return at_ed25519_verify(key->bytes, (AtText){message.data, message.len}, bytes + TIME_LEN);
}

/* What is signed. A time that cannot be is an error of the signature. */
static AtError
write_message(AtWriter *writer, AtText text, uint64_t when)
{
	if (when > TIME_MAX)
		return AT_ERR_SIGNATURE;
	if (text.len > AT_CHECKPOINT_TEXT_MAX)
		return AT_ERR_TOO_LONG;

	at_write_string(writer, HEAD);
	at_write_decimal(writer, when);
	at_write_string(writer, "\n");
	at_write(writer, text);
	return at_writer_error(writer);
}
