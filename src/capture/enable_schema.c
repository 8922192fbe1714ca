/*-------------------------------------------------------------------------
 * enable_schema.c
 *		audit.enable_schema() and audit.disable_schema(): all tables of a
 *		schema, and rules for those that come.
 *
 * Each table is enabled by audit.enable(), with the rights of the caller, in
 * a subtransaction: what cannot be audited is told and does not hinder the
 * others. A rule concerns tables of others too, so it takes the owner of the
 * schema, a superuser, or an admin of the audit trail.
 *
 * Locks: ExclusiveLock on audit.automatic before a rule is written (see
 * automatic.h), then ShareRowExclusiveLock on each table. A command that has
 * locked an existing table and then finds out that rules may concern it
 * takes them the other way round; such a deadlock ends one of the two.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/catalog.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "base/catalog.h"
#include "base/compat.h"
#include "base/config_row.h"
#include "base/errors.h"
#include "capture/automatic.h"
#include "capture/definition.h"
#include "capture/stored.h"
#include "ledger/init.h"
#include "ledger/owner.h"
#include "ledger/reader.h"
#include "ledger/shield.h"

/* Arguments of audit.enable_schema(). */
enum
{
	ARG_SCHEMA,
	ARG_LIKE,
	ARG_EXCEPT,
	ARG_AUTOMATIC,
	ARG_CONTEXT,
	ARG_OPERATIONS,
	ARG_IGNORE,
	ARG_BASELINE,
	ARG_MASK,
	ARG_HASH,
	ARG_TRUNCATE,
	ARG_QUERY,
	ARG_READS,
	ARG_READ_COLUMNS, /* the only one that may be null */
	ARGS
};

/* What audit.enable() has too and that can be checked without a table. */
static const AtOptionArgs option_args = {
	.context = ARG_CONTEXT,
	.operations = ARG_OPERATIONS,
	.mask = ARG_MASK,
	.hash = ARG_HASH,
	.truncate = ARG_TRUNCATE,
	.query = ARG_QUERY,
	.read_columns = ARG_READ_COLUMNS,
};

static const Oid arg_types[ARGS] = {
	OIDOID,  TEXTOID,      TEXTARRAYOID, BOOLOID, TEXTOID, TEXTARRAYOID, TEXTARRAYOID,
	BOOLOID, TEXTARRAYOID, TEXTARRAYOID, TEXTOID, BOOLOID, BOOLOID,      TEXTARRAYOID,
};

/* A table of the schema. */
typedef struct Candidate
{
	Oid relid;
	char *detail; /* what was done, or why not */

	/* text[]: the columns that it has */
	Datum ignore;
	Datum mask;
	Datum hash;
	Datum read; /* empty: of no column alone */
} Candidate;

PG_FUNCTION_INFO_V1(at_enable_schema);
PG_FUNCTION_INFO_V1(at_disable_schema);

static void check_arguments(FunctionCallInfo fcinfo);
static char *check_schema(Oid schema);
static void check_owner(Oid schema);
static void write_rule(const Datum *args, bool reads_limited);
static List *find_candidates(const Datum *args, bool reads_limited);
static void enable(Candidate *candidate, const Datum *args, bool reads_limited);
static char *call_enable(const Candidate *candidate, const Datum *args, bool reads_limited);

Datum
at_enable_schema(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Datum args[ARGS];
	bool reads_limited = !PG_ARGISNULL(ARG_READ_COLUMNS);
	List *candidates;
	ListCell *cell;

	check_arguments(fcinfo);
	for (int i = 0; i < ARGS; i++)
		args[i] = PG_GETARG_DATUM(i);
	args[ARG_READS] = BoolGetDatum(PG_GETARG_BOOL(ARG_READS) || reads_limited);
	at_definition_check_options(fcinfo, &option_args);
	(void) check_schema(PG_GETARG_OID(ARG_SCHEMA));
	InitMaterializedSRF(fcinfo, 0);
	(void) at_ledger_create(AT_LEDGER_OWNER_DEFAULT);
	if (PG_GETARG_BOOL(ARG_AUTOMATIC))
	{
		check_owner(PG_GETARG_OID(ARG_SCHEMA));
		write_rule(args, reads_limited);
	}

	candidates = find_candidates(args, reads_limited);
	foreach (cell, candidates)
		enable(lfirst(cell), args, reads_limited);
	foreach (cell, candidates) /* now that partitions know whether their table is audited */
	{
		Candidate *candidate = lfirst(cell);
		AtStoredPolicy stored;
		Datum values[] = {ObjectIdGetDatum(candidate->relid),
						  BoolGetDatum(at_stored_find(candidate->relid, &stored)),
						  CStringGetTextDatum(candidate->detail)};
		bool nulls[lengthof(values)] = {false};

		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}

static void
check_arguments(FunctionCallInfo fcinfo)
{
	static const char *const names[ARGS] = {
		"schema",   "like", "except", "automatic", "context", "operations", "ignore",
		"baseline", "mask", "hash",   "truncate",  "query",   "reads",      "read_columns"};

	for (int i = 0; i < ARGS; i++)
		if (PG_ARGISNULL(i) && i != ARG_READ_COLUMNS)
			ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
							errmsg("\"%s\" must not be null", names[i]),
							errhint("Leave it out to take the default.")));

	const char *pattern = text_to_cstring(PG_GETARG_TEXT_PP(ARG_LIKE));
	int backslashes = 0;

	for (int i = strlen(pattern); i > 0 && pattern[i - 1] == '\\'; i--)
		backslashes++;
	if (backslashes % 2 == 1)
		ereport(ERROR, (errcode(ERRCODE_INVALID_ESCAPE_SEQUENCE),
						errmsg("the pattern \"%s\" ends with its escape character", pattern),
						errhint("A backslash in a name is written as two.")));
}

