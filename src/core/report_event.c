/*-------------------------------------------------------------------------
 * report_event.c
 *		Transactions and events in report.html: who did what, when, from where
 *		and why.
 *
 * What the application says and what the database server knows are kept
 * apart, and each row says whose word it is.
 *-------------------------------------------------------------------------
 */
#include "core/calendar.h"
#include "core/escape.h"
#include "core/json_text.h"
#include "core/operation.h"
#include "core/report.h"

#define SAID  "the application says so"
#define KNOWN "the server knows it"

static void write_left_out(AtOutput *output, uint64_t count);
static AtError write_transaction(AtOutput *output, const AtEvidence *evidence,
								 const AtEvidenceTransaction *transaction);
static void write_summary(AtOutput *output, const AtTransactionBody *body);
static void write_who(AtOutput *output, const AtEvidence *evidence, const AtTransactionBody *body);
static void write_session(AtOutput *output, const AtEvidence *evidence, uint64_t session_id);
static void write_completeness(AtOutput *output, const AtEvidence *evidence,
							   const AtEvidenceTransaction *transaction, uint32_t event_count);
static AtError write_event(AtOutput *output, AtText bytes);
static void write_what(AtOutput *output, const AtEventBody *body);
static void write_changes(AtOutput *output, const AtEventBody *body);
static bool have_equal_keys(AtText one, AtText other);
static void write_both(AtOutput *output, AtText old_members, AtText new_members);
static void write_one(AtOutput *output, AtSpan values, const char *title, const char *class_name);
static void write_context(AtOutput *output, const AtEventBody *body);
static void write_besides(AtOutput *output, const AtEventBody *body);
static void write_members(AtOutput *output, const char *title, AtText members);
static void write_label(AtOutput *output, AtText key);
static void write_cell(AtOutput *output, const char *class_name, AtText value);
static bool is_actor_claimed(const AtTransactionBody *body);

AtError
at_report_transactions(AtOutput *output, const AtEvidence *evidence)
{
	size_t left = AT_REPORT_EVENTS;
	uint64_t left_out = 0;

	for (size_t i = 0; i < evidence->transaction_count; i++)
	{
		const AtEvidenceTransaction *transaction = &evidence->transaction[i];
		size_t shown = transaction->event_count < left ? transaction->event_count : left;

		AtError error = shown > 0 ? write_transaction(output, evidence, transaction) : AT_OK;

		for (size_t j = 0; j < shown && error == AT_OK; j++)
			error = write_event(output, transaction->event[j].body);
		if (error != AT_OK)
			return error;
		left -= shown;
		left_out += transaction->event_count - shown;
	}
	if (left_out > 0)
		write_left_out(output, left_out);
	return AT_OK;
}

static void
write_left_out(AtOutput *output, uint64_t count)
{
	at_out_string(output, "<p class=\"no\"><strong>");
	at_report_count(output, count, "more event is", "more events are");
	at_out_string(output,
				  " in this bundle and not in this report.</strong> They are in events.json, "
				  "and proved like those above.</p>\n");
}

static AtError
write_transaction(AtOutput *output, const AtEvidence *evidence,
				  const AtEvidenceTransaction *transaction)
{
	AtText bytes = transaction->body;
	AtTransactionBody body;

	if (!at_transaction_body_read(&body, at_text_bytes(bytes), bytes.len))
		return AT_ERR_EVIDENCE_BODY;
	at_out_string(output, "<h3>Transaction ");
	at_out_decimal(output, body.tx_id);
	at_out_string(output, "</h3>\n");
	write_summary(output, &body);
	write_who(output, evidence, &body);
	write_completeness(output, evidence, transaction, body.event_count);
	return AT_OK;
}

/* One sentence. */
static void
write_summary(AtOutput *output, const AtTransactionBody *body)
{
	at_out_string(output, "<p>On ");
	at_out_long_time(output, body->committed_at);
	at_out_string(output, ", <strong>");
	at_out_html(output, at_span_text(body->actor));
	at_out_string(output, is_actor_claimed(body) ? "</strong> (as the application says)"
												 : "</strong> (a user of the database)");
	at_out_string(output, " made this transaction, with ");
	at_report_count(output, body->event_count, "recorded event", "recorded events");
	if (body->reason.data != NULL)
	{
		at_out_string(output, ", for the reason &ldquo;");
		at_out_html(output, at_span_text(body->reason));
		at_out_string(output, "&rdquo;");
	}
	at_out_string(output, ".</p>\n");
}

