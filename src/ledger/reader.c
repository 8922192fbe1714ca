/*-------------------------------------------------------------------------
 * reader.c
 *		What the current user may see of the ledger.
 *
 * Row security asks for each row, so the answer is made of what was read
 * once: the user's roles and grants, and of each version of a table which of
 * the grants it falls under. The newest rows of the configuration count,
 * whatever the transaction's snapshot is.
 *
 * Nothing here goes through the executor: the question is asked in the midst
 * of queries, also by parallel workers, and the tables that answer it have
 * row security themselves.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

#include "base/catalog.h"
#include "base/latest.h"
#include "base/names.h"
#include "base/relation_change.h"
#include "ledger/reader.h"
#include "ledger/target.h"

/* Columns of audit.role and audit.grant (sql/install/33_access.sql). */
#define Anum_role_kind 1
#define Anum_role_role 2

#define Anum_grant_grantee        2
#define Anum_grant_contexts       3
#define Anum_grant_tables         4
#define Anum_grant_from_at        5
#define Anum_grant_until_at       6
#define Anum_grant_expires_at     7
#define Anum_grant_see_values     8
#define Anum_grant_see_personal   9
#define Anum_grant_lineages       11
#define Anum_grant_resource_types 12

/* A row of audit.grant that is the user's. */
typedef struct Scope
{
	bool all_contexts;
	List *contexts;       /* of C strings */
	bool all_tables;      /* and all that is no table */
	List *lineages;       /* of ints */
	List *resource_types; /* of C strings: of what is no table */
	List *table_types; /* likewise, as the tables are called: of what applications tell of them */
	TimestampTz from_at;
	TimestampTz until_at;
	TimestampTz expires_at;
	bool see_values;
	bool see_personal;
} Scope;

/* A version of a table. */
typedef struct Version
{
	int32 target_id;       /* key */
	bool is_configuration; /* a table of ours; not what was refused or read */
	List *scopes;          /* of Scope: those that it falls under */
} Version;

/* What an event must be for the caller. */
typedef enum Right
{
	SEE_EVENT,
	SEE_VALUES,
	SEE_PERSONAL
} Right;

/* Right after an error: valid is set only when everything has been read. */
static struct
{
	bool valid;
	uint64 invalidations;
	Oid role_relid;
	Oid grant_relid;
	Oid target_relid; /* InvalidOid: no names of tables count */

	Oid user;
	MemoryContext memory; /* of what follows; NULL: never read */
	bool all;
	bool admin;
	bool alerts;    /* all of them */
	List *scopes;   /* of Scope */
	HTAB *versions; /* of Version */
} reader;

bool at_reader_is_ours = false;

PG_FUNCTION_INFO_V1(at_access_changed);

static void forget_relation(Datum arg, Oid relid);
static void forget_all(Datum arg, int cacheid, uint32 hashvalue);
static void know_user(void);
static void read_user(Oid user);
static void each_row(const char *table, void (*row)(HeapTuple tuple, TupleDesc desc, void *arg),
					 void *arg);
static void add_scope(HeapTuple tuple, TupleDesc desc, void *arg);
static bool sees(int32 target_id, TimestampTz tx_at, Right right);
static const Version *find_version(int32 target_id);
static void read_version(Version *version);
static bool covers(const Scope *scope, const AtTarget *target);

void
at_reader_init(void)
{
	at_relation_change_register(forget_relation);
	CacheRegisterSyscacheCallback(AUTHOID, forget_all, (Datum) 0);
	CacheRegisterSyscacheCallback(AUTHMEMROLEMEM, forget_all, (Datum) 0);
}

static void
forget_relation(Datum arg, Oid relid)
{
	if (!OidIsValid(relid) || relid == reader.role_relid || relid == reader.grant_relid ||
		relid == reader.target_relid)
		forget_all(arg, 0, 0);
}

static void
forget_all(Datum arg, int cacheid, uint32 hashvalue)
{
	reader.valid = false;
	reader.invalidations++;
}

/* The statement trigger of both tables. */
Datum
at_access_changed(PG_FUNCTION_ARGS)
{
	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
						errmsg("audit.access_changed() can only be called as a trigger")));
	CacheInvalidateRelcache(((TriggerData *) fcinfo->context)->tg_relation);
	PG_RETURN_POINTER(NULL);
}

bool
at_reader_sees_event(int32 target_id, TimestampTz tx_at)
{
	return sees(target_id, tx_at, SEE_EVENT);
}

bool
at_reader_sees_values(int32 target_id, TimestampTz tx_at)
{
	return sees(target_id, tx_at, SEE_VALUES);
}

bool
at_reader_sees_personal(int32 target_id, TimestampTz tx_at)
{
	return sees(target_id, tx_at, SEE_PERSONAL);
}

bool
at_reader_sees_alert(int32 target_id, TimestampTz raised_at)
{
	know_user();
	return reader.alerts || sees(target_id, raised_at, SEE_EVENT);
}

