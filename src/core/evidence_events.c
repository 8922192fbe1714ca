/*-------------------------------------------------------------------------
 * evidence_events.c
 *		events.json: all that a bundle holds, for programs and for people.
 *
 * Recorded JSON stands there as JSON, its numbers with their digits. What is
 * not JSON is a string, and of what is not UTF-8 the exact bytes follow in a
 * member NAME_base64. A missing text is null.
 *-------------------------------------------------------------------------
 */
#include "core/calendar.h"
#include "core/escape.h"
#include "core/evidence_head.h"
#include "core/json_text.h"

#define FORMAT "audit_trail evidence 1"

/* Where in the document we are. */
typedef struct Document
{
	AtOutput *output;
	int depth;
	bool first; /* of the object or array */
} Document;

static void write_log(Document *document, const AtEvidence *evidence, const AtEvidenceHead *head);
static AtError write_keys(Document *document, const AtEvidence *evidence,
						  const AtEvidenceHead *head);
static void write_signatures(Document *document, const AtEvidenceHead *head);
static void write_stamps(Document *document, const AtEvidence *evidence,
						 const AtEvidenceHead *head);
static void write_entries(Document *document, const AtEvidence *evidence);
static AtError write_transactions(Document *document, const AtEvidence *evidence);
static AtError write_transaction(Document *document, const AtEvidenceTransaction *transaction);
static void write_context(Document *document, const AtTransactionBody *body);
static void write_sessions(Document *document, const AtEvidence *evidence);
static AtError write_event(Document *document, AtText bytes);
static void begin(Document *document, const char *name, const char *bracket);
static void end(Document *document, const char *bracket);
static void next(Document *document, const char *name);
static void put_string(Document *document, const char *name, AtText text);
static void put_text(Document *document, const char *name, AtSpan span);
static void put_json(Document *document, const char *name, AtSpan span);
static void put_bytes(Document *document, const char *name, AtText text);
static void put_number(Document *document, const char *name, uint64_t number);
static void put_flag(Document *document, const char *name, bool flag);
static void put_time(Document *document, const char *name, int64_t time);
static void put_hash(Document *document, const char *name, const AtHash *hash);

AtError
at_evidence_write_events(AtOutput *output, const AtEvidence *evidence)
{
	Document document = {.output = output, .first = true};
	AtEvidenceHead head;
	AtError error = at_evidence_head_read(&head, evidence);

	begin(&document, NULL, "{");
	put_string(&document, "format", at_text(FORMAT));
	write_log(&document, evidence, &head);
	if (error == AT_OK)
		error = write_keys(&document, evidence, &head);
	write_signatures(&document, &head);
	write_stamps(&document, evidence, &head);
	write_entries(&document, evidence);
	write_sessions(&document, evidence);
	if (error == AT_OK)
		error = write_transactions(&document, evidence);
	end(&document, "}");
	at_out_string(output, "\n");

	AtError end_error = at_output_end(output);

	return error != AT_OK ? error : end_error;
}

static void
write_log(Document *document, const AtEvidence *evidence, const AtEvidenceHead *head)
{
	begin(document, "log", "{");
	put_string(document, "origin", head->checkpoint.origin);
	next(document, "log_id");
	at_out_string(document->output, "\"");
	at_out_hex(document->output, head->log_id, AT_LOG_ID_LEN);
	at_out_string(document->output, "\"");
	put_number(document, "size", head->checkpoint.size);
	put_hash(document, "root", &head->checkpoint.root);
	put_string(document, "checkpoint", evidence->checkpoint);
	end(document, "}");
}

static AtError
write_keys(Document *document, const AtEvidence *evidence, const AtEvidenceHead *head)
{
	AtText keys = evidence->keys;
	AtText line;
	AtPublicKey key;

	begin(document, "keys", "[");
	while (at_evidence_key_next(&keys, &line, &key))
	{
		begin(document, NULL, "{");
		put_string(document, "vkey", line);
		put_string(document, "of", at_text(at_evidence_key_is_own(head, &key) ? "log" : "witness"));
		end(document, "}");
	}
	end(document, "]");
	return keys.len == 0 ? AT_OK : AT_ERR_LIBCRYPTO; /* they could be read before */
}

static void
write_signatures(Document *document, const AtEvidenceHead *head)
{
	begin(document, "signatures", "[");
	for (int i = 0; i < head->note.signature_count; i++)
	{
		const AtEvidenceLine *line = &head->line[i];

		begin(document, NULL, "{");
		put_string(document, "name", head->note.signature[i].name);
		put_flag(document, "holds_under_a_key_here", line->is_verified);
		if (line->when > 0)
			put_number(document, "unix_seconds", line->when);
		end(document, "}");
	}
	end(document, "]");
}

