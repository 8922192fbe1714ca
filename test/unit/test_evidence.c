/*-------------------------------------------------------------------------
 * test_evidence.c
 *		Evidence that can be rendered, and what cannot.
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "core/evidence.h"
#include "core/evidence_head.h"
#include "core/json_text.h"
#include "evidence_sample.h"

typedef AtError (*Render)(AtOutput *output, const AtEvidence *evidence);

static const Render renders[] = {at_evidence_write_events, at_evidence_write_report,
								 at_evidence_write_readme};

static Sample sample;
static char text[4000000];
static size_t text_len;

static AtError
render(Render function)
{
	AtWriter writer = at_writer(text, sizeof(text) - 1);
	AtOutput output;
	AtError error;

	at_output_start(&output, sample_take, &writer);
	error = function(&output, &sample.evidence);
	text_len = writer.len;
	text[text_len] = '\0';
	return error;
}

static bool
says(const char *part)
{
	return strstr(text, part) != NULL;
}

static void
make(const SampleTexts *texts)
{
	sample_make(&sample, texts, true);
}

static void
test_sample(void)
{
	make(&(SampleTexts){0});
	check(at_evidence_check(&sample.evidence) == AT_OK, "the sample is evidence");

	check(render(at_evidence_write_events) == AT_OK && at_json_text_check((AtText){text, text_len}),
		  "events.json is JSON");
	check(says("\"old_values\": {\"total\":10.50,\"note\":null}"),
		  "with values as they were recorded");
	check(says("\"events_in_bundle\": 2") && says("\"unix_seconds\": 1795330900") &&
			  says("\"holds_under_a_key_here\": true"),
		  "and all else");
	check(!says("base64"), "and no bytes, where all is text");

	check(render(at_evidence_write_report) == AT_OK && says("order 42 was changed"),
		  "report.html tells what was done");
	check(says("All events of the transaction are here") &&
			  says("Of the 2 events of the transaction, 1 is here.") &&
			  says("The transaction has one event, and it is here."),
		  "and what is there of each transaction");
	check(says("192.0.2.7, port 51234") && says("no network"), "and from where");
	check(says("witness.example/w&#39;1, 22 November 2026, 07:01:40.000000 UTC") &&
			  says("in the file timestamp/2-file.tsr") && says("timestamp/3-note.tsr") &&
			  says("timestamp/4_text.tsr") && !says("timestamp/1-other.tsr"),
		  "and who else signed, and stamped");
	check(says("The log goes on in another server or database, in the server 74") &&
			  says("does not continue the signed head 3 AAAA, by dba. Reason: restored") &&
			  says("Endorsed by the key old") && says("A record of the kind start"),
		  "and the history of the log");

	check(render(at_evidence_write_readme) == AT_OK && says("\n  witness.example/w'1\n") &&
			  says("timestamp/1-other.tsr is not of this checkpoint"),
		  "README.txt tells how to check it");
	check(says("head -n 6 checkpoint > \"$work/stamped\"") &&
			  says("head -n 5 checkpoint > \"$work/stamped\"") &&
			  says("head -n 3 checkpoint > \"$work/stamped\""),
		  "and of time stamps, what they are over");
}

static void
test_alone(void)
{
	sample_make(&sample, &(SampleTexts){0}, false);
	sample.evidence.stamp_count = 0;
	sample.evidence.session_count = 0;
	check(at_evidence_check(&sample.evidence) == AT_OK, "evidence without witnesses");
	check(render(at_evidence_write_report) == AT_OK && says("today as well"),
		  "the report says what that means");
	check(render(at_evidence_write_readme) == AT_OK && says("No witness has signed it") &&
			  !says("8. Whence"),
		  "and README.txt too");

	sample.evidence.stamp_count = 1;
	check(render(at_evidence_write_report) == AT_OK && says("<th>Time stamps</th><td>none"),
		  "a time stamp of something else is none");
}

/* A witness whose key is not in the bundle, and a signature that is no cosignature. */
static void
test_unknown_witness(void)
{
	AtWriter note;

	make(&(SampleTexts){0});
	sample.evidence.keys.len -= strlen("witness.example/w'1+d1a223a3+") + 44 + 1;
	note = (AtWriter){.data = sample.checkpoint,
					  .max = sizeof(sample.checkpoint),
					  .len = sample.evidence.checkpoint.len};
	at_note_write_signature(&note, &sample.witness.public_key, (const uint8_t *) "short", 5);
	at_note_write_signature(
		&note, &sample.witness.public_key,
		(const uint8_t *) "\x7f\xff\xff\xff\xff\xff\xff\xff"
						  "................................................................",
		72);
	sample.evidence.checkpoint.len = note.len;
	check(at_evidence_check(&sample.evidence) == AT_OK, "witnesses need not be known");
	check(render(at_evidence_write_report) == AT_OK &&
			  says("not checked here: that takes the public key"),
		  "the report says that their signatures are not checked");
	check(says("a time that cannot be"), "and takes no time for true that cannot be");
	check(render(at_evidence_write_events) == AT_OK && says("\"holds_under_a_key_here\": false"),
		  "so does events.json");
}

