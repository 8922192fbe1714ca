/*-------------------------------------------------------------------------
 * proof.h
 *		Verifies the proof of an event: what audit.prove() gives.
 *-------------------------------------------------------------------------
 */
#ifndef AT_PROOF_FILE_H
#define AT_PROOF_FILE_H

#include "report.h"
#include "trust.h"

extern void at_verify_proof(AtReport *report, AtText text, const AtUserTrust *trust);

#endif