static void
write_stamps(Document *document, const AtEvidence *evidence, const AtEvidenceHead *head)
{
	begin(document, "timestamps", "[");
	for (size_t i = 0; i < evidence->stamp_count; i++)
	{
		int64_t when;
		bool is_ours = at_evidence_stamped(head, evidence, evidence->stamp[i].response, &when) !=
					   AT_STAMPED_NOTHING;

		begin(document, NULL, "{");
		put_string(document, "name", evidence->stamp[i].name);
		put_flag(document, "of_this_checkpoint", is_ours);
		if (is_ours)
		{
			next(document, "unix_seconds");
			at_out_signed(document->output, when);
		}
		end(document, "}");
	}
	end(document, "]");
}

static void
write_entries(Document *document, const AtEvidence *evidence)
{
	begin(document, "entries", "[");
	for (size_t i = 0; i < evidence->entry_count; i++)
	{
		AtText bytes = evidence->entry[i].body;
		AtEntryBody body;

		if (!at_entry_body_read(&body, at_text_bytes(bytes), bytes.len))
			continue;
		begin(document, NULL, "{");
		put_number(document, "log_index", body.log_index);
		put_text(document, "kind", body.kind);
		put_time(document, "sealed_at", body.sealed_at);
		put_number(document, "incarnation", body.incarnation);
		put_hash(document, "previous", &body.previous);
		put_hash(document, "root", &body.root);
		put_number(document, "leaf_count", body.leaf_count);
		put_number(document, "transaction_count", body.tx_count);
		put_number(document, "event_count", body.event_count);
		put_text(document, "snapshot", body.snapshot);
		put_json(document, "payload", body.payload);
		end(document, "}");
	}
	end(document, "]");
}

static AtError
write_transactions(Document *document, const AtEvidence *evidence)
{
	AtError error = AT_OK;

	begin(document, "transactions", "[");
	for (size_t i = 0; i < evidence->transaction_count && error == AT_OK; i++)
		error = write_transaction(document, &evidence->transaction[i]);
	end(document, "]");
	return error;
}

static AtError
write_transaction(Document *document, const AtEvidenceTransaction *transaction)
{
	AtText bytes = transaction->body;
	AtError error = AT_OK;
	AtTransactionBody body;
	AtHash leaf;

	if (!at_transaction_body_read(&body, at_text_bytes(bytes), bytes.len))
		return AT_ERR_EVIDENCE_BODY;
	if (!at_hash_leaf(bytes.data, bytes.len, &leaf))
		return AT_ERR_LIBCRYPTO;

	begin(document, NULL, "{");
	put_number(document, "tx_id", body.tx_id);
	put_number(document, "log_index", transaction->log_index);
	put_hash(document, "leaf_hash", &leaf);
	put_time(document, "began_at", body.tx_at);
	put_time(document, "committed_at", body.committed_at);
	put_number(document, "event_count", body.event_count);
	put_number(document, "events_in_bundle", transaction->event_count);
	put_hash(document, "digest", &body.digest);
	write_context(document, &body);
	begin(document, "events", "[");
	for (size_t i = 0; i < transaction->event_count && error == AT_OK; i++)
		error = write_event(document, transaction->event[i].body);
	end(document, "]");
	end(document, "}");
	return error;
}

static void
write_context(Document *document, const AtTransactionBody *body)
{
	put_text(document, "actor", body->actor);
	put_text(document, "actor_type", body->actor_type);
	put_text(document, "actor_source", body->actor_source);
	put_text(document, "db_user", body->db_user);
	put_text(document, "db_role", body->db_role);
	put_text(document, "application_name", body->application_name);
	put_text(document, "request_id", body->request_id);
	put_text(document, "reason", body->reason);
	put_text(document, "claimed_session", body->claimed_session);
	put_text(document, "claimed_client_ip", body->claimed_client_ip);
	put_text(document, "trace_parent", body->trace_parent);
	put_json(document, "extra", body->extra);
	put_json(document, "context_sources", body->context_sources);
	put_number(document, "xid", body->xid);
	next(document, "system_identifier");
	at_out_string(document->output, "\"");
	at_out_decimal(document->output, body->system_identifier);
	at_out_string(document->output, "\"");
	put_number(document, "database_oid", body->database_oid);
	put_number(document, "session_id", body->session_id);
}

static void
write_sessions(Document *document, const AtEvidence *evidence)
{
	begin(document, "sessions", "[");
	for (size_t i = 0; i < evidence->session_count; i++)
	{
		AtText bytes = evidence->session[i].body;
		AtSessionBody body;

		if (!at_session_body_read(&body, at_text_bytes(bytes), bytes.len))
			continue;
		begin(document, NULL, "{");
		put_number(document, "session_id", body.session_id);
		put_number(document, "written_by_tx_id", evidence->session[i].tx_id);
		put_time(document, "started_at", body.started_at);
		put_number(document, "backend_pid", body.backend_pid);
		put_text(document, "login_user", body.login_user);
		put_text(document, "client_addr", body.client_addr);
		put_number(document, "client_port", body.client_port);
		put_text(document, "application_name", body.application_name);
		put_text(document, "tls", body.tls);
		end(document, "}");
	}
	end(document, "]");
}

