/*-------------------------------------------------------------------------
 * maintenance.h
 *		Maintenance: changes of rows that are counted and not recorded one by
 *		one.
 *
 * Exempt is a session whose authenticated user (no SET changes it) has been
 * granted, directly or through other roles, the role that the setting
 * audit_trail.maintenance_role names. To be a superuser is no grant. Exempt are workers
 * of logical replication too, if audit_trail.logical_apply says so. A
 * transaction that is tagged by audit.tag_maintenance() is recorded like any
 * other, with the reason in extra.maintenance of its events.
 *
 * A transaction that used the exemption and commits has one event of type
 * maintenance.counted, about audit.policy, which tells how many changes of
 * which tables it does not record.
 *-------------------------------------------------------------------------
 */
#ifndef AT_MAINTENANCE_H
#define AT_MAINTENANCE_H

#include "core/body.h"

/*
 * Is this change of a row, or this TRUNCATE, not to be recorded? If so, it
 * has been counted. Names must stay valid during the call only. Changes of
 * our own configuration are always recorded.
 */
extern bool at_maintenance_skips(AtSpan schema, AtSpan table, char op);

/* Register the callbacks; after at_transaction_init(), so that they run before its. */
extern void at_maintenance_init(void);

#endif
