/*-------------------------------------------------------------------------
 * all_triggers.h
 *		DISABLE TRIGGER ALL and its like leave the audit triggers out.
 *-------------------------------------------------------------------------
 */
#ifndef AT_ALL_TRIGGERS_H
#define AT_ALL_TRIGGERS_H

#include "nodes/plannodes.h"

/*
 * The statement itself; or, of an ALTER TABLE that enables or disables all
 * triggers of an audited table, or all of users, one in its place that names
 * those but ours. Then the table is locked as the statement does it. With `restoring`
 * it names ours too, and enables them always.
 */
extern PlannedStmt *at_all_triggers(PlannedStmt *pstmt, bool restoring);

#endif
