/*-------------------------------------------------------------------------
 * role.c
 *		Roles of the cluster that belong to the audit trail.
 *
 * Locks: a lock that stands for all of pg_authid, until the end of the
 * transaction, so that two databases do not make the same role at once.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_authid.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/builtins.h"

#include "base/catalog.h"
#include "ledger/role.h"

/* What its comment begins with. */
#define MARK AT_EXTENSION ": "

static void check_name(const char *name);
static void check_role(const char *name, const char *comment);

bool
at_role_make(const char *name, const char *purpose)
{
	char *comment = psprintf(MARK "%s", purpose);

	check_name(name);
	LockSharedObject(AuthIdRelationId, InvalidOid, 0, ExclusiveLock);
	if (OidIsValid(get_role_oid(name, true)))
	{
		check_role(name, comment);
		return false;
	}
	if (SPI_execute(psprintf("CREATE ROLE %s NOLOGIN", quote_identifier(name)), false, 0) !=
			SPI_OK_UTILITY ||
		SPI_execute(psprintf("COMMENT ON ROLE %s IS %s", quote_identifier(name),
							 quote_literal_cstr(comment)),
					false, 0) != SPI_OK_UTILITY)
		elog(ERROR, "could not create role \"%s\"", name);
	return true;
}

/* PostgreSQL would cut a name that is too long, and then it might be another's. */
static void
check_name(const char *name)
{
	if (name[0] == '\0' || strlen(name) >= NAMEDATALEN)
		ereport(ERROR, (errcode(ERRCODE_INVALID_NAME), errmsg("\"%s\" is no name for a role", name),
						errdetail("It must have 1 to %d bytes.", NAMEDATALEN - 1)));
}

static void
check_role(const char *name, const char *comment)
{
	Oid types[] = {TEXTOID, TEXTOID};
	Datum values[] = {CStringGetTextDatum(name), CStringGetTextDatum(comment)};
	bool isnull;

	if (SPI_execute_with_args(
			"SELECT pg_catalog.shobj_description(oid, 'pg_authid') IS NOT DISTINCT FROM $2, "
			"rolcanlogin OR rolsuper OR rolbypassrls OR rolcreaterole OR rolreplication "
			"FROM pg_catalog.pg_authid WHERE rolname = $1",
			lengthof(types), types, values, NULL, false, 1) != SPI_OK_SELECT ||
		SPI_processed != 1)
		elog(ERROR, "could not read role \"%s\"", name);

	HeapTuple row = SPI_tuptable->vals[0];
	TupleDesc desc = SPI_tuptable->tupdesc;

	if (!DatumGetBool(SPI_getbinval(row, desc, 1, &isnull)))
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT), errmsg("role \"%s\" exists already", name),
				 errdetail("It was not made for the audit trail, whose roles have a comment that "
						   "says so."),
				 errhint("Choose another name; or, if it shall be used all the same, COMMENT ON "
						 "ROLE %s IS %s;",
						 quote_identifier(name), quote_literal_cstr(comment))));
	if (DatumGetBool(SPI_getbinval(row, desc, 2, &isnull)))
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("role \"%s\" may do more than a role of the audit trail must", name),
						errhint("ALTER ROLE %s NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEROLE "
								"NOREPLICATION;",
								quote_identifier(name))));
}
