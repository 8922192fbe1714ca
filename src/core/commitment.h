/*-------------------------------------------------------------------------
 * commitment.h
 *		What is recorded in the place of a value that nobody is to read: a
 *		keyed hash, or a commitment.
 *
 * Both need a secret of 32 bytes; without it, values cannot be found by
 * trying. A keyed hash is the same for equal values. A commitment differs
 * from event to event, since its salt does:
 *
 *	hash		HMAC-SHA256(secret, "ATH1" | value)
 *	salt		HMAC-SHA256(secret, "ATP1" | log_id | nonce | u8 side |
 *				u8 has_subject | SHA-256(subject) | SHA-256(column))
 *	commitment	SHA-256("ATV1" | salt | value)
 *
 * Without a subject its hash is 32 zeros. Who is given one salt can check
 * that one value, and learns nothing of the secret. These formats are
 * frozen like those of body.h.
 *
 * Every function returns false if libcrypto fails, and then leaves *out
 * undefined. Nothing of the secret or of a salt is left on the stack.
 *-------------------------------------------------------------------------
 */
#ifndef AT_COMMITMENT_H
#define AT_COMMITMENT_H

#include "core/body.h"

#define AT_SECRET_LEN    32
#define AT_SECRET_ID_LEN 4
#define AT_NONCE_LEN     16

/* Which secret it is: HMAC-SHA256(secret, "ATK1"), its first bytes. */
extern bool at_secret_id(const uint8_t *secret, uint8_t *id);

extern bool at_keyed_hash(const uint8_t *secret, const void *value, size_t len, AtHash *out);

/* Where a value stands. */
typedef struct AtCommitmentPlace
{
	const uint8_t *log_id; /* AT_LOG_ID_LEN bytes */
	const uint8_t *nonce;  /* of the event, AT_NONCE_LEN bytes */
	uint8_t side;          /* 'O' of old values, 'N' of new ones */
	AtSpan subject;        /* whose value it is; may be missing */
	AtSpan column;
} AtCommitmentPlace;

extern bool at_commitment(const uint8_t *secret, const AtCommitmentPlace *place, const void *value,
						  size_t len, AtHash *out);

#endif
