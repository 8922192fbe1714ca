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

extern void at_verify_log(AtResult *result, const char *directory, const AtUserTrust *trust,
						  const AtKept *kept);

#endif
