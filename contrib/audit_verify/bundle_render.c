/*-------------------------------------------------------------------------
 * bundle_render.c
 *		Do the readable files of a bundle say what was proved?
 *
 * They are rendered anew, by the code that the server has, from the bodies
 * that were proved.
 *-------------------------------------------------------------------------
 */
#include "bundle.h"
#include "message.h"

typedef AtError (*Render)(AtOutput *output, const AtEvidence *evidence);

/* What is rendered is compared with the rest of the file. */
typedef struct Comparison
{
	AtText rest;
	size_t same; /* so many bytes were */
} Comparison;

static bool check_file(AtBundle *bundle, AtEvidencePart part, Render render);
static bool compare(void *taker, AtText piece);

bool
at_bundle_check_rendered(AtBundle *bundle)
{
	if (!at_result_error(bundle->result, "bundle", at_evidence_check(&bundle->evidence)))
		return false;

	bool readme = check_file(bundle, AT_EVIDENCE_README, at_evidence_write_readme);
	bool report = check_file(bundle, AT_EVIDENCE_REPORT, at_evidence_write_report);
	bool events = check_file(bundle, AT_EVIDENCE_EVENTS, at_evidence_write_events);

	return readme && report && events;
}

static bool
check_file(AtBundle *bundle, AtEvidencePart part, Render render)
{
	AtBundleFile *file = at_bundle_load(bundle, part, 0, 0);
	Comparison comparison;
	AtOutput output;
	AtError error;

	if (file == NULL)
		return false;
	comparison = (Comparison){.rest = file->content};
	at_output_start(&output, compare, &comparison);
	error = render(&output, &bundle->evidence);
	if (error == AT_OK && comparison.rest.len > 0)
		error = AT_ERR_OUTPUT;
	if (error != AT_OK && error != AT_ERR_OUTPUT)
		at_result_error(bundle->result, file->path, error);
	if (error == AT_ERR_OUTPUT)
		at_result_fault(bundle->result, file->path,
						"it does not say what was proved, from byte %zu on", comparison.same);
	at_bundle_file_drop(&bundle->files, file);
	return error == AT_OK;
}

/* An AtOutputTake. */
static bool
compare(void *taker, AtText piece)
{
	Comparison *comparison = taker;
	size_t i = 0;

	while (i < piece.len && i < comparison->rest.len && piece.data[i] == comparison->rest.data[i])
		i++;
	comparison->same += i;
	comparison->rest = (AtText){comparison->rest.data + i, comparison->rest.len - i};
	return i == piece.len;
}
