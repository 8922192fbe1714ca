/*-------------------------------------------------------------------------
 * whole_vacuum.c
 *		VACUUM FULL of a whole database leaves the ledger's tables out.
 *
 * Their storage refuses to be rewritten, which would end the command at the
 * first of them. They need it less than any: nothing in them is ever dead.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_class.h"
#include "commands/defrem.h"
#include "nodes/makefuncs.h"

#include "base/catalog.h"
#include "guard/whole_vacuum.h"

static bool is_whole_and_full(const VacuumStmt *statement);
static List *tables_but(Oid access_method);

PlannedStmt *
at_whole_vacuum(PlannedStmt *pstmt)
{
	VacuumStmt *statement = (VacuumStmt *) pstmt->utilityStmt;
	Oid access_method;

	if (!IsA(statement, VacuumStmt) || !is_whole_and_full(statement) || !IsTransactionState())
		return pstmt;
	access_method = get_table_am_oid("audit_worm", true);
	if (!OidIsValid(access_method) || !at_ledger_exists())
		return pstmt;

	pstmt = copyObject(pstmt);
	statement = castNode(VacuumStmt, pstmt->utilityStmt);
	statement->rels = tables_but(access_method);
	ereport(NOTICE,
			(errmsg("the tables of the audit ledger are left out"),
			 errdetail("They are write-once: they are never rewritten, and have no dead rows."),
			 errhint("Use VACUUM without FULL for them.")));
	return pstmt;
}

static bool
is_whole_and_full(const VacuumStmt *statement)
{
	bool full = false;
	ListCell *cell;

	foreach (cell, statement->options)
	{
		DefElem *option = lfirst_node(DefElem, cell);

		if (strcmp(option->defname, "full") == 0)
			full = defGetBoolean(option);
	}
	return full && statement->is_vacuumcmd && statement->rels == NIL;
}

/* Those that VACUUM takes where it is given none. */
static List *
tables_but(Oid access_method)
{
	Relation catalog = table_open(RelationRelationId, AccessShareLock);
	TableScanDesc scan = table_beginscan_catalog(catalog, 0, NULL);
	HeapTuple tuple;
	List *tables = NIL;

	while ((tuple = heap_getnext(scan, ForwardScanDirection)) != NULL)
	{
		Form_pg_class table = (Form_pg_class) GETSTRUCT(tuple);

		if ((table->relkind == RELKIND_RELATION || table->relkind == RELKIND_MATVIEW ||
			 table->relkind == RELKIND_PARTITIONED_TABLE) &&
			table->relam != access_method)
			tables = lappend(tables, makeVacuumRelation(NULL, table->oid, NIL));
	}
	table_endscan(scan);
	table_close(catalog, AccessShareLock);
	return tables;
}
