/*-------------------------------------------------------------------------
 * report.c
 *		report.html: what a bundle proves, for people who will not read code.
 *
 * The document loads nothing and runs nothing, and says so to the browser.
 * Every text that was recorded goes through core/escape.h.
 *-------------------------------------------------------------------------
 */
#include "core/calendar.h"
#include "core/escape.h"
#include "core/json_text.h"
#include "core/report.h"

static AtError write_document(AtOutput *output, const AtEvidence *evidence,
							  const AtEvidenceHead *head);
static void write_beginning(AtOutput *output, const AtEvidence *evidence,
							const AtEvidenceHead *head);
static void write_witnesses(AtOutput *output, const AtEvidenceHead *head);
static void write_stamps(AtOutput *output, const AtEvidence *evidence, const AtEvidenceHead *head);
static void write_end(AtOutput *output, const AtEvidence *evidence);
static AtText cut_value(AtText value);

AtError
at_evidence_write_report(AtOutput *output, const AtEvidence *evidence)
{
	AtEvidenceHead head;
	AtError error = at_evidence_head_read(&head, evidence);

	if (error == AT_OK)
		error = write_document(output, evidence, &head);

	AtError end_error = at_output_end(output);

	return error != AT_OK ? error : end_error;
}

static AtError
write_document(AtOutput *output, const AtEvidence *evidence, const AtEvidenceHead *head)
{
	at_out_string(output,
				  "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
				  "<meta http-equiv=\"Content-Security-Policy\" "
				  "content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
				  "<meta name=\"viewport\" content=\"width=device-width\">\n<title>Evidence from ");
	at_out_html(output, head->checkpoint.origin);
	at_out_string(output, "</title>\n<style>\n");
	at_report_style(output);
	at_out_string(output, "</style>\n</head>\n<body>\n");
	write_beginning(output, evidence, head);
	at_out_string(output, "<h2>What happened</h2>\n");

	AtError error = at_report_transactions(output, evidence);

	at_report_statements(output, evidence, head);
	at_report_history(output, evidence);
	write_end(output, evidence);
	return error;
}

static void
write_beginning(AtOutput *output, const AtEvidence *evidence, const AtEvidenceHead *head)
{
	at_out_string(output, "<p class=\"label\">Evidence from an audit trail</p>\n<h1>");
	at_report_count(output, head->event_count, "event", "events");
	at_out_string(output, " from ");
	at_out_html(output, head->checkpoint.origin);
	at_out_string(output, "</h1>\n<table class=\"facts\">\n<tr><th>Happened</th><td>");
	at_out_long_time(output, head->first_at);
	if (head->last_at != head->first_at)
	{
		at_out_string(output, "<br>to ");
		at_out_long_time(output, head->last_at);
	}
	at_out_string(output, "</td></tr>\n<tr><th>Audit trail</th><td>");
	at_out_html(output, head->checkpoint.origin);
	at_out_string(output, "<br><code>");
	at_out_hex(output, head->log_id, AT_LOG_ID_LEN);
	at_out_string(output,
				  "</code></td></tr>\n<tr><th>Proved against</th><td>the head of its log at ");
	at_report_count(output, head->checkpoint.size, "entry", "entries");
	at_out_string(output, ", root<br><code>");
	at_out_hex(output, head->checkpoint.root.bytes, AT_HASH_LEN);
	at_out_string(output, "</code></td></tr>\n<tr><th>Signed by the key</th><td><code>");
	at_out_html(output, head->key_line);
	at_out_string(output, "</code></td></tr>\n");
	write_witnesses(output, head);
	write_stamps(output, evidence, head);
	at_out_string(
		output,
		"</table>\n"
		"<p>This report is one of the files of a bundle. The other files prove what it says; "
		"README.txt tells how to check that without trusting whoever made the bundle. "
		"All times are in UTC, by the clock of the database server.</p>\n");
}

