/*-------------------------------------------------------------------------
 * evidence_head.c
 *		What the readable files of a bundle have in common: its checkpoint, who
 *		signed it, and the numbers of it all.
 *-------------------------------------------------------------------------
 */
#include "core/base64.h"
#include "core/bytes.h"
#include "core/calendar.h"
#include "core/cosignature.h"
#include "core/evidence_head.h"
#include "core/receipt.h"

/* The bytes of a cosignature's line: id of the key, time, signature. */
#define ID_LEN          4
#define COSIGNATURE_LEN (ID_LEN + 8 + AT_ED25519_SIGNATURE_LEN)

#define MICROSECONDS INT64_C(1000000)
#define SECONDS_MAX  (INT64_MAX / MICROSECONDS)

static const void *find(const void *array, size_t count, size_t size, uint64_t name);
static AtError verify_lines(AtEvidenceHead *head, AtText keys);
static AtError verify_key(AtEvidenceHead *head, AtText line, const AtPublicKey *key);
static uint64_t time_of(const AtNoteSignature *signature);
static void count_events(AtEvidenceHead *head, const AtEvidence *evidence);

AtError
at_evidence_head_read(AtEvidenceHead *head, const AtEvidence *evidence)
{
	AtError error = at_note_read(&head->note, evidence->checkpoint);

	if (error == AT_OK)
		error = at_checkpoint_read(&head->checkpoint, head->note.text);
	if (error == AT_OK)
		error = verify_lines(head, evidence->keys);
	count_events(head, evidence);
	return error;
}

bool
at_evidence_key_next(AtText *keys, AtText *line, AtPublicKey *key)
{
	AtText rest = *keys;

	if (!at_text_line(&rest, line) || at_key_read_public(key, *line) != AT_OK)
		return false;

	*keys = rest;
	return true;
}

bool
at_evidence_key_is_own(const AtEvidenceHead *head, const AtPublicKey *key)
{
	return key->type == AT_KEY_NOTE && at_text_equal(at_text(key->name), head->checkpoint.origin);
}

const AtEvidenceEntry *
at_evidence_entry(const AtEvidence *evidence, uint64_t log_index)
{
	return find(evidence->entry, evidence->entry_count, sizeof(*evidence->entry), log_index);
}

const AtEvidenceTransaction *
at_evidence_transaction(const AtEvidence *evidence, uint64_t tx_id)
{
	return find(evidence->transaction, evidence->transaction_count, sizeof(*evidence->transaction),
				tx_id);
}

const AtEvidenceSession *
at_evidence_session(const AtEvidence *evidence, uint64_t session_id)
{
	return find(evidence->session, evidence->session_count, sizeof(*evidence->session), session_id);
}

const AtEvidenceTransaction *
at_evidence_first(const AtEvidence *evidence)
{
	for (size_t i = 0; i < evidence->transaction_count; i++)
		if (evidence->transaction[i].event_count > 0)
			return &evidence->transaction[i];

	return NULL;
}

AtStamped
at_evidence_stamped(const AtEvidenceHead *head, const AtEvidence *evidence, AtText response,
					int64_t *when)
{
	AtText file = evidence->checkpoint;
	AtText lines = {file.data + head->note.text.len + 1, file.len - head->note.text.len - 1};
	AtText line;

	(void) at_text_line(&lines, &line);
	if (at_receipt_is_stamp(response, file, when))
		return AT_STAMPED_FILE;
	if (at_receipt_is_stamp(response, (AtText){file.data, file.len - lines.len}, when))
		return AT_STAMPED_NOTE;
	return at_receipt_is_stamp(response, head->note.text, when) ? AT_STAMPED_TEXT
																: AT_STAMPED_NOTHING;
}

void
at_evidence_out_seconds(AtOutput *output, int64_t when)
{
	if (when > -SECONDS_MAX && when < SECONDS_MAX)
		at_out_long_time(output, when * MICROSECONDS);
	else
		at_out_string(output, "a time that cannot be");
}

int
at_evidence_text_lines(const AtEvidenceHead *head)
{
	AtText text = head->note.text;
	AtText line;
	int count = 0;

	while (at_text_line(&text, &line))
		count++;
	return count;
}

/* By bisection in an array of structs that begin with their name. */
static const void *
find(const void *array, size_t count, size_t size, uint64_t name)
{
	size_t low = 0;
	size_t high = count;

	while (low < high)
	{
		size_t middle = low + (high - low) / 2;
		const void *part = (const char *) array + middle * size;

		if (*(const uint64_t *) part == name)
			return part;
		if (*(const uint64_t *) part < name)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

/* Verify what can be, and find the key of the log among those that signed. */
static AtError
verify_lines(AtEvidenceHead *head, AtText keys)
{
	AtText line;
	AtPublicKey key;

	head->signature = -1;
	for (int i = 0; i < head->note.signature_count; i++)
		head->line[i] = (AtEvidenceLine){.when = time_of(&head->note.signature[i])};
	while (at_evidence_key_next(&keys, &line, &key))
	{
		AtError error = verify_key(head, line, &key);

		if (error != AT_OK)
			return error;
	}
	if (keys.len > 0)
		return AT_ERR_KEY_FORM;
	return head->signature >= 0 ? AT_OK : AT_ERR_NOT_SIGNED;
}

/* That a key has not signed, or not this, is no error. */
static AtError
verify_key(AtEvidenceHead *head, AtText line, const AtPublicKey *key)
{
	uint64_t when;
	AtError error = key->type == AT_KEY_NOTE ? at_note_verify(&head->note, key)
											 : at_cosignature_verify(&head->note, key, &when);

	if (error != AT_OK)
		return error == AT_ERR_LIBCRYPTO ? error : AT_OK;
	for (int i = 0; i < head->note.signature_count; i++)
	{
		const AtNoteSignature *signature = &head->note.signature[i];

		if (signature->key_id != key->id || !at_text_equal(signature->name, at_text(key->name)))
			continue;
		head->line[i].is_verified = true;
		head->line[i].key_line = line;
		if (at_evidence_key_is_own(head, key))
		{
			head->key = *key;
			head->key_line = line;
			head->signature = i;
		}
	}
	return AT_OK;
}

/* What the line of a cosignature says. */
static uint64_t
time_of(const AtNoteSignature *signature)
{
	uint8_t bytes[COSIGNATURE_LEN];

	return at_base64_decode(signature->base64, bytes, sizeof(bytes)) ? at_get_u64(bytes + ID_LEN)
																	 : 0;
}

static void
count_events(AtEvidenceHead *head, const AtEvidence *evidence)
{
	head->event_count = 0;
	head->first_at = INT64_MAX;
	head->last_at = INT64_MIN;
	head->log_id = NULL;
	for (size_t i = 0; i < evidence->transaction_count; i++)
	{
		const AtEvidenceTransaction *transaction = &evidence->transaction[i];

		head->event_count += transaction->event_count;
		for (size_t j = 0; j < transaction->event_count; j++)
		{
			AtText body = transaction->event[j].body;
			AtEventBody event;

			if (!at_event_body_read(&event, at_text_bytes(body), body.len))
				continue;
			head->log_id = event.log_id;
			if (event.occurred_at < head->first_at)
				head->first_at = event.occurred_at;
			if (event.occurred_at > head->last_at)
				head->last_at = event.occurred_at;
		}
	}
}
