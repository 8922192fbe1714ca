/*-------------------------------------------------------------------------
 * guard.h
 *		Hooks that refuse commands against the audit trail.
 *
 * While audit_trail.guard is on and a ledger has begun in the database,
 * nobody alters, drops, replaces or adds to what guarded.h names, superuser
 * or not: ERRCODE_AT_GUARDED. The same goes for what is in the schema pg_catalog,
 * on which all of it rests, but for the scripts of extensions. LOCK of what
 * belongs to the trail that writers would wait for is refused too, but to superusers. Privileges,
 *comments, VACUUM, ANALYZE, REINDEX, other locks and publications are not the guard's business. Our
 *own commands (see own_command.h), scripts of the extension, and binary upgrade pass.
 *-------------------------------------------------------------------------
 */
#ifndef AT_GUARD_H
#define AT_GUARD_H

/* Install the hooks. */
extern void at_guard_init(void);

/* Is there something to protect, here and now? */
extern bool at_guard_is_on(void);

/* Is it the script of an extension that changes rows now, and not what a command in it causes to
 * run? */
extern bool at_guard_in_script(void);

#endif
