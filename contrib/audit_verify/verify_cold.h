/*-------------------------------------------------------------------------
 * verify_cold.h
 *		Verifies a file of cold segments, as the keeper moves them out of the database, by the
 *		proof beside it, which audit.export_segments() wrote.
 *
 * The leaf of each row is computed, and has to be in a batch of the log. FILE.atq has FILE.proof.
 *-------------------------------------------------------------------------
 */
#ifndef AT_VERIFY_COLD_H
#define AT_VERIFY_COLD_H

#include "kept.h"

#define AT_COLD_START "ATQ1"

/* `bytes` were read from the path. `event`, if it is not NULL, is told besides: 1042.3. */
extern void at_verify_cold(AtResult *result, const char *path, AtText bytes, const char *event,
						   const AtUserTrust *trust, const AtKept *kept);

#endif
