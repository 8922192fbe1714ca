/*-------------------------------------------------------------------------
 * fuzz_endorsement.c
 *		Endorsements from any bytes: one that is accepted has the text that the
 *		old key signed for the new one.
 *
 * The keys are those of the seeds 1 and 2, each with 31 zeros behind it.
 *-------------------------------------------------------------------------
 */
#include "core/endorsement.h"
#include "target.h"

static AtPrivateKey key_of(uint8_t first);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AtText text = copy_of(data, size);
	AtPrivateKey old_key = key_of(1);
	AtPrivateKey new_key = key_of(2);

	if (at_endorsement_verify(text, &new_key.public_key, &old_key.public_key) == AT_OK)
	{
		char buffer[AT_ENDORSEMENT_MAX];
		AtWriter writer = at_writer(buffer, sizeof(buffer));
		AtNote made;
		AtNote note;

		expect(at_endorse(&writer, &new_key.public_key, &old_key) == AT_OK);
		expect(at_note_read(&made, (AtText){buffer, writer.len}) == AT_OK);
		expect(at_note_read(&note, text) == AT_OK);
		expect(at_text_equal(note.text, made.text));
	}
	free((char *) text.data);
	return 0;
}

static AtPrivateKey
key_of(uint8_t first)
{
	uint8_t seed[AT_ED25519_SEED_LEN] = {first};
	AtPrivateKey key;

	expect(at_key_make_private(&key, AT_KEY_NOTE, at_text("example.org/log"), seed) == AT_OK);
	return key;
}
