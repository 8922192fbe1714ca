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
	check(says("\"events_in_bundle\": 2") && says("\"signed_at_unix_seconds\": 1795330900"),
		  "and all else");

	check(render(at_evidence_write_report) == AT_OK && says("order 42 was changed"),
		  "report.html tells what was done");
	check(says("All events of the transaction are here") &&
			  says("Of the 2 events of the transaction, 1 is here.") &&
			  says("The transaction has one event, and it is here."),
		  "and what is there of each transaction");
	check(says("192.0.2.7, port 51234") && says("no network"), "and from where");
	check(says("witness.example/w&#39;1") && says("1 stamp of this head"), "and who else signed");
	check(says("The log goes on in another server or database, in the server 74") &&
			  says("does not continue the signed head 3 AAAA, by dba. Reason: restored") &&
			  says("Endorsed by the key old"),
		  "and the history of the log");

	check(render(at_evidence_write_readme) == AT_OK && says("witness.example/w'1+") &&
			  says("timestamp/1-other.tsr is not of this checkpoint") &&
			  says("head -n 6 checkpoint > \"$work/stamped\""),
		  "README.txt tells how to check it");
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
	check(render(at_evidence_write_readme) == AT_OK && says("No witness of the file keys") &&
			  !says("8. Whence"),
		  "and README.txt too");
}

/* The way up: each step is as the proof's verification has it. */
static void
test_steps(void)
{
	check(render(at_evidence_write_readme) == AT_OK, "steps are written");

	int lefts = 0;
	int rights = 0;

	for (const char *at = text; (at = strstr(at, "\n    left '")) != NULL; at++)
		lefts++;
	for (const char *at = text; (at = strstr(at, "\n    right '")) != NULL; at++)
		rights++;
	check(lefts == 2 && rights == 4, "as many as the proofs have hashes");
}

int
main(void)
{
	test_sample();
	test_alone();
	test_steps();
	(void) renders;
	return check_done();
}
