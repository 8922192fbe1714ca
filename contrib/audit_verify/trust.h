/*-------------------------------------------------------------------------
 * trust.h
 *		Whom the user believes: public keys from the command line, and never
 *		from what is to be verified.
 *-------------------------------------------------------------------------
 */
#ifndef AT_USER_TRUST_H
#define AT_USER_TRUST_H

#include "core/checkpoint.h"
#include "core/note.h"
#include "result.h"

typedef struct AtKeys
{
	size_t count;
	size_t max;
	AtPublicKey *key;
} AtKeys;

typedef struct AtUserTrust
{
	AtKeys log;
	AtKeys witness;
	int quorum;           /* so many witnesses must have cosigned; -1: all that are given */
	const char *tsa_path; /* certificates of authorities for time stamps; NULL: none */
} AtUserTrust;

/* Add a key of this type, or those of a file: one a line. at_fatal() if there is none. */
extern void at_keys_add(AtKeys *keys, AtKeyType type, const char *argument);

extern void at_keys_free(AtKeys *keys);

/* The part of the trust that counts for this note: of the log's keys the one that signed it. */
extern AtTrust at_trust_for(const AtUserTrust *trust, AtText note);

/*
 * Verify a checkpoint, this part of what was given. Says who has signed it;
 * false, with faults said, if it is not as the trust demands.
 */
extern bool at_trust_open(const AtUserTrust *trust, AtText note, const char *part,
						  AtCheckpoint *checkpoint, AtResult *result);

/* Every signature of the note by a key of the log that was given must verify; there may be none. */
extern AtError at_trust_verify_given(const AtUserTrust *trust, const AtNote *note);

/* Says who has signed a verified checkpoint besides this key of the log. */
extern void at_trust_say_witnesses(const AtUserTrust *trust, AtText note, const AtPublicKey *key,
								   AtResult *result);

#endif
