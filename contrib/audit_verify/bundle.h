/*-------------------------------------------------------------------------
 * bundle.h
 *		A bundle of evidence while it is verified.
 *
 * The steps are those of verify_bundle.h. Each tells its faults, and none
 * relies on what an earlier one has not found out.
 *-------------------------------------------------------------------------
 */
#ifndef AT_EVIDENCE_BUNDLE_H
#define AT_EVIDENCE_BUNDLE_H

#include "bundle_files.h"
#include "core/evidence.h"
#include "key_chain.h"

typedef struct AtBundle
{
	AtResult *result;
	const AtUserTrust *trust;
	AtBundleFiles files;

	AtEvidence evidence; /* its texts are contents of files */
	AtEvidenceStamp *stamp;
	AtEvidenceEntry *entry;
	AtEvidenceTransaction *transaction;
	AtEvidenceSession *session;
	AtEvidenceEvent *event; /* of all transactions */
	size_t event_count;

	AtCheckpoint checkpoint; /* verified by at_bundle_prove_log() */
	AtKeyChain keys;

	AtEventProof example; /* into the file and into example_room */
	AtBundleFile *example_file;
	char *example_room;
} AtBundle;

/*
 * All files, each with the hash in MANIFEST, none missing. Sets the evidence
 * but for the batches of transactions. bundle_read.c
 */
extern bool at_bundle_read(AtBundle *bundle);

/*
 * The entries are in the tree of the checkpoint, which is signed; keys has the
 * keys of the log. bundle_log.c
 */
extern bool at_bundle_prove_log(AtBundle *bundle);

/* Is it the proof of this entry, by the bundle's checkpoint? It is not verified. */
extern bool at_bundle_check_proof(AtBundle *bundle, const char *path, const AtTlogProof *proof,
								  uint64_t index);

/* Transactions and events are in their batches. Sets these, and the example. bundle_prove.c */
extern bool at_bundle_prove_events(AtBundle *bundle);

/* Transactions, their events and sessions fit together. bundle_whole.c */
extern bool at_bundle_check_whole(AtBundle *bundle);

/* The readable files say what was proved. bundle_render.c */
extern bool at_bundle_check_rendered(AtBundle *bundle);

extern void at_bundle_free(AtBundle *bundle);

/* Load the file of this part. False, with a fault said, if it is not there or not as listed. */
extern AtBundleFile *at_bundle_load(AtBundle *bundle, AtEvidencePart part, uint64_t number,
									uint32_t ordinal);

#endif
