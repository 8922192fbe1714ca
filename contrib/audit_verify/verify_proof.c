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

static void say(AtReport *report, const AtEventProof *proof, const AtProven *proven);
static void say_not_proved(AtReport *report, const AtTrust *trust, const AtKept *kept);

void
at_verify_proof(AtReport *report, AtText text, const AtUserTrust *trust, const AtKept *kept)
{
	AtEventProof proof;
	AtCheckpoint checkpoint;
	AtProven proven;
	char *buffer = at_alloc(text.len);
	AtError error = at_event_proof_read(&proof, text, buffer, text.len);

	report->kind = "proof of an event";
	if (at_report_error(report, PART, error) &&
		at_trust_open(trust, proof.log.checkpoint, PART, &checkpoint, report))
	{
		AtTrust counts = at_trust_for(trust, proof.log.checkpoint);

		error = at_event_proof_verify_in(&proof, &checkpoint, &proven);
		if (at_report_error(report, PART, error))
		{
			say(report, &proof, &proven);
			at_kept_compare(report, kept, &checkpoint, PART, false);
			say_not_proved(report, &counts, kept);
		}
	}
	free(buffer);
}

static void
say(AtReport *report, const AtEventProof *proof, const AtProven *proven)
{
	char root[AT_BASE64_LEN(AT_HASH_LEN)];
	char sealed_at[AT_SHOWN_TIME_MAX];
	AtWriter writer = at_writer(root, sizeof(root));

	if (proven->is_event)
		at_describe_event(report, &proven->event);
	else
	{
		report->kind = "proof of a transaction";
		at_describe_transaction(report, &proven->transaction);
	}
	at_write_base64(&writer, proven->checkpoint.root.bytes, AT_HASH_LEN);
	at_report_add(report, AT_PROVED,
				  "these very bytes are leaf %" PRIu64 " of %" PRIu64 " in a batch of %" PRIu64
				  " events, sealed at %s",
				  proof->number, proven->entry.leaf_count, proven->entry.event_count,
				  at_show_time(proven->entry.sealed_at, sealed_at));
	at_report_add(report, AT_PROVED,
				  "that batch is entry %" PRIu64 " of the log \"%s\" at size %" PRIu64
				  ", root %.*s",
				  proven->entry.log_index, at_said(report, proven->checkpoint.origin),
				  proven->checkpoint.size, (int) writer.len, root);
}

static void
say_not_proved(AtReport *report, const AtTrust *trust, const AtKept *kept)
{
	at_report_add(
		report, AT_NOT_PROVED,
		"that nothing else happened: other events, of the same transaction too, may exist");
	at_report_add(report, AT_NOT_PROVED,
				  "what the times say: they are those of the database server's clock");
	if (trust->quorum == 0 && kept->path == NULL)
		at_report_add(report, AT_NOT_PROVED,
					  "that others were shown the same log: no witness had to cosign, and no other "
					  "checkpoint was compared");
}
