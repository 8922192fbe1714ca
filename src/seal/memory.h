/*-------------------------------------------------------------------------
 * memory.h
 *		What an unfinished verification of everything has checked already, so
 *		that another one can go on from there.
 *
 * It is a signed note in a file of the data directory: the log's id, the
 * number of entries whose batches were checked, the root of the log of that
 * size, which of these batches are to be looked at again, and when. It is
 * signed by the log's key; without a key nothing is remembered.
 *
 * It is believed only if audit.verify(resume => true) asks for it, if it has
 * the signature of the log's key, is less than a day old, and if the log has
 * that root at that size. The log itself is always read from its beginning,
 * and the summary says which batches were not looked at, and when they
 * were. What was changed since then in a batch that was checked is not found:
 * so a verification that must not depend on an earlier one does not resume.
 *-------------------------------------------------------------------------
 */
#ifndef AT_MEMORY_H
#define AT_MEMORY_H

#include "seal/verify.h"

/* Find out whether anything can be remembered; may open a subtransaction. */
extern void at_memory_begin(AtVerify *verify);

/*
 * Remember the states (AtProbeState) of the entries from `first` on. An
 * error if the key is not there any more.
 */
extern void at_memory_save(AtVerify *verify, const uint8 *state, uint64 first, uint64 size);

/*
 * Mark what was checked as BEFORE, and set verify->resumed_at and resumed_from.
 * If there is nothing to go on from a NOTICE says why.
 */
extern void at_memory_load(AtVerify *verify, uint8 *state, uint64 first, uint64 size);

/* All was verified: forget. */
extern void at_memory_clear(void);

#endif
