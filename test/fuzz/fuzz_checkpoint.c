/*-------------------------------------------------------------------------
 * fuzz_checkpoint.c
 *		Checkpoints from any bytes: a text that is accepted is written back,
 *		and a note that is opened has a text that log and witness signed.
 *-------------------------------------------------------------------------
 */
#include "core/checkpoint.h"
#include "proof_vectors.h"
#include "target.h"

static void read_text(AtText text);
static void open_note(AtText note);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AtText text = copy_of(data, size);

	read_text(text);
	open_note(text);
	free((char *) text.data);
	return 0;
}

static void
read_text(AtText text)
{
	AtCheckpoint checkpoint;

	if (at_checkpoint_read(&checkpoint, text) != AT_OK)
		return;

	AtWriter writer = writer_of(text.len);

	expect(at_checkpoint_write(&writer, &checkpoint) == AT_OK);
	expect_written(&writer, text);
}

static void
open_note(AtText note)
{
	AtPublicKey log_key;
	AtPublicKey witness;
	AtTrust trust = {&log_key, &witness, 1, 1};
	AtCheckpoint checkpoint;
	bool known = false;

	expect(at_key_read_public(&log_key, at_text(VECTOR_LOG_KEY)) == AT_OK);
	expect(at_key_read_public(&witness, at_text(VECTOR_WITNESS_KEY)) == AT_OK);
	if (at_checkpoint_open(&checkpoint, note, &trust) != AT_OK)
		return;

	for (size_t i = 0; i < sizeof(vector_checkpoint) / sizeof(vector_checkpoint[0]); i++)
	{
		AtText text = at_text(vector_checkpoint[i].text);

		known = known || (text.len < note.len && memcmp(note.data, text.data, text.len) == 0);
	}
	expect(known);
}
