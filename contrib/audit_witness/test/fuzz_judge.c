/*-------------------------------------------------------------------------
 * fuzz_judge.c
 *		Bodies of add-checkpoint from any bytes: nothing is accepted that the
 *		log has not signed, that is smaller, or that has another root for the
 *		size that was cosigned.
 *
 * The first byte says which checkpoint was cosigned last: none, that of the
 * size 5 of the vectors of test/unit, or another one of that size.
 *-------------------------------------------------------------------------
 */
#include "core/hash.h"
#include "core/note.h"
#include "judge.h"
#include "target.h"

#define LOG_KEY   "audit-trail.example/db1/log1+d1db483f+AX80nidH9GaXUVNUf1T/mFiU+zJH3DvEB0/OtH+wRLDb"
#define ROOT_OF_5 "Tju7H3tHjc/nH7YxYxUZo7yhLJrvyhYSv85ME6hiZNQ="

static AtKnown known;

static void
prepare(int before)
{
	AtPublicKey key;
	AtCheckpoint checkpoint;

	expect(at_hash_init() && at_key_read_public(&key, at_text(LOG_KEY)) == AT_OK);
	memset(&known, 0, sizeof(known));
	expect(at_know(&known, &key));
	if (before == 0)
		return;
	expect(at_checkpoint_read(&checkpoint, at_text("a\n5\n" ROOT_OF_5 "\n")) == AT_OK);
	known.log[0].size = 5;
	known.log[0].root = checkpoint.root;
	if (before == 2)
		known.log[0].root.bytes[0] ^= 1;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AtJudgement judgement;
	AtKnownLog log;
	AtNote note;
	AtText body;

	if (size == 0)
		return 0;
	prepare(data[0] % 3);
	log = known.log[0];
	body = copy_of(data + 1, size - 1);
	at_judge(&known, body, &judgement);
	expect(memcmp(&log, &known.log[0], sizeof(log)) == 0);
	if (judgement.status == AT_HTTP_OK)
	{
		expect(at_note_read(&note, judgement.note) == AT_OK);
		expect(at_note_verify(&note, &known.key[0]) == AT_OK);
		expect(judgement.log == &known.log[0] && judgement.checkpoint.size >= log.size);
		expect(judgement.checkpoint.size > log.size ||
			   memcmp(&judgement.checkpoint.root, &log.root, sizeof(log.root)) == 0);
	}
	else
		expect(judgement.status >= 400 && judgement.status <= 500 && judgement.reason != NULL);
	free((char *) body.data);
	return 0;
}
