/*-------------------------------------------------------------------------
 * log_directory.h
 *		A directory that has a static log: files whose names clients know, and
 *		the checkpoint that says how far they go.
 *
 * Each file is written aside, put on disk and renamed, so it is whole under
 * its name or not there. What the checkpoint speaks of is on disk before the
 * checkpoint is. So a writer may be killed anywhere: what it leaves is either
 * not spoken of, or right, and the next one writes it again.
 *
 * The directory must belong to the server's user, and nobody else may write
 * it: whoever can could lead our writing elsewhere by links.
 *-------------------------------------------------------------------------
 */
#ifndef AT_LOG_DIRECTORY_H
#define AT_LOG_DIRECTORY_H

#include "nodes/pg_list.h"

#include "core/checkpoint.h"
#include "core/note.h"

/* Room for a checkpoint with as many cosignatures as there may be. */
#define AT_LOG_DIRECTORY_NOTE_MAX                                                                  \
	(AT_CHECKPOINT_TEXT_MAX + AT_NOTE_MAX_SIGNATURES * AT_SIGNATURE_LINE_MAX)

typedef struct AtLogDirectory
{
	char *path;
	const char *contents;
	int lock;        /* open while we are the only writer */
	List *unsynced;  /* paths of directories that got a new entry */
	uint64 nwritten; /* files */

	bool has_note; /* of an earlier export: */
	char note[AT_LOG_DIRECTORY_NOTE_MAX + 1];
	AtCheckpoint last; /* its strings point into the note */
} AtLogDirectory;

/*
 * Open, until at_log_directory_close() or the end of the transaction. It must
 * be there: with the checkpoint of a log and the directory `contents`, below which
 * files are written, or with nothing but what a killed export left. Raises an error with path and
 * cause if it cannot be used, ERRCODE_LOCK_NOT_AVAILABLE while somebody else writes it.
 */
extern void at_log_directory_open(AtLogDirectory *directory, const char *path,
								  const char *contents);

/* Write a file: a path below the directory, whose own directories are made. */
extern void at_log_directory_write(AtLogDirectory *directory, const char *name, const void *bytes,
								   Size len);

/* Have all of it on disk, and then the checkpoint in its place. */
extern void at_log_directory_publish(AtLogDirectory *directory, AtText note);

extern void at_log_directory_close(AtLogDirectory *directory);

#endif
