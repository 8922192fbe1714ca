/*-------------------------------------------------------------------------
 * fuzz_cold_proof.c
 *		Proofs of files of cold segments, and rows of segments, from any bytes.
 *
 * The checksum is put right, since nobody finds one by trying. What is read can be walked
 * through; no row is proved by it.
 *-------------------------------------------------------------------------
 */
#include "core/cold_proof.h"
#include "core/target_list.h"
#include "target.h"

#define TARGETS_MAX 64
#define LEAVES      4

static void
as_proof(AtText bytes)
{
	AtColdTarget target[TARGETS_MAX];
	AtColdLeaf leaf[LEAVES] = {{.tx_id = 10, .ordinal = 1}, {.tx_id = 10, .ordinal = 2}};
	AtCheckpoint checkpoint = {.size = 3};
	AtColdProof proof;
	AtColdBatch batch;
	bool found = true;

	if (at_cold_proof_read(&proof, bytes) != AT_OK || proof.targets > TARGETS_MAX ||
		at_cold_proof_targets(&proof, target) != AT_OK)
		return;
	while (at_cold_proof_batch(&proof, &batch, &found) == AT_OK && found)
		expect(at_cold_batch_check(&batch, &proof, &checkpoint, leaf, LEAVES) != AT_OK);
}

static void
as_list(AtText bytes)
{
	AtTargetList list;
	AtColdTarget target;
	int64_t defined_at;
	bool found = true;
	AtError error = at_target_list_read(&list, bytes);

	while (error == AT_OK && found)
		error = at_target_list_next(&list, &target, &defined_at, &found);
}

static void
as_content(AtText bytes, AtColdKind kind)
{
	AtColdTargets none = {0, NULL};
	AtColdLeaf leaf[LEAVES];
	char scratch[4096];
	AtCold cold = {
		.log_id = (const uint8_t *) "0123456789abcdef",
		.kind = kind,
		.columns = kind == AT_COLD_EVENTS ? 12 : 24,
		.rows = LEAVES,
	};

	(void) at_cold_leaves(&cold, bytes, &none, scratch, sizeof(scratch), NULL, leaf);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AtText bytes = copy_of(data, size);
	AtHash hash;

	as_content(bytes, AT_COLD_EVENTS);
	as_content(bytes, AT_COLD_TRANSACTIONS);
	if (size > AT_HASH_LEN)
	{
		expect(at_hash(bytes.data, size - AT_HASH_LEN, &hash));
		memcpy((char *) bytes.data + size - AT_HASH_LEN, &hash, AT_HASH_LEN);
	}
	as_proof(bytes);
	as_list(bytes);
	free((char *) bytes.data);
	return 0;
}
