/*-------------------------------------------------------------------------
 * cold_change.h
 *		What becomes of archived partitions later: rows that leave them, and
 *		segments that are moved to files.
 *
 * Both put other rows in the place of those of a store, in the caller's
 * transaction and under AccessExclusiveLock on the foreign table and its store.
 * A file is on disk under its name before a row leads to it.
 *-------------------------------------------------------------------------
 */
#ifndef AT_COLD_CHANGE_H
#define AT_COLD_CHANGE_H

#include "ledger/let_go.h"

/* at_let_go() of an archived partition. */
extern uint64 at_cold_let_go(Oid partition, AtLetGo goes, void *arg, int64 *bytes);

/*
 * Move the content of its segments to a file below audit_trail.archive_directory, which must be
 * set; returns how many bytes. The name of the file, in the current context, is *file. Nothing is
 * done, and 0 returned, where some of it is in a file already. Segments that cannot be read raise
 * an error. Readers wait for no longer than it takes to write the rows that lead to the file.
 */
extern int64 at_cold_move(Oid partition, char **file);

#endif
