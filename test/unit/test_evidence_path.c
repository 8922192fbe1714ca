/*-------------------------------------------------------------------------
 * test_evidence_path.c
 *		Paths of a bundle: each has one spelling, and all others are refused.
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "core/evidence_path.h"

static void
test_all_parts(void)
{
	static const struct
	{
		const char *text;
		AtEvidencePart part;
		uint64_t number;
		uint32_t ordinal;
	} cases[] = {
		{"MANIFEST", AT_EVIDENCE_MANIFEST, 0, 0},
		{"README.txt", AT_EVIDENCE_README, 0, 0},
		{"report.html", AT_EVIDENCE_REPORT, 0, 0},
		{"events.json", AT_EVIDENCE_EVENTS, 0, 0},
		{"checkpoint", AT_EVIDENCE_CHECKPOINT, 0, 0},
		{"keys", AT_EVIDENCE_KEYS, 0, 0},
		{"timestamp/2-tsa_A.tsr", AT_EVIDENCE_STAMP, 0, 0},
		{"log/0.entry", AT_EVIDENCE_ENTRY, 0, 0},
		{"log/12.proof", AT_EVIDENCE_ENTRY_PROOF, 12, 0},
		{"tx/7/transaction.body", AT_EVIDENCE_TRANSACTION, 7, 0},
		{"tx/9223372036854775807/transaction.proof", AT_EVIDENCE_TRANSACTION_PROOF, INT64_MAX, 0},
		{"tx/7/session.body", AT_EVIDENCE_SESSION, 7, 0},
		{"tx/7/1.body", AT_EVIDENCE_EVENT, 7, 1},
		{"tx/7/2147483647.proof", AT_EVIDENCE_EVENT_PROOF, 7, INT32_MAX},
	};

	for (size_t i = 0; i < lengthof(cases); i++)
	{
		char buffer[AT_EVIDENCE_PATH_MAX];
		AtWriter writer = at_writer(buffer, sizeof(buffer));
		AtEvidencePath path;

		check(at_evidence_path_read(&path, at_text(cases[i].text)) == AT_OK &&
				  path.part == cases[i].part && path.number == cases[i].number &&
				  path.ordinal == cases[i].ordinal,
			  cases[i].text);
		at_evidence_path_write(&writer, &path);
		check(at_text_equal((AtText){buffer, writer.len}, at_text(cases[i].text)),
			  "it is written back");
	}
}

static void
test_refused(void)
{
	static const char *const cases[] = {
		"",
		"/",
		".",
		"..",
		"manifest",
		"MANIFEST ",
		"./MANIFEST",
		"/MANIFEST",
		"checkpoint\n",
		"timestamp/.tsr",
		"timestamp/a",
		"timestamp/a.b.tsr",
		"timestamp/../a.tsr",
		"timestamp/a/b.tsr",
		"timestamp/\xc3\xa4.tsr",
		"log/.entry",
		"log/01.entry",
		"log/-1.entry",
		"log/+1.entry",
		"log/1.entry/",
		"log/1.Entry",
		"log/9223372036854775808.entry",
		"log//1.entry",
		"log/1/1.entry",
		"log/1.body",
		"tx/7",
		"tx/7/",
		"tx//1.body",
		"tx/7/0.body",
		"tx/7/01.body",
		"tx/7/.body",
		"tx/7/2147483648.body",
		"tx/07/1.body",
		"tx/9223372036854775808/1.body",
		"tx/7/session.proof",
		"tx/7/transaction",
		"tx/7/../7/1.body",
		"tx/7/1.body.body",
		"Tx/7/1.body",
	};
	char longest[10 + AT_EVIDENCE_NAME_MAX + 6];
	AtEvidencePath path;

	for (size_t i = 0; i < lengthof(cases); i++)
		check(at_evidence_path_read(&path, at_text(cases[i])) == AT_ERR_EVIDENCE_PATH, cases[i]);

	snprintf(longest, sizeof(longest), "timestamp/%0*d.tsr", AT_EVIDENCE_NAME_MAX, 1);
	check(at_evidence_path_read(&path, at_text(longest)) == AT_OK, "the longest name");
	check(strlen(longest) <= AT_EVIDENCE_PATH_MAX, "is no longer than any path may be");
	snprintf(longest, sizeof(longest), "timestamp/%0*d.tsr", AT_EVIDENCE_NAME_MAX + 1, 1);
	check(at_evidence_path_read(&path, at_text(longest)) == AT_ERR_EVIDENCE_PATH, "a longer one");
	check(at_evidence_path_read(&path, (AtText){"keys\0", 5}) == AT_ERR_EVIDENCE_PATH,
		  "a zero byte at the end");
}

int
main(void)
{
	test_all_parts();
	test_refused();
	return check_done();
}
