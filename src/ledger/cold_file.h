/*-------------------------------------------------------------------------
 * cold_file.h
 *		Segments of cold rows in files below audit_trail.archive_directory.
 *
 * A file has the segments of a store, one behind the other. Its name is told by
 * audit.segment, relative to the directory.
 *-------------------------------------------------------------------------
 */
#ifndef AT_COLD_FILE_H
#define AT_COLD_FILE_H

#include "core/text.h"

/*
 * Read a piece of a file into the current context. Why it cannot be, as the
 * detail of a message; NULL if it can.
 */
extern const char *at_cold_file_read(const char *file, int64 offset, int32 len, AtText *bytes);

/* Begin a file, which is put in its place when it is on disk. Errors name the path. */
typedef struct AtColdFile
{
	char *path;
	char *aside;
	int fd;
	int64 len;
} AtColdFile;

extern void at_cold_file_begin(AtColdFile *out, const char *file);
extern void at_cold_file_append(AtColdFile *out, AtText bytes);
extern void at_cold_file_end(AtColdFile *out);

/* Remove a file when the transaction has committed; a failure is a warning. */
extern void at_cold_file_remove(const char *file);

/* Register the callback. */
extern void at_cold_file_init(void);

#endif
