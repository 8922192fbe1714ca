/*-------------------------------------------------------------------------
 * sample.c
 *		For tests: a valid bundle, and variants of it.
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <stdlib.h>

#include "core/manifest.h"
#include "core/ustar.h"
#include "file.h"
#include "message.h"
#include "test/sample.h"

static AtText write_manifest(const Sample *sample, size_t file, AtText content);
static AtText content_of(const Sample *sample, size_t file, size_t i, AtText content);
static bool take_fault(AtResult *result, char *fault, size_t size);

void
at_sample_read(Sample *sample, const char *path, const char *key)
{
	AtText rest;
	size_t path_max = 0;
	size_t content_max = 0;

	*sample = (Sample){.trust.quorum = -1, .archive = at_file_read(path)};
	at_keys_add(&sample->trust.log, AT_KEY_NOTE, key);
	rest = sample->archive;
	for (;;)
	{
		size_t count = sample->count + 1;

		sample->path = at_grow(sample->path, &path_max, count, sizeof(AtText));
		sample->content = at_grow(sample->content, &content_max, count, sizeof(AtText));
		at_check_machine(
			at_ustar_next(&rest, &sample->path[count - 1], &sample->content[count - 1]));
		if (sample->path[count - 1].data == NULL)
			break;
		sample->count = count;
	}
	if (!at_sample_verify(sample, sample->archive, NULL, 0))
		at_fatal("the sample is not valid");
}

void
at_sample_free(Sample *sample)
{
	at_keys_free(&sample->trust.log);
	free((char *) sample->archive.data);
	free(sample->path);
	free(sample->content);
}

AtText
at_sample_forge(const Sample *sample, size_t file, AtText content)
{
	AtText manifest = file == 0 ? content : write_manifest(sample, file, content);
	size_t size = AT_USTAR_END + AT_USTAR_LEN(manifest.len);

	for (size_t i = 1; i < sample->count; i++)
		size += AT_USTAR_LEN(content_of(sample, file, i, content).len);

	AtWriter writer = at_writer(at_alloc(size), size);

	at_check_machine(at_ustar_add(&writer, sample->path[0], manifest));
	for (size_t i = 1; i < sample->count; i++)
		at_check_machine(
			at_ustar_add(&writer, sample->path[i], content_of(sample, file, i, content)));
	at_check_machine(at_ustar_end(&writer));
	if (file != 0)
		free((char *) manifest.data);
	return (AtText){writer.data, writer.len};
}

static AtText
write_manifest(const Sample *sample, size_t file, AtText content)
{
	size_t size = sample->count * AT_MANIFEST_LINE_MAX;
	AtWriter writer = at_writer(at_alloc(size), size);
	AtHash hash;

	for (size_t i = 1; i < sample->count; i++)
	{
		AtText bytes = content_of(sample, file, i, content);

		if (!at_hash(bytes.data, bytes.len, &hash))
			at_check_machine(AT_ERR_LIBCRYPTO);
		at_manifest_write_line(&writer, &hash, sample->path[i]);
	}
	return (AtText){writer.data, writer.len};
}

static AtText
content_of(const Sample *sample, size_t file, size_t i, AtText content)
{
	return i == file ? content : sample->content[i];
}

bool
at_sample_verify(const Sample *sample, AtText archive, char *fault, size_t size)
{
	static const AtKept none;
	AtResult result = {0};

	at_verify_bundle_archive(&result, archive, &sample->trust, &none);

	bool valid = take_fault(&result, fault, size);

	if (valid && !at_text_equal(archive, sample->archive))
		abort();
	return valid;
}

bool
at_sample_verify_directory(const Sample *sample, const char *directory, char *fault, size_t size)
{
	static const AtKept none;
	AtResult result = {0};

	at_verify_bundle_directory(&result, directory, &sample->trust, &none);
	return take_fault(&result, fault, size);
}

static bool
take_fault(AtResult *result, char *fault, size_t size)
{
	const AtList *faults = &result->list[AT_FAULTS];
	bool valid = at_result_verdict(result) == AT_VALID;

	if (fault != NULL)
		snprintf(fault, size, "%s", faults->count > 0 ? faults->line[0] : "");
	at_result_free(result);
	return valid;
}
