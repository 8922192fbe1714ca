/*-------------------------------------------------------------------------
 * block.h
 *		A rule refuses a change.
 *
 * The attempt and its alert are recorded nevertheless: they go through the ring
 * to the collector, which nothing of the transaction that fails can undo.
 *-------------------------------------------------------------------------
 */
#ifndef AT_BLOCK_H
#define AT_BLOCK_H

#include "alert/observed.h"
#include "alert/raise.h"
#include "base/compat.h"

/* Tell of the attempt and raise ERRCODE_AT_BLOCKED. */
pg_noreturn extern void at_block_refuse(AtObserved *observed, const AtRaised *raised);

/* Does the event tell of a change that a rule has refused? Then raise its alert. */
extern bool at_block_is(const AtEvent *event);
extern void at_block_raise(const AtChange *change);

#endif
