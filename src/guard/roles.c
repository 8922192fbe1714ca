/*-------------------------------------------------------------------------
 * roles.c
 *		audit.create_roles(): the roles of the audit trail and their rights,
 *		and the check of what an admin grants to scoped auditors.
 *
 * Roles are made for the cluster and given rights in this database. What
 * rights those are, audit.role_rights() tells.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/rel.h"

#include "base/catalog.h"
#include "base/errors.h"
#include "ledger/attempt.h"
#include "ledger/init.h"
#include "ledger/owner.h"
#include "ledger/reader.h"
#include "ledger/role.h"
#include "ledger/shield.h"

/* Columns of audit.grant that its check looks at, see sql/install/33_access.sql. */
#define Anum_grant_grantee  2
#define Anum_grant_tables   4
#define Anum_grant_lineages 11

/* The kinds of roles, by which their comments call them too. */
static const char *const kinds[] = {"admin",     "auditor",     "scoped_auditor",
									"writer",    "maintenance", "purge_approver",
									"responder", "relay",       "standby"};

PG_FUNCTION_INFO_V1(at_create_roles);
PG_FUNCTION_INFO_V1(at_check_grant);

static char *make_role(const char *kind, const char *prefix, bool *created);
static void give_rights(const char *kind, const char *role);
static char *former_role(const char *kind);
static void check_grantee(const char *name);
static Datum find_lineages(Datum tables);

Datum
at_create_roles(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	AtOwnerState state;

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("prefix must not be null")));
	if (!superuser())
		ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
						errmsg("must be superuser to make the roles of the audit trail")));

	char *prefix = text_to_cstring(PG_GETARG_TEXT_PP(0));

	InitMaterializedSRF(fcinfo, 0);
	(void) at_ledger_create(AT_LEDGER_OWNER_DEFAULT);
	at_owner_enter(&state);
	for (int i = 0; i < lengthof(kinds); i++)
	{
		bool created;
		bool nulls[3] = {false, false, false};
		Datum values[3];

		SPI_connect();

		char *role = make_role(kinds[i], prefix, &created);

		give_rights(kinds[i], role);
		values[0] = CStringGetTextDatum(kinds[i]);
		values[1] = CStringGetTextDatum(role);
		values[2] = CStringGetTextDatum(created ? "created" : "exists already");
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
		SPI_finish();
	}
	at_owner_leave(&state);
	return (Datum) 0;
}

/* The role that this database has for the kind already; NULL if it has none, or it is gone. */
static char *
former_role(const char *kind)
{
	Oid types[] = {TEXTOID};
	Datum values[] = {CStringGetTextDatum(kind)};

	if (SPI_execute_with_args("SELECT r.role FROM audit.role AS r JOIN pg_catalog.pg_roles AS a "
							  "ON a.rolname = r.role WHERE r.kind = $1",
							  1, types, values, NULL, false, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not read audit.role");
	return SPI_processed > 0 ? SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1) : NULL;
}

static void
write_role(const char *kind, const char *role)
{
	Oid types[] = {TEXTOID, TEXTOID};
	Datum values[] = {CStringGetTextDatum(kind), CStringGetTextDatum(role)};

	if (SPI_execute_with_args("INSERT INTO audit.role AS r (kind, role) VALUES ($1, $2) "
							  "ON CONFLICT (kind) DO UPDATE SET role = excluded.role "
							  "WHERE r.role <> excluded.role",
							  lengthof(types), types, values, NULL, false, 0) != SPI_OK_INSERT)
		elog(ERROR, "could not write audit.role");
}

static char *
make_role(const char *kind, const char *prefix, bool *created)
{
	char *name = psprintf("%s%s", prefix, kind);
	char *former = former_role(kind);

	if (former != NULL && strcmp(former, name) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("this database has the role \"%s\" for the kind %s already", former, kind),
				 errhint("ALTER ROLE %s RENAME TO %s; then call audit.create_roles() again.",
						 quote_identifier(former), quote_identifier(name))));
	*created = at_role_make(name, kind);
	write_role(kind, name);
	return name;
}

