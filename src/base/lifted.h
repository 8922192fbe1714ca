/*-------------------------------------------------------------------------
 * lifted.h
 *		Whether the guard is lifted, as all processes have it.
 *
 * That is the postmaster's to say: others may have read the configuration file a moment earlier or
 * later, when it said something else, and would go by that until it is read again.
 *-------------------------------------------------------------------------
 */
#ifndef AT_LIFTED_H
#define AT_LIFTED_H

#include "datatype/timestamp.h"

/* How often the postmaster has read that the guard is lifted, and when it did so last. */
typedef struct AtLiftings
{
	uint64 count;
	TimestampTz last_at;
} AtLiftings;

/* Install the request and start-up hooks; call from _PG_init during preload. */
extern void at_lifted_init(void);

/* Is it? Without shared memory, as this process has read it. */
extern bool at_guard_is_lifted(void);

/* Without shared memory, none. They are counted from the start of the server, over crashes. */
extern AtLiftings at_guard_liftings(void);

/* For the setting: this process has read a new value. */
extern void at_guard_read(bool is_on);

#endif
