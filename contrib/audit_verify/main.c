/*-------------------------------------------------------------------------
 * main.c
 *		audit_verify: checks what an audit_trail database has given out,
 *		without a server.
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <stdlib.h>

#include "core/hash.h"
#include "file.h"
#include "message.h"
#include "options.h"
#include "proof.h"

int
main(int argc, char **argv)
{
	AtOptions options;
	AtReport report = {0};
	AtText text;
	AtVerdict verdict;

	if (!at_hash_init())
		at_fatal("libcrypto does not compute SHA-256");
	at_options_read(&options, argc, argv);

	text = at_file_read(options.input);
	at_verify_proof(&report, text, &options.trust);
	verdict = at_report_verdict(&report);
	at_report_print(&report, at_said(&report, at_text(options.input)), options.json, stdout);

	at_report_free(&report);
	at_keys_free(&options.trust.log);
	at_keys_free(&options.trust.witness);
	free((char *) text.data);
	return verdict;
}
