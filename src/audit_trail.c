/*-------------------------------------------------------------------------
 * audit_trail.c
 *		Module load: a table of contents.
 *
 * During preload everything is installed. Loaded into a single session,
 * the library only captures: no shared memory, no workers.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "miscadmin.h"

#include "base/guc.h"
#include "base/shmem.h"
#include "base/worker.h"

PG_MODULE_MAGIC;

void _PG_init(void);

void
_PG_init(void)
{
	at_guc_init(); /* first: the others read settings */
	if (process_shared_preload_libraries_in_progress)
	{
		at_shmem_init();
		at_worker_init();
	}
}
