/*-------------------------------------------------------------------------
 * cold_file.h
 *		Segments of cold rows in files below audit_trail.archive_directory.
 *
 * A file has the segments of a store, one behind the other. Its name, which
 * audit.segment has, tells what is in it: PARTITION-STORE.SHA256.atq. So a
 * file that comes back from elsewhere is known to be the one that went.
 *
 * Beside FILE a marker tells how it is with a copy elsewhere:
 *
 *		FILE.ready	it is to be stored there, and may be already
 *		FILE.done	it is stored
 *		FILE.gone	it is to be removed there: what is in it was purged
 *
 * A marker changes by being renamed, so of two who change it one does. A fourth is of
 * cold_leftover.h.
 *-------------------------------------------------------------------------
 */
#ifndef AT_COLD_FILE_H
#define AT_COLD_FILE_H

#include "core/hash.h"
#include "core/text.h"

#define AT_COLD_FILE_END ".atq"
#define AT_FILE_READY    ".ready"
#define AT_FILE_DONE     ".done"
#define AT_FILE_GONE     ".gone"

/*
 * Read a piece of a file into the current context. Why it cannot be, as the
 * detail of a message; NULL if it can. A file that is not there is fetched, which may
 * take as long as audit_trail.archive_timeout, and can be cancelled.
 */
extern const char *at_cold_file_read(const char *file, int64 offset, int32 len, AtText *bytes);

/* Can it be the name of such a file? It comes from a row, which somebody may have forged. */
extern bool at_cold_file_is_name(const char *file);

/* Its path, or that of something beside it, in the current context. */
extern char *at_cold_file_path(const char *file, const char *end);

/* Is that there? */
extern bool at_cold_file_exists(const char *file, const char *end);

/*
 * Have it brought back by audit_trail.restore_command, and put it at the path if it is
 * the file that its name says. Why that did not come about; NULL if it did.
 */
extern const char *at_cold_file_fetch(const char *file, const char *path);

/*
 * Begin a file, which gets its name, and is put in its place, when it is on disk. It goes if the
 * transaction aborts. Errors name the path.
 */
typedef struct AtColdFile
{
	char *aside;
	int fd;
	int64 len;
} AtColdFile;

extern void at_cold_file_begin(AtColdFile *out, const char *start);
extern void at_cold_file_append(AtColdFile *out, AtText bytes);

/* Its name, in the current context. */
extern char *at_cold_file_end(AtColdFile *out, const char *start);

/* SHA-256 of what is in the file at a path; false if it cannot be read, as errno says. */
extern bool at_cold_file_hash(const char *path, AtHash *hash);

#endif
