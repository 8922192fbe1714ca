/*-------------------------------------------------------------------------
 * explain.h
 *		What a finding of the verification most likely comes from, and what
 *		to do about it, in words for who is not an expert.
 *-------------------------------------------------------------------------
 */
#ifndef AT_EXPLAIN_H
#define AT_EXPLAIN_H

#include "seal/findings.h"

/* Constant texts, one sentence or a few; of a finding that says its own, those. */
extern const char *at_explain_cause(const AtFinding *finding);
extern const char *at_explain_advice(const AtFinding *finding);

#endif
