/*-------------------------------------------------------------------------
 * fuzz_report.c
 *		Evidence with any texts in it: events.json is JSON, and report.html has
 *		no markup but its own, and no control characters.
 *
 * The first byte says which texts the others are.
 *-------------------------------------------------------------------------
 */
#include "core/escape.h"
#include "core/json_text.h"
#include "evidence_sample.h"
#include "target.h"

#define ROOM 4000000

static Sample sample;

static AtText render(AtError (*function)(AtOutput *, const AtEvidence *), char *buffer);
static void check_html(AtText html);
static size_t tag_len(AtText html);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char buffer[ROOM];
	AtText text = copy_of(data, size);
	AtText rest = {text.data + (size > 0), text.len - (size > 0)};
	uint8_t which = size > 0 ? data[0] : 0;
	SampleTexts texts = {
		.actor = which & 1 ? &rest : NULL,
		.reason = which & 2 ? &rest : NULL,
		.table = which & 4 ? &rest : NULL,
		.record_key = which & 8 ? &rest : NULL,
		.old_values = which & 16 ? &rest : NULL,
		.new_values = which & 32 ? &rest : NULL,
		.extra = which & 64 ? &rest : NULL,
		.payload = which & 128 ? &rest : NULL,
	};

	if (size > 0 && size <= 500)
	{
		sample_make(&sample, &texts, false);
		expect(at_evidence_check(&sample.evidence) == AT_OK);
		check_html(render(at_evidence_write_report, buffer));
		expect(at_json_text_check(render(at_evidence_write_events, buffer)));
		(void) render(at_evidence_write_readme, buffer);
	}
	free((char *) text.data);
	return 0;
}

static AtText
render(AtError (*function)(AtOutput *, const AtEvidence *), char *buffer)
{
	AtWriter writer = at_writer(buffer, ROOM);
	AtOutput output;

	at_output_start(&output, sample_take, &writer);
	expect(function(&output, &sample.evidence) == AT_OK);

	AtText written = {writer.data, writer.len};

	expect(at_text_is_utf8(written));
	for (size_t i = 0; i < written.len; i++)
		expect((uint8_t) written.data[i] >= ' ' || written.data[i] == '\n' ||
			   written.data[i] == '\t');
	return written;
}

/* Each < begins a tag that the report has. */
static void
check_html(AtText html)
{
	for (size_t i = 0; i < html.len; i++)
	{
		AtText rest = {html.data + i, html.len - i};

		expect(html.data[i] != '<' || tag_len(rest) > 0);
	}
}

static size_t
tag_len(AtText html)
{
	static const char *const tags[] = {
		"!DOCTYPE html", "html",   "head",   "meta", "title", "style",
		"body",          "p",      "h1",     "h2",   "h3",    "h4",
		"table",         "thead",  "tr",     "th",   "td",    "br",
		"code",          "strong", "ul",     "ol",   "li",    "div",
		"pre",           "span",   "footer", "i",
	};

	if (!at_text_skip(&html, "</"))
		expect(at_text_skip(&html, "<"));
	for (size_t i = 0; i < sizeof(tags) / sizeof(tags[0]); i++)
	{
		AtText rest = html;

		if (at_text_skip(&rest, tags[i]) && rest.len > 0 &&
			(rest.data[0] == '>' || rest.data[0] == ' '))
			return strlen(tags[i]);
	}
	return 0;
}
