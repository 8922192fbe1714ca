/*-------------------------------------------------------------------------
 * membership.c
 *		Refuses to give anybody two roles of the audit trail that exclude each
 *		other.
 *
 * A command that may give memberships is carried out, and undone by an error
 * if audit.role_conflicts has a row that it did not have before: who becomes
 * a member of what by it, through how many roles, only the catalog knows.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/parallel.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "tcop/utility.h"
#include "utils/builtins.h"

#include "base/catalog.h"
#include "base/errors.h"
#include "base/guc.h"
#include "guard/membership.h"
#include "ledger/owner.h"

static ProcessUtility_hook_type next_utility;

static void watch(PlannedStmt *pstmt, const char *query, bool read_only_tree,
				  ProcessUtilityContext context, ParamListInfo params,
				  QueryEnvironment *environment, DestReceiver *dest, QueryCompletion *completion);
static bool gives_membership(Node *statement);
static Datum read_conflicts(void);
static void check_conflicts(Datum before);

void
at_membership_init(void)
{
	next_utility = ProcessUtility_hook;
	ProcessUtility_hook = watch;
}

static void
watch(PlannedStmt *pstmt, const char *query, bool read_only_tree, ProcessUtilityContext context,
	  ParamListInfo params, QueryEnvironment *environment, DestReceiver *dest,
	  QueryCompletion *completion)
{
	ProcessUtility_hook_type next = next_utility ? next_utility : standard_ProcessUtility;
	bool watched = gives_membership(pstmt->utilityStmt) && at_guc_guard && !IsBinaryUpgrade &&
				   !IsParallelWorker() && IsTransactionState() && at_incarnation_begun();
	Datum before = watched ? read_conflicts() : (Datum) 0;

	next(pstmt, query, read_only_tree, context, params, environment, dest, completion);
	if (watched)
		check_conflicts(before);
}

static bool
gives_membership(Node *statement)
{
	switch (nodeTag(statement))
	{
		case T_GrantRoleStmt:
			return ((GrantRoleStmt *) statement)->is_grant;
		case T_CreateRoleStmt:
		case T_AlterRoleStmt: /* ADD USER of a group; NOSUPERUSER makes rules count */
			return true;
		default:
			return false;
	}
}

/* Run a query with the conflicts that were there; its first row's columns are text. */
static void
query_conflicts(const char *query, Datum before)
{
	Oid types[] = {TEXTARRAYOID};

	CommandCounterIncrement();
	if (SPI_execute_with_args(query, before ? 1 : 0, types, &before, NULL, false, 1) !=
		SPI_OK_SELECT)
		elog(ERROR, "could not read audit.role_conflicts");
}

static Datum
read_conflicts(void)
{
	AtOwnerState state;
	bool isnull;

	at_owner_enter(&state);
	SPI_connect();
	query_conflicts("SELECT coalesce(pg_catalog.array_agg(c::text), '{}') FROM "
					"audit.role_conflicts AS c",
					(Datum) 0);

	Datum found = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull);

	found = SPI_datumTransfer(found, false, -1);
	SPI_finish();
	at_owner_leave(&state);
	return found;
}

static void
check_conflicts(Datum before)
{
	AtOwnerState state;

	at_owner_enter(&state);
	SPI_connect();
	query_conflicts("SELECT c.holder, c.one, c.other, c.why FROM audit.role_conflicts AS c WHERE "
					"c::text <> ALL ($1) ORDER BY c.holder, c.one, c.other",
					before);
	if (SPI_processed > 0)
	{
		HeapTuple row = SPI_tuptable->vals[0];
		TupleDesc desc = SPI_tuptable->tupdesc;
		char *why = SPI_getvalue(row, desc, 4);

		why[0] = pg_toupper((unsigned char) why[0]);
		ereport(ERROR, (errcode(ERRCODE_AT_GUARDED),
						errmsg("role \"%s\" cannot be %s and %s of the audit trail",
							   SPI_getvalue(row, desc, 1), SPI_getvalue(row, desc, 2),
							   SPI_getvalue(row, desc, 3)),
						errdetail("%s.", why), errhint("See SELECT * FROM audit.role;")));
	}
	SPI_finish();
	at_owner_leave(&state);
}
