/*-------------------------------------------------------------------------
 * verify_checkpoint.c
 *		Verifies a checkpoint.
 *-------------------------------------------------------------------------
 */
#include <inttypes.h>

#include "verify_checkpoint.h"
#include "core/base64.h"

#define PART "checkpoint"

void
at_verify_checkpoint(AtReport *report, AtText text, const AtUserTrust *trust, const AtKept *kept)
{
	AtCheckpoint checkpoint;
	char root[AT_BASE64_LEN(AT_HASH_LEN)];
	AtWriter writer = at_writer(root, sizeof(root));

	report->kind = "checkpoint";
	if (!at_trust_open(trust, text, PART, &checkpoint, report))
		return;

	at_write_base64(&writer, checkpoint.root.bytes, AT_HASH_LEN);
	at_report_add(report, AT_PROVED, "the log \"%s\" was signed at size %" PRIu64 ", root %.*s",
				  at_said(report, checkpoint.origin), checkpoint.size, (int) writer.len, root);
	at_kept_compare(report, kept, &checkpoint, PART, true);
	at_report_add(report, AT_NOT_PROVED, "what is in the log, and when this was signed");
	if (kept->path == NULL)
		at_report_add(report, AT_NOT_PROVED,
					  "that the log goes on from earlier checkpoints: none was compared");
}
