/*-------------------------------------------------------------------------
 * bundle_files.c
 *		The files of an evidence bundle, from a directory or an archive.
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>

#include "bundle_files.h"
#include "core/manifest.h"
#include "core/ustar.h"
#include "directory.h"
#include "file.h"
#include "message.h"

#define ARCHIVE  "archive"
#define MANIFEST "MANIFEST"

static bool add_file(AtBundleFiles *files, AtText path, AtText content);
static bool add_found(void *arg, const char *path, bool is_file);
static void sort(AtBundleFiles *files);
static int compare_files(const void *one, const void *other);
static int compare_to_path(const void *path, const void *file);
static bool read_manifest(AtBundleFiles *files);
static bool match_line(AtBundleFiles *files, size_t *next, const AtHash *hash, AtText path);
static bool say_unlisted(const AtBundleFiles *files, size_t from, size_t to);
static AtBundleFile *find(const AtBundleFiles *files, const char *path);
static AtText path_of(const AtBundleFile *file);

bool
at_bundle_files_open_directory(AtBundleFiles *files, const char *directory, AtResult *result)
{
	*files = (AtBundleFiles){.result = result, .directory = directory};
	if (!at_directory_walk(directory, add_found, files))
		return false;
	sort(files);
	return read_manifest(files);
}

bool
at_bundle_files_open_archive(AtBundleFiles *files, AtText archive, AtResult *result)
{
	AtText path;
	AtText content;
	AtText last = {NULL, 0};

	*files = (AtBundleFiles){.result = result};
	for (;;)
	{
		if (!at_result_error(result, ARCHIVE, at_ustar_next(&archive, &path, &content)))
			return false;
		if (path.data == NULL)
			break;
		if (at_text_compare(last, path) >= 0)
		{
			at_result_fault(result, at_said(result, path),
							"the files of the archive are not in order, or one is there twice");
			return false;
		}
		if (!add_file(files, path, content))
			return false;
		last = path;
	}
	sort(files);
	return read_manifest(files);
}

bool
at_bundle_file_load(const AtBundleFiles *files, AtBundleFile *file)
{
	AtHash hash;

	if (files->directory != NULL &&
		!at_file_read_in(files->directory, file->path, AT_FILE_MAX, &file->content))
	{
		at_result_fault(files->result, file->path, "the file is missing");
		return false;
	}
	if (!at_hash(file->content.data, file->content.len, &hash))
		at_check_machine(AT_ERR_LIBCRYPTO);
	if (memcmp(&hash, &file->hash, sizeof(hash)) == 0)
		return true;

	at_result_fault(files->result, file->path, "its bytes are not those of MANIFEST");
	at_bundle_file_drop(files, file);
	return false;
}

void
at_bundle_file_drop(const AtBundleFiles *files, AtBundleFile *file)
{
	if (files->directory == NULL)
		return;
	free((char *) file->content.data);
	file->content = (AtText){NULL, 0};
}

AtBundleFile *
at_bundle_file(const AtBundleFiles *files, const AtEvidencePath *name)
{
	char path[AT_EVIDENCE_PATH_MAX + 1] = "";
	AtWriter writer = at_writer(path, AT_EVIDENCE_PATH_MAX);

	at_evidence_path_write(&writer, name);
	return find(files, path);
}

void
at_bundle_files_close(AtBundleFiles *files)
{
	for (size_t i = 0; i < files->count; i++)
		at_bundle_file_drop(files, &files->file[i]);
	free(files->file);
	*files = (AtBundleFiles){0};
}

/* An AtDirectoryFound. */
static bool
add_found(void *arg, const char *path, bool is_file)
{
	AtBundleFiles *files = arg;

	if (is_file)
		return add_file(files, at_text(path), (AtText){NULL, 0});

	at_result_fault(files->result, at_said(files->result, at_text(path)),
					"it is not a regular file");
	return false;
}

static bool
add_file(AtBundleFiles *files, AtText path, AtText content)
{
	AtEvidencePath name;
	AtBundleFile *file;

	if (at_evidence_path_read(&name, path) != AT_OK)
	{
		at_result_fault(files->result, at_said(files->result, path), "a bundle has no such file");
		return false;
	}
	files->file = at_grow(files->file, &files->max, files->count + 1, sizeof(AtBundleFile));
	file = &files->file[files->count++];
	*file = (AtBundleFile){.content = content};
	memcpy(file->path, path.data, path.len);
	return true;
}

static void
sort(AtBundleFiles *files)
{
	if (files->count > 0)
		qsort(files->file, files->count, sizeof(AtBundleFile), compare_files);
	for (size_t i = 0; i < files->count; i++)
		(void) at_evidence_path_read(&files->file[i].name, path_of(&files->file[i]));
}

static int
compare_files(const void *one, const void *other)
{
	return at_text_compare(path_of(one), path_of(other));
}

static AtBundleFile *
find(const AtBundleFiles *files, const char *path)
{
	if (files->count == 0)
		return NULL;
	return bsearch(path, files->file, files->count, sizeof(AtBundleFile), compare_to_path);
}

static int
compare_to_path(const void *path, const void *file)
{
	return at_text_compare(at_text(path), path_of(file));
}

/* Its lines and the files are in the same order. */
static bool
read_manifest(AtBundleFiles *files)
{
	AtBundleFile *manifest = find(files, MANIFEST);
	AtText rest;
	AtText path = {NULL, 0};
	AtHash hash;
	size_t next = 0;
	bool fits = true;

	if (manifest == NULL ||
		(files->directory != NULL &&
		 !at_file_read_in(files->directory, manifest->path, AT_FILE_MAX, &manifest->content)))
	{
		at_result_fault(files->result, MANIFEST, "the file is missing");
		return false;
	}
	rest = manifest->content;
	while (rest.len > 0 && fits)
		fits =
			at_result_error(files->result, MANIFEST, at_manifest_next(&rest, path, &hash, &path)) &&
			match_line(files, &next, &hash, path);
	return fits && say_unlisted(files, next, files->count);
}

static bool
match_line(AtBundleFiles *files, size_t *next, const AtHash *hash, AtText path)
{
	size_t first = *next;

	while (*next < files->count && at_text_compare(path_of(&files->file[*next]), path) < 0)
		(*next)++;
	if (!say_unlisted(files, first, *next))
		return false;
	if (*next == files->count || at_text_compare(path_of(&files->file[*next]), path) != 0)
	{
		at_result_fault(files->result, at_said(files->result, path), "the file is missing");
		return false;
	}
	files->file[(*next)++].hash = *hash;
	return true;
}

/* Files that were passed over are not in the manifest, but for the manifest itself. */
static bool
say_unlisted(const AtBundleFiles *files, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++)
		if (files->file[i].name.part != AT_EVIDENCE_MANIFEST)
		{
			at_result_fault(files->result, files->file[i].path, "MANIFEST does not list it");
			return false;
		}
	return true;
}

static AtText
path_of(const AtBundleFile *file)
{
	return at_text(file->path);
}
