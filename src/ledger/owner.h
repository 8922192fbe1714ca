/*-------------------------------------------------------------------------
 * owner.h
 *		Acting as the ledger's owner for a few commands of our own.
 *
 * Between enter and leave the current user is the extension's owner, in a
 * security-restricted context with a fixed search path and pinned settings,
 * so that nothing of the caller's can run with the owner's rights. An error
 * in between undoes it all by itself, as for a function with SECURITY
 * DEFINER.
 *-------------------------------------------------------------------------
 */
#ifndef AT_OWNER_H
#define AT_OWNER_H

typedef struct AtOwnerState
{
	Oid user;
	int security_context;
	int guc_level;
} AtOwnerState;

/* Raises ERRCODE_AT_NO_LEDGER if the extension is not installed. */
extern void at_owner_enter(AtOwnerState *state);

extern void at_owner_leave(const AtOwnerState *state);

#endif