/* Can the tables of the schema be audited? Returns its name. */
static char *
check_schema(Oid schema)
{
	char *name = get_namespace_name(schema);

	if (name == NULL)
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_SCHEMA),
						errmsg("schema with OID %u does not exist", schema)));
	if (IsCatalogNamespace(schema) || IsToastNamespace(schema) || isAnyTempNamespace(schema) ||
		schema == at_audit_schema() || strcmp(name, "information_schema") == 0)
		ereport(ERROR,
				(errcode(ERRCODE_AT_BAD_TARGET), errmsg("cannot audit schema \"%s\"", name),
				 errdetail("Its tables are those of the system, of the audit trail or temporary."),
				 errhint("Audit the schemas of the business.")));
	return name;
}

static void
check_owner(Oid schema)
{
	if (!object_ownercheck(NamespaceRelationId, schema, GetUserId()) &&
		!at_reader_is_admin(GetUserId()))
		aclcheck_error(ACLCHECK_NOT_OWNER, OBJECT_SCHEMA, get_namespace_name(schema));
}

/* Run one of our queries under the newest snapshot; returns how many rows. */
static uint64
execute(const char *query, int count, const Oid *types, const Datum *values, const char *nulls)
{
	SPIPlanPtr plan = SPI_prepare(query, count, (Oid *) types);

	if (plan == NULL || SPI_execute_snapshot(plan, (Datum *) values, nulls, GetLatestSnapshot(),
											 InvalidSnapshot, false, true, 0) < 0)
		elog(ERROR, "could not run: %s", query);
	return SPI_processed;
}

/* Waits for the commands that may have brought a table and did not see the rule. */
static void
write_rule(const Datum *args, bool reads_limited)
{
	static const int columns[ARGS] = {
		[ARG_LIKE] = Anum_automatic_pattern,
		[ARG_EXCEPT] = Anum_automatic_exceptions,
		[ARG_AUTOMATIC] = Anum_automatic_enabled,
		[ARG_CONTEXT] = Anum_automatic_context,
		[ARG_OPERATIONS] = Anum_automatic_operations,
		[ARG_IGNORE] = Anum_automatic_ignored_columns,
		[ARG_MASK] = Anum_automatic_masked_columns,
		[ARG_HASH] = Anum_automatic_hashed_columns,
		[ARG_TRUNCATE] = Anum_automatic_truncate,
		[ARG_QUERY] = Anum_automatic_query,
		[ARG_READS] = Anum_automatic_reads,
		[ARG_READ_COLUMNS] = Anum_automatic_read_columns,
	};
	AtOwnerState state;
	AtConfigRow row;

	LockRelationOid(at_audit_relid(AT_AUTOMATIC_TABLE), ExclusiveLock);
	at_owner_enter(&state);
	at_config_begin(&row, AT_AUTOMATIC_TABLE);
	for (int i = 0; i < ARGS; i++)
		if (columns[i] != 0)
			at_config_set(&row, columns[i], args[i]);
	if (!reads_limited)
		at_config_set_text(&row, Anum_automatic_read_columns, NULL);
	at_config_set_text(&row, Anum_automatic_schema,
					   get_namespace_name(DatumGetObjectId(args[ARG_SCHEMA])));
	at_config_set(&row, Anum_automatic_changed_at,
				  TimestampTzGetDatum(GetCurrentTransactionStartTimestamp()));
	at_config_set_text(&row, Anum_automatic_reason, NULL);
	if (!at_config_update(&row))
		at_config_insert(&row);
	at_config_end(&row);
	at_owner_leave(&state);
}

/* A column of the result of the last query. */
static Datum
copy_array(HeapTuple row, int column)
{
	bool isnull;

	return PointerGetDatum(
		PG_DETOAST_DATUM_COPY(SPI_getbinval(row, SPI_tuptable->tupdesc, column, &isnull)));
}

