/*-------------------------------------------------------------------------
 * guard.h
 *		Hooks that refuse commands against the audit trail.
 *
 * While audit_trail.guard is on and a ledger has begun in the database,
 * nobody alters, drops, replaces or adds to what guarded.h names, superuser
 * or not: ERRCODE_AT_GUARDED. Privileges, comments, VACUUM, ANALYZE, REINDEX,
 * locks and publications are not the guard's business. Our own commands (see
 * own_command.h), scripts of the extension, and binary upgrade pass.
 *-------------------------------------------------------------------------
 */
#ifndef AT_GUARD_H
#define AT_GUARD_H

/* Install the hooks. */
extern void at_guard_init(void);

#endif
