/*-------------------------------------------------------------------------
 * verify_checkpoint.c
 *		Verifies a checkpoint.
 *-------------------------------------------------------------------------
 */
#include <inttypes.h>

#include "describe.h"
#include "verify_checkpoint.h"

#define PART "checkpoint"

void
at_verify_checkpoint(AtResult *result, AtText text, const AtUserTrust *trust, const AtKept *kept)
{
	AtCheckpoint checkpoint;

	result->kind = "checkpoint";
	if (!at_trust_open(trust, text, PART, &checkpoint, result))
		return;

	at_describe_checkpoint(result, &checkpoint);
	at_result_add(result, AT_PROVED, "the log \"%s\" was signed at size %" PRIu64,
				  at_said(result, checkpoint.origin), checkpoint.size);
	at_kept_compare(result, kept, &checkpoint, PART, true);
	at_result_add(result, AT_NOT_PROVED, "what is in the log, and when this was signed");
	if (kept->path == NULL)
		at_result_add(result, AT_NOT_PROVED,
					  "that the log goes on from earlier checkpoints: none was compared");
}
