/*-------------------------------------------------------------------------
 * bundle_read.c
 *		All files of a bundle, and the evidence that they are.
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>

#include "bundle.h"
#include "message.h"

static bool load_all(AtBundle *bundle);
static bool is_kept(AtEvidencePart part);
static bool check_parts(AtBundle *bundle);
static bool need(AtBundle *bundle, AtEvidencePart part, uint64_t number, uint32_t ordinal);
static bool check_partners(AtBundle *bundle, const AtEvidencePath *name);
static void set_evidence(AtBundle *bundle);
static void add_part(AtBundle *bundle, const AtBundleFile *file);
static uint64_t session_id_of(AtText body);
static int compare_numbers(const void *one, const void *other);
static int compare_sessions(const void *one, const void *other);

bool
at_bundle_read(AtBundle *bundle)
{
	if (!load_all(bundle) || !check_parts(bundle))
		return false;
	set_evidence(bundle);
	return true;
}

AtBundleFile *
at_bundle_load(AtBundle *bundle, AtEvidencePart part, uint64_t number, uint32_t ordinal)
{
	AtEvidencePath name = {.part = part, .number = number, .ordinal = ordinal};
	AtBundleFile *file = at_bundle_file(&bundle->files, &name);

	/* that it is there was checked */
	return at_bundle_file_load(&bundle->files, file) ? file : NULL;
}

void
at_bundle_free(AtBundle *bundle)
{
	at_bundle_files_close(&bundle->files);
	at_key_chain_free(&bundle->keys);
	free(bundle->stamp);
	free(bundle->entry);
	free(bundle->transaction);
	free(bundle->session);
	free(bundle->event);
	free(bundle->example_room);
}

/* Each file as MANIFEST has it; and go on to the end, so that all that are not are told. */
static bool
load_all(AtBundle *bundle)
{
	bool fits = true;

	for (size_t i = 0; i < bundle->files.count; i++)
	{
		AtBundleFile *file = &bundle->files.file[i];

		if (file->name.part == AT_EVIDENCE_MANIFEST)
			continue;
		if (!at_bundle_file_load(&bundle->files, file))
			fits = false;
		else if (!is_kept(file->name.part))
			at_bundle_file_drop(&bundle->files, file);
	}
	return fits;
}

static bool
is_kept(AtEvidencePart part)
{
	switch (part)
	{
		case AT_EVIDENCE_CHECKPOINT:
		case AT_EVIDENCE_KEYS:
		case AT_EVIDENCE_STAMP:
		case AT_EVIDENCE_ENTRY:
		case AT_EVIDENCE_TRANSACTION:
		case AT_EVIDENCE_SESSION:
		case AT_EVIDENCE_EVENT:
			return true;
		default:
			return false;
	}
}

/* None is missing. */
static bool
check_parts(AtBundle *bundle)
{
	bool whole = true;

	for (AtEvidencePart part = AT_EVIDENCE_README; part <= AT_EVIDENCE_KEYS; part++)
		whole &= need(bundle, part, 0, 0);
	for (size_t i = 0; i < bundle->files.count; i++)
		whole &= check_partners(bundle, &bundle->files.file[i].name);
	return whole;
}

static bool
need(AtBundle *bundle, AtEvidencePart part, uint64_t number, uint32_t ordinal)
{
	AtEvidencePath name = {.part = part, .number = number, .ordinal = ordinal};
	char path[AT_EVIDENCE_PATH_MAX + 1] = "";
	AtWriter writer = at_writer(path, AT_EVIDENCE_PATH_MAX);

	if (at_bundle_file(&bundle->files, &name) != NULL)
		return true;

	at_evidence_path_write(&writer, &name);
	at_result_fault(bundle->result, path, "the file is missing");
	return false;
}

/* A body has a proof and a proof a body, and nothing of a transaction is without it. */
static bool
check_partners(AtBundle *bundle, const AtEvidencePath *name)
{
	uint64_t number = name->number;

	switch (name->part)
	{
		case AT_EVIDENCE_ENTRY:
			return need(bundle, AT_EVIDENCE_ENTRY_PROOF, number, 0);
		case AT_EVIDENCE_ENTRY_PROOF:
			return need(bundle, AT_EVIDENCE_ENTRY, number, 0);
		case AT_EVIDENCE_TRANSACTION:
			return need(bundle, AT_EVIDENCE_TRANSACTION_PROOF, number, 0);
		case AT_EVIDENCE_TRANSACTION_PROOF:
		case AT_EVIDENCE_SESSION:
			return need(bundle, AT_EVIDENCE_TRANSACTION, number, 0);
		case AT_EVIDENCE_EVENT:
			return need(bundle, AT_EVIDENCE_EVENT_PROOF, number, name->ordinal) &&
				   need(bundle, AT_EVIDENCE_TRANSACTION, number, 0);
		case AT_EVIDENCE_EVENT_PROOF:
			return need(bundle, AT_EVIDENCE_EVENT, number, name->ordinal);
		default:
			return true;
	}
}

