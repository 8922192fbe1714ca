/*-------------------------------------------------------------------------
 * manifest.h
 *		The list of the files of a bundle of evidence, which sha256sum reads.
 *
 * A line is the SHA-256 of a file in 64 lower-case hexadecimal digits, two
 * spaces, and the file's path (core/evidence_path.h). Lines are in the order of
 * the bytes of the paths. The manifest does not list itself.
 *-------------------------------------------------------------------------
 */
#ifndef AT_MANIFEST_H
#define AT_MANIFEST_H

#include "core/evidence_path.h"
#include "core/hash.h"

#define AT_MANIFEST_LINE_MAX (2 * AT_HASH_LEN + 3 + AT_EVIDENCE_PATH_MAX)

extern void at_manifest_write_line(AtWriter *writer, const AtHash *hash, AtText path);

/*
 * Cut off the next line; the path points into the manifest. *last is the path
 * before, {NULL, 0} at first: a path that does not come after it is refused,
 * so none comes twice. AT_ERR_MANIFEST otherwise; a manifest of which nothing is
 * left is at its end.
 */
extern AtError at_manifest_next(AtText *manifest, AtText last, AtHash *hash, AtText *path);

#endif
