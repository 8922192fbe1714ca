/*-------------------------------------------------------------------------
 * tlog_proof.h
 *		A proof that can be checked without the log: C2SP tlog-proof, version 1.
 *
 * Lines: "c2sp.org/tlog-proof@v1"; perhaps "extra " and base64; "index " and
 * the entry's number; the hashes of an inclusion proof; an empty line; and
 * the checkpoint, a whole note. What stands in extra is under no signature.
 *-------------------------------------------------------------------------
 */
#ifndef AT_TLOG_PROOF_H
#define AT_TLOG_PROOF_H

#include "core/checkpoint.h"
#include "core/proof.h"

/* Longest text but for extra and the checkpoint. */
#define AT_TLOG_PROOF_HEAD_MAX (60 + AT_DECIMAL_MAX + AT_PROOF_TEXT_MAX)

typedef struct AtTlogProof
{
	AtText extra; /* base64; data == NULL where there is none */
	uint64_t index;
	AtProof proof;
	AtText checkpoint; /* the note */
} AtTlogProof;

/* Read a proof; strings point into text. The checkpoint is not looked at. */
extern AtError at_tlog_proof_read(AtTlogProof *proof, AtText text);

/* Write a proof. */
extern AtError at_tlog_proof_write(AtWriter *writer, const AtTlogProof *proof);

/*
 * Verify the checkpoint, as at_checkpoint_open(), and that the leaf of this
 * hash is in it at the proof's index. Whoever cares which entry it is looks
 * at the index too.
 */
extern AtError at_tlog_proof_verify(const AtTlogProof *proof, const AtHash *leaf,
									const AtTrust *trust, AtCheckpoint *checkpoint);

/* The same for a checkpoint that was verified already; the one in the proof is not looked at. */
extern AtError at_tlog_proof_verify_in(const AtTlogProof *proof, const AtHash *leaf,
									   const AtCheckpoint *checkpoint);

#endif