/* By number, and not by the bytes of paths: 9 comes before 10. */
static void
set_evidence(AtBundle *bundle)
{
	AtEvidence *evidence = &bundle->evidence;
	size_t count = bundle->files.count;
	AtBundleFile **order = at_alloc(count * sizeof(*order));

	for (size_t i = 0; i < count; i++)
		order[i] = &bundle->files.file[i];
	qsort(order, count, sizeof(*order), compare_numbers);

	bundle->stamp = at_alloc(count * sizeof(*bundle->stamp));
	bundle->entry = at_alloc(count * sizeof(*bundle->entry));
	bundle->transaction = at_alloc(count * sizeof(*bundle->transaction));
	bundle->session = at_alloc(count * sizeof(*bundle->session));
	bundle->event = at_alloc(count * sizeof(*bundle->event));
	for (size_t i = 0; i < count; i++)
		add_part(bundle, order[i]);
	free(order);
	qsort(bundle->session, evidence->session_count, sizeof(*bundle->session), compare_sessions);

	evidence->stamp = bundle->stamp;
	evidence->entry = bundle->entry;
	evidence->transaction = bundle->transaction;
	evidence->session = bundle->session;
}

/* Of a transaction its own body comes before its events. */
static void
add_part(AtBundle *bundle, const AtBundleFile *file)
{
	AtEvidence *evidence = &bundle->evidence;
	const AtEvidencePath *name = &file->name;
	AtText content = file->content;

	switch (name->part)
	{
		case AT_EVIDENCE_CHECKPOINT:
			evidence->checkpoint = content;
			break;
		case AT_EVIDENCE_KEYS:
			evidence->keys = content;
			break;
		case AT_EVIDENCE_STAMP:
			bundle->stamp[evidence->stamp_count++] = (AtEvidenceStamp){name->name, content};
			break;
		case AT_EVIDENCE_ENTRY:
			bundle->entry[evidence->entry_count++] = (AtEvidenceEntry){name->number, content};
			break;
		case AT_EVIDENCE_TRANSACTION:
			bundle->transaction[evidence->transaction_count++] =
				(AtEvidenceTransaction){.tx_id = name->number,
										.body = content,
										.event = &bundle->event[bundle->event_count]};
			break;
		case AT_EVIDENCE_EVENT:
			bundle->event[bundle->event_count++] = (AtEvidenceEvent){name->ordinal, content};
			bundle->transaction[evidence->transaction_count - 1].event_count++;
			break;
		case AT_EVIDENCE_SESSION:
			bundle->session[evidence->session_count++] =
				(AtEvidenceSession){session_id_of(content), name->number, content};
			break;
		default:
			break;
	}
}

/* 0 of what is no session, for at_bundle_check_whole() to tell. */
static uint64_t
session_id_of(AtText body)
{
	AtSessionBody session;

	return at_session_body_read(&session, (const uint8_t *) body.data, body.len)
			   ? session.session_id
			   : 0;
}

static int
compare_numbers(const void *one, const void *other)
{
	const AtBundleFile *a = *(AtBundleFile *const *) one;
	const AtBundleFile *b = *(AtBundleFile *const *) other;

	if (a->name.number != b->name.number)
		return a->name.number < b->name.number ? -1 : 1;
	if (a->name.ordinal != b->name.ordinal)
		return a->name.ordinal < b->name.ordinal ? -1 : 1;
	if (a->name.part != b->name.part)
		return a->name.part < b->name.part ? -1 : 1;
	return at_text_compare(at_text(a->path), at_text(b->path));
}

static int
compare_sessions(const void *one, const void *other)
{
	uint64_t one_id = ((const AtEvidenceSession *) one)->session_id;
	uint64_t other_id = ((const AtEvidenceSession *) other)->session_id;

	return (one_id > other_id) - (one_id < other_id);
}
