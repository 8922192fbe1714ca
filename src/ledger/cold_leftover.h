/*-------------------------------------------------------------------------
 * cold_leftover.h
 *		Files below audit_trail.archive_directory that may have to be removed when a
 *		transaction has ended: of segments that were purged when it has committed, and
 *		of a move when it has not.
 *
 * Before anything depends on it, a marker FILE.leaving is on disk, which says whose
 * it is. Whoever ends the transaction removes what is to be removed, and then the
 * marker. After a crash the marker is left, and audit.segment says which it was: a
 * file that it does not name is to be removed. So no file outlives the purge of what is in it,
 * and no file of another database in the same directory is touched.
 *-------------------------------------------------------------------------
 */
#ifndef AT_COLD_LEFTOVER_H
#define AT_COLD_LEFTOVER_H

#include "nodes/pg_list.h"

/* Of the names of markers, and of files that are being written. */
#define AT_FILE_LEAVING ".leaving"
#define AT_FILE_PART    ".part"

/*
 * In a transaction: a file FILE or FILE.part is about to be there, which is to be removed unless
 * it commits. Raises an error if the marker cannot be written.
 */
extern void at_cold_leftover_made(const char *file);

/* In a transaction: a file is to be removed, also elsewhere, when it has committed. Likewise. */
extern void at_cold_leftover_going(const char *file);

/*
 * Files of this database that have markers, in the current context. The caller has the lock for
 * passes over audit.segment, so no transaction is about any of them.
 */
extern List *at_cold_leftovers(void);

/* End what a crash has left of a file, whether it is to stay or to be removed. */
extern void at_cold_leftover_end(const char *file, bool stays);

/* Register the callback. */
extern void at_cold_leftover_init(void);

#endif