/* The way up: each step is as the proof's verification has it. */
static void
test_steps(void)
{
	int lefts = 0;
	int rights = 0;

	make(&(SampleTexts){0});
	check(render(at_evidence_write_readme) == AT_OK, "steps are written");
	for (const char *at = text; (at = strstr(at, "\n    left '")) != NULL; at++)
		lefts++;
	for (const char *at = text; (at = strstr(at, "\n    right '")) != NULL; at++)
		rights++;
	check(lefts == 2 && rights == 4, "as many as the proofs have hashes");

	/* number 4 of 6: its pair goes up without a hash beside it */
	sample.example.number = 4;
	sample.example.path.count = 2;
	check(render(at_evidence_write_readme) == AT_OK, "also where a hash is left out");

	const char *right = strstr(text, "\n    right '");
	const char *left = strstr(text, "\n    left '");

	check(right != NULL && right < left && left < strstr(text, "tail -c +83"),
		  "then the other is on the left");
	check(says("key='audit.example/o'\\''shop+"), "a quote in a name is quoted");
}

/* What the events of all kinds are called. */
static void
test_kinds(void)
{
	static const struct
	{
		char op;
		bool has_key;
		const char *said;
	} cases[] = {
		{'I', true, "order 42 was created"},
		{'D', true, "order 42 was deleted"},
		{'T', true, "order 42 was removed, with all of its table"},
		{'B', true, "order 42 was there when recording began"},
		{'A', true, "order 42: the table itself was altered"},
		{'M', true, "order 42: changes were made as maintenance"},
		{'X', true, "order 42: evidence was exported"},
		{'?', true, "order 42: an event of the kind ?"},
		{'\1', true, "order 42: an event of the kind <i>U+0001</i>"},
		{'T', false, "order: the table was emptied"},
		{'B', false, "order: recording began with the rows that were there"},
	};

	for (size_t i = 0; i < lengthof(cases); i++)
	{
		static const AtText missing = {NULL, 0};

		make(&(SampleTexts){.op = cases[i].op, .record_key = cases[i].has_key ? NULL : &missing});
		check(render(at_evidence_write_report) == AT_OK && says(cases[i].said), cases[i].said);
	}
}

