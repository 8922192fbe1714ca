/*-------------------------------------------------------------------------
 * checkpoint.c
 *		The size and root of a log, signed: C2SP tlog-checkpoint.
 *-------------------------------------------------------------------------
 */
#include "core/base64.h"
#include "core/checkpoint.h"
#include "core/cosignature.h"
#include "core/merkle.h"
#include "core/note.h"

static AtError check_extension(AtText lines);
static AtError check_empty(const AtCheckpoint *checkpoint);
static AtError check_witnesses(const AtNote *note, const AtTrust *trust);
static bool is_listed_before(const AtTrust *trust, int i);

AtError
at_checkpoint_read(AtCheckpoint *checkpoint, AtText text)
{
	AtText line;

	if (text.len > AT_CHECKPOINT_TEXT_MAX)
		return AT_ERR_TOO_LONG;
	if (!at_text_line(&text, &checkpoint->origin) || checkpoint->origin.len == 0)
		return AT_ERR_ORIGIN_LINE;
	if (!at_text_line(&text, &line) || !at_text_decimal(line, &checkpoint->size) ||
		checkpoint->size > AT_MERKLE_MAX_SIZE)
		return AT_ERR_SIZE_LINE;
	if (!at_text_line(&text, &line) || !at_base64_decode(line, checkpoint->root.bytes, AT_HASH_LEN))
		return AT_ERR_ROOT_LINE;

	checkpoint->extension = text;

	AtError error = check_extension(text);

	return error != AT_OK ? error : check_empty(checkpoint);
}

AtError
at_checkpoint_write(AtWriter *writer, const AtCheckpoint *checkpoint)
{
	AtCheckpoint again;
	size_t start = writer->len;

	at_write(writer, checkpoint->origin);
	at_write_string(writer, "\n");
	at_write_decimal(writer, checkpoint->size);
	at_write_string(writer, "\n");
	at_write_base64(writer, checkpoint->root.bytes, AT_HASH_LEN);
	at_write_string(writer, "\n");
	at_write(writer, checkpoint->extension);
	if (writer->full)
		return AT_ERR_NO_ROOM;

	AtError error = at_checkpoint_read(&again, (AtText){writer->data + start, writer->len - start});

	/* an origin of two lines would make the second one the size */
	if (error == AT_OK && !at_text_equal(again.origin, checkpoint->origin))
		error = AT_ERR_ORIGIN_LINE;
	return error;
}

AtError
at_checkpoint_sign(AtWriter *writer, const AtCheckpoint *checkpoint, const AtPrivateKey *key)
{
	size_t start = writer->len;

	if (!at_text_equal(checkpoint->origin, at_text(key->public_key.name)))
		return AT_ERR_ORIGIN;

	AtError error = at_checkpoint_write(writer, checkpoint);

	if (error != AT_OK)
		return error;

	AtText text = {writer->data + start, writer->len - start};

	at_write_string(writer, "\n");
	return at_note_sign(writer, text, key);
}

AtError
at_checkpoint_open(AtCheckpoint *checkpoint, AtText bytes, const AtTrust *trust)
{
	AtNote note;
	AtError error = at_note_read(&note, bytes);

	/* nothing of the text is looked at before it is known to be the log's */
	if (error == AT_OK)
		error = at_note_verify(&note, trust->log_key);
	if (error == AT_OK)
		error = at_checkpoint_read(checkpoint, note.text);
	if (error == AT_OK && !at_text_equal(checkpoint->origin, at_text(trust->log_key->name)))
		error = AT_ERR_ORIGIN;
	if (error == AT_OK)
		error = check_witnesses(&note, trust);
	return error;
}

/* No empty line, and the last one ends. */
static AtError
check_extension(AtText lines)
{
	while (lines.len > 0)
	{
		AtText line;

		if (!at_text_line(&lines, &line) || line.len == 0)
			return AT_ERR_EXTENSION_LINE;
	}
	return AT_OK;
}

/* There is one empty tree only. */
static AtError
check_empty(const AtCheckpoint *checkpoint)
{
	AtHash empty;

	if (checkpoint->size > 0)
		return AT_OK;
	if (!at_hash(NULL, 0, &empty))
		return AT_ERR_LIBCRYPTO;
	return memcmp(&empty, &checkpoint->root, sizeof(empty)) == 0 ? AT_OK : AT_ERR_EMPTY_ROOT;
}

static AtError
check_witnesses(const AtNote *note, const AtTrust *trust)
{
	int cosigned = 0;

	for (int i = 0; i < trust->witness_count; i++)
	{
		uint64_t when;
		AtError error = at_cosignature_verify(note, &trust->witness[i], &when);

		if (error == AT_OK && !is_listed_before(trust, i))
			cosigned++;
		if (error != AT_OK && error != AT_ERR_NOT_SIGNED)
			return error;
	}
	return cosigned >= trust->quorum ? AT_OK : AT_ERR_QUORUM;
}

/*
 * One key under two names is one witness: a cosignature does not say the
 * name, so whoever has one can make the other.
 */
static bool
is_listed_before(const AtTrust *trust, int i)
{
	for (int j = 0; j < i; j++)
		if (memcmp(trust->witness[j].bytes, trust->witness[i].bytes, AT_ED25519_PUBLIC_LEN) == 0)
			return true;

	return false;
}
