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
#include "core/ustar.h"
#include "file.h"
#include "message.h"
#include "options.h"
#include "verify_archive.h"
#include "verify_bundle.h"
#include "verify_checkpoint.h"
#include "verify_cold.h"
#include "verify_destruction.h"
#include "verify_log.h"
#include "verify_proof.h"

#define PROOF_START "c2sp.org/tlog-proof@"

/* POSIX ustar */
#define TAR_MAGIC    "ustar"
#define TAR_MAGIC_AT 257

static void verify(AtResult *result, const AtOptions *options);
static void verify_file(AtResult *result, const AtOptions *options, AtText text);
static bool has(const char *directory, const char *name);
static AtText without_psql(AtText text);
static bool is_tar(AtText text);
static bool is_note(AtText text);

int
main(int argc, char **argv)
{
	AtOptions options;
	AtResult result = {0};
	AtVerdict verdict;

	if (!at_hash_init())
		at_fatal("libcrypto does not compute SHA-256");
	at_options_read(&options, argc, argv);
	verify(&result, &options);
	verdict = at_result_verdict(&result);
	at_result_print(&result, at_said(&result, at_text(options.input)), options.json, stdout);

	at_result_free(&result);
	at_options_free(&options);
	return verdict;
}

static void
verify(AtResult *result, const AtOptions *options)
{
	struct stat input;

	if (stat(options->input, &input) != 0)
		at_fatal("could not open \"%s\": %s", options->input, strerror(errno));
	if (S_ISDIR(input.st_mode) && has(options->input, "segment"))
		at_verify_archive(result, options->input, &options->trust, &options->kept);
	else if (S_ISDIR(input.st_mode) && has(options->input, "tile"))
		at_verify_log(result, options->input, &options->trust, &options->kept);
	else if (S_ISDIR(input.st_mode))
		at_verify_bundle_directory(result, options->input, &options->trust, &options->kept);
	else
	{
		AtText text = at_file_read(options->input);

		verify_file(result, options, text);
		free((char *) text.data);
	}
}

/* What it is, its first bytes tell. */
static void
verify_file(AtResult *result, const AtOptions *options, AtText text)
{
	AtText lines = without_psql(text);
	AtText rest = text;

	if (at_text_skip(&rest, PROOF_START))
		at_verify_proof(result, lines, &options->trust, &options->kept);
	else if (at_text_skip(&rest, AT_COLD_START))
		at_verify_cold(result, options->input, text, options->event, &options->trust,
					   &options->kept);
	else if (at_text_skip(&rest, AT_DESTRUCTION_START))
		at_verify_destruction(result, lines, &options->trust, &options->kept);
	else if (is_tar(text))
		at_verify_bundle_archive(result, text, &options->trust, &options->kept);
	else if (is_note(lines))
		at_verify_checkpoint(result, lines, &options->trust, &options->kept);
	else
	{
		result->kind = "unknown file";
		at_result_fault(result, "file",
						"it is neither a proof, nor a checkpoint, nor a bundle, "
						"nor a certificate, nor a file of cold segments");
	}
}

/* psql writes a newline behind a value that ends with one. */
static AtText
without_psql(AtText text)
{
	if (text.len >= 2 && memcmp(text.data + text.len - 2, "\n\n", 2) == 0)
		text.len--;
	return text;
}

static bool
has(const char *directory, const char *name)
{
	char path[4096];
	struct stat status;
	int len = snprintf(path, sizeof(path), "%s/%s", directory, name);

	return len < (int) sizeof(path) && lstat(path, &status) == 0;
}

static bool
is_tar(AtText text)
{
	return text.len >= AT_USTAR_BLOCK &&
		   memcmp(text.data + TAR_MAGIC_AT, TAR_MAGIC, strlen(TAR_MAGIC)) == 0;
}

static bool
is_note(AtText text)
{
	AtNote note;

	return at_note_read(&note, text) == AT_OK;
}
