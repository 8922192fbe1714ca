/*-------------------------------------------------------------------------
 * cold_proof.h
 *		The proof that the rows of a file of cold segments were sealed.
 *
 * ATF1, which stands beside the file, with integers and texts as in core/body.h:
 *
 *		"ATF1" | log_id[16] | u8 kind, as in the file | SHA-256 of the file
 *		| text checkpoint, a signed note
 *		| u32 targets, each:	u32 target_id | text schema | text table
 *								| text resource_type | text context
 *		| u32 batches, each:	text entry (ATL1) | text hashes of its inclusion
 *								proof | text runs | text hashes of the batch's tree
 *		| SHA-256 of all before
 *
 * A run is rows that stand side by side in the batch, as four numbers of core/cold.h:
 * leaves between the run before and this one; tx_id, as the zigzag difference to that of the run
 * before; ordinal of the first row, 0 for a transaction; and how many rows. The hashes
 * are those of the largest subtrees that have no row of the file, from left to right: with
 * the leaves of the rows they give the root of the batch.
 *
 * Context is no part of what is hashed: it is what the server said.
 *
 * What is read points into the bytes. Functions allocate nothing.
 *-------------------------------------------------------------------------
 */
#ifndef AT_COLD_PROOF_H
#define AT_COLD_PROOF_H

#include "core/checkpoint.h"
#include "core/cold_rows.h"
#include "core/proof.h"

#define AT_COLD_PROOF_END ".proof"

typedef struct AtColdProof
{
	const uint8_t *log_id;
	AtColdKind kind;
	AtHash file;
	AtText checkpoint;
	uint32_t targets;
	uint32_t batches; /* known behind the last target */
	AtText rest;      /* targets, then batches, that were not read yet */
} AtColdProof;

typedef struct AtColdBatch
{
	AtText bytes; /* of the entry */
	AtEntryBody entry;
	AtProof log; /* from the entry to the checkpoint */
	AtText runs;
	AtText hashes;
} AtColdBatch;

/* Rows that stand side by side in a batch. */
typedef struct AtColdRun
{
	uint64_t number; /* of the first leaf */
	uint64_t tx_id;
	uint32_t ordinal;
	uint32_t count;
} AtColdRun;

/* Read its head: form and checksum. AT_ERR_COLD_PROOF, AT_ERR_CHECKSUM. */
extern AtError at_cold_proof_read(AtColdProof *proof, AtText bytes);

/* Read all targets, which ascend: AT_ERR_COLD_TARGET. There must be room for so many. */
extern AtError at_cold_proof_targets(AtColdProof *proof, AtColdTarget *target);

/* Read the next batch; *found is false behind the last one, which must be the end. */
extern AtError at_cold_proof_batch(AtColdProof *proof, AtColdBatch *batch, bool *found);

/*
 * Is the batch in the log of a checkpoint that was verified, and the rows that it names, of all
 * leaves of the file, in the batch? They are proved then. AT_ERR_ENTRY, AT_ERR_LEDGER,
 * AT_ERR_COLD_RUN, AT_ERR_BATCH_ROOT and errors of proofs.
 */
extern AtError at_cold_batch_check(const AtColdBatch *batch, const AtColdProof *proof,
								   const AtCheckpoint *checkpoint, AtColdLeaf *leaf, size_t count);

/* The first leaf that is not proved; NULL: all are. */
extern const AtColdLeaf *at_cold_unproved(const AtColdLeaf *leaf, size_t count);

/* The leaf of this name; NULL: the file has it not. */
extern AtColdLeaf *at_cold_leaf_find(AtColdLeaf *leaf, size_t count, uint64_t tx_id,
									 uint32_t ordinal);

/*
 * Writing: head, targets, the number of batches, batches, and the checksum of all that was
 * written, which whoever writes appends. Rooms are those below, and what texts need.
 */
#define AT_COLD_PROOF_ROOM  256
#define AT_COLD_RUN_ROOM    (4 * AT_COLD_VARINT_MAX)
#define AT_COLD_TARGET_ROOM 32
#define AT_COLD_BATCH_ROOM  (AT_PROOF_MAX * AT_HASH_LEN + 64)

extern void at_cold_proof_write_head(AtWriter *writer, const AtColdProof *proof);
extern void at_cold_proof_write_target(AtWriter *writer, const AtColdTarget *target);
extern void at_cold_proof_write_count(AtWriter *writer, uint32_t batches);
extern void at_cold_proof_write_batch(AtWriter *writer, const AtColdBatch *batch);

/* Append a run; *before is the one before it, zeros for the first. */
extern void at_cold_run_write(AtWriter *writer, const AtColdRun *run, const AtColdRun *before);

/*
 * Append the hashes of the subtrees of a batch of these leaves that have none of the runs, which
 * ascend. At most as many as there are leaves.
 */
extern AtError at_cold_hashes_write(AtWriter *writer, const AtHash *leaf, uint64_t count,
									const AtColdRun *run, size_t runs);

#endif
