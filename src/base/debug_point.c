/*-------------------------------------------------------------------------
 * debug_point.c
 *		Named places where a test can stop a process.
 *
 * The lock is taken and given back at once: it only makes the process wait
 * for whoever holds it. A session that holds it itself does not stop.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <signal.h>
#include <unistd.h>

#include "catalog/pg_collation_d.h"
#include "storage/proc.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"

#include "base/debug_point.h"
#include "base/guc.h"

#define AT_DEBUG_LOCK_CLASS 0x41554454 /* "AUDT" */

void
at_debug_point(const char *name)
{
	Datum lock_class = Int32GetDatum(AT_DEBUG_LOCK_CLASS);
	Datum lock_id;

	if (likely(at_guc_debug_points[0] == '\0') || !at_debug_point_is_on(name))
		return;

	lock_id = DirectFunctionCall1Coll(hashtext, DEFAULT_COLLATION_OID, CStringGetTextDatum(name));

	/* a test holds it for longer than who is in a hurry would wait */
	int save = LockTimeout;

	PG_TRY();
	{
		LockTimeout = 0;
		DirectFunctionCall2(pg_advisory_lock_int4, lock_class, lock_id);
	}
	PG_FINALLY();
	{
		LockTimeout = save;
	}
	PG_END_TRY();
	DirectFunctionCall2(pg_advisory_unlock_int4, lock_class, lock_id);
}

void
at_debug_kill(const char *name)
{
	if (unlikely(at_debug_point_is_on(name)))
		kill(getpid(), SIGKILL);
}

/* Is the name one of the comma-separated items of the setting? */
bool
at_debug_point_is_on(const char *name)
{
	size_t length = strlen(name);

	if (likely(at_guc_debug_points[0] == '\0'))
		return false;
	for (const char *item = at_guc_debug_points; item != NULL; item = strchr(item, ','))
	{
		item += strspn(item, ", ");
		if (strncmp(item, name, length) == 0 && strchr(", ", item[length]) != NULL)
			return true;
	}
	return false;
}