static void
write_who(AtOutput *output, const AtEvidence *evidence, const AtTransactionBody *body)
{
	at_out_string(output, "<table class=\"facts\">\n");
	at_report_row(output, "Who", at_span_text(body->actor), is_actor_claimed(body) ? SAID : KNOWN);
	at_report_row(output, "What kind of actor", at_span_text(body->actor_type), SAID);
	at_report_row(output, "Why", at_span_text(body->reason), SAID);
	at_report_row(output, "Request", at_span_text(body->request_id), SAID);
	at_report_row(output, "Their session", at_span_text(body->claimed_session), SAID);
	at_report_row(output, "Their address", at_span_text(body->claimed_client_ip), SAID);
	at_report_row(output, "Trace", at_span_text(body->trace_parent), SAID);
	at_report_row(output, "Program", at_span_text(body->application_name),
				  "the program calls itself so");
	at_report_row(output, "Database user", at_span_text(body->db_user), KNOWN);
	at_report_row(output, "Acting as role", at_span_text(body->db_role), KNOWN);
	write_session(output, evidence, body->session_id);
	at_report_row(output, "Further", at_span_text(body->extra), SAID);
	at_report_row(output, "Taken from", at_span_text(body->context_sources), KNOWN);
	at_out_string(output, "<tr><th>Began</th><td>");
	at_out_long_time(output, body->tx_at);
	at_out_string(output, "</td><td class=\"word\">" KNOWN "</td></tr>\n</table>\n");
}

static void
write_session(AtOutput *output, const AtEvidence *evidence, uint64_t session_id)
{
	const AtEvidenceSession *session = at_evidence_session(evidence, session_id);
	AtSessionBody body;

	if (session == NULL ||
		!at_session_body_read(&body, at_text_bytes(session->body), session->body.len))
		return;
	at_report_row(output, "Logged in as", at_span_text(body.login_user), KNOWN);
	if (body.client_addr.data != NULL)
	{
		at_out_string(output, "<tr><th>From the address</th><td>");
		at_out_html(output, at_span_text(body.client_addr));
		at_out_string(output, ", port ");
		at_out_decimal(output, body.client_port);
		at_out_string(output, "</td><td class=\"word\">" KNOWN "</td></tr>\n");
	}
	else
		at_report_row(output, "From the address", at_text("the database server itself, no network"),
					  KNOWN);
	at_report_row(output, "Encrypted by", at_span_text(body.tls), KNOWN);
	at_out_string(output, "<tr><th>Session</th><td>number ");
	at_out_decimal(output, body.session_id);
	at_out_string(output, ", process ");
	at_out_decimal(output, body.backend_pid);
	at_out_string(output, ", since ");
	at_out_long_time(output, body.started_at);
	at_out_string(output, "</td><td class=\"word\">" KNOWN "</td></tr>\n");
}

static void
write_completeness(AtOutput *output, const AtEvidence *evidence,
				   const AtEvidenceTransaction *transaction, uint32_t event_count)
{
	const AtEvidenceEntry *entry = at_evidence_entry(evidence, transaction->log_index);
	AtEntryBody body;

	at_out_string(output, "<p class=\"small\">");
	if (transaction->event_count == event_count)
		at_out_string(
			output,
			event_count == 1
				? "The transaction has one event, and it is here."
				: "All events of the transaction are here; that none is missing is proved.");
	else
	{
		at_out_string(output, "Of the ");
		at_out_decimal(output, event_count);
		at_out_string(output, " events of the transaction, ");
		at_out_decimal(output, transaction->event_count);
		at_out_string(output, transaction->event_count == 1 ? " is here." : " are here.");
	}
	if (entry != NULL && at_entry_body_read(&body, at_text_bytes(entry->body), entry->body.len))
	{
		at_out_string(output, " Sealed in entry ");
		at_out_decimal(output, body.log_index);
		at_out_string(output, " of the log on ");
		at_out_long_time(output, body.sealed_at);
		at_out_string(output, ".");
	}
	at_out_string(output, "</p>\n");
}

