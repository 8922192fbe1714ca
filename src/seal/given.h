/*-------------------------------------------------------------------------
 * given.h
 *		Checkpoints that an auditor has kept and gives back, compared with
 *		the log as it is now.
 *
 * This is what finds what no look at the database alone can: that all of it
 * was set back to an older state, or made anew with right hashes and even
 * right signatures.
 *-------------------------------------------------------------------------
 */
#ifndef AT_GIVEN_H
#define AT_GIVEN_H

#include "core/key.h"
#include "core/merkle.h"
#include "ledger/log_read.h"
#include "seal/findings.h"

typedef struct AtGiven AtGiven;

/*
 * Read the notes, one behind the other, in the encoding of the server; in
 * the current context. With a public key each must be signed by it. An
 * error if a text is no checkpoint, or not signed by that key.
 */
extern AtGiven *at_given_read(const char *notes, const char *public_key);

/*
 * The head of the log as it was signed last, from the checkpoint file, as one
 * more. Call before the snapshot is taken. `given` may be NULL; returns the list.
 */
extern AtGiven *at_given_add_own(AtGiven *given);

/* How many there are; of NULL none. */
extern int at_given_count(const AtGiven *given);

/* The public key in an entry of kind "key"; false if it is none or has none. */
extern bool at_entry_key(const AtEntryRow *entry, AtPublicKey *key);

/* Tell of each entry of the log, in order: keys are learnt from it. */
extern void at_given_see_entry(AtGiven *given, const AtEntryRow *entry);

/* Tell of each root that was computed from the entries. */
extern void at_given_see_root(AtGiven *given, uint64 size, const AtHash *root);

/* The log was read to its end: add what contradicts it to the findings. */
extern void at_given_resolve(AtGiven *given, uint64 log_size, AtFindings *findings);

#endif
