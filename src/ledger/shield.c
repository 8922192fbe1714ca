/*-------------------------------------------------------------------------
 * shield.c
 *		Who owns the ledger, and its row security.
 *
 * A partition has row security and no policies: it is read through its table
 * or, but for superusers, not at all.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_class.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/syscache.h"

#include "base/catalog.h"
#include "base/errors.h"
#include "base/lifted.h"
#include "ledger/attempt.h"
#include "ledger/own_command.h"
#include "ledger/owner.h"
#include "ledger/role.h"
#include "ledger/shield.h"

/* What is to be done with a relation, as the catalog tells. */
typedef struct Bare
{
	char *name;
	char *kind; /* of ALTER */
	bool needs_owner;
	bool needs_security;
	bool needs_policies;
} Bare;

PG_FUNCTION_INFO_V1(at_shield_sql);

static void check_owner(Oid relid, const char *owner);
static char *owner_of(Oid relid);
static List *find_bare(const char *owner);
static void cover(const Bare *bare, const char *owner);
static void close_table(const char *name);
static void add_policies(const char *name, const char *owner);

/* audit.shield(owner): for a ledger that was restored without owners. */
Datum
at_shield_sql(PG_FUNCTION_ARGS)
{
	AtOwnerState state;

	if (!superuser())
		ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
						errmsg("must be superuser to give the ledger to a role")));
	check_owner(at_ledger_relid(AT_LEDGER_EVENT), text_to_cstring(PG_GETARG_TEXT_PP(0)));
	at_owner_enter(&state);
	SPI_connect();
	at_shield(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	SPI_finish();
	at_owner_leave(&state);
	PG_RETURN_VOID();
}

/* A ledger that has been given away is not given to another role; one that a superuser restored is.
 */
static void
check_owner(Oid relid, const char *owner)
{
	char *present = owner_of(relid);

	if (at_guard_is_lifted() || !at_incarnation_begun() || strcmp(present, owner) == 0 ||
		superuser_arg(get_role_oid(present, false)))
		return;
	at_attempt_tell(ERRCODE_AT_GUARDED, "cannot give the audit ledger to another role",
					"table audit.event");
	ereport(ERROR,
			(errcode(ERRCODE_AT_GUARDED), errmsg("cannot give the audit ledger to another role"),
			 errdetail("It belongs to \"%s\", and the guard is on.", present),
			 errhint("SELECT audit.shield(%s);", quote_literal_cstr(present))));
}

void
at_shield(const char *owner)
{
	ListCell *cell;

	(void) at_role_make(owner, "owner of ledgers");
	foreach (cell, find_bare(owner))
		cover(lfirst(cell), owner);
}

static bool
get_flag(uint64 row, int column)
{
	bool isnull;

	return DatumGetBool(
		SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column, &isnull));
}

/* Relations of the schema that are no members of the extension. */
static List *
find_bare(const char *owner)
{
	static const char query[] =
		"SELECT pg_catalog.format('audit.%%I', c.relname), "
		"CASE c.relkind WHEN 'v' THEN 'VIEW' WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, "
		"c.relowner <> %s::pg_catalog.regrole, "
		"c.relkind IN ('r', 'p') AND NOT (c.relrowsecurity AND c.relforcerowsecurity), "
		"c.relkind IN ('r', 'p') AND NOT c.relispartition AND NOT EXISTS ("
		"SELECT FROM pg_catalog.pg_policy AS p WHERE p.polrelid = c.oid) "
		"FROM pg_catalog.pg_class AS c WHERE c.relnamespace = 'audit'::pg_catalog.regnamespace "
		"AND c.relkind IN ('r', 'p', 'v', 'S') AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend "
		"AS d WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid "
		"AND d.deptype = 'e') ORDER BY c.oid";
	char *role = quote_literal_cstr(quote_identifier(owner));
	List *found = NIL;

	if (SPI_execute(psprintf(query, role), false, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read pg_class");
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		Bare *bare = palloc(sizeof(Bare));

		bare->name = SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1);
		bare->kind = SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 2);
		bare->needs_owner = get_flag(i, 3);
		bare->needs_security = get_flag(i, 4);
		bare->needs_policies = get_flag(i, 5);
		found = lappend(found, bare);
	}
	return found;
}

static void
cover(const Bare *bare, const char *owner)
{
	if (bare->needs_security)
	{
		close_table(bare->name);
		at_own_command(psprintf("ALTER TABLE %s ENABLE ROW LEVEL SECURITY", bare->name));
		at_own_command(psprintf("ALTER TABLE %s FORCE ROW LEVEL SECURITY", bare->name));
	}
	if (bare->needs_owner)
		at_own_command(
			psprintf("ALTER %s %s OWNER TO %s", bare->kind, bare->name, quote_identifier(owner)));
	if (bare->needs_policies)
		add_policies(bare->name, owner);
}

/*
 * Somebody's ALTER DEFAULT PRIVILEGES may have opened it. Named roles keep
 * SELECT, which row security makes harmless, and which may have been granted.
 */
static void
close_table(const char *name)
{
	static const char query[] =
		"SELECT pg_catalog.string_agg(DISTINCT x.privilege_type, ', '), "
		"pg_catalog.string_agg(DISTINCT x.grantee::pg_catalog.regrole::pg_catalog.text, ', ') "
		"FROM pg_catalog.pg_class AS c, pg_catalog.aclexplode(c.relacl) AS x "
		"WHERE c.oid = %s::pg_catalog.regclass AND x.grantee NOT IN (0, c.relowner) "
		"AND x.privilege_type <> 'SELECT'";
	char *privileges;

	at_own_command(psprintf("REVOKE ALL ON TABLE %s FROM PUBLIC", name));
	if (SPI_execute(psprintf(query, quote_literal_cstr(name)), false, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read pg_class");
	privileges = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
	if (privileges != NULL)
		at_own_command(psprintf("REVOKE %s ON TABLE %s FROM %s", privileges, name,
								SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 2)));
}

/*
 * Read by itself, the ledger shows all or nothing: it masks no values. The
 * views ask about events one by one, and join the rest to those.
 */
static void
add_policies(const char *name, const char *owner)
{
	bool is_event = strcmp(name, "audit.event") == 0;

	at_own_command(psprintf("CREATE POLICY readers ON %s FOR SELECT TO PUBLIC USING "
							"(audit.may_read_all())",
							name));
	at_own_command(psprintf(
		"CREATE POLICY views ON %s FOR SELECT TO %s USING (%s)", name, quote_identifier(owner),
		is_event ? "audit.may_read(target_id, tx_at)" : "audit.may_read_some()"));
}

static char *
owner_of(Oid relid)
{
	HeapTuple tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for relation %u", relid);

	Oid owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;

	ReleaseSysCache(tuple);
	return GetUserNameFromId(owner, false);
}

void
at_shield_partition(const char *name, const char *table)
{
	Bare bare = {.name = psprintf("audit.%s", name),
				 .kind = "TABLE",
				 .needs_owner = true,
				 .needs_security = true};

	cover(&bare, owner_of(at_audit_relid(table)));
}
