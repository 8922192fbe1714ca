/*-------------------------------------------------------------------------
 * serve.h
 *		Answering requests, for ever.
 *-------------------------------------------------------------------------
 */
#ifndef AT_SERVE_H
#define AT_SERVE_H

#include "judge.h"

typedef struct AtWitness
{
	AtPrivateKey key;
	AtKnown known;
	int directory; /* of the state */
	int listener;
} AtWitness;

extern void at_serve(AtWitness *witness) __attribute__((noreturn));

#endif
