/*-------------------------------------------------------------------------
 * main.c
 *		audit_verify: checks what an audit_trail database has given out,
 *		without a server.
 *-------------------------------------------------------------------------
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "core/hash.h"
#include "core/note.h"
#include "file.h"
#include "message.h"
#include "options.h"
#include "verify_checkpoint.h"
#include "verify_log.h"
#include "verify_proof.h"

#define PROOF_START "c2sp.org/tlog-proof@"

static void verify(AtReport *report, const AtOptions *options);
static void verify_file(AtReport *report, const AtOptions *options, AtText text);
static bool is_note(AtText text);

int
main(int argc, char **argv)
{
	AtOptions options;
	AtReport report = {0};
	AtVerdict verdict;

	if (!at_hash_init())
		at_fatal("libcrypto does not compute SHA-256");
	at_options_read(&options, argc, argv);
	verify(&report, &options);
	verdict = at_report_verdict(&report);
	at_report_print(&report, at_said(&report, at_text(options.input)), options.json, stdout);

	at_report_free(&report);
	at_options_free(&options);
	return verdict;
}

static void
verify(AtReport *report, const AtOptions *options)
{
	struct stat input;

	if (stat(options->input, &input) != 0)
		at_fatal("could not open \"%s\": %s", options->input, strerror(errno));
	if (S_ISDIR(input.st_mode))
		at_verify_log(report, options->input, &options->trust, &options->kept);
	else
	{
		AtText text = at_file_read(options->input);

		verify_file(report, options, text);
		free((char *) text.data);
	}
}

/* What it is, its first bytes tell. */
static void
verify_file(AtReport *report, const AtOptions *options, AtText text)
{
	AtText rest = text;

	if (at_text_skip(&rest, PROOF_START))
		at_verify_proof(report, text, &options->trust, &options->kept);
	else if (is_note(text))
		at_verify_checkpoint(report, text, &options->trust, &options->kept);
	else
	{
		report->kind = "unknown file";
		at_report_fault(report, "file", "it is neither a proof nor a checkpoint");
	}
}

static bool
is_note(AtText text)
{
	AtNote note;

	return at_note_read(&note, text) == AT_OK;
}
