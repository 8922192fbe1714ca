/*-------------------------------------------------------------------------
 * launcher.h
 *		The process that starts the workers of all databases.
 *-------------------------------------------------------------------------
 */
#ifndef AT_LAUNCHER_H
#define AT_LAUNCHER_H

#include "base/worker.h"

/* Have the postmaster start the launcher once recovery has finished; during preload. */
extern void at_launcher_register(void);

/* What a worker is told to be, in bgw_extra. */
typedef struct AtWorkerOrder
{
	Oid database;
	int slot;
	AtWorkerKind kind;
} AtWorkerOrder;

#endif
