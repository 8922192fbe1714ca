/*-------------------------------------------------------------------------
 * heartbeat.h
 *		An entry of the log that says that nothing happened.
 *-------------------------------------------------------------------------
 */
#ifndef AT_HEARTBEAT_H
#define AT_HEARTBEAT_H

#include "ledger/log.h"

#define AT_KIND_HEARTBEAT "heartbeat"

/*
 * Append the entry if checkpoints are anchored and nothing was sealed for
 * audit_trail.anchor_heartbeat. Called last in a pass of the sealer.
 */
extern void at_heartbeat_seal(AtLogHead *head, int32 incarnation);

#endif
