/*-------------------------------------------------------------------------
 * export.h
 *		What all exports of the log to a directory of the server begin and end
 *		with.
 *
 * An export is of the newest checkpoint that was signed, and goes on where an
 * earlier one in the same directory ended. What it writes becomes valid with
 * the checkpoint, which is written last (base/log_directory.h).
 *-------------------------------------------------------------------------
 */
#ifndef AT_EXPORT_H
#define AT_EXPORT_H

#include "utils/snapshot.h"

#include "base/checkpoint_file.h"
#include "base/compat.h"
#include "base/log_directory.h"

typedef struct AtExport
{
	AtCheckpointFile file;
	AtCheckpoint checkpoint; /* the newest one */
	Snapshot snapshot;       /* has all that the checkpoint speaks of */
	AtLogDirectory directory;
	uint64 old_size; /* of the earlier export; 0 without one */
} AtExport;

/*
 * Begin, until at_export_end() or the end of the transaction; what is written
 * goes below the directory `contents` in the one of the path. Pushes a
 * snapshot. Checked are the privileges for server files, the path, and the
 * checkpoint's signature.
 */
extern void at_export_begin(AtExport *export, const char *path, const char *contents);

/* Publish the checkpoint, if it is a new one. */
extern void at_export_end(AtExport *export);

/*
 * Parts of it, for what is exported otherwise: the path, which must be absolute and the caller's
 * to write, in its canonical form; the newest checkpoint, of which there must be one; and
 * whether the log's key has signed it, which needs a snapshot.
 */
extern char *at_export_path(const char *path);
extern void at_export_checkpoint(AtCheckpointFile *file);
extern void at_export_check_signature(const AtCheckpointFile *file);

/*
 * Write the versions of tables (core/target_list.h), for archives: their contexts are under no
 * hash. As the ledger's owner.
 */
extern void at_export_targets(AtExport *export);

/* Raise an error: the earlier export is of another log. */
pg_noreturn extern void at_export_refuse_other(const AtExport *export);

/* Raise ERRCODE_AT_INTEGRITY: the ledger is not what was signed. */
pg_noreturn extern void at_export_broken(const char *detail);

#endif
