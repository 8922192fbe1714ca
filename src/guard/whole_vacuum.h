/*-------------------------------------------------------------------------
 * whole_vacuum.h
 *		VACUUM FULL of a whole database leaves the ledger's tables out.
 *-------------------------------------------------------------------------
 */
#ifndef AT_WHOLE_VACUUM_H
#define AT_WHOLE_VACUUM_H

#include "nodes/plannodes.h"

/*
 * The statement itself; or, of VACUUM FULL without tables, one in its place
 * that names all tables but the ledger's, and a notice that says so.
 */
extern PlannedStmt *at_whole_vacuum(PlannedStmt *pstmt);

#endif
