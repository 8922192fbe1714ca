/*-------------------------------------------------------------------------
 * render_bundle.c
 *		For tests: writes the readable files of a bundle.
 *
 *			render_bundle DIRECTORY VKEY
 *
 * The bundle is there but for these, which have any content; it is proved
 * first, as for VKEY.
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <stdlib.h>

#include "bundle.h"

typedef AtError (*Render)(AtOutput *output, const AtEvidence *evidence);

static bool render(const char *directory, const char *name, Render render,
				   const AtEvidence *evidence);
static bool take(void *taker, AtText piece);

int
main(int argc, char **argv)
{
	AtUserTrust trust = {.quorum = 0};
	AtResult result = {.kind = "bundle"};
	AtBundle bundle = {.result = &result, .trust = &trust};
	bool done = false;

	if (argc != 3)
		return EXIT_FAILURE;
	at_keys_add(&trust.log, AT_KEY_NOTE, argv[2]);
	if (at_bundle_files_open_directory(&bundle.files, argv[1], &result) &&
		at_bundle_read(&bundle) && at_bundle_prove_log(&bundle) && at_bundle_prove_events(&bundle))
		done = render(argv[1], "README.txt", at_evidence_write_readme, &bundle.evidence) &&
			   render(argv[1], "report.html", at_evidence_write_report, &bundle.evidence) &&
			   render(argv[1], "events.json", at_evidence_write_events, &bundle.evidence);
	else
		at_result_print(&result, argv[1], false, stderr);
	at_bundle_free(&bundle);
	at_keys_free(&trust.log);
	at_result_free(&result);
	return done ? EXIT_SUCCESS : EXIT_FAILURE;
}

static bool
render(const char *directory, const char *name, Render render, const AtEvidence *evidence)
{
	char path[4096];
	AtOutput output;
	FILE *file;
	AtError error;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	file = fopen(path, "wb");
	if (file == NULL)
		return false;
	at_output_start(&output, take, file);
	error = render(&output, evidence);
	return fclose(file) == 0 && error == AT_OK;
}

static bool
take(void *taker, AtText piece)
{
	return fwrite(piece.data, 1, piece.len, taker) == piece.len;
}