/* Values: side by side where their fields are the same, else one behind the other. */
static void
test_values(void)
{
	static const struct
	{
		const char *old_values;
		const char *new_values;
		const char *said;
	} cases[] = {
		{"{\"a\":1}", "{\"a\":2}", "<td class=\"old\">1</td><td class=\"new\">2</td>"},
		{"{}", "{}", "<th>Field</th><th>Before</th>"},
		{"{\"a\":1}", "{\"b\":2}", "<th>Before</th></tr></thead>\n<tr><th>a</th>"},
		{"{\"a\":1}", "{\"a\":1,\"b\":2}", "<th>After</th></tr></thead>\n<tr><th>a</th>"},
		{"{\"a\":1}", "[2]", "<tr><th>(all)</th><td class=\"new\">[2]</td>"},
		{"{\"a\":1}", "<b>", "<tr><th>(all)</th><td class=\"new\">&lt;b&gt;</td>"},
		{"{\"a\":\"\"}", "{\"a\":null}",
		 "(empty text)</span></td><td class=\"new\"><span class=\"none\">(none)"},
		{"{\"<\":{\"<\":1}}", "{\"<\":\"\\u003c\"}",
		 "<th>&lt;</th><td class=\"old\">{&quot;&lt;&quot;:1}</td><td class=\"new\">&lt;</td>"},
	};

	for (size_t i = 0; i < lengthof(cases); i++)
	{
		AtText old_values = at_text(cases[i].old_values);
		AtText new_values = at_text(cases[i].new_values);

		make(&(SampleTexts){.old_values = &old_values, .new_values = &new_values});
		check(render(at_evidence_write_report) == AT_OK && says(cases[i].said), cases[i].said);
		check(render(at_evidence_write_events) == AT_OK &&
				  at_json_text_check((AtText){text, text_len}),
			  "events.json is JSON");
	}
}

static void
test_long_values(void)
{
	static char value[50000];
	AtText values = {value, sizeof(value)};

	memset(value, 'x', sizeof(value));
	memcpy(value, "{\"a\":\"", 6);
	memcpy(value + 6 + AT_REPORT_VALUE - 3, "\\u00e4", 6);
	memcpy(value + sizeof(value) - 2, "\"}", 2);
	make(&(SampleTexts){.new_values = &values, .reason = &values});
	check(render(at_evidence_write_report) == AT_OK &&
			  says("xxx\303\244<br><span class=\"small\">The first 2003 of 49992 bytes"),
		  "a long value is cut behind a character, and the report says so");
	check(says("xxx ...</td>"), "so is any other text");
	check(render(at_evidence_write_events) == AT_OK && text_len > 4 * sizeof(value),
		  "events.json has all of it");
}

static void
test_extras(void)
{
	AtText extra = at_text("{\"trigger_depth\":2,\"context\":{\"actor\":\"bert\"},\"other\":true}");

	make(&(SampleTexts){.extra = &extra});
	check(render(at_evidence_write_report) == AT_OK &&
			  says("<th>For this event alone</th><th></th></tr></thead>\n<tr><th>Who</th><td "
				   "class=\"text\">bert</td>"),
		  "who acted in an event alone is told");
	check(says("<th>Within triggers</th><td class=\"text\">2</td>") &&
			  says("<th>other</th><td class=\"text\">true</td>"),
		  "and what else was recorded");

	extra = at_text("{\"context\":1}");
	make(&(SampleTexts){.extra = &extra});
	check(render(at_evidence_write_report) == AT_OK && !says("Recorded besides"),
		  "or that there is nothing");
	extra = at_text("{nonsense");
	make(&(SampleTexts){.extra = &extra, .payload = &extra});
	check(render(at_evidence_write_report) == AT_OK &&
			  says("<tr><th>Recorded besides</th><td>{nonsense</td>"),
		  "what is not JSON is shown as it is");
	check(render(at_evidence_write_events) == AT_OK && says("\"extra\": \"{nonsense\"") &&
			  at_json_text_check((AtText){text, text_len}),
		  "and is a string for programs");
	extra = (AtText){NULL, 0};
	make(&(SampleTexts){.extra = &extra, .reason = &extra});
	check(render(at_evidence_write_report) == AT_OK && !says("Recorded besides") &&
			  !says("for the reason"),
		  "there may be none, and no reason");
}

