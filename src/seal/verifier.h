/*-------------------------------------------------------------------------
 * verifier.h
 *		The worker that verifies what came since the last result, and seals
 *		what it found.
 *-------------------------------------------------------------------------
 */
#ifndef AT_VERIFIER_H
#define AT_VERIFIER_H

/* One pass, for the skeleton of workers: see base/worker.h. */
extern long at_verifier_pass(void);

#endif
