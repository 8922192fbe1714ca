/*-------------------------------------------------------------------------
 * kept.c
 *		Checkpoints that the user kept from earlier.
 *-------------------------------------------------------------------------
 */
#include <inttypes.h>
#include <stdlib.h>

#include "core/base64.h"
#include "core/note.h"
#include "core/proof.h"
#include "file.h"
#include "kept.h"
#include "message.h"

#define SIGNATURE_START "\xe2\x80\x94 "
#define TEXT_LINES      3

/* A root as text. */
typedef struct RootText
{
	char text[AT_BASE64_LEN(AT_HASH_LEN) + 1];
} RootText;

static bool next_note(AtText *file, AtText *note);
static void add_note(AtKept *kept, AtText note, const AtUserTrust *trust);
static void set_origin(AtKept *kept, AtText origin);
static int compare_sizes(const void *one, const void *other);
static bool is_same_log(AtResult *result, const AtKept *kept, const AtCheckpoint *checkpoint,
						const char *part);
static void compare_one(AtResult *result, const AtKept *kept, const AtKeptCheckpoint *one,
						const AtCheckpoint *checkpoint, const char *part, bool is_newest);
static void compare_by_proof(AtResult *result, const AtKept *kept, const AtKeptCheckpoint *one,
							 const AtCheckpoint *checkpoint, const char *part);
static AtError read_consistency(AtProof *proof, const char *path);
static void say_set_back(AtResult *result, const char *part, uint64_t size, uint64_t kept_size);
static void say_forked(AtResult *result, const char *part, uint64_t size, const AtHash *kept,
					   const AtHash *found);
static RootText text_of(const AtHash *root);

void
at_kept_read(AtKept *kept, const char *path, const AtUserTrust *trust)
{
	AtText text = at_file_read(path);
	AtText rest = text;
	AtText note;

	kept->path = path;
	while (next_note(&rest, &note))
		add_note(kept, note, trust);
	if (kept->count == 0)
		at_fatal("there is no checkpoint in \"%s\"", path);
	qsort(kept->checkpoint, kept->count, sizeof(AtKeptCheckpoint), compare_sizes);
	free((char *) text.data);
}

void
at_kept_free(AtKept *kept)
{
	free(kept->origin);
	free(kept->checkpoint);
	*kept = (AtKept){0};
}

/*
 * Cut off the next note: signature lines, the empty line before them, and so
 * many lines of text as our checkpoints have. False at the end of the file.
 */
static bool
next_note(AtText *file, AtText *note)
{
	const char *start[TEXT_LINES + 1] = {NULL}; /* of the last lines, the newest at the end */
	bool is_signed = false;
	AtText line;
	AtText before = *file;

	while (at_text_line(file, &line))
	{
		bool is_signature = at_text_skip(&line, SIGNATURE_START);

		if (is_signed && !is_signature)
		{
			*file = before;
			break;
		}
		if (is_signature && start[0] != NULL)
			is_signed = true;
		if (!is_signature)
		{
			memmove(start, start + 1, TEXT_LINES * sizeof(start[0]));
			start[TEXT_LINES] = before.data;
		}
		before = *file;
	}
	if (!is_signed)
		return false;

	*note = (AtText){start[0], (size_t) (before.data - start[0])};
	return true;
}

static void
add_note(AtKept *kept, AtText bytes, const AtUserTrust *trust)
{
	AtTrust counts = at_trust_for(trust, bytes);
	AtCheckpoint checkpoint;
	AtNote note;

	/* not a note: somebody else's lines, or what a cut off one has left */
	if (at_note_read(&note, bytes) != AT_OK)
		return;

	/* who cosigned it then is another question than who must have cosigned today */
	counts.witness_count = 0;
	counts.quorum = 0;

	AtError error = at_checkpoint_open(&checkpoint, bytes, &counts);

	if (error != AT_OK)
		at_fatal_hint("Name the key that signed it in --key too, if the log had another one then.",
					  "checkpoint %zu in \"%s\" is of no use: %s", kept->count + 1, kept->path,
					  at_error_text(error));
	set_origin(kept, checkpoint.origin);
	kept->checkpoint =
		at_grow(kept->checkpoint, &kept->max, kept->count + 1, sizeof(AtKeptCheckpoint));
	kept->checkpoint[kept->count++] = (AtKeptCheckpoint){checkpoint.size, checkpoint.root};
}