/* What signature lines say, and whether a key of the bundle verifies them. */
static void
write_witnesses(AtOutput *output, const AtEvidenceHead *head)
{
	bool any = false;

	at_out_string(output, "<tr><th>Seen by witnesses</th><td>");
	for (int i = 0; i < head->note.signature_count; i++)
	{
		const AtEvidenceLine *line = &head->line[i];

		if (i == head->signature)
			continue;
		at_out_string(output, any ? "<br>" : "");
		at_out_html(output, head->note.signature[i].name);
		if (line->when > 0 && line->when <= INT64_MAX)
		{
			at_out_string(output, ", ");
			at_evidence_out_seconds(output, (int64_t) line->when);
		}
		at_out_string(output, "<br><span class=\"small\">");
		if (line->is_verified)
		{
			at_out_string(output, "the signature is by the key</span> <code>");
			at_out_html(output, line->key_line);
			at_out_string(output, "</code>");
		}
		else
			at_out_string(output, "not checked here: that takes the public key that this witness "
								  "gives out</span>");
		any = true;
	}
	at_out_string(output, any ? "</td></tr>\n" : "none</td></tr>\n");
}

static void
write_stamps(AtOutput *output, const AtEvidence *evidence, const AtEvidenceHead *head)
{
	bool any = false;

	at_out_string(output, "<tr><th>Time stamps</th><td>");
	for (size_t i = 0; i < evidence->stamp_count; i++)
	{
		const AtEvidenceStamp *stamp = &evidence->stamp[i];
		int64_t when;

		if (at_evidence_stamped(head, evidence, stamp->response, &when) == AT_STAMPED_NOTHING)
			continue;
		at_out_string(output, any ? "<br>" : "");
		at_evidence_out_seconds(output, when);
		at_out_string(output, ", in the file timestamp/");
		at_out_html(output, stamp->name);
		at_out_string(output, ".tsr<br><span class=\"small\">not checked here: that takes the "
							  "certificate of its authority</span>");
		any = true;
	}
	at_out_string(output, any ? "</td></tr>\n" : "none</td></tr>\n");
}

static void
write_end(AtOutput *output, const AtEvidence *evidence)
{
	AtText rest = evidence->checkpoint;
	AtText line;

	at_out_string(output, "<h2>The signed head of the log</h2>\n<pre>");
	while (at_text_line(&rest, &line))
	{
		at_out_html(output, line);
		at_out_string(output, "\n");
	}
	at_out_string(output,
				  "</pre>\n<footer>Marks like <i>U+202E</i> stand for characters that cannot be "
				  "seen, or that could mislead, and for bytes that are no characters. "
				  "Values that are missing are shown as <span class=\"none\">(none)</span>. "
				  "Made by audit_trail; nothing in this file is loaded from elsewhere or "
				  "runs.</footer>\n</body>\n</html>\n");
}

void
at_report_row(AtOutput *output, const char *what, AtText value, const char *whose)
{
	if (value.data == NULL)
		return;
	at_out_string(output, "<tr><th>");
	at_out_string(output, what);
	at_out_string(output, "</th><td>");
	at_out_html(output, cut_value(value));
	at_out_string(output, cut_value(value).len < value.len ? " ...</td>" : "</td>");
	if (whose != NULL)
	{
		at_out_string(output, "<td class=\"word\">");
		at_out_string(output, whose);
		at_out_string(output, "</td>");
	}
	at_out_string(output, "</tr>\n");
}

void
at_report_value(AtOutput *output, AtText value)
{
	AtText content = value;
	AtText shown;

	if (at_text_equal(value, at_text("null")))
	{
		at_out_string(output, "<span class=\"none\">(none)</span>");
		return;
	}

	bool is_string = at_json_text_unquote(&content);

	if (content.len == 0)
		at_out_string(output, "<span class=\"none\">(empty text)</span>");
	shown = cut_value(content);
	if (is_string)
		at_out_html_string(output, shown);
	else
		at_out_html(output, shown);
	if (shown.len == content.len)
		return;
	at_out_string(output, "<br><span class=\"small\">The first ");
	at_out_decimal(output, shown.len);
	at_out_string(output, " of ");
	at_out_decimal(output, content.len);
	at_out_string(output, " bytes; all of them are in events.json.</span>");
}

void
at_report_count(AtOutput *output, uint64_t count, const char *one, const char *many)
{
	at_out_decimal(output, count);
	at_out_string(output, " ");
	at_out_string(output, count == 1 ? one : many);
}

/* Its beginning, where it is long; not within a character or an escape. */
static AtText
cut_value(AtText value)
{
	AtText rest = value;

	if (value.len <= AT_REPORT_VALUE)
		return value;
	while (rest.len > 0 && value.len - rest.len < AT_REPORT_VALUE)
		(void) at_json_text_character(&rest);
	return (AtText){value.data, value.len - rest.len};
}
