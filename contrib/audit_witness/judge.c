/*-------------------------------------------------------------------------
 * judge.c
 *		What a witness answers: C2SP tlog-witness's add-checkpoint.
 *-------------------------------------------------------------------------
 */
#include "core/note.h"
#include "core/tlog_request.h"
#include "judge.h"

static AtKnownLog *find_log(AtKnown *known, AtText origin);
static bool is_signed(const AtKnown *known, const AtNote *note, AtText origin);
static void compare(AtJudgement *judgement, const AtTlogRequest *request);

bool
at_know(AtKnown *known, const AtPublicKey *key)
{
	AtPublicKey *kept;

	if (key->type != AT_KEY_NOTE || known->key_count == AT_KEYS_MAX)
		return false;
	kept = &known->key[known->key_count];
	*kept = *key;
	if (find_log(known, at_text(key->name)) == NULL)
	{
		if (known->log_count == AT_LOGS_MAX)
			return false;
		known->log[known->log_count++] = (AtKnownLog){.origin = kept->name};
	}
	known->key_count++;
	return true;
}

static void
refuse(AtJudgement *judgement, int status, const char *reason)
{
	judgement->status = status;
	judgement->reason = reason;
}

void
at_judge(AtKnown *known, AtText body, AtJudgement *judgement)
{
	AtTlogRequest request;
	AtNote note;
	AtError error = at_tlog_request_read(&request, body);

	*judgement = (AtJudgement){.note = request.checkpoint};
	if (error == AT_OK)
		error = at_note_read(&note, request.checkpoint);
	if (error == AT_OK)
		error = at_checkpoint_read(&judgement->checkpoint, note.text);
	if (error != AT_OK)
	{
		refuse(judgement, AT_HTTP_BAD_REQUEST, at_error_text(error));
		return;
	}
	judgement->text = note.text;
	judgement->log = find_log(known, judgement->checkpoint.origin);
	if (judgement->log == NULL)
		refuse(judgement, AT_HTTP_NOT_FOUND, "the log is not known here");
	else if (!is_signed(known, &note, judgement->checkpoint.origin))
		refuse(judgement, AT_HTTP_FORBIDDEN, "no key of the log has signed the checkpoint");
	else
		compare(judgement, &request);
}

static AtKnownLog *
find_log(AtKnown *known, AtText origin)
{
	for (int i = 0; i < known->log_count; i++)
		if (at_text_equal(origin, at_text(known->log[i].origin)))
			return &known->log[i];
	return NULL;
}

static bool
is_signed(const AtKnown *known, const AtNote *note, AtText origin)
{
	for (int i = 0; i < known->key_count; i++)
		if (at_text_equal(origin, at_text(known->key[i].name)) &&
			at_note_verify(note, &known->key[i]) == AT_OK)
			return true;
	return false;
}

/* With what was accepted last, in the order that the protocol demands. */
static void
compare(AtJudgement *judgement, const AtTlogRequest *request)
{
	const AtKnownLog *log = judgement->log;
	const AtCheckpoint *checkpoint = &judgement->checkpoint;
	AtError error = AT_OK;

	if (request->old_size > checkpoint->size)
		refuse(judgement, AT_HTTP_BAD_REQUEST,
			   "the old size is larger than that of the checkpoint");
	else if (request->old_size != log->size)
		refuse(judgement, AT_HTTP_CONFLICT, "the old size is not that of the last checkpoint here");
	else if (log->size == 0)
	{
		if (request->proof.count > 0)
			refuse(judgement, AT_HTTP_BAD_REQUEST, at_error_text(AT_ERR_SURPLUS_HASHES));
		else
			judgement->status = AT_HTTP_OK;
	}
	else if (log->size == checkpoint->size &&
			 memcmp(&log->root, &checkpoint->root, sizeof(AtHash)) != 0)
	{
		refuse(judgement, AT_HTTP_CONFLICT, "another root was cosigned for this size");
		judgement->is_fork = true;
	}
	else
	{
		error = at_proof_verify_consistency(&request->proof, log->size, checkpoint->size,
											&log->root, &checkpoint->root);
		if (error == AT_OK)
			judgement->status = AT_HTTP_OK;
		else
			refuse(judgement,
				   error == AT_ERR_LIBCRYPTO ? AT_HTTP_SERVER_ERROR : AT_HTTP_UNPROCESSABLE,
				   at_error_text(error));
	}
}
