/*-------------------------------------------------------------------------
 * membership.c
 *		Records who gets the roles of the audit trail, and refuses two that
 *		exclude each other.
 *
 * A command that may change memberships is carried out, and undone by an error
 * if audit.role_conflicts has a row that it did not have before: who becomes
 * a member of what by it, through how many roles, only the catalog knows. So
 * the holders are compared too, and each that came or went is an event. That is another fact than
 *the command, of which there is an event too (role.granted): one command may give access to many,
 *through other roles, or to none.
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
#include "base/compat.h"
#include "base/errors.h"
#include "base/lifted.h"
#include "guard/membership.h"
#include "ledger/attempt.h"
#include "ledger/datum.h"
#include "ledger/event.h"
#include "ledger/hooks.h"
#include "ledger/owner.h"
#include "ledger/partition.h"
#include "ledger/target.h"

/* What the events are about. */
#define ACCESS_TYPE "trail_access"

/* Of the trail's roles, and of what reaches it by another way. */
#define HOLDERS                                                                                    \
	"(SELECT kind, holder FROM audit.role_holders UNION ALL "                                      \
	"SELECT kind, holder FROM audit.role_reach) AS h"

static ProcessUtility_hook_type next_utility;

static void watch(PlannedStmt *pstmt, const char *query, bool read_only_tree,
				  ProcessUtilityContext context, ParamListInfo params,
				  QueryEnvironment *environment, DestReceiver *dest, QueryCompletion *completion);
static bool changes_membership(Node *statement);
static Datum read_before(void);
static void check_conflicts(Datum before);
static void record_holders(Datum before);
static void record_holder(const char *event_type, const char *holder, const char *values);

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
	bool watched = changes_membership(pstmt->utilityStmt) && !at_guard_is_lifted() &&
				   !IsBinaryUpgrade && !IsParallelWorker() && IsTransactionState() &&
				   at_incarnation_begun();
	Datum before = watched ? read_before() : (Datum) 0;

	next(pstmt, query, read_only_tree, context, params, environment, dest, completion);
	if (watched)
	{
		check_conflicts(before);
		record_holders(before);
	}
}

static bool
changes_membership(Node *statement)
{
	switch (nodeTag(statement))
	{
		case T_GrantRoleStmt:
		case T_CreateRoleStmt:
		case T_AlterRoleStmt: /* ADD USER of a group; NOSUPERUSER makes rules count */
		case T_DropRoleStmt:
			return true;
		default:
			return false;
	}
}

/* Run a query with what there was before, if that is known. */
static void
run_query(const char *query, Datum before)
{
	Oid types[] = {JSONBOID};

	CommandCounterIncrement();
	if (SPI_execute_with_args(query, before ? 1 : 0, types, &before, NULL, false, 0) !=
		SPI_OK_SELECT)
		elog(ERROR, "could not read audit.role_holders");
}

/* Conflicts and holders, as one jsonb. */
static Datum
read_before(void)
{
	AtOwnerState state;
	bool isnull;

	at_owner_enter(&state);
	SPI_connect();
	run_query("SELECT pg_catalog.jsonb_build_object("
			  "'conflicts', (SELECT coalesce(pg_catalog.jsonb_agg(pg_catalog.to_jsonb(c)), '[]') "
			  "FROM audit.role_conflicts AS c), "
			  "'holders', (SELECT coalesce(pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object("
			  "'kind', h.kind, 'holder', h.holder)), '[]') FROM " HOLDERS "))",
			  (Datum) 0);

	Datum found = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull);

	found = SPI_datumTransfer(found, false, -1);
	SPI_finish();
	at_owner_leave(&state);
	return found;
}

pg_noreturn static void
refuse(HeapTuple row, TupleDesc desc)
{
	char *holder = SPI_getvalue(row, desc, 1);
	char *why = SPI_getvalue(row, desc, 4);
	char *message = psprintf("role \"%s\" cannot be %s and %s of the audit trail", holder,
							 SPI_getvalue(row, desc, 2), SPI_getvalue(row, desc, 3));

	why[0] = pg_toupper((unsigned char) why[0]);
	at_attempt_tell(ERRCODE_AT_GUARDED, message, holder);
	ereport(ERROR, (errcode(ERRCODE_AT_GUARDED), errmsg_internal("%s", message),
					errdetail("%s.", why), errhint("See SELECT * FROM audit.role;")));
}

/* The attempt is told as the caller's, not as the owner's. */
static void
check_conflicts(Datum before)
{
	AtOwnerState state;

	at_owner_enter(&state);
	SPI_connect();
	run_query("SELECT c.holder, c.one, c.other, c.why FROM audit.role_conflicts AS c "
			  "WHERE NOT ($1 -> 'conflicts') @> pg_catalog.jsonb_build_array("
			  "pg_catalog.to_jsonb(c)) ORDER BY c.holder, c.one, c.other",
			  before);
	at_owner_leave(&state);
	if (SPI_processed > 0)
		refuse(SPI_tuptable->vals[0], SPI_tuptable->tupdesc);
	SPI_finish();
}

static void
record_holders(Datum before)
{
	AtOwnerState state;

	at_owner_enter(&state);
	SPI_connect();
	run_query("WITH now AS (SELECT pg_catalog.jsonb_build_object('kind', h.kind, 'holder', "
			  "h.holder) AS value FROM " HOLDERS "), former AS (SELECT value FROM "
			  "pg_catalog.jsonb_array_elements($1 -> 'holders') AS f (value)) "
			  "SELECT 'trail_access.gained', n.value ->> 'holder', n.value::text FROM now AS n "
			  "WHERE n.value NOT IN (SELECT f.value FROM former AS f) UNION ALL "
			  "SELECT 'trail_access.lost', f.value ->> 'holder', f.value::text FROM former AS f "
			  "WHERE f.value NOT IN (SELECT n.value FROM now AS n) ORDER BY 1, 3",
			  before);
	at_owner_leave(&state);

	SPITupleTable *changes = SPI_tuptable;

	for (uint64 i = 0; i < changes->numvals; i++)
		record_holder(SPI_getvalue(changes->vals[i], changes->tupdesc, 1),
					  SPI_getvalue(changes->vals[i], changes->tupdesc, 2),
					  SPI_getvalue(changes->vals[i], changes->tupdesc, 3));
	SPI_finish();
}

/* The target that the events have; made with the first of them. */
static void
find_target(AtTarget *target)
{
	if (at_target_find(ACCESS_TYPE, target))
		return;
	*target = (AtTarget){
		.retention_class = AT_RETENTION_CLASS_DEFAULT,
		.table_schema = AT_SCHEMA,
		.table_name = "role_holders",
		.resource_type = ACCESS_TYPE,
		.context = "system",
		.key_columns = "[\"holder\"]",
		.columns = "[]",
	};
	at_target_append(target);
	CommandCounterIncrement();
}

static void
record_holder(const char *event_type, const char *holder, const char *values)
{
	AtTarget target;

	find_target(&target);

	AtEvent event = {
		.target_id = target.target_id,
		.retention_class = target.retention_class,
		.schema = at_span_of(target.table_schema),
		.table = at_span_of(target.table_name),
		.resource_type = at_span_of(target.resource_type),
		.op = 'A',
		.record_key = (struct varlena *) cstring_to_text(holder),
		.event_type = (struct varlena *) cstring_to_text(event_type),
		.new_values = (struct varlena *) cstring_to_text(values),
	};

	(void) at_event_append(&event);
	if (at_alarm_hook != NULL)
		at_alarm_hook(event_type, "warning", values);
}
