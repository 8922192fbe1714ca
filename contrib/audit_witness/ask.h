/*-------------------------------------------------------------------------
 * ask.h
 *		Asking witnesses to cosign a checkpoint.
 *-------------------------------------------------------------------------
 */
#ifndef AT_ASK_H
#define AT_ASK_H

#include "core/key.h"

#define AT_WITNESSES_MAX 32

/* Exit codes besides: refused or not reachable; to be run again with another proof. */
#define AT_EXIT_REFUSED 1
#define AT_EXIT_AGAIN   3

typedef struct AtAsk
{
	const char *request; /* path of the body of add-checkpoint */
	int quorum;          /* so many must cosign; -1: all that are asked */
	int timeout;         /* seconds for each step */
	int address_count;
	const char *address[AT_WITNESSES_MAX];
	int key_count;
	AtPublicKey key[AT_WITNESSES_MAX];
} AtAsk;

/*
 * Ask them all, verify what they answer, and print the cosignatures if there
 * are enough. Returns the exit code: 0; AT_EXIT_REFUSED; or AT_EXIT_AGAIN if a
 * witness needs a proof from another size, which is printed as "old N".
 */
extern int at_ask(const AtAsk *ask);

#endif
