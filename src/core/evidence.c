/*-------------------------------------------------------------------------
 * evidence.c
 *		Evidence for outsiders: can it be rendered?
 *-------------------------------------------------------------------------
 */
#include "core/evidence_head.h"
#include "core/evidence_path.h"

static AtError check_stamps(const AtEvidence *evidence);
static AtError check_entries(const AtEvidence *evidence, const uint8_t *log_id);
static AtError check_transactions(const AtEvidence *evidence, const uint8_t *log_id);
static AtError check_transaction(const AtEvidence *evidence,
								 const AtEvidenceTransaction *transaction, const uint8_t *log_id);
static AtError check_sessions(const AtEvidence *evidence, const uint8_t *log_id);
static AtError check_events(const AtEvidenceTransaction *transaction, const uint8_t *log_id);
static bool is_batch(const AtEvidenceEntry *entry);
static bool is_same_log(const uint8_t *one, const uint8_t *other);
static bool is_example(const AtEvidence *evidence);

AtError
at_evidence_check(const AtEvidence *evidence)
{
	AtEvidenceHead head;
	AtError error = at_evidence_head_read(&head, evidence);

	if (error == AT_OK && head.log_id == NULL)
		error = AT_ERR_EVIDENCE_BODY;
	if (error == AT_OK)
		error = check_stamps(evidence);
	if (error == AT_OK)
		error = check_entries(evidence, head.log_id);
	if (error == AT_OK)
		error = check_transactions(evidence, head.log_id);
	if (error == AT_OK)
		error = check_sessions(evidence, head.log_id);
	if (error == AT_OK && !is_example(evidence))
		error = AT_ERR_EVENT_PROOF;
	return error;
}

static AtError
check_stamps(const AtEvidence *evidence)
{
	for (size_t i = 0; i < evidence->stamp_count; i++)
	{
		if (!at_evidence_name_is_valid(evidence->stamp[i].name))
			return AT_ERR_EVIDENCE_PATH;
		if (i > 0 && at_text_compare(evidence->stamp[i - 1].name, evidence->stamp[i].name) >= 0)
			return AT_ERR_EVIDENCE_ORDER;
	}
	return AT_OK;
}

static AtError
check_entries(const AtEvidence *evidence, const uint8_t *log_id)
{
	for (size_t i = 0; i < evidence->entry_count; i++)
	{
		const AtEvidenceEntry *entry = &evidence->entry[i];
		AtEntryBody body;

		if (i > 0 && evidence->entry[i - 1].log_index >= entry->log_index)
			return AT_ERR_EVIDENCE_ORDER;
		if (!at_entry_body_read(&body, at_text_bytes(entry->body), entry->body.len) ||
			body.log_index != entry->log_index || !is_same_log(body.log_id, log_id))
			return AT_ERR_EVIDENCE_BODY;
	}
	return AT_OK;
}

static AtError
check_transactions(const AtEvidence *evidence, const uint8_t *log_id)
{
	for (size_t i = 0; i < evidence->transaction_count; i++)
	{
		const AtEvidenceTransaction *transaction = &evidence->transaction[i];

		if (i > 0 && evidence->transaction[i - 1].tx_id >= transaction->tx_id)
			return AT_ERR_EVIDENCE_ORDER;

		AtError error = check_transaction(evidence, transaction, log_id);

		if (error != AT_OK)
			return error;
	}
	return AT_OK;
}

static AtError
check_transaction(const AtEvidence *evidence, const AtEvidenceTransaction *transaction,
				  const uint8_t *log_id)
{
	AtText bytes = transaction->body;
	AtTransactionBody body;

	if (!at_transaction_body_read(&body, at_text_bytes(bytes), bytes.len) ||
		body.tx_id != transaction->tx_id || !is_same_log(body.log_id, log_id))
		return AT_ERR_EVIDENCE_BODY;
	if (!is_batch(at_evidence_entry(evidence, transaction->log_index)))
		return AT_ERR_ENTRY;
	return check_events(transaction, log_id);
}

static AtError
check_events(const AtEvidenceTransaction *transaction, const uint8_t *log_id)
{
	for (size_t i = 0; i < transaction->event_count; i++)
	{
		const AtEvidenceEvent *event = &transaction->event[i];
		AtEventBody body;

		if (i > 0 && transaction->event[i - 1].ordinal >= event->ordinal)
			return AT_ERR_EVIDENCE_ORDER;
		if (!at_event_body_read(&body, at_text_bytes(event->body), event->body.len) ||
			body.tx_id != transaction->tx_id || body.ordinal != event->ordinal ||
			!is_same_log(body.log_id, log_id))
			return AT_ERR_EVIDENCE_BODY;
	}
	return AT_OK;
}

static AtError
check_sessions(const AtEvidence *evidence, const uint8_t *log_id)
{
	for (size_t i = 0; i < evidence->session_count; i++)
	{
		const AtEvidenceSession *session = &evidence->session[i];
		AtSessionBody body;

		if (i > 0 && evidence->session[i - 1].session_id >= session->session_id)
			return AT_ERR_EVIDENCE_ORDER;
		if (!at_session_body_read(&body, at_text_bytes(session->body), session->body.len) ||
			body.session_id != session->session_id || !is_same_log(body.log_id, log_id) ||
			at_evidence_transaction(evidence, session->tx_id) == NULL)
			return AT_ERR_EVIDENCE_BODY;
	}
	return AT_OK;
}

/* Its body was checked. */
static bool
is_batch(const AtEvidenceEntry *entry)
{
	AtEntryBody body;

	return entry != NULL &&
		   at_entry_body_read(&body, at_text_bytes(entry->body), entry->body.len) &&
		   at_text_equal(at_span_text(body.kind), at_text("events"));
}

static bool
is_same_log(const uint8_t *one, const uint8_t *other)
{
	return memcmp(one, other, AT_LOG_ID_LEN) == 0;
}

/* There is an event: it told the log. */
static bool
is_example(const AtEvidence *evidence)
{
	const AtEvidenceTransaction *transaction = at_evidence_first(evidence);
	const AtEventProof *example = evidence->example;
	const AtEvidenceEntry *entry = at_evidence_entry(evidence, transaction->log_index);

	return at_text_equal(example->body, transaction->event[0].body) &&
		   at_text_equal(example->entry, entry->body) &&
		   example->log.index == transaction->log_index;
}