/* The tables of the schema whose names match, by name; in the caller's context. */
static List *
find_candidates(const Datum *args, bool reads_limited)
{
	MemoryContext memory = CurrentMemoryContext;
	List *candidates = NIL;
	AtOwnerState state;
	bool isnull;
	char nulls[ARGS + 1];

	memset(nulls, ' ', ARGS);
	nulls[ARG_READ_COLUMNS] = reads_limited ? ' ' : 'n';
	at_owner_enter(&state);
	SPI_connect();
	execute("SELECT c.oid, audit.columns_to_ignore(c.oid, $7), audit.columns_there(c.oid, $9), "
			"audit.columns_there(c.oid, $10), coalesce(audit.columns_there(c.oid, $14), '{}') "
			"FROM pg_catalog.pg_class c "
			"WHERE c.relnamespace = $1 AND c.relkind IN ('r', 'p', 'f') "
			"AND c.relname::text COLLATE \"C\" LIKE $2 AND c.relname <> ALL ($3) "
			"ORDER BY c.relname",
			ARGS, arg_types, args, nulls);
	MemoryContextSwitchTo(memory);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		HeapTuple row = SPI_tuptable->vals[i];
		Candidate *candidate = palloc0(sizeof(Candidate));

		candidate->relid = DatumGetObjectId(SPI_getbinval(row, SPI_tuptable->tupdesc, 1, &isnull));
		candidate->ignore = copy_array(row, 2);
		candidate->mask = copy_array(row, 3);
		candidate->hash = copy_array(row, 4);
		candidate->read = copy_array(row, 5);
		candidates = lappend(candidates, candidate);
	}
	SPI_finish();
	at_owner_leave(&state);
	return candidates;
}

/* Enable one; if it cannot be audited, or not by the caller, that is its detail. */
static void
enable(Candidate *candidate, const Datum *args, bool reads_limited)
{
	MemoryContext memory = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(memory);
	PG_TRY();
	{
		candidate->detail = call_enable(candidate, args, reads_limited);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		ErrorData *edata;

		MemoryContextSwitchTo(memory);
		edata = CopyErrorData();
		if (edata->sqlerrcode != ERRCODE_AT_BAD_TARGET &&
			edata->sqlerrcode != ERRCODE_INVALID_PARAMETER_VALUE &&
			edata->sqlerrcode != ERRCODE_INSUFFICIENT_PRIVILEGE)
			PG_RE_THROW();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		candidate->detail = edata->message;
	}
	PG_END_TRY();
	MemoryContextSwitchTo(memory);
	CurrentResourceOwner = owner;
}

static char *
call_enable(const Candidate *candidate, const Datum *args, bool reads_limited)
{
	static const Oid types[] = {REGCLASSOID, TEXTOID,      TEXTARRAYOID, TEXTARRAYOID,
								BOOLOID,     TEXTARRAYOID, TEXTARRAYOID, TEXTOID,
								BOOLOID,     BOOLOID,      TEXTARRAYOID};
	bool has_columns = ArrayGetNItems(ARR_NDIM(DatumGetArrayTypeP(candidate->read)),
									  ARR_DIMS(DatumGetArrayTypeP(candidate->read))) > 0;
	Datum values[] = {ObjectIdGetDatum(candidate->relid),
					  args[ARG_CONTEXT],
					  args[ARG_OPERATIONS],
					  candidate->ignore,
					  args[ARG_BASELINE],
					  candidate->mask,
					  candidate->hash,
					  args[ARG_TRUNCATE],
					  args[ARG_QUERY],
					  BoolGetDatum(DatumGetBool(args[ARG_READS]) && !reads_limited),
					  candidate->read};
	char nulls[lengthof(types) + 1] = "           ";
	MemoryContext memory = CurrentMemoryContext;
	char *said;

	if (!has_columns)
		nulls[lengthof(types) - 1] = 'n';
	SPI_connect();
	execute("SELECT audit.enable($1, context => $2, operations => $3, ignore => $4, "
			"baseline => $5, mask => $6, hash => $7, truncate => $8, query => $9, reads => $10, "
			"read_columns => $11)",
			lengthof(types), types, values, nulls);
	said =
		MemoryContextStrdup(memory, SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1));
	SPI_finish();
	return said;
}

Datum
at_disable_schema(PG_FUNCTION_ARGS)
{
	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("schema must not be null")));

	Oid schema = PG_GETARG_OID(0);
	char *reason = PG_ARGISNULL(1) ? "" : text_to_cstring(PG_GETARG_TEXT_PP(1));
	char *pattern = PG_ARGISNULL(2) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(2));
	char *name = check_schema(schema);
	int rules;

	check_owner(schema);
	(void) at_ledger_relid(AT_LEDGER_EVENT);
	if (reason[strspn(reason, " \t\r\n")] == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("a reason is required"),
				 errdetail("That new tables are no longer audited is itself an event, and the "
						   "reason part of it."),
				 errhint("SELECT audit.disable_schema(%s, 'why');", quote_literal_cstr(name))));

	rules = at_automatic_disable(name, pattern, reason);
	PG_RETURN_TEXT_P(
		cstring_to_text(psprintf("%s: %s", rules > 0 ? "no longer automatic" : "was not automatic",
								 quote_identifier(name))));
}
