/*-------------------------------------------------------------------------
 * keying.h
 *		A control record in the log for each key that begins to sign it.
 *-------------------------------------------------------------------------
 */
#ifndef AT_KEYING_H
#define AT_KEYING_H

#include "ledger/log.h"

/*
 * Append a "key" entry if the configured key is not the last one in the log.
 * A key that cannot be used is reported in the server's log, once, and
 * changes nothing: sealing goes on without it. The caller seals, and calls
 * at_keying_sealed() once that has been committed.
 */
extern void at_keying_seal(AtLogHead *head, int32 incarnation);
extern void at_keying_sealed(void);

#endif
