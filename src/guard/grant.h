/*-------------------------------------------------------------------------
 * grant.h
 *		GRANT and REVOKE on objects of the audit trail.
 *
 * Who may read and configure is for the owner to say, by roles. But what
 * everybody may do with tables and functions of the trail is part of it: more
 * would open it, less would make writers fail. And on what only the trail
 * itself writes, nobody needs more than SELECT.
 *-------------------------------------------------------------------------
 */
#ifndef AT_GRANT_H
#define AT_GRANT_H

#include "nodes/parsenodes.h"

/* Raise ERRCODE_AT_GUARDED if the command does either. */
extern void at_grant_check(const GrantStmt *statement);

#endif
