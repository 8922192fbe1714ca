/*-------------------------------------------------------------------------
 * endorsement.h
 *		What an old key of a log says of the one that takes its place.
 *
 * It is a note (core/note.h) of two lines, "audit_trail key" and the new
 * public key, signed by the old one. The first line keeps the signature apart
 * from those of checkpoints, whose first line is a name without spaces.
 *-------------------------------------------------------------------------
 */
#ifndef AT_ENDORSEMENT_H
#define AT_ENDORSEMENT_H

#include "core/note.h"

/* Longest one that is written. */
#define AT_ENDORSEMENT_MAX 1024

/* The endorsement of a new key by an old one. */
extern AtError at_endorse(AtWriter *writer, const AtPublicKey *new_key,
						  const AtPrivateKey *old_key);

/* Did the old key endorse the new one? AT_ERR_ENDORSEMENT if it is about something else. */
extern AtError at_endorsement_verify(AtText endorsement, const AtPublicKey *new_key,
									 const AtPublicKey *old_key);

#endif
