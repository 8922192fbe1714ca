/*-------------------------------------------------------------------------
 * debug_point.h
 *		Named places where a test can stop a process.
 *
 * at_debug_point("name") waits for the exclusive advisory lock
 * (0x41554454, hashtext('name')) to be free, if the setting
 * audit_trail.debug_points names it; else it costs one comparison. A test
 * takes pg_advisory_lock(1096107092, hashtext('name')) to hold the process
 * there. Needs a transaction.
 *-------------------------------------------------------------------------
 */
#ifndef AT_DEBUG_POINT_H
#define AT_DEBUG_POINT_H

extern void at_debug_point(const char *name);

/* End the process there as kill -9 does, if the setting names it. Needs no transaction. */
extern void at_debug_kill(const char *name);

/* Does the setting name it? For what a test cannot bring about otherwise. */
extern bool at_debug_point_is_on(const char *name);

#endif
