/*-------------------------------------------------------------------------
 * key_chain.h
 *		The keys that a log has named as its own, in the order of their entries.
 *
 * The log alone proves nothing by them. A key is believed if the user gave
 * it, or if one that is believed has endorsed it.
 *-------------------------------------------------------------------------
 */
#ifndef AT_KEY_CHAIN_H
#define AT_KEY_CHAIN_H

#include "core/body.h"
#include "trust.h"

#define AT_KIND_KEY "key"

typedef struct AtChainedKey
{
	uint64_t log_index; /* signs the sizes above it, until the next key's */
	AtPublicKey key;
	bool is_given;    /* by the user */
	bool is_endorsed; /* by the key before it */
	bool is_believed;
} AtChainedKey;

typedef struct AtKeyChain
{
	size_t count;
	size_t max;
	AtChainedKey *key;
} AtKeyChain;

/* The next entry of kind "key", this part of what was given; false, with a fault said, if it is
 * none. */
extern bool at_key_chain_add(AtKeyChain *chain, const AtEntryBody *entry, const AtUserTrust *trust,
							 const char *part, AtResult *result);

/* The key that signs checkpoints of this size; NULL if the log has named none. */
extern const AtChainedKey *at_key_chain_signer(const AtKeyChain *chain, uint64_t size);

/*
 * Verify a checkpoint by the key that the log has for its size, and by the
 * witnesses of the trust. Says who has signed it; false, with faults said, if
 * it is not as it should be, or if nobody vouches for that key.
 */
extern bool at_key_chain_open(const AtKeyChain *chain, const AtUserTrust *trust, AtText note,
							  const char *part, AtCheckpoint *checkpoint, AtResult *result);

extern void at_key_chain_free(AtKeyChain *chain);

#endif