static void
set_origin(AtKept *kept, AtText origin)
{
	if (kept->origin == NULL)
	{
		kept->origin = at_alloc(origin.len + 1);
		memcpy(kept->origin, origin.data, origin.len);
	}
	if (!at_text_equal(origin, at_text(kept->origin)))
		at_fatal("the checkpoints in \"%s\" are of several logs", kept->path);
}

static int
compare_sizes(const void *one, const void *other)
{
	uint64_t one_size = ((const AtKeptCheckpoint *) one)->size;
	uint64_t other_size = ((const AtKeptCheckpoint *) other)->size;

	return (one_size > other_size) - (one_size < other_size);
}

void
at_kept_compare(AtResult *result, const AtKept *kept, const AtCheckpoint *checkpoint,
				const char *part, bool is_newest)
{
	if (kept->path == NULL || !is_same_log(result, kept, checkpoint, part))
		return;
	for (size_t i = 0; i < kept->count; i++)
		compare_one(result, kept, &kept->checkpoint[i], checkpoint, part, is_newest);
}

static bool
is_same_log(AtResult *result, const AtKept *kept, const AtCheckpoint *checkpoint, const char *part)
{
	if (at_text_equal(checkpoint->origin, at_text(kept->origin)))
		return true;

	at_result_fault(result, part,
					"it is of the log \"%s\", the checkpoints that you kept are of \"%s\"",
					at_said(result, checkpoint->origin), at_said(result, at_text(kept->origin)));
	return false;
}

static void
compare_one(AtResult *result, const AtKept *kept, const AtKeptCheckpoint *one,
			const AtCheckpoint *checkpoint, const char *part, bool is_newest)
{
	if (one->size == 0)
		return; /* every log goes on from the empty one */
	if (one->size > checkpoint->size && is_newest && kept->consistency_path == NULL)
		say_set_back(result, part, checkpoint->size, one->size);
	else if (one->size != checkpoint->size)
		compare_by_proof(result, kept, one, checkpoint, part);
	else if (memcmp(&one->root, &checkpoint->root, AT_HASH_LEN) == 0)
		at_result_add(result, AT_PROVED,
					  "it is the log of the checkpoint that you kept, of size %" PRIu64, one->size);
	else
		say_forked(result, part, one->size, &one->root, &checkpoint->root);
}

/* The smaller one must be the beginning of the larger one. */
static void
compare_by_proof(AtResult *result, const AtKept *kept, const AtKeptCheckpoint *one,
				 const AtCheckpoint *checkpoint, const char *part)
{
	bool is_older = checkpoint->size < one->size;
	AtKeptCheckpoint here = {checkpoint->size, checkpoint->root};
	const AtKeptCheckpoint *first = is_older ? &here : one;
	const AtKeptCheckpoint *second = is_older ? one : &here;
	AtProof proof;
	char hint[200];

	snprintf(
		hint, sizeof(hint),
		"Name in --consistency a file with the result of: SELECT audit.prove_consistency(%" PRIu64
		", %" PRIu64 ");",
		first->size, second->size);
	if (kept->consistency_path == NULL)
		at_fatal_hint(hint,
					  "the checkpoint has size %" PRIu64 ", the one that you kept %" PRIu64
					  ", so it takes a consistency proof to compare them",
					  checkpoint->size, one->size);

	AtError error = read_consistency(&proof, kept->consistency_path);

	if (error == AT_OK)
		error = at_proof_verify_consistency(&proof, first->size, second->size, &first->root,
											&second->root);
	at_check_machine(error);
	if (error != AT_OK)
		at_result_fault(result, part,
						"it is not shown that the log of size %" PRIu64
						" is the beginning of that of size %" PRIu64
						" (%s): history was rewritten, or the consistency proof is for others",
						first->size, second->size, at_error_text(error));
	else if (is_older)
		at_result_add(
			result, AT_PROVED,
			"it is the beginning of the log of the checkpoint that you kept, of size %" PRIu64,
			one->size);
	else
		at_result_add(result, AT_PROVED,
					  "the log goes on from the checkpoint that you kept, of size %" PRIu64,
					  one->size);
}

