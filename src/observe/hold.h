/*-------------------------------------------------------------------------
 * hold.h
 *		Rows on their way to the client that are held back until somebody
 *		lets them go.
 *-------------------------------------------------------------------------
 */
#ifndef AT_HOLD_H
#define AT_HOLD_H

#include "tcop/dest.h"

/* A receiver that stands before another one. */
typedef struct AtHold AtHold;

/* Does the receiver send to a client, or keep rows that are sent later? */
extern bool at_hold_is_remote(const DestReceiver *receiver);

/*
 * Put one before a receiver, in the current memory context. From when *holds is true on it keeps
 * the rows; before, they pass.
 */
extern DestReceiver *at_hold_begin(DestReceiver *receiver, const bool *holds);

/* Let go what it has. An error in between leaves the rows to the memory context. */
extern void at_hold_release(DestReceiver *hold);

#endif
