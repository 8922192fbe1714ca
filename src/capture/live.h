/*-------------------------------------------------------------------------
 * live.h
 *		The rows of an audited table under one snapshot, as capture would
 *		record them.
 *
 * Writers go on meanwhile: the lock is that of a SELECT. The snapshot is
 * taken when the lock is held, so that no command that snapshots do not see
 * through (TRUNCATE, a rewrite) can come between. Rows are rendered with the
 * rights of the table's owner, as by ANALYZE: those of the caller might be
 * more, and output functions are users' code.
 *-------------------------------------------------------------------------
 */
#ifndef AT_LIVE_H
#define AT_LIVE_H

#include "nodes/pg_list.h"
#include "utils/rel.h"
#include "utils/snapshot.h"

#include "capture/delta.h"
#include "capture/policy.h"

typedef struct AtLive
{
	Relation rel;
	const AtPolicy *policy;
	List *relids;      /* what holds the rows: the table and its children, or its leaf partitions */
	Snapshot snapshot; /* the active one until the close */
} AtLive;

/*
 * Open a table that is audited; raises ERRCODE_AT_BAD_TARGET if it is not,
 * and ERRCODE_INSUFFICIENT_PRIVILEGE unless the current user may read all of
 * its rows. AccessShareLock, to the end of the transaction.
 */
extern void at_live_open(Oid relid, AtLive *live);

/*
 * Call back for each row that its policy has recorded (AtPolicy.filter); the delta is that of an
 * insert and lives until the callback returns.
 */
typedef void (*AtLiveRow)(const AtDelta *row, void *arg);
extern void at_live_scan(const AtLive *live, AtLiveRow callback, void *arg);

extern void at_live_close(AtLive *live);

#endif