bool
at_reader_sees_sentence(int32 target_id, TimestampTz raised_at)
{
	know_user();
	return reader.alerts || sees(target_id, raised_at, SEE_VALUES);
}

bool
at_reader_sees_all(void)
{
	know_user();
	return reader.all;
}

bool
at_reader_sees_some(void)
{
	know_user();
	return reader.all || reader.admin || reader.alerts || reader.scopes != NIL;
}

/* ---- the user ---- */

static void
know_user(void)
{
	Oid user = GetUserId();

	/* what is invalidated while it is being read is read again */
	while (!reader.valid || reader.user != user)
	{
		uint64 before = reader.invalidations;

		reader.valid = false;
		read_user(user);
		reader.valid = before == reader.invalidations;
	}
}

static void
reset_memory(void)
{
	if (reader.memory == NULL)
		reader.memory =
			AllocSetContextCreate(CacheMemoryContext, "audit reader", ALLOCSET_SMALL_SIZES);
	reader.scopes = NIL;
	reader.versions = NULL;
	MemoryContextReset(reader.memory);
}

static HTAB *
make_versions(void)
{
	HASHCTL control = {
		.keysize = sizeof(int32), .entrysize = sizeof(Version), .hcxt = reader.memory};

	return hash_create("audit reader: versions", 64, &control,
					   HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

/* Oid of the role of a kind, or InvalidOid. */
typedef struct WantedRole
{
	const char *kind;
	Oid role;
} WantedRole;

static void
match_role(HeapTuple tuple, TupleDesc desc, void *arg)
{
	WantedRole *wanted = arg;
	bool isnull;
	char *kind = TextDatumGetCString(heap_getattr(tuple, Anum_role_kind, desc, &isnull));

	if (strcmp(kind, wanted->kind) == 0)
		wanted->role = get_role_oid(
			TextDatumGetCString(heap_getattr(tuple, Anum_role_role, desc, &isnull)), true);
}

static Oid
role_of_kind(const char *kind)
{
	WantedRole wanted = {.kind = kind, .role = InvalidOid};

	each_row("role", match_role, &wanted);
	return wanted.role;
}

/* Is it bound by the policy for views without reading through one? Then nothing would mask. */
static bool
is_ledger_owner(Oid user)
{
	HeapTuple tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(at_ledger_relid(AT_LEDGER_EVENT)));

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for table audit.event");

	Oid owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;

	ReleaseSysCache(tuple);
	return is_member_of_role_nosuper(user, owner);
}

static bool
holds_kind(Oid user, const char *kind)
{
	Oid role = role_of_kind(kind);

	return OidIsValid(role) && has_privs_of_role(user, role);
}

static void
read_user(Oid user)
{
	Oid admin = role_of_kind("admin");
	Oid auditor = role_of_kind("auditor");

	reset_memory();
	reader.user = user;
	reader.admin = false;
	reader.alerts = false;
	reader.all = superuser_arg(user) || user == at_extension_owner();
	reader.versions = make_versions();
	if (reader.all || is_ledger_owner(user))
		return;
	reader.admin = OidIsValid(admin) && is_member_of_role(user, admin);
	reader.all = !reader.admin && OidIsValid(auditor) && has_privs_of_role(user, auditor);
	reader.alerts = !reader.admin && (holds_kind(user, "responder") || holds_kind(user, "relay"));
	if (!reader.all && !reader.admin)
		each_row("grant", add_scope, NULL);
}

bool
at_reader_is_admin(Oid user)
{
	Oid admin = at_ledger_exists() ? role_of_kind("admin") : InvalidOid;

	return OidIsValid(admin) && has_privs_of_role(user, admin);
}

/* Call back for each of the newest rows of a configuration table. */
static void
each_row(const char *table, void (*row)(HeapTuple tuple, TupleDesc desc, void *arg), void *arg)
{
	Oid relid = at_audit_relid(table);
	AtLatest latest;
	HeapTuple tuple;

	if (strcmp(table, "role") == 0)
		reader.role_relid = relid;
	else
		reader.grant_relid = relid;
	at_latest_begin(&latest, relid, NULL, 0, NULL);
	while (HeapTupleIsValid(tuple = at_latest_next(&latest)))
		row(tuple, latest.desc, arg);
	at_latest_end(&latest);
}

/* ---- its grants ---- */

/* An array of texts as C strings, or of ints. */
static List *
read_array(Datum array, Oid type)
{
	Datum *elements;
	bool *nulls;
	int count;
	List *list = NIL;

	if (type == INT4OID)
		deconstruct_array(DatumGetArrayTypeP(array), INT4OID, sizeof(int32), true, TYPALIGN_INT,
						  &elements, &nulls, &count);
	else
		deconstruct_array(DatumGetArrayTypeP(array), TEXTOID, -1, false, TYPALIGN_INT, &elements,
						  &nulls, &count);
	for (int i = 0; i < count; i++)
	{
		if (nulls[i])
			continue;
		if (type == INT4OID)
			list = lappend_int(list, DatumGetInt32(elements[i]));
		else
			list = lappend(list, TextDatumGetCString(elements[i]));
	}
	return list;
}

static TimestampTz
read_time(HeapTuple tuple, int column, TupleDesc desc, TimestampTz otherwise)
{
	bool isnull;
	Datum value = heap_getattr(tuple, column, desc, &isnull);

	return isnull ? otherwise : DatumGetTimestampTz(value);
}

static void
fill_scope(Scope *scope, HeapTuple tuple, TupleDesc desc)
{
	bool isnull;
	Datum contexts = heap_getattr(tuple, Anum_grant_contexts, desc, &scope->all_contexts);
	Datum lineages;
	bool no_lineages;
	Datum types;
	bool no_types;

	if (!scope->all_contexts)
		scope->contexts = read_array(contexts, TEXTOID);
	types = heap_getattr(tuple, Anum_grant_resource_types, desc, &no_types);
	if (!no_types)
		scope->resource_types = read_array(types, TEXTOID);
	(void) heap_getattr(tuple, Anum_grant_tables, desc, &scope->all_tables);
	lineages = heap_getattr(tuple, Anum_grant_lineages, desc, &no_lineages);
	if (!scope->all_tables && !no_lineages)
		scope->lineages = read_array(lineages, INT4OID);
	scope->all_tables &= no_types;
	if (scope->lineages != NIL)
	{
		reader.target_relid = at_ledger_relid(AT_LEDGER_TARGET);
		scope->table_types = at_target_resource_types(scope->lineages);
	}
	scope->from_at = read_time(tuple, Anum_grant_from_at, desc, DT_NOBEGIN);
	scope->until_at = read_time(tuple, Anum_grant_until_at, desc, DT_NOEND);
	scope->expires_at = read_time(tuple, Anum_grant_expires_at, desc, DT_NOBEGIN);
	scope->see_values = DatumGetBool(heap_getattr(tuple, Anum_grant_see_values, desc, &isnull));
	scope->see_personal = DatumGetBool(heap_getattr(tuple, Anum_grant_see_personal, desc, &isnull));
}

static void
add_scope(HeapTuple tuple, TupleDesc desc, void *arg)
{
	bool isnull;
	Oid grantee = get_role_oid(
		TextDatumGetCString(heap_getattr(tuple, Anum_grant_grantee, desc, &isnull)), true);

	if (!OidIsValid(grantee) || !has_privs_of_role(reader.user, grantee))
		return;

	MemoryContext save = MemoryContextSwitchTo(reader.memory);
	Scope *scope = palloc0(sizeof(Scope));

	fill_scope(scope, tuple, desc);
	reader.scopes = lappend(reader.scopes, scope);
	MemoryContextSwitchTo(save);
}

/* ---- an event ---- */

static bool
sees(int32 target_id, TimestampTz tx_at, Right right)
{
	const Version *version;
	ListCell *cell;

	know_user();
	if (reader.all || (reader.admin && right == SEE_EVENT))
		return true;
	if (!reader.admin && reader.scopes == NIL)
		return false;
	version = find_version(target_id);
	if (reader.admin)
		return version->is_configuration;
	foreach (cell, version->scopes)
	{
		const Scope *scope = lfirst(cell);

		if (tx_at >= scope->from_at && tx_at < scope->until_at &&
			GetCurrentStatementStartTimestamp() < scope->expires_at &&
			(right < SEE_VALUES || scope->see_values) &&
			(right < SEE_PERSONAL || scope->see_personal))
			return true;
	}
	return false;
}

/* It never changes: a table that does gets another version. */
static const Version *
find_version(int32 target_id)
{
	Version *version = hash_search(reader.versions, &target_id, HASH_FIND, NULL);
	Version made = {.target_id = target_id};

	if (version != NULL)
		return version;
	read_version(&made);
	version = hash_search(reader.versions, &target_id, HASH_ENTER, NULL);
	*version = made;
	return version;
}

static void
read_version(Version *version)
{
	AtTarget target;
	ListCell *cell;

	if (!at_target_read(version->target_id, &target))
		return;
	version->is_configuration =
		strcmp(target.table_schema, AT_SCHEMA) == 0 && target.table_name[0] != '\0';

	MemoryContext save = MemoryContextSwitchTo(reader.memory);

	foreach (cell, reader.scopes)
		if (covers(lfirst(cell), &target))
			version->scopes = lappend(version->scopes, lfirst(cell));
	MemoryContextSwitchTo(save);
}

static bool
covers(const Scope *scope, const AtTarget *target)
{
	bool in_contexts = scope->all_contexts;
	ListCell *cell;

	foreach (cell, scope->contexts)
		in_contexts |= strcmp(lfirst(cell), target->context) == 0;
	if (!in_contexts || scope->all_tables)
		return in_contexts;
	if (target->table_name[0] != '\0')
		return list_member_int(scope->lineages, target->lineage);
	/* what the server observes is no table's, whatever one is called */
	return at_names_contain(scope->resource_types, target->resource_type) ||
		   (strcmp(target->context, "system") != 0 &&
			at_names_contain(scope->table_types, target->resource_type));
}
