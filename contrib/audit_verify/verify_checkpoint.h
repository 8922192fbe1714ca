/*-------------------------------------------------------------------------
 * verify_checkpoint.h
 *		Verifies a checkpoint: what audit.checkpoint() gives.
 *-------------------------------------------------------------------------
 */
#ifndef AT_VERIFY_CHECKPOINT_H
#define AT_VERIFY_CHECKPOINT_H

#include "kept.h"

extern void at_verify_checkpoint(AtResult *result, AtText text, const AtUserTrust *trust,
								 const AtKept *kept);

#endif
