/*-------------------------------------------------------------------------
 * bundle_files.h
 *		The files of an evidence bundle, from a directory or an archive.
 *
 * They are exactly those that MANIFEST lists, and each is read only with the
 * hash that it has there. So it makes no difference whether somebody writes
 * to the directory meanwhile.
 *
 * Of an archive all is in memory, of a directory what is loaded.
 *-------------------------------------------------------------------------
 */
#ifndef AT_BUNDLE_FILES_H
#define AT_BUNDLE_FILES_H

#include "core/evidence_path.h"
#include "core/hash.h"
#include "result.h"

typedef struct AtBundleFile
{
	char path[AT_EVIDENCE_PATH_MAX + 1];
	AtEvidencePath name; /* of a time stamp, name.name points into path */
	AtHash hash;         /* as MANIFEST has it */
	AtText content;      /* of an archive, or while it is loaded */
} AtBundleFile;

typedef struct AtBundleFiles
{
	AtResult *result;
	const char *directory; /* NULL: an archive, whose bytes are the caller's */
	size_t count;
	size_t max;
	AtBundleFile *file; /* ascending by the bytes of their paths; MANIFEST is among them */
} AtBundleFiles;

/*
 * Find the files, and the hash of each. False, with faults said, if they are
 * not those of MANIFEST, or if there is something else.
 */
extern bool at_bundle_files_open_directory(AtBundleFiles *files, const char *directory,
										   AtResult *result);
extern bool at_bundle_files_open_archive(AtBundleFiles *files, AtText archive, AtResult *result);

/* Load a file. False, with a fault said, if it has another hash. */
extern bool at_bundle_file_load(const AtBundleFiles *files, AtBundleFile *file);

/* Its content is not needed any more; it can be loaded again. */
extern void at_bundle_file_drop(const AtBundleFiles *files, AtBundleFile *file);

/* The file of this part; NULL if there is none. */
extern AtBundleFile *at_bundle_file(const AtBundleFiles *files, const AtEvidencePath *name);

extern void at_bundle_files_close(AtBundleFiles *files);

#endif