/* Text that is not UTF-8. */
static void
test_bytes(void)
{
	AtText actor = at_text("caf\351");
	AtText values = at_text("{\"note\":\"\351\"}");

	make(&(SampleTexts){.actor = &actor, .new_values = &values, .table = &actor});
	check(render(at_evidence_write_events) == AT_OK && says("\"actor\": \"caf\\ufffd\"") &&
			  says("\"actor_base64\": \"Y2Fm6Q==\"") &&
			  says("\"new_values\": {\"note\":\"\\ufffd\"}") &&
			  says("\"new_values_base64\": \"eyJub3RlIjoi6SJ9\"") &&
			  at_json_text_check((AtText){text, text_len}),
		  "bytes are replaced, and stand beside");
	check(render(at_evidence_write_report) == AT_OK && says("<strong>caf<i>byte E9</i></strong>"),
		  "and named in the report");
}

/* More events than a report shows. */
static void
test_many(void)
{
	enum
	{
		MANY = AT_REPORT_EVENTS + 5
	};
	static AtEvidenceEvent events[MANY];

	make(&(SampleTexts){0});
	for (int i = 0; i < MANY; i++)
		events[i] = sample.events[0];
	sample.transactions[0].event = events;
	sample.transactions[0].event_count = MANY;
	check(render(at_evidence_write_report) == AT_OK && says("7 more events are in this bundle"),
		  "the report shows a thousand, and tells how many more there are");
}

static void
test_none(void)
{
	AtEvidence none = {0};

	check(at_evidence_first(&none) == NULL && at_evidence_entry(&none, 0) == NULL,
		  "where there is nothing, nothing is found");
}

static void
test_refused(void)
{
	static const AtText nothing = {"", 0};
	AtEvidenceTransaction transaction;

	make(&(SampleTexts){0});
#define refused(change, error, name)                                                               \
	do                                                                                             \
	{                                                                                              \
		make(&(SampleTexts){0});                                                                   \
		change;                                                                                    \
		check(at_evidence_check(&sample.evidence) == (error), name);                               \
	} while (0)

	refused(sample.evidence.checkpoint.len--, AT_ERR_SIGNATURE_LINE,
			"a checkpoint that is cut off");
	refused(sample.evidence.keys.len = 0, AT_ERR_NOT_SIGNED, "no keys");
	refused(sample.keys[0] = '+', AT_ERR_KEY_FORM, "a key that is none");
	refused(sample.evidence.keys.len--, AT_ERR_KEY_FORM, "keys that are cut off");
	refused(sample.checkpoint[21] = '7', AT_ERR_NOT_SIGNED, "a checkpoint that was changed");
	refused(sample.stamps[0].name = at_text("a/b"), AT_ERR_EVIDENCE_PATH, "a name with a slash");
	refused(sample.stamps[1].name = sample.stamps[0].name, AT_ERR_EVIDENCE_ORDER, "a stamp twice");
	refused(sample.entries[1].log_index = 0, AT_ERR_EVIDENCE_ORDER, "an entry twice");
	refused(sample.entries[7].log_index = 8, AT_ERR_EVIDENCE_BODY, "an entry with another name");
	refused(sample.entries[0].body = nothing, AT_ERR_EVIDENCE_BODY, "an entry that is none");
	refused(sample.entry[0][4] ^= 1, AT_ERR_EVIDENCE_BODY, "an entry of another log");
	refused(sample.transactions[1].tx_id = 7, AT_ERR_EVIDENCE_ORDER, "a transaction twice");
	refused(sample.transactions[2].tx_id++, AT_ERR_EVIDENCE_BODY,
			"a transaction with another name");
	refused(sample.transactions[0].body = nothing, AT_ERR_EVIDENCE_BODY, "one that is none");
	refused(sample.transactions[0].log_index = 2, AT_ERR_ENTRY, "one in an entry that is no batch");
	refused(sample.transactions[0].log_index = 9, AT_ERR_ENTRY,
			"one in an entry that is not there");
	refused(sample.events[1].ordinal = 1, AT_ERR_EVIDENCE_ORDER, "an event twice");
	refused(sample.events[1].ordinal = 3, AT_ERR_EVIDENCE_BODY, "an event with another name");
	refused(sample.events[1].body = nothing, AT_ERR_EVIDENCE_BODY, "an event that is none");
	refused(sample.sessions[1].session_id = 1, AT_ERR_EVIDENCE_ORDER, "a session twice");
	refused(sample.sessions[1].session_id = 3, AT_ERR_EVIDENCE_BODY, "one with another name");
	refused(sample.sessions[1].tx_id = 8, AT_ERR_EVIDENCE_BODY, "one whose transaction is missing");
	refused(sample.example.body = nothing, AT_ERR_EVENT_PROOF, "a proof of something else");
	refused(sample.example.entry = nothing, AT_ERR_EVENT_PROOF, "or of another batch");
	refused(sample.example.log.index++, AT_ERR_EVENT_PROOF, "or at another place");
	refused(sample.evidence.transaction_count = 0, AT_ERR_EVIDENCE_BODY, "no transaction");
#undef refused

	make(&(SampleTexts){0});
	transaction = sample.transactions[0];
	sample.transactions[0].event_count = 0;
	sample.transactions[0].event = NULL;
	sample.example.body = sample.events[2].body;
	check(at_evidence_check(&sample.evidence) == AT_OK, "a transaction may be without events");
	check(render(at_evidence_write_report) == AT_OK && !says("Transaction 7<"),
		  "then the report does not tell it");
	check(render(at_evidence_write_readme) == AT_OK && says("cat -v tx/9/2.body"),
		  "and another event is the example");
	sample.evidence.transaction_count = 1;
	check(at_evidence_check(&sample.evidence) == AT_ERR_EVIDENCE_BODY,
		  "but there must be an event");
	sample.transactions[0] = transaction;
}

