/*-------------------------------------------------------------------------
 * fuzz_tlog_proof.c
 *		Offline proofs from any bytes: what is accepted is written back, and
 *		what verifies is the one proof that there is.
 *-------------------------------------------------------------------------
 */
#include "core/tlog_proof.h"
#include "proof_vectors.h"
#include "target.h"

static void verify(const AtTlogProof *proof);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AtText text = copy_of(data, size);
	AtTlogProof proof;

	if (at_tlog_proof_read(&proof, text) == AT_OK)
	{
		AtWriter writer = writer_of(size);

		expect(at_tlog_proof_write(&writer, &proof) == AT_OK);
		expect_written(&writer, text);
		verify(&proof);
	}
	free((char *) text.data);
	return 0;
}

static void
verify(const AtTlogProof *proof)
{
	AtPublicKey log_key;
	AtTrust trust = {.log_key = &log_key};
	AtTlogProof known;
	AtCheckpoint checkpoint;
	AtHash leaf;

	expect(at_key_read_public(&log_key, at_text(VECTOR_LOG_KEY)) == AT_OK);
	expect(at_hash_leaf("\x40\x41\x42\x43", 4, &leaf)); /* VECTOR_TLOG_PROOF_LEAF */
	if (at_tlog_proof_verify(proof, &leaf, &trust, &checkpoint) != AT_OK)
		return;

	expect(at_tlog_proof_read(&known, at_text(vector_tlog_proof)) == AT_OK);
	expect(proof->index == known.index && checkpoint.size == VECTOR_TLOG_PROOF_SIZE);
	expect(proof->proof.count == known.proof.count);
	expect(memcmp(proof->proof.hash, known.proof.hash,
				  sizeof(AtHash) * (size_t) known.proof.count) == 0);
}
