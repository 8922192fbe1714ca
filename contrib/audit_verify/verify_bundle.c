/*-------------------------------------------------------------------------
 * verify_bundle.c
 *		Verifies a bundle of evidence.
 *-------------------------------------------------------------------------
 */
#include <inttypes.h>

#include "bundle.h"
#include "core/base64.h"
#include "describe.h"
#include "verify_bundle.h"

#define CHECKPOINT "checkpoint"

static void verify(AtBundle *bundle, const AtKept *kept);
static void say_proved(AtBundle *bundle);
static void say_not_proved(AtResult *result, const AtUserTrust *trust, const AtKept *kept);

void
at_verify_bundle_directory(AtResult *result, const char *directory, const AtUserTrust *trust,
						   const AtKept *kept)
{
	AtBundle bundle = {.result = result, .trust = trust};

	result->kind = "bundle of evidence";
	if (at_bundle_files_open_directory(&bundle.files, directory, result))
		verify(&bundle, kept);
	at_bundle_free(&bundle);
}

void
at_verify_bundle_archive(AtResult *result, AtText archive, const AtUserTrust *trust,
						 const AtKept *kept)
{
	AtBundle bundle = {.result = result, .trust = trust};

	result->kind = "bundle of evidence";
	if (at_bundle_files_open_archive(&bundle.files, archive, result))
		verify(&bundle, kept);
	at_bundle_free(&bundle);
}

static void
verify(AtBundle *bundle, const AtKept *kept)
{
	if (!at_bundle_read(bundle) || !at_bundle_prove_log(bundle) ||
		!at_bundle_prove_events(bundle) || !at_bundle_check_whole(bundle) ||
		!at_bundle_check_rendered(bundle))
		return;

	at_verify_timestamps(bundle->result, &bundle->evidence, bundle->trust->tsa_path);
	at_kept_compare(bundle->result, kept, &bundle->checkpoint, CHECKPOINT, false);
	say_proved(bundle);
	say_not_proved(bundle->result, bundle->trust, kept);
}

static void
say_proved(AtBundle *bundle)
{
	at_describe_checkpoint(bundle->result, &bundle->checkpoint);
	at_describe_number(bundle->result, "events", bundle->event_count);
	at_describe_number(bundle->result, "transactions", bundle->evidence.transaction_count);
	at_describe_number(bundle->result, "entries", bundle->evidence.entry_count);
	at_result_add(bundle->result, AT_PROVED,
				  "these, the sessions and the entries of the log that are here: with these very "
				  "bytes they are in the log \"%s\" of size %" PRIu64,
				  at_said(bundle->result, bundle->checkpoint.origin), bundle->checkpoint.size);
	at_result_add(bundle->result, AT_PROVED,
				  "report.html, events.json and README.txt say what was proved, and nothing else");
}

static void
say_not_proved(AtResult *result, const AtUserTrust *trust, const AtKept *kept)
{
	at_result_add(result, AT_NOT_PROVED,
				  "that nothing else happened: whoever made the bundle has chosen the events");
	at_result_add(result, AT_NOT_PROVED,
				  "that no entry of the log was left out that tells of lost keys, restored backups "
				  "or a lifted guard: a whole log tells that");
	at_result_add(result, AT_NOT_PROVED,
				  "what the times say: they are those of the database server's clock");
	if (trust->witness.count == 0 && kept->path == NULL)
		at_result_add(result, AT_NOT_PROVED,
					  "that others were shown the same log: no witness had to cosign, and no other "
					  "checkpoint was compared");
}