static void
give_rights(const char *kind, const char *role)
{
	Oid types[] = {TEXTOID};
	Datum values[] = {CStringGetTextDatum(kind)};

	if (SPI_execute_with_args("SELECT command FROM audit.role_rights() WHERE kind = $1", 1, types,
							  values, NULL, false, 0) != SPI_OK_SELECT)
		elog(ERROR, "audit.role_rights() failed");

	SPITupleTable *commands = SPI_tuptable;

	for (uint64 i = 0; i < commands->numvals; i++)
	{
		char *command = psprintf("%s TO %s", SPI_getvalue(commands->vals[i], commands->tupdesc, 1),
								 quote_identifier(role));

		if (SPI_execute(command, false, 0) != SPI_OK_UTILITY)
			elog(ERROR, "unexpected result of: %s", command);
	}
}

/* ---- rows of audit.grant ---- */

/* Is the trigger called for a row that a dump restores, where no ledger has begun? */
static HeapTuple
called_row(FunctionCallInfo fcinfo, TupleDesc *desc)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;

	if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_BEFORE(trigger->tg_event) ||
		!TRIGGER_FIRED_FOR_ROW(trigger->tg_event) ||
		RelationGetRelid(trigger->tg_relation) != at_audit_relid("grant"))
		ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
						errmsg("audit.check_grant() can only be called as the trigger of "
							   "audit.grant")));
	*desc = RelationGetDescr(trigger->tg_relation);
	return TRIGGER_FIRED_BY_UPDATE(trigger->tg_event) ? trigger->tg_newtuple
													  : trigger->tg_trigtuple;
}

Datum
at_check_grant(PG_FUNCTION_ARGS)
{
	TupleDesc desc;
	HeapTuple row = called_row(fcinfo, &desc);
	int column = Anum_grant_lineages;
	bool is_null;
	Datum grantee = heap_getattr(row, Anum_grant_grantee, desc, &is_null);
	bool all_tables;
	Datum tables = heap_getattr(row, Anum_grant_tables, desc, &all_tables);

	if (is_null || !at_incarnation_begun())
		PG_RETURN_POINTER(row); /* NOT NULL refuses it; or a dump is restored, as it was checked */
	check_grantee(TextDatumGetCString(grantee));

	Datum lineages = all_tables ? (Datum) 0 : find_lineages(tables);

	PG_RETURN_POINTER(heap_modify_tuple_by_cols(row, desc, 1, &column, &lineages, &all_tables));
}

static void
check_grantee(const char *name)
{
	Oid grantee = get_role_oid(name, false);

	if (superuser_arg(grantee) || !at_reader_is_admin(grantee))
		return;

	char *message = psprintf("role \"%s\" is an admin of the audit trail", name);

	at_attempt_tell(ERRCODE_AT_GUARDED, message, name);
	ereport(ERROR, (errcode(ERRCODE_AT_GUARDED), errmsg_internal("%s", message),
					errdetail("Who decides what is recorded does not see what was."),
					errhint("Grant it to another role.")));
}

/* Of the tables, which must all have been audited; as int[]. */
static Datum
find_lineages(Datum tables)
{
	static const char query[] =
		"SELECT pg_catalog.array_agg(n.lineage), pg_catalog.min(t.relid::text) FILTER "
		"(WHERE n.lineage IS NULL) FROM pg_catalog.unnest($1) AS t (relid) "
		"LEFT JOIN audit.policy AS p ON p.target = t.relid "
		"LEFT JOIN audit.target AS n ON n.target_id = p.target_id";
	Oid types[] = {REGCLASSARRAYOID};
	AtOwnerState state;
	bool isnull;

	at_owner_enter(&state);
	SPI_connect();
	if (SPI_execute_with_args(query, 1, types, &tables, NULL, false, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not read audit.policy");

	char *missing = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 2);

	if (missing != NULL)
		ereport(ERROR, (errcode(ERRCODE_AT_BAD_TARGET), errmsg("table %s is not audited", missing),
						errdetail("Events of a table are granted by what it is in the trail."),
						errhint("SELECT audit.enable(%s);", quote_literal_cstr(missing))));

	Datum lineages = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull);

	lineages = isnull ? (Datum) 0 : SPI_datumTransfer(lineages, false, -1);
	SPI_finish();
	at_owner_leave(&state);
	return isnull ? PointerGetDatum(construct_empty_array(INT4OID)) : lineages;
}
