/*-------------------------------------------------------------------------
 * fuzz_note_read.c
 *		Notes from any bytes: the parts of what is accepted are all of it, and
 *		a text that verifies is one that the key has signed.
 *-------------------------------------------------------------------------
 */
#include "core/note.h"
#include "proof_vectors.h"
#include "target.h"

static void check_parts(const AtNote *note, AtText text);
static void check_verified(const AtNote *note);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AtText text = copy_of(data, size);
	AtNote note;

	if (at_note_read(&note, text) == AT_OK)
	{
		check_parts(&note, text);
		check_verified(&note);
	}
	free((char *) text.data);
	return 0;
}

static void
check_parts(const AtNote *note, AtText text)
{
	AtWriter writer = writer_of(text.len);

	expect(note->signature_count >= 1 && note->signature_count <= AT_NOTE_MAX_SIGNATURES);
	at_write(&writer, note->text);
	at_write_string(&writer, "\n");
	for (int i = 0; i < note->signature_count; i++)
	{
		at_write_string(&writer, "\xe2\x80\x94 ");
		at_write(&writer, note->signature[i].name);
		at_write_string(&writer, " ");
		at_write(&writer, note->signature[i].base64);
		at_write_string(&writer, "\n");
	}
	expect_written(&writer, text);
}

static void
check_verified(const AtNote *note)
{
	AtPublicKey key;

	expect(at_key_read_public(&key, at_text(VECTOR_NOTE_KEY)) == AT_OK);
	if (at_note_verify(note, &key) == AT_OK)
		expect(at_text_equal(note->text, at_text("This is an example message.\n")));
}