static AtError
write_event(AtOutput *output, AtText bytes)
{
	AtEventBody body;
	AtHash leaf;

	if (!at_event_body_read(&body, at_text_bytes(bytes), bytes.len))
		return AT_ERR_EVIDENCE_BODY;
	if (!at_hash_leaf(bytes.data, bytes.len, &leaf))
		return AT_ERR_LIBCRYPTO;
	at_out_string(output, "<h4>");
	at_out_decimal(output, body.tx_id);
	at_out_string(output, ".");
	at_out_decimal(output, body.ordinal);
	at_out_string(output, " &nbsp; ");
	write_what(output, &body);
	at_out_string(output, "</h4>\n<p class=\"small\">");
	at_out_long_time(output, body.occurred_at);
	at_out_string(output, ", table ");
	at_out_html(output, at_span_text(body.schema));
	at_out_string(output, ".");
	at_out_html(output, at_span_text(body.table));
	if (body.event_type.data != NULL)
	{
		at_out_string(output, ", event ");
		at_out_html(output, at_span_text(body.event_type));
	}
	at_out_string(output, "<br>Fingerprint <code>");
	at_out_hex(output, leaf.bytes, sizeof(leaf.bytes));
	at_out_string(output, "</code></p>\n");
	write_context(output, &body);
	write_changes(output, &body);
	write_besides(output, &body);
	return AT_OK;
}

/* "order 42 was changed" */
static void
write_what(AtOutput *output, const AtEventBody *body)
{
	const AtOperation *operation = at_operation((char) body->op);

	at_out_html(output, at_span_text(body->resource_type));
	if (body->record_key.data != NULL)
	{
		at_out_string(output, " ");
		at_out_html(output, at_span_text(body->record_key));
	}
	if (operation != NULL)
	{
		at_out_string(output,
					  body->record_key.data != NULL ? operation->of_row : operation->of_table);
		return;
	}
	at_out_string(output, ": an event of the kind ");
	at_out_html(output, (AtText){(const char *) &body->op, 1});
}

/* Old and new values beside one another where they are of the same fields. */
static void
write_changes(AtOutput *output, const AtEventBody *body)
{
	AtText old_values = at_span_text(body->old_values);
	AtText new_values = at_span_text(body->new_values);
	AtText old_members;
	AtText new_members;

	if (body->old_values.data != NULL && body->new_values.data != NULL &&
		at_json_text_check(old_values) && at_json_text_check(new_values) &&
		at_json_text_open(old_values, &old_members) &&
		at_json_text_open(new_values, &new_members) && have_equal_keys(old_members, new_members))
	{
		write_both(output, old_members, new_members);
		return;
	}
	write_one(output, body->old_values, "Before", "old");
	write_one(output, body->new_values, body->op == 'I' || body->op == 'U' ? "After" : "Values",
			  "new");
}

static bool
have_equal_keys(AtText one, AtText other)
{
	AtText one_key;
	AtText other_key;
	AtText value;
	bool more;

	do
	{
		more = at_json_text_next(&one, &one_key, &value);
		if (at_json_text_next(&other, &other_key, &value) != more ||
			(more && !at_text_equal(one_key, other_key)))
			return false;
	} while (more);
	return true;
}

static void
write_both(AtOutput *output, AtText old_members, AtText new_members)
{
	AtText key;
	AtText old_value;
	AtText new_value;

	at_out_string(output, "<table class=\"change\">\n<thead><tr><th>Field</th><th>Before</th>"
						  "<th>After</th></tr></thead>\n");
	while (at_json_text_next(&old_members, &key, &old_value) &&
		   at_json_text_next(&new_members, &key, &new_value))
	{
		at_out_string(output, "<tr><th>");
		at_out_html_string(output, key);
		at_out_string(output, "</th>");
		write_cell(output, "old", old_value);
		write_cell(output, "new", new_value);
		at_out_string(output, "</tr>\n");
	}
	at_out_string(output, "</table>\n");
}

