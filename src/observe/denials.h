/*-------------------------------------------------------------------------
 * denials.h
 *		What PostgreSQL itself refuses is an event, where it is for want of
 *		privilege, or a setting that is the configuration file's.
 *
 * access.denied, with op R: the message, the object where it is known, and
 * the client's command without its literals. Whatever raises
 * insufficient_privilege counts - a table, column, function, schema, an object of
 * others, a row that row security refuses - at every level of nesting, and also where a function
 * catches the error. The same refusal is told once a command of the client.
 *
 * A setting of ours, or shared_preload_libraries, that somebody tries to set by set_config(), by
 * an update of pg_settings or by the options of a session that begins is audit.refused, as what the
 * guard refuses: whatever audit_trail.record_denials says.
 *
 * Caveat: rows that row security hides are no refusal.
 *-------------------------------------------------------------------------
 */
#ifndef AT_DENIALS_H
#define AT_DENIALS_H

/* Install the hooks. */
extern void at_denials_init(void);

#endif
