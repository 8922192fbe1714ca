/*-------------------------------------------------------------------------
 * bundle_prove.c
 *		The transactions and events of a bundle are in batches of the log.
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>

#include "bundle.h"
#include "core/evidence_head.h"
#include "message.h"

/* What a proof must prove. */
typedef struct Claim
{
	AtEvidencePart part;
	uint64_t tx_id;
	uint32_t ordinal;
	AtText body;
} Claim;

static bool prove_transaction(AtBundle *bundle, AtEvidenceTransaction *transaction);
static bool prove(AtBundle *bundle, const Claim *claim, uint64_t *log_index);
static bool verify(AtBundle *bundle, const char *path, const AtEventProof *proof,
				   const Claim *claim);
static bool load_example(AtBundle *bundle);

bool
at_bundle_prove_events(AtBundle *bundle)
{
	bool holds = true;

	for (size_t i = 0; i < bundle->evidence.transaction_count; i++)
		holds &= prove_transaction(bundle, &bundle->transaction[i]);
	return holds && load_example(bundle);
}

/* All of it is in one batch. */
static bool
prove_transaction(AtBundle *bundle, AtEvidenceTransaction *transaction)
{
	Claim claim = {AT_EVIDENCE_TRANSACTION_PROOF, transaction->tx_id, 0, transaction->body};
	bool holds = prove(bundle, &claim, &transaction->log_index);

	for (size_t i = 0; i < transaction->event_count && holds; i++)
	{
		const AtEvidenceEvent *event = &transaction->event[i];
		uint64_t log_index;

		claim = (Claim){AT_EVIDENCE_EVENT_PROOF, transaction->tx_id, event->ordinal, event->body};
		holds = prove(bundle, &claim, &log_index);
		if (holds && log_index != transaction->log_index)
		{
			AtEvidencePath name = {
				.part = claim.part, .number = claim.tx_id, .ordinal = claim.ordinal};

			at_result_fault(bundle->result, at_bundle_file(&bundle->files, &name)->path,
							"it is in another batch than its transaction");
			holds = false;
		}
	}
	return holds;
}

static bool
prove(AtBundle *bundle, const Claim *claim, uint64_t *log_index)
{
	AtBundleFile *file = at_bundle_load(bundle, claim->part, claim->tx_id, claim->ordinal);
	AtEventProof proof;
	char *room;
	bool holds;

	if (file == NULL)
		return false;
	room = at_alloc(file->content.len);
	holds = at_result_error(bundle->result, file->path,
							at_event_proof_read(&proof, file->content, room, file->content.len)) &&
			verify(bundle, file->path, &proof, claim);
	if (holds)
		*log_index = proof.log.index;
	free(room);
	at_bundle_file_drop(&bundle->files, file);
	return holds;
}

static bool
verify(AtBundle *bundle, const char *path, const AtEventProof *proof, const Claim *claim)
{
	const AtEvidenceEntry *entry = at_evidence_entry(&bundle->evidence, proof->log.index);
	const char *problem = NULL;
	AtProven proven;

	if (!at_text_equal(proof->body, claim->body))
		problem = "it is not the proof of the body beside it";
	else if (entry == NULL)
		problem = "the entry of the log that it names is missing";
	else if (!at_text_equal(proof->entry, entry->body))
		problem = "the entry of the log in it is not that of the bundle";
	if (problem != NULL)
	{
		at_result_fault(bundle->result, path, "%s", problem);
		return false;
	}
	return at_bundle_check_proof(bundle, path, &proof->log, proof->log.index) &&
		   at_result_error(bundle->result, path,
						   at_event_proof_verify_in(proof, &bundle->checkpoint, &proven));
}

/* For README.txt: the first event, if there is one. */
static bool
load_example(AtBundle *bundle)
{
	const AtEvidenceTransaction *first = at_evidence_first(&bundle->evidence);
	AtBundleFile *file;

	if (first == NULL)
		return true;
	file = at_bundle_load(bundle, AT_EVIDENCE_EVENT_PROOF, first->tx_id, first->event[0].ordinal);
	if (file == NULL)
		return false;

	bundle->example_room = at_alloc(file->content.len);
	at_check_machine(at_event_proof_read(&bundle->example, file->content, bundle->example_room,
										 file->content.len));
	bundle->evidence.example = &bundle->example;
	return true;
}
