/*-------------------------------------------------------------------------
 * shmem.h
 *		What processes share: one slot a database.
 *
 * Without shared_preload_libraries there is no shared memory: then
 * at_shmem_ready() is false, the wake functions do nothing, and whoever
 * needs a worker says so with ERRCODE_AT_NO_WORKER.
 *-------------------------------------------------------------------------
 */
#ifndef AT_SHMEM_H
#define AT_SHMEM_H

/* Install the request and start-up hooks; call from _PG_init during preload. */
extern void at_shmem_init(void);

extern bool at_shmem_ready(void);

#endif