/* One side. What is not an object of JSON is shown as it is. */
static void
write_one(AtOutput *output, AtSpan values, const char *title, const char *class_name)
{
	AtText text = at_span_text(values);
	bool is_json = values.data != NULL && at_json_text_check(text);
	AtText members;
	AtText key;
	AtText value;

	if (values.data == NULL)
		return;
	at_out_string(output, "<table class=\"change\">\n<thead><tr><th>Field</th><th>");
	at_out_string(output, title);
	at_out_string(output, "</th></tr></thead>\n");
	if (!is_json || !at_json_text_open(text, &members))
	{
		at_out_string(output, "<tr><th>(all)</th>");
		write_cell(output, class_name, text);
		at_out_string(output, "</tr>\n</table>\n");
		return;
	}
	while (at_json_text_next(&members, &key, &value))
	{
		at_out_string(output, "<tr><th>");
		at_out_html_string(output, key);
		at_out_string(output, "</th>");
		write_cell(output, class_name, value);
		at_out_string(output, "</tr>\n");
	}
	at_out_string(output, "</table>\n");
}

/* Who acted, where that is not, or not only, who the transaction names. */
static void
write_context(AtOutput *output, const AtEventBody *body)
{
	AtText text = at_span_text(body->extra);
	AtText context;

	if (body->extra.data != NULL && at_json_text_check(text) &&
		at_json_text_find(text, "context", &context) && at_json_text_open(context, &context))
		write_members(output, "For this event alone", context);
}

/* What else was recorded with the event. */
static void
write_besides(AtOutput *output, const AtEventBody *body)
{
	AtText text = at_span_text(body->extra);
	AtText members;

	if (body->extra.data == NULL)
		return;
	if (!at_json_text_check(text) || !at_json_text_open(text, &members))
	{
		at_out_string(output, "<table class=\"facts\">\n");
		at_report_row(output, "Recorded besides", text, NULL);
		at_out_string(output, "</table>\n");
		return;
	}
	write_members(output, "Recorded besides", members);
}

/* All but the context, by what they are called. */
static void
write_members(AtOutput *output, const char *title, AtText members)
{
	bool any = false;
	AtText key;
	AtText value;

	while (at_json_text_next(&members, &key, &value))
	{
		if (at_text_equal(key, at_text("context")))
			continue;
		if (!any)
		{
			at_out_string(output, "<table class=\"facts\">\n<thead><tr><th>");
			at_out_string(output, title);
			at_out_string(output, "</th><th></th></tr></thead>\n");
		}
		at_out_string(output, "<tr><th>");
		write_label(output, key);
		at_out_string(output, "</th>");
		write_cell(output, "text", value);
		at_out_string(output, "</tr>\n");
		any = true;
	}
	if (any)
		at_out_string(output, "</table>\n");
}

/* What people call a member; its key, where they call it nothing. */
static void
write_label(AtOutput *output, AtText key)
{
	static const char *const labels[][2] = {
		{"actor", "Who"},
		{"actor_source", "As told by"},
		{"actor_type", "What kind of actor"},
		{"app_session", "Their session"},
		{"client_ip", "Their address"},
		{"command", "Command"},
		{"db_role", "Acting as role"},
		{"db_user", "Database user"},
		{"maintenance", "Maintenance, because"},
		{"moved", "Moved between partitions"},
		{"partition", "Partition"},
		{"query", "Text of the command"},
		{"reason", "Why"},
		{"request_id", "Request"},
		{"shortened", "Recorded in short"},
		{"statement", "Kind of command"},
		{"subject", "Person concerned"},
		{"trace_parent", "Trace"},
		{"trigger_depth", "Within triggers"},
	};

	for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]); i++)
		if (at_text_equal(key, at_text(labels[i][0])))
		{
			at_out_string(output, labels[i][1]);
			return;
		}
	at_out_html_string(output, key);
}

static void
write_cell(AtOutput *output, const char *class_name, AtText value)
{
	at_out_string(output, "<td class=\"");
	at_out_string(output, class_name);
	at_out_string(output, "\">");
	at_report_value(output, value);
	at_out_string(output, "</td>");
}

/* Else nobody named an actor, and it is the user of the database. */
static bool
is_actor_claimed(const AtTransactionBody *body)
{
	return !at_text_equal(at_span_text(body->actor_source), at_text("db_user"));
}