static AtError
write_event(Document *document, AtText bytes)
{
	AtEventBody body;
	AtHash leaf;

	if (!at_event_body_read(&body, at_text_bytes(bytes), bytes.len))
		return AT_ERR_EVIDENCE_BODY;
	if (!at_hash_leaf(bytes.data, bytes.len, &leaf))
		return AT_ERR_LIBCRYPTO;

	begin(document, NULL, "{");
	next(document, "event_id");
	at_out_string(document->output, "\"");
	at_out_decimal(document->output, body.tx_id);
	at_out_string(document->output, ".");
	at_out_decimal(document->output, body.ordinal);
	at_out_string(document->output, "\"");
	put_hash(document, "leaf_hash", &leaf);
	put_time(document, "occurred_at", body.occurred_at);
	put_string(document, "op", (AtText){(const char *) &body.op, 1});
	put_text(document, "schema", body.schema);
	put_text(document, "table", body.table);
	put_text(document, "resource_type", body.resource_type);
	put_text(document, "record_key", body.record_key);
	put_text(document, "event_type", body.event_type);
	put_json(document, "old_values", body.old_values);
	put_json(document, "new_values", body.new_values);
	put_json(document, "extra", body.extra);
	end(document, "}");
	return AT_OK;
}

/* Begin an object or array; with a name, as the value of this member. */
static void
begin(Document *document, const char *name, const char *bracket)
{
	if (document->depth > 0)
		next(document, name);
	at_out_string(document->output, bracket);
	document->depth++;
	document->first = true;
}

static void
end(Document *document, const char *bracket)
{
	document->depth--;
	if (!document->first)
	{
		at_out_string(document->output, "\n");
		for (int i = 0; i < document->depth; i++)
			at_out_string(document->output, "\t");
	}
	at_out_string(document->output, bracket);
	document->first = false;
}

/* Begin the next member or element. */
static void
next(Document *document, const char *name)
{
	at_out_string(document->output, document->first ? "\n" : ",\n");
	for (int i = 0; i < document->depth; i++)
		at_out_string(document->output, "\t");
	document->first = false;
	if (name == NULL)
		return;
	at_out_json_string(document->output, at_text(name));
	at_out_string(document->output, ": ");
}

static void
put_string(Document *document, const char *name, AtText text)
{
	next(document, name);
	at_out_json_string(document->output, text);
	if (name != NULL && !at_text_is_utf8(text))
		put_bytes(document, name, text);
}

static void
put_text(Document *document, const char *name, AtSpan span)
{
	if (span.data != NULL)
		put_string(document, name, at_span_text(span));
	else
	{
		next(document, name);
		at_out_string(document->output, "null");
	}
}

/* Text that is JSON, unless somebody wrote something else. */
static void
put_json(Document *document, const char *name, AtSpan span)
{
	AtText text = at_span_text(span);

	if (span.data == NULL || !at_json_text_check(text))
	{
		put_text(document, name, span);
		return;
	}
	next(document, name);
	at_out_json_value(document->output, text);
	if (!at_text_is_utf8(text))
		put_bytes(document, name, text);
}

/* The exact bytes of a text that is not UTF-8. */
static void
put_bytes(Document *document, const char *name, AtText text)
{
	at_out_string(document->output, ",\n");
	for (int i = 0; i < document->depth; i++)
		at_out_string(document->output, "\t");
	at_out_string(document->output, "\"");
	at_out_string(document->output, name);
	at_out_string(document->output, "_base64\": \"");
	at_out_base64(document->output, text.data, text.len);
	at_out_string(document->output, "\"");
}

static void
put_number(Document *document, const char *name, uint64_t number)
{
	next(document, name);
	at_out_decimal(document->output, number);
}

static void
put_flag(Document *document, const char *name, bool flag)
{
	next(document, name);
	at_out_string(document->output, flag ? "true" : "false");
}

static void
put_time(Document *document, const char *name, int64_t time)
{
	next(document, name);
	at_out_string(document->output, "\"");
	at_out_time(document->output, time);
	at_out_string(document->output, "\"");
}

static void
put_hash(Document *document, const char *name, const AtHash *hash)
{
	next(document, name);
	at_out_string(document->output, "\"");
	at_out_hex(document->output, hash->bytes, AT_HASH_LEN);
	at_out_string(document->output, "\"");
}
