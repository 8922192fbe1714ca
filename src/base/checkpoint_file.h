/*-------------------------------------------------------------------------
 * checkpoint_file.h
 *		The signed checkpoints of this database's log, one behind the other:
 *		what audit_trail.checkpoint_file names.
 *
 * It is the memory that the database cannot change: nothing is signed that
 * does not continue its last checkpoint. It must be a regular file that the
 * server's user owns and nobody else may write, outside of the data
 * directory. It is only ever appended to.
 *
 * A write that was interrupted leaves the beginning of a note. Readers pass
 * over it; the next note is put behind a mark that ends the broken line.
 *-------------------------------------------------------------------------
 */
#ifndef AT_CHECKPOINT_FILE_H
#define AT_CHECKPOINT_FILE_H

#include "core/checkpoint.h"
#include "core/note.h"

/* Room for a checkpoint of ours: no extension lines, one signature. */
#define AT_CHECKPOINT_NOTE_MAX (AT_KEY_NAME_MAX + 100 + AT_SIGNATURE_LINE_MAX)

typedef struct AtCheckpointFile
{
	char *path;
	int file;     /* open for appending, and locked; else -1 */
	bool is_new;  /* it was made by at_checkpoint_file_open() */
	bool is_torn; /* there is something behind the last note */

	bool has_note; /* the last whole one: */
	char note[AT_CHECKPOINT_NOTE_MAX + 1];
	AtCheckpoint last; /* its strings point into the note */
} AtCheckpointFile;

/* Is a file named at all? */
extern bool at_checkpoint_file_is_configured(void);

/*
 * Read the last note. There need be no file yet. Signatures are not verified:
 * who can write the file can cut it too. Raises an error with the path and
 * the cause if the file cannot be used.
 */
extern void at_checkpoint_file_read(AtCheckpointFile *file);

/*
 * The same of the first note of this size or a larger one, as long as sizes
 * ascend, which they do but behind a declaration (see doc/format.md). No note if there
 * is none. It takes few reads, however long the file is.
 */
extern void at_checkpoint_file_find(AtCheckpointFile *file, uint64 size);

/*
 * Read the last note, make the file if need be, and keep it open and locked against
 * other processes until at_checkpoint_file_close() or the end of the
 * transaction. Raises ERRCODE_LOCK_NOT_AVAILABLE if somebody has it locked.
 */
extern void at_checkpoint_file_open(AtCheckpointFile *file);

/* Append a note; it is on disk only after at_checkpoint_file_sync(). */
extern void at_checkpoint_file_append(AtCheckpointFile *file, AtText note);
extern void at_checkpoint_file_sync(AtCheckpointFile *file);

extern void at_checkpoint_file_close(AtCheckpointFile *file);

#endif
