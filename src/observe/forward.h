/*-------------------------------------------------------------------------
 * forward.h
 *		What a standby observes, on its way to the trail of the primary server.
 *-------------------------------------------------------------------------
 */
#ifndef AT_FORWARD_H
#define AT_FORWARD_H

#include "base/ring.h"

/* Are there records to be sent by the collector, and not recorded here? */
extern bool at_forward_is_wanted(void);

/*
 * A pass of the collector of a standby: send what is in the ring, or write it to the server's log
 * if the primary server was out of reach for audit_trail.primary_timeout. The batch is empty, and
 * the database is known by its name. Returns the time until the next pass, in ms.
 */
extern long at_forward_pass(const char *database, AtRingBatch *batch);

/* What the numbers of this server's records are numbers of, as a uuid in the current memory
 * context. */
extern const char *at_forward_stream(void);

#endif
