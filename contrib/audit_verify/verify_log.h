/*-------------------------------------------------------------------------
 * verify_log.h
 *		Verifies a whole log, as audit.export_tlog() writes it: C2SP tlog-tiles.
 *
 * All entries are read and hashed, and every tile of the checkpoint's tree is
 * compared with what they give. One bundle of entries is in memory at a
 * time. Files that the tree does not have are not looked at; for a tile
 * that is not full, a full one will do.
 *-------------------------------------------------------------------------
 */
#ifndef AT_VERIFY_LOG_H
#define AT_VERIFY_LOG_H

#include "kept.h"

/* Name of the checkpoint in the directory of a log or an archive. */
#define AT_LOG_CHECKPOINT "checkpoint"

/*
 * Read the checkpoint in the directory of a log, and look whether a signature by a
 * key of the trust is wrong; the key that it must be signed with is known later. The caller
 * frees the note, to which *checkpoint points. False, with a fault said, if it is not good.
 */
extern bool at_log_read_checkpoint(AtResult *result, const char *directory,
								   const AtUserTrust *trust, AtText *note,
								   AtCheckpoint *checkpoint);

extern void at_verify_log(AtResult *result, const char *directory, const AtUserTrust *trust,
						  const AtKept *kept);

#endif
