/*-------------------------------------------------------------------------
 * note.c
 *		Signed notes: C2SP signed-note.
 *
 * The text may have empty lines of its own; the last empty line of the note
 * is the one that ends it. A text that looks like a note is thus no trap:
 * what is signed is all that stands before the signature lines.
 *-------------------------------------------------------------------------
 */
#include <assert.h>

#include "core/base64.h"
#include "core/bytes.h"
#include "core/note.h"

#define LINE_START   "\xe2\x80\x94 " /* em dash, space */
#define ID_LEN       4
#define MAX_BYTE_LEN 72 /* of a cosignature */

static bool split(AtText bytes, AtText *text, AtText *lines);
static bool has_valid_characters(AtText text);
static bool read_line(AtNoteSignature *signature, AtText line);
static bool is_by(const AtNoteSignature *signature, const AtPublicKey *key);

AtError
at_note_read(AtNote *note, AtText bytes)
{
	AtText lines;

	if (!has_valid_characters(bytes))
		return AT_ERR_NOTE_CHARACTERS;
	if (!split(bytes, &note->text, &lines))
		return AT_ERR_NOTE_FORM;

	note->signature_count = 0;
	while (lines.len > 0)
	{
		AtText line;

		if (note->signature_count == AT_NOTE_MAX_SIGNATURES)
			return AT_ERR_SIGNATURE_COUNT;
		if (!at_text_line(&lines, &line) ||
			!read_line(&note->signature[note->signature_count++], line))
			return AT_ERR_SIGNATURE_LINE;
	}
	return AT_OK;
}

AtError
at_note_verify(const AtNote *note, const AtPublicKey *key)
{
	uint8_t bytes[AT_ED25519_SIGNATURE_LEN];
	AtError error;
	int next = 0;
	bool verified = false;

	if (key->type != AT_KEY_NOTE)
		return AT_ERR_KEY_PURPOSE;

	while ((error = at_note_find(note, key, &next, bytes, sizeof(bytes))) == AT_OK)
	{
		error = at_ed25519_verify(key->bytes, note->text, bytes);
		if (error != AT_OK)
			return error;
		verified = true;
	}
	return error == AT_ERR_NOT_SIGNED && verified ? AT_OK : error;
}

AtError
at_note_sign(AtWriter *writer, AtText text, const AtPrivateKey *key)
{
	uint8_t bytes[AT_ED25519_SIGNATURE_LEN];

	if (key->public_key.type != AT_KEY_NOTE)
		return AT_ERR_KEY_PURPOSE;
	if (text.len == 0 || text.data[text.len - 1] != '\n')
		return AT_ERR_NOTE_FORM;
	if (!has_valid_characters(text))
		return AT_ERR_NOTE_CHARACTERS;

	AtError error = at_ed25519_sign(key->seed, text, bytes);

	if (error != AT_OK)
		return error;

	at_note_write_signature(writer, &key->public_key, bytes, sizeof(bytes));
	return at_writer_error(writer);
}

AtError
at_note_find(const AtNote *note, const AtPublicKey *key, int *next, uint8_t *bytes, size_t len)
{
	uint8_t blob[ID_LEN + MAX_BYTE_LEN];

	assert(len <= MAX_BYTE_LEN);
	while (*next < note->signature_count)
	{
		const AtNoteSignature *signature = &note->signature[(*next)++];

		if (!is_by(signature, key))
			continue;
		if (!at_base64_decode(signature->base64, blob, ID_LEN + len))
			return AT_ERR_SIGNATURE;
		memcpy(bytes, blob + ID_LEN, len);
		return AT_OK;
	}
	return AT_ERR_NOT_SIGNED;
}

void
at_note_write_signature(AtWriter *writer, const AtPublicKey *key, const uint8_t *bytes, size_t len)
{
	uint8_t blob[ID_LEN + MAX_BYTE_LEN];

	assert(len <= MAX_BYTE_LEN);
	memcpy(at_put_u32(blob, key->id), bytes, len);

	at_write_string(writer, LINE_START);
	at_write_string(writer, key->name);
	at_write_string(writer, " ");
	at_write_base64(writer, blob, ID_LEN + len);
	at_write_string(writer, "\n");
}

/* Text and signature lines, neither of them empty, at the last empty line. */
static bool
split(AtText bytes, AtText *text, AtText *lines)
{
	for (size_t end = bytes.len; end >= 3; end--)
	{
		if (bytes.data[end - 3] != '\n' || bytes.data[end - 2] != '\n')
			continue;
		*text = (AtText){bytes.data, end - 2};
		*lines = (AtText){bytes.data + end - 1, bytes.len - end + 1};
		return true;
	}
	return false;
}

static bool
has_valid_characters(AtText text)
{
	while (text.len > 0)
	{
		int32_t code_point = at_text_character(&text);

		if (code_point < ' ' && code_point != '\n')
			return false;
	}
	return true;
}

static bool
read_line(AtNoteSignature *signature, AtText line)
{
	uint8_t bytes[ID_LEN + 1];

	if (!at_text_skip(&line, LINE_START) || !at_text_until(&line, ' ', &signature->name) ||
		!at_key_name_is_valid(signature->name) ||
		!at_base64_decode_start(line, bytes, sizeof(bytes)))
		return false;

	signature->base64 = line;
	signature->key_id = at_get_u32(bytes);
	return true;
}

static bool
is_by(const AtNoteSignature *signature, const AtPublicKey *key)
{
	return signature->key_id == key->id && at_text_equal(signature->name, at_text(key->name));
}
