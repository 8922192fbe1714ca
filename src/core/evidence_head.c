/*-------------------------------------------------------------------------
 * evidence_head.c
 *		What the readable files of a bundle have in common: its checkpoint, who
 *		signed it, and the numbers of it all.
 *-------------------------------------------------------------------------
 */
#include "core/cosignature.h"
#include "core/evidence_head.h"

static const void *find(const void *array, size_t count, size_t size, uint64_t name);
static AtError find_key(AtEvidenceHead *head, AtText keys);
static int find_signature(const AtNote *note, const AtPublicKey *key);
static void count_events(AtEvidenceHead *head, const AtEvidence *evidence);
static bool contains(AtText text, const AtHash *hash);

AtError
at_evidence_head_read(AtEvidenceHead *head, const AtEvidence *evidence)
{
	AtError error = at_note_read(&head->note, evidence->checkpoint);

	if (error == AT_OK)
		error = at_checkpoint_read(&head->checkpoint, head->note.text);
	if (error == AT_OK)
		error = find_key(head, evidence->keys);
	count_events(head, evidence);
	return error;
}

bool
at_evidence_key_next(AtText *keys, AtText *line, AtPublicKey *key)
{
	return at_text_line(keys, line) && at_key_read_public(key, *line) == AT_OK;
}

bool
at_evidence_key_is_own(const AtEvidenceHead *head, const AtPublicKey *key)
{
	return key->type == AT_KEY_NOTE && at_text_equal(at_text(key->name), head->checkpoint.origin);
}

bool
at_evidence_key_signed(const AtEvidenceHead *head, const AtPublicKey *key, uint64_t *when)
{
	*when = 0;
	if (key->type == AT_KEY_NOTE)
		return at_note_verify(&head->note, key) == AT_OK;
	return at_cosignature_verify(&head->note, key, when) == AT_OK;
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

AtError
at_evidence_stamped(AtStamped *stamped, const AtEvidenceHead *head, const AtEvidence *evidence,
					AtText response)
{
	AtText file = evidence->checkpoint;
	AtText lines = {file.data + head->note.text.len + 1, file.len - head->note.text.len - 1};
	AtText line;
	AtHash hash[3];

	(void) at_text_line(&lines, &line);
	if (!at_hash(file.data, file.len, &hash[0]) ||
		!at_hash(file.data, file.len - lines.len, &hash[1]) ||
		!at_hash(file.data, head->note.text.len, &hash[2]))
		return AT_ERR_LIBCRYPTO;

	*stamped = contains(response, &hash[0])   ? AT_STAMPED_FILE
			   : contains(response, &hash[1]) ? AT_STAMPED_NOTE
			   : contains(response, &hash[2]) ? AT_STAMPED_TEXT
											  : AT_STAMPED_NOTHING;
	return AT_OK;
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

/* The key of the log whose signature verifies. */
static AtError
find_key(AtEvidenceHead *head, AtText keys)
{
	AtText line;
	AtPublicKey key;
	uint64_t when;
	bool found = false;

	while (at_evidence_key_next(&keys, &line, &key))
		if (at_evidence_key_is_own(head, &key) && at_evidence_key_signed(head, &key, &when))
		{
			head->key = key;
			head->key_line = line;
			head->signature = find_signature(&head->note, &key);
			found = true;
		}

	if (keys.len > 0)
		return AT_ERR_KEY_FORM;
	return found ? AT_OK : AT_ERR_NOT_SIGNED;
}

/* There is one: it was verified. */
static int
find_signature(const AtNote *note, const AtPublicKey *key)
{
	uint8_t bytes[AT_ED25519_SIGNATURE_LEN];
	int next = 0;

	(void) at_note_find(note, key, &next, bytes, sizeof(bytes));
	return next - 1;
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

static bool
contains(AtText text, const AtHash *hash)
{
	for (size_t i = 0; i + AT_HASH_LEN <= text.len; i++)
		if (memcmp(text.data + i, hash->bytes, AT_HASH_LEN) == 0)
			return true;

	return false;
}
