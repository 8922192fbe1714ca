/*-------------------------------------------------------------------------
 * start.h
 *		A control record in the log for each start of the server.
 *-------------------------------------------------------------------------
 */
#ifndef AT_START_H
#define AT_START_H

#include "ledger/log.h"

/*
 * Append a "start" entry if the log has none of this run of the server, and
 * was begun before it. The caller seals, and calls at_start_sealed() once
 * that has been committed.
 */
extern void at_start_seal(AtLogHead *head, int32 incarnation);
extern void at_start_sealed(void);

#endif
