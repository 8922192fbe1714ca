/*-------------------------------------------------------------------------
 * last.h
 *		Sealed results of verifications: entries of the log of kind
 *		"verified".
 *
 * The next verification "since last" begins where the last one that found
 * nothing ended. So what one finds is found by every later one, until a full
 * verification has been looked into.
 *
 * It believes that record, as it is in the log, which is signed. Who can forge an
 * entry can make it pass over what is older; that entry then stands in the
 * log for ever, and a full verification believes none.
 *-------------------------------------------------------------------------
 */
#ifndef AT_LAST_H
#define AT_LAST_H

#include "ledger/log.h"
#include "seal/verify.h"

#define AT_KIND_VERIFIED "verified"

/* Where the verification begins: sets verify->first and first_tree, if there is such a record. */
extern void at_last_find(AtVerify *verify);

/* The payload of a result, in the current context. The snapshot is still that of the verification.
 */
extern char *at_last_payload(AtVerify *verify);

/* When the last result was sealed, whatever it was; the beginning of the log if there is none. */
extern TimestampTz at_last_sealed_at(void);

#endif
