/*-------------------------------------------------------------------------
 * verify_proof.h
 *		Verifies the proof of an event: what audit.prove() gives.
 *-------------------------------------------------------------------------
 */
#ifndef AT_VERIFY_PROOF_H
#define AT_VERIFY_PROOF_H

#include "kept.h"

extern void at_verify_proof(AtResult *result, AtText text, const AtUserTrust *trust,
							const AtKept *kept);

#endif
