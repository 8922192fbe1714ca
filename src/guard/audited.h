/*-------------------------------------------------------------------------
 * audited.h
 *		Audited tables that are dropped.
 *
 * Who may end the audit of a table is who administers the trail, by
 * audit.disable() and with a reason; not who may drop the table. So a table
 * that a policy names is not dropped, by whatever command, until then. What is
 * below such a table, a partition or a child, is dropped if it is empty: no row
 * goes without an event.
 *-------------------------------------------------------------------------
 */
#ifndef AT_AUDITED_H
#define AT_AUDITED_H

/*
 * A relation is about to be dropped: raise ERRCODE_AT_GUARDED if that must not be. The caller has
 * it locked against everybody, or names it before the command runs.
 */
extern void at_audited_check_drop(Oid relid);

#endif
