/*-------------------------------------------------------------------------
 * endorsement.c
 *		What an old key of a log says of the one that takes its place.
 *-------------------------------------------------------------------------
 */
#include "core/endorsement.h"

#define TITLE "audit_trail key\n"

static void write_text(AtWriter *writer, const AtPublicKey *new_key);

AtError
at_endorse(AtWriter *writer, const AtPublicKey *new_key, const AtPrivateKey *old_key)
{
	size_t start = writer->len;

	write_text(writer, new_key);

	AtText text = {writer->data + start, writer->len - start};

	at_write_string(writer, "\n");
	if (writer->full)
		return AT_ERR_NO_ROOM;
	return at_note_sign(writer, text, old_key);
}

AtError
at_endorsement_verify(AtText endorsement, const AtPublicKey *new_key, const AtPublicKey *old_key)
{
	char buffer[sizeof(TITLE) + AT_PUBLIC_KEY_TEXT_MAX + 1];
	AtWriter expected = at_writer(buffer, sizeof(buffer));
	AtNote note;
	AtError error = at_note_read(&note, endorsement);

	if (error != AT_OK)
		return error;
	write_text(&expected, new_key);
	if (!at_text_equal(note.text, (AtText){buffer, expected.len}))
		return AT_ERR_ENDORSEMENT;
	return at_note_verify(&note, old_key);
}

static void
write_text(AtWriter *writer, const AtPublicKey *new_key)
{
	at_write_string(writer, TITLE);
	at_key_write_public(writer, new_key);
	at_write_string(writer, "\n");
}
