/*-------------------------------------------------------------------------
 * public_key.h
 *		The public keys of the log, which are entries of it: kind "key".
 *
 * The last of them is the key that signs. A key comes into the log in the
 * pass that first finds it configured, and signs from then on.
 *-------------------------------------------------------------------------
 */
#ifndef AT_PUBLIC_KEY_H
#define AT_PUBLIC_KEY_H

#include "base/signing_key.h"
#include "ledger/log.h"

#define AT_KIND_KEY "key"

/*
 * The last key in the log, as the active snapshot sees it; false if it has
 * none. ERRCODE_AT_INTEGRITY if what it says is no key.
 */
extern bool at_public_key_last(AtPublicKey *key);

/* The same of the key that signs a checkpoint of this size. */
extern bool at_public_key_at(AtPublicKey *key, uint64 size);

/*
 * Raise an error if this key must not follow the last one: it has another
 * name, or an endorsement that is not by that key. Pass NULL for the first key.
 */
extern void at_public_key_check(const AtSigningKey *key, const AtPublicKey *last);

/* Append the entry of a key that follows `last`, as it was checked. */
extern void at_public_key_append(AtLogHead *head, int32 incarnation, const AtSigningKey *key,
								 const AtPublicKey *last);

#endif