/* Hashes, whatever newlines there are behind them. */
static AtError
read_consistency(AtProof *proof, const char *path)
{
	AtText text = at_file_read(path);
	AtText rest = text;

	while (rest.len > 0 && rest.data[rest.len - 1] == '\n')
		rest.len--;

	/* two newlines end the last line and the proof; if there is no line, one does */
	char *lines = at_alloc(rest.len + 2);
	AtWriter writer = at_writer(lines, rest.len + 2);

	at_write(&writer, rest);
	at_write_string(&writer, rest.len > 0 ? "\n\n" : "\n");
	rest = (AtText){writer.data, writer.len};

	AtError error = at_proof_read(proof, &rest);

	if (error == AT_OK && rest.len > 0)
		error = AT_ERR_HASH_LINE;
	free(lines);
	free((char *) text.data);
	return error;
}

bool
at_kept_wants(const AtKept *kept, size_t *next, uint64_t size)
{
	while (*next < kept->count && kept->checkpoint[*next].size < size)
		(*next)++;
	return *next < kept->count && kept->checkpoint[*next].size == size;
}

void
at_kept_compare_root(AtResult *result, const AtKept *kept, size_t *next, const AtHash *root,
					 const AtCheckpoint *checkpoint, const char *part)
{
	uint64_t size = kept->checkpoint[*next].size;

	for (; *next < kept->count && kept->checkpoint[*next].size == size; (*next)++)
	{
		const AtHash *expected = &kept->checkpoint[*next].root;

		if (memcmp(root, expected, AT_HASH_LEN) == 0)
			continue;
		if (size == checkpoint->size)
			say_forked(result, part, size, expected, root);
		else
			at_result_fault(result, part,
							"history was rewritten: at size %" PRIu64
							" the root is %s, and in the checkpoint that you kept %s",
							size, text_of(root).text, text_of(expected).text);
	}
}

void
at_kept_compare_end(AtResult *result, const AtKept *kept, size_t next,
					const AtCheckpoint *checkpoint, const char *part)
{
	if (kept->path == NULL || !is_same_log(result, kept, checkpoint, part))
		return;
	if (next < kept->count)
		say_set_back(result, part, checkpoint->size, kept->checkpoint[kept->count - 1].size);
	else
		at_result_add(result, AT_PROVED,
					  "it has all %zu checkpoints that you kept as its beginnings", kept->count);
}

static void
say_forked(AtResult *result, const char *part, uint64_t size, const AtHash *kept,
		   const AtHash *found)
{
	at_result_fault(result, part,
					"the log was forked: two were signed for size %" PRIu64
					", with the root %s here, and %s in the checkpoint that you kept; keep both",
					size, text_of(found).text, text_of(kept).text);
}

static void
say_set_back(AtResult *result, const char *part, uint64_t size, uint64_t kept_size)
{
	at_result_fault(result, part,
					"the log was set back, or this is an older one: it has size %" PRIu64
					", and the checkpoint that you kept %" PRIu64,
					size, kept_size);
}

static RootText
text_of(const AtHash *root)
{
	RootText result = {0};
	AtWriter writer = at_writer(result.text, sizeof(result.text) - 1);

	at_write_base64(&writer, root->bytes, AT_HASH_LEN);
	return result;
}
