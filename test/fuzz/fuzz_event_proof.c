/*-------------------------------------------------------------------------
 * fuzz_event_proof.c
 *		Proofs of events from any bytes: what is accepted is written back, and
 *		what verifies is a leaf of the batch that the log has signed.
 *
 * The log is that of the example in doc/format.md.
 *-------------------------------------------------------------------------
 */
#include "core/event_proof.h"
#include "target.h"

#define LOG_KEY "audit.example/shop+9dbc11ef+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4"

static void check_written(const AtEventProof *proof, AtText text);
static void check_verified(const AtEventProof *proof);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AtText text = copy_of(data, size);
	char *buffer = malloc(size > 0 ? size : 1);
	AtEventProof proof;

	expect(buffer != NULL);
	if (at_event_proof_read(&proof, text, buffer, size) == AT_OK)
	{
		check_written(&proof, text);
		check_verified(&proof);
	}
	free(buffer);
	free((char *) text.data);
	return 0;
}

static void
check_written(const AtEventProof *proof, AtText text)
{
	size_t room_len = AT_EVENT_PROOF_ROOM(proof->body.len, proof->entry.len);
	char *room = malloc(room_len);
	AtWriter writer = writer_of(text.len);

	expect(room != NULL);
	expect(at_event_proof_write(&writer, proof, room, room_len) == AT_OK);
	expect_written(&writer, text);
	free(room);
}

static void
check_verified(const AtEventProof *proof)
{
	/* leaves of the batch: their first bytes */
	static const uint8_t leaves[][4] = {
		{0x45, 0xa2, 0xc6, 0x5f}, {0x75, 0xf1, 0x05, 0x79}, {0x8e, 0xa5, 0x52, 0xde}};
	AtPublicKey key;
	AtTrust trust = {.log_key = &key};
	AtProven proven;
	AtHash leaf;

	expect(at_key_read_public(&key, at_text(LOG_KEY)) == AT_OK);
	if (at_event_proof_verify(proof, &trust, &proven) != AT_OK)
		return;

	expect(at_hash_leaf(proof->body.data, proof->body.len, &leaf));
	expect(proof->number < 3 && memcmp(leaf.bytes, leaves[proof->number], 4) == 0);
	expect(proven.is_event == (proof->number < 2));
	expect(proven.entry.log_index == 1 && proven.checkpoint.size == 2);
}
