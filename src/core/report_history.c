/*-------------------------------------------------------------------------
 * report_history.c
 *		The history of the log in report.html: where it was written, with which
 *		keys, and what was declared.
 *-------------------------------------------------------------------------
 */
#include "core/calendar.h"
#include "core/escape.h"
#include "core/json_text.h"
#include "core/report.h"

static void write_entry(AtOutput *output, const AtEntryBody *entry);
static void write_member(AtOutput *output, const char *before, AtText payload, const char *key);

void
at_report_history(AtOutput *output, const AtEvidence *evidence)
{
	at_out_string(output,
				  "<h2>The history of this log</h2>\n"
				  "<p>Entries of the log that tell where it was written and by which keys it was "
				  "signed, and those that the events above are in.</p>\n"
				  "<table class=\"facts\">\n<thead><tr><th>Entry</th><th>What it says</th></tr>"
				  "</thead>\n");
	for (size_t i = 0; i < evidence->entry_count; i++)
	{
		AtText bytes = evidence->entry[i].body;
		AtEntryBody entry;

		if (at_entry_body_read(&entry, at_text_bytes(bytes), bytes.len))
			write_entry(output, &entry);
	}
	at_out_string(output, "</table>\n");
}

static void
write_entry(AtOutput *output, const AtEntryBody *entry)
{
	AtText kind = at_span_text(entry->kind);
	AtText payload = at_span_text(entry->payload);

	if (payload.data == NULL || !at_json_text_check(payload))
		payload = at_text("{}");
	at_out_string(output, "<tr><th>");
	at_out_decimal(output, entry->log_index);
	at_out_string(output, "</th><td>");
	at_out_long_time(output, entry->sealed_at);
	at_out_string(output, "<br>");
	if (at_text_equal(kind, at_text("events")))
	{
		at_out_string(output, "A batch: ");
		at_report_count(output, entry->event_count, "event", "events");
		at_out_string(output, " of ");
		at_report_count(output, entry->tx_count, "transaction", "transactions");
		at_out_string(output, ".");
	}
	else if (at_text_equal(kind, at_text("boot")) || at_text_equal(kind, at_text("incarnation")))
	{
		at_out_string(output, at_text_equal(kind, at_text("boot"))
								  ? "The log begins"
								  : "The log goes on in another server or database");
		write_member(output, ", in the server ", payload, "system_identifier");
		write_member(output, ", database ", payload, "database_oid");
		write_member(output, ". Reason: ", payload, "reason");
	}
	else if (at_text_equal(kind, at_text("key")))
	{
		write_member(output, "From here on the log is signed by the key ", payload, "vkey");
		write_member(output, ". Endorsed by the key ", payload, "endorsed_by");
	}
	else if (at_text_equal(kind, at_text("declared")))
	{
		write_member(output, "It was declared that the log does not continue the signed head ",
					 payload, "after");
		write_member(output, ", by ", payload, "by");
		write_member(output, ". Reason: ", payload, "reason");
	}
	else
	{
		at_out_string(output, "A record of the kind ");
		at_out_html(output, kind);
	}
	at_out_string(output, "</td></tr>\n");
}

static void
write_member(AtOutput *output, const char *before, AtText payload, const char *key)
{
	AtText value;

	if (!at_json_text_find(payload, key, &value))
		return;
	at_out_string(output, before);
	at_report_value(output, value);
}
