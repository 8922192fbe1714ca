/*-------------------------------------------------------------------------
 * worm.h
 *		Table access method audit_worm: rows can be inserted by the ledger
 *		and read, nothing else.
 *
 * It is heap, less everything that changes, removes or locks a stored row:
 * UPDATE, DELETE, MERGE, SELECT FOR UPDATE or FOR SHARE, ON CONFLICT,
 * TRUNCATE of a table that has rows, and every rewrite (VACUUM FULL,
 * CLUSTER, ALTER TABLE that needs a new heap) raise ERRCODE_AT_WRITE_ONCE,
 * superuser or not. INSERT and COPY are refused as well once an incarnation
 * has begun: before that a dump is being restored. The ledger's own rows do
 * not come this way, see append.h.
 *
 * SELECT, VACUUM, ANALYZE, index builds (concurrent ones too), dump, and
 * moving to another tablespace work as for heap.
 *-------------------------------------------------------------------------
 */
#ifndef AT_WORM_H
#define AT_WORM_H

#include "nodes/nodes.h"
#include "utils/relcache.h"

#include "base/compat.h"

/* Does the relation use audit_worm? */
extern bool at_is_worm(Relation rel);

/*
 * Refuse a command against a table of the ledger that has another storage: CMD_SELECT is to lock
 * rows, CMD_UTILITY to truncate.
 */
pg_noreturn extern void at_worm_refuse_command(Relation rel, CmdType command);

/*
 * Give the table, and its TOAST table, new storage that is empty; what was stored goes when the
 * transaction commits. For let_go.c alone: no command and no function comes here. The caller holds
 * AccessExclusiveLock.
 */
extern void at_worm_empty(Relation rel);

#endif
