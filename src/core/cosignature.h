/*-------------------------------------------------------------------------
 * cosignature.h
 *		What a witness says of a checkpoint: C2SP tlog-cosignature, version 1
 *		with Ed25519.
 *
 * A cosignature is a signature line of the checkpoint's note by a key of
 * type AT_KEY_COSIGNATURE. Its bytes are a time (u64, big-endian, seconds
 * since 1970, below 2^63) and a signature over "cosignature/v1\n", "time N\n"
 * and the note's text. It says that at that time this was the largest tree
 * of this origin that the witness had seen, and consistent with all before.
 *
 * Texts are at most AT_CHECKPOINT_TEXT_MAX bytes long.
 *-------------------------------------------------------------------------
 */
#ifndef AT_COSIGNATURE_H
#define AT_COSIGNATURE_H

#include "core/note.h"

/*
 * Is the note cosigned by the key? As with at_note_verify() every line of the
 * key must verify. *when is then the latest of their times.
 */
extern AtError at_cosignature_verify(const AtNote *note, const AtPublicKey *key, uint64_t *when);

/* Write a signature line for the text of a checkpoint, which is refused if it is none. */
extern AtError at_cosignature_sign(AtWriter *writer, AtText text, uint64_t when,
								   const AtPrivateKey *key);

#endif
