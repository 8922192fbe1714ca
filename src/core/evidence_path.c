/*-------------------------------------------------------------------------
 * evidence_path.c
 *		The files of a bundle of evidence, by their paths.
 *-------------------------------------------------------------------------
 */
#include "core/evidence_path.h"

#define MAX_NUMBER  INT64_MAX
#define MAX_ORDINAL INT32_MAX

static const char *const fixed[] = {
	[AT_EVIDENCE_MANIFEST] = "MANIFEST",     [AT_EVIDENCE_README] = "README.txt",
	[AT_EVIDENCE_REPORT] = "report.html",    [AT_EVIDENCE_EVENTS] = "events.json",
	[AT_EVIDENCE_CHECKPOINT] = "checkpoint", [AT_EVIDENCE_KEYS] = "keys",
};

/* What ends a path, and with which part. */
typedef struct Ending
{
	const char *text;
	AtEvidencePart part;
} Ending;

static const Ending entry_endings[] = {{".entry", AT_EVIDENCE_ENTRY},
									   {".proof", AT_EVIDENCE_ENTRY_PROOF}};
static const Ending event_endings[] = {{".body", AT_EVIDENCE_EVENT},
									   {".proof", AT_EVIDENCE_EVENT_PROOF}};
static const Ending names[] = {{"transaction.body", AT_EVIDENCE_TRANSACTION},
							   {"transaction.proof", AT_EVIDENCE_TRANSACTION_PROOF},
							   {"session.body", AT_EVIDENCE_SESSION}};

#define lengthof(array) (sizeof(array) / sizeof((array)[0]))

static bool read_stamp(AtEvidencePath *path, AtText text);
static bool read_entry(AtEvidencePath *path, AtText text);
static bool read_transaction(AtEvidencePath *path, AtText text);
static bool cut_ending(AtText *text, const Ending *endings, size_t count, AtEvidencePart *part);
static const char *ending_of(AtEvidencePart part);

AtError
at_evidence_path_read(AtEvidencePath *path, AtText text)
{
	*path = (AtEvidencePath){0};
	for (size_t i = 0; i < lengthof(fixed); i++)
		if (at_text_equal(text, at_text(fixed[i])))
		{
			path->part = (AtEvidencePart) i;
			return AT_OK;
		}

	if (read_stamp(path, text) || read_entry(path, text) || read_transaction(path, text))
		return AT_OK;
	return AT_ERR_EVIDENCE_PATH;
}

void
at_evidence_path_write(AtWriter *writer, const AtEvidencePath *path)
{
	if (path->part < lengthof(fixed))
	{
		at_write_string(writer, fixed[path->part]);
		return;
	}

	bool is_entry = path->part == AT_EVIDENCE_ENTRY || path->part == AT_EVIDENCE_ENTRY_PROOF;

	if (path->part == AT_EVIDENCE_STAMP)
	{
		at_write_string(writer, "timestamp/");
		at_write(writer, path->name);
	}
	else
	{
		at_write_string(writer, is_entry ? "log/" : "tx/");
		at_write_decimal(writer, path->number);
		if (!is_entry)
			at_write_string(writer, "/");
	}
	if (path->part == AT_EVIDENCE_EVENT || path->part == AT_EVIDENCE_EVENT_PROOF)
		at_write_decimal(writer, path->ordinal);
	at_write_string(writer, ending_of(path->part));
}

bool
at_evidence_name_is_valid(AtText name)
{
	for (size_t i = 0; i < name.len; i++)
	{
		char c = name.data[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
			c != '-' && c != '_')
			return false;
	}
	return name.len > 0 && name.len <= AT_EVIDENCE_NAME_MAX;
}

static bool
read_stamp(AtEvidencePath *path, AtText text)
{
	static const Ending ending = {".tsr", AT_EVIDENCE_STAMP};

	if (!at_text_skip(&text, "timestamp/") || !cut_ending(&text, &ending, 1, &path->part) ||
		!at_evidence_name_is_valid(text))
		return false;
	path->name = text;
	return true;
}

static bool
read_entry(AtEvidencePath *path, AtText text)
{
	return at_text_skip(&text, "log/") &&
		   cut_ending(&text, entry_endings, lengthof(entry_endings), &path->part) &&
		   at_text_decimal(text, &path->number) && path->number <= MAX_NUMBER;
}

static bool
read_transaction(AtEvidencePath *path, AtText text)
{
	AtText number;
	uint64_t ordinal;

	if (!at_text_skip(&text, "tx/") || !at_text_until(&text, '/', &number) ||
		!at_text_decimal(number, &path->number) || path->number > MAX_NUMBER)
		return false;
	for (size_t i = 0; i < lengthof(names); i++)
		if (at_text_equal(text, at_text(names[i].text)))
		{
			path->part = names[i].part;
			return true;
		}
	if (!cut_ending(&text, event_endings, lengthof(event_endings), &path->part) ||
		!at_text_decimal(text, &ordinal) || ordinal == 0 || ordinal > MAX_ORDINAL)
		return false;
	path->ordinal = (uint32_t) ordinal;
	return true;
}

/* If the text ends like one of these, cut that off. */
static bool
cut_ending(AtText *text, const Ending *endings, size_t count, AtEvidencePart *part)
{
	for (size_t i = 0; i < count; i++)
	{
		AtText ending = at_text(endings[i].text);

		if (text->len > ending.len &&
			memcmp(text->data + text->len - ending.len, ending.data, ending.len) == 0)
		{
			text->len -= ending.len;
			*part = endings[i].part;
			return true;
		}
	}
	return false;
}

static const char *
ending_of(AtEvidencePart part)
{
	switch (part)
	{
		case AT_EVIDENCE_STAMP:
			return ".tsr";
		case AT_EVIDENCE_ENTRY:
			return ".entry";
		case AT_EVIDENCE_TRANSACTION:
			return "transaction.body";
		case AT_EVIDENCE_TRANSACTION_PROOF:
			return "transaction.proof";
		case AT_EVIDENCE_SESSION:
			return "session.body";
		case AT_EVIDENCE_EVENT:
			return ".body";
		default:
			return ".proof";
	}
}