/* Rendering what was not checked says so, or leaves it out. */
static void
test_unchecked(void)
{
	static const AtText nothing = {"", 0};

	for (size_t i = 0; i < lengthof(renders); i++)
	{
		make(&(SampleTexts){0});
		sample.evidence.keys.len = 0;
		check(render(renders[i]) == AT_ERR_NOT_SIGNED, "without a key nothing is rendered");
	}
	make(&(SampleTexts){0});
	sample.events[1].body = nothing;
	check(render(at_evidence_write_events) == AT_ERR_EVIDENCE_BODY &&
			  render(at_evidence_write_report) == AT_ERR_EVIDENCE_BODY,
		  "nor an event that is none");
	make(&(SampleTexts){0});
	sample.transactions[1].body = nothing;
	check(render(at_evidence_write_events) == AT_ERR_EVIDENCE_BODY &&
			  render(at_evidence_write_report) == AT_ERR_EVIDENCE_BODY,
		  "nor a transaction");
	make(&(SampleTexts){0});
	sample.entries[0].body = nothing;
	sample.sessions[0].body = nothing;
	sample.example.entry = nothing;
	check(render(at_evidence_write_events) == AT_OK && render(at_evidence_write_report) == AT_OK &&
			  render(at_evidence_write_readme) == AT_OK,
		  "entries and sessions are left out");
}

static bool
take_nothing(void *taker, AtText piece)
{
	return false;
}

static void
test_output(void)
{
	make(&(SampleTexts){0});
	for (size_t i = 0; i < lengthof(renders); i++)
	{
		AtOutput output;

		at_output_start(&output, take_nothing, NULL);
		check(renders[i](&output, &sample.evidence) == AT_ERR_OUTPUT,
			  "a rendering that is not taken is an error");
	}
}

static bool
call_events(void)
{
	return render(at_evidence_write_events) == AT_OK;
}

static bool
call_report(void)
{
	return render(at_evidence_write_report) == AT_OK;
}

int
main(void)
{
	test_sample();
	test_alone();
	test_unknown_witness();
	test_steps();
	test_kinds();
	test_values();
	test_long_values();
	test_extras();
	test_bytes();
	test_many();
	test_none();
	test_refused();
	test_unchecked();
	test_output();
	make(&(SampleTexts){0});
	sample.evidence.stamp_count = 0;
	check_failures(call_events, 58, "events.json reports every failure of libcrypto");
	check_failures(call_report, 34, "so does report.html");
	return check_done();
}
