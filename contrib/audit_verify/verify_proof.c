/*-------------------------------------------------------------------------
 * verify_proof.c
 *		Verifies the proof of an event.
 *-------------------------------------------------------------------------
 */
#include <inttypes.h>
#include <stdlib.h>

#include "core/event_proof.h"
#include "describe.h"
#include "message.h"
#include "verify_proof.h"
#include "show.h"

#define PART "proof"

static void say(AtResult *result, const AtEventProof *proof, const AtProven *proven);
static void say_not_proved(AtResult *result, const AtTrust *trust, const AtKept *kept);

void
at_verify_proof(AtResult *result, AtText text, const AtUserTrust *trust, const AtKept *kept)
{
	AtEventProof proof;
	AtCheckpoint checkpoint;
	AtProven proven;
	char *buffer = at_alloc(text.len);
	AtError error = at_event_proof_read(&proof, text, buffer, text.len);

	result->kind = "proof of an event";
	if (at_result_error(result, PART, error) &&
		at_trust_open(trust, proof.log.checkpoint, PART, &checkpoint, result))
	{
		AtTrust counts = at_trust_for(trust, proof.log.checkpoint);

		error = at_event_proof_verify_in(&proof, &checkpoint, &proven);
		if (at_result_error(result, PART, error))
		{
			say(result, &proof, &proven);
			at_kept_compare(result, kept, &checkpoint, PART, false);
			say_not_proved(result, &counts, kept);
		}
	}
	free(buffer);
}

static void
say(AtResult *result, const AtEventProof *proof, const AtProven *proven)
{
	char sealed_at[AT_SHOWN_TIME_MAX];

	if (proven->is_event)
		at_describe_event(result, &proven->event);
	else
	{
		result->kind = "proof of a transaction";
		at_describe_transaction(result, &proven->transaction);
	}
	at_describe_checkpoint(result, &proven->checkpoint);
	at_result_add(result, AT_PROVED,
				  "these very bytes are leaf %" PRIu64 " of %" PRIu64 " in a batch of %" PRIu64
				  " events, sealed at %s",
				  proof->number, proven->entry.leaf_count, proven->entry.event_count,
				  at_show_time(proven->entry.sealed_at, sealed_at));
	at_result_add(result, AT_PROVED,
				  "that batch is entry %" PRIu64 " of the log \"%s\" of size %" PRIu64,
				  proven->entry.log_index, at_said(result, proven->checkpoint.origin),
				  proven->checkpoint.size);
}

static void
say_not_proved(AtResult *result, const AtTrust *trust, const AtKept *kept)
{
	at_result_add(
		result, AT_NOT_PROVED,
		"that nothing else happened: other events, of the same transaction too, may exist");
	at_result_add(result, AT_NOT_PROVED,
				  "what the times say: they are those of the database server's clock");
	if (trust->quorum == 0 && kept->path == NULL)
		at_result_add(result, AT_NOT_PROVED,
					  "that others were shown the same log: no witness had to cosign, and no other "
					  "checkpoint was compared");
}
