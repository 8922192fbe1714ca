/*-------------------------------------------------------------------------
 * bundle_whole.c
 *		Do the transactions, events and sessions of a bundle fit together?
 *
 * Each has been proved by itself. What binds them are the digest in a
 * transaction, which is over all of its events, and that of the session it wrote.
 *-------------------------------------------------------------------------
 */
#include <inttypes.h>
#include <stdio.h>

#include "bundle.h"
#include "core/evidence_head.h"
#include "message.h"

#define PART_MAX 60

static bool check_transaction(AtBundle *bundle, const AtEvidenceTransaction *transaction);
static const char *check_events(AtBundle *bundle, const AtEvidenceTransaction *transaction,
								const AtTransactionBody *body);
static bool has_digest(const AtEvidenceTransaction *transaction, const AtTransactionBody *body);
static const char *check_session(const AtBundle *bundle, const AtTransactionBody *body);
static bool is_digest_of(AtSpan digest, AtText session);
static bool check_writer(AtBundle *bundle, const AtEvidenceSession *session);

bool
at_bundle_check_whole(AtBundle *bundle)
{
	const AtEvidence *evidence = &bundle->evidence;
	bool whole = true;

	for (size_t i = 0; i < evidence->transaction_count; i++)
		whole &= check_transaction(bundle, &evidence->transaction[i]);
	for (size_t i = 0; i < evidence->session_count; i++)
		whole &= check_writer(bundle, &evidence->session[i]);
	return whole;
}

static bool
check_transaction(AtBundle *bundle, const AtEvidenceTransaction *transaction)
{
	char part[PART_MAX];
	AtTransactionBody body;
	const char *problem = "it is not the body of this transaction";

	if (at_transaction_body_read(&body, at_text_bytes(transaction->body), transaction->body.len) &&
		body.tx_id == transaction->tx_id)
	{
		problem = check_events(bundle, transaction, &body);
		if (problem == NULL)
			problem = check_session(bundle, &body);
	}
	if (problem == NULL)
		return true;

	snprintf(part, sizeof(part), "tx/%" PRIu64 "/transaction.body", transaction->tx_id);
	at_result_fault(bundle->result, part, "%s", problem);
	return false;
}

/* What is wrong; NULL if nothing is. */
static const char *
check_events(AtBundle *bundle, const AtEvidenceTransaction *transaction,
			 const AtTransactionBody *body)
{
	size_t count = transaction->event_count;

	if (count > 0 && transaction->event[count - 1].ordinal > body->event_count)
		return "an event is here that it does not count";
	if (count == body->event_count && !has_digest(transaction, body))
		return "its digest is not that of its events";
	if (count == 0)
		at_result_add(bundle->result, AT_PROVED,
					  "transaction %" PRIu64 " (for its session; none of its %" PRIu32
					  " events is here)",
					  body->tx_id, body->event_count);
	else if (count == body->event_count)
		at_result_add(bundle->result, AT_PROVED,
					  "transaction %" PRIu64 ", whole: all of its %" PRIu32 " events", body->tx_id,
					  body->event_count);
	else
		at_result_add(bundle->result, AT_PROVED,
					  "transaction %" PRIu64 ", in part: %zu of its %" PRIu32 " events",
					  body->tx_id, count, body->event_count);
	return NULL;
}

/* The ordinals ascend, and are as many as are counted: so they are 1, 2, and so on. */
static bool
has_digest(const AtEvidenceTransaction *transaction, const AtTransactionBody *body)
{
	AtHash chain;
	AtHash leaf;

	if (!at_chain_start(body->log_id, body->tx_id, &chain))
		at_check_machine(AT_ERR_LIBCRYPTO);
	for (size_t i = 0; i < transaction->event_count; i++)
	{
		AtText event = transaction->event[i].body;

		if (!at_hash_leaf(event.data, event.len, &leaf) || !at_chain_add(&chain, &leaf))
			at_check_machine(AT_ERR_LIBCRYPTO);
	}
	return memcmp(&chain, &body->digest, sizeof(chain)) == 0;
}

/* What is wrong with the session of a transaction; NULL if nothing is. */
static const char *
check_session(const AtBundle *bundle, const AtTransactionBody *body)
{
	const AtEvidenceSession *session = at_evidence_session(&bundle->evidence, body->session_id);

	if (session == NULL)
		return "its session is missing";
	if (body->session_digest.data == NULL)
		return NULL;
	if (session->tx_id != body->tx_id)
		return "the session that it wrote is missing";
	return is_digest_of(body->session_digest, session->body)
			   ? NULL
			   : "the digest of its session is not that of session.body";
}

static bool
is_digest_of(AtSpan digest, AtText session)
{
	AtHash hash;

	if (!at_hash(session.data, session.len, &hash))
		at_check_machine(AT_ERR_LIBCRYPTO);
	return digest.len == AT_HASH_LEN && memcmp(digest.data, &hash, AT_HASH_LEN) == 0;
}

/* Only by the digest of the transaction that wrote it is a session proved. */
static bool
check_writer(AtBundle *bundle, const AtEvidenceSession *session)
{
	const AtEvidenceTransaction *transaction =
		at_evidence_transaction(&bundle->evidence, session->tx_id);
	char part[PART_MAX];
	AtTransactionBody body;

	if (at_transaction_body_read(&body, at_text_bytes(transaction->body), transaction->body.len) &&
		body.session_id == session->session_id && body.session_digest.data != NULL)
		return true;

	snprintf(part, sizeof(part), "tx/%" PRIu64 "/session.body", session->tx_id);
	at_result_fault(bundle->result, part, "its transaction did not write it");
	return false;
}
