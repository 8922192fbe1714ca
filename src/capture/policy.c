/*-------------------------------------------------------------------------
 * policy.c
 *		What is captured of a table: a cache over audit.policy and
 *		audit.target, one entry a relation that rows are changed in.
 *
 * An invalidation of the relation, or of the table whose policy serves it,
 * flips the entry; the next look-up builds it anew. The memory of the old
 * one lives on until the end of the transaction, since a row may be in the
 * middle of being captured with it (output functions can do anything).
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/partition.h"
#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "base/catalog.h"
#include "base/errors.h"
#include "capture/policy.h"
#include "capture/trigger.h"
#include "ledger/datum.h"
#include "ledger/hooks.h"
#include "ledger/target.h"

/* Policies as they are stored. */
typedef struct StoredPolicy
{
	Oid root; /* the table that the policy names */
	int32 target_id;
	List *ignored; /* of names */
	List *keys;
} StoredPolicy;

typedef struct CacheEntry
{
	Oid relid;
	AtPolicy *policy; /* NULL: not built yet */
} CacheEntry;

/* Right after an error: an entry is linked only once it is whole. */
static struct
{
	HTAB *entries;        /* made at the first look-up */
	uint64 invalidations; /* seen so far */
	const AtPolicy *last; /* of the look-up before, if still valid */
} cache;

static void forget_relation(Datum arg, Oid relid);
static AtPolicy *build(Relation rel);
static bool find_stored(Relation rel, StoredPolicy *stored);
static bool read_stored(Oid relid, StoredPolicy *stored);
static void build_columns(AtPolicy *policy, Relation rel, const StoredPolicy *stored);
static void build_keys(AtPolicy *policy, Relation rel, const StoredPolicy *stored);

void
at_policy_init(void)
{
	CacheRegisterRelcacheCallback(forget_relation, (Datum) 0);
}

static void
forget_relation(Datum arg, Oid relid)
{
	HASH_SEQ_STATUS status;
	CacheEntry *entry;

	cache.last = NULL;
	cache.invalidations++;
	if (cache.entries == NULL)
		return;
	hash_seq_init(&status, cache.entries);
	while ((entry = hash_seq_search(&status)) != NULL)
	{
		AtPolicy *policy = entry->policy;

		if (policy != NULL &&
			(!OidIsValid(relid) || relid == policy->relid || relid == policy->root_relid))
			policy->valid = false;
	}
}

static void
make_cache(void)
{
	HASHCTL control = {
		.keysize = sizeof(Oid),
		.entrysize = sizeof(CacheEntry),
		.hcxt = CacheMemoryContext,
	};

	cache.entries =
		hash_create("audit_trail policies", 64, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

const AtPolicy *
at_policy_lookup(Relation rel)
{
	Oid relid = RelationGetRelid(rel);
	CacheEntry *entry;
	bool found;

	if (cache.last != NULL && cache.last->relid == relid)
		return cache.last;
	if (cache.entries == NULL)
		make_cache();

	entry = hash_search(cache.entries, &relid, HASH_FIND, NULL);
	if (entry == NULL || entry->policy == NULL || !entry->policy->valid)
	{
		AtPolicy *policy = build(rel);

		if (policy == NULL)
			return NULL;

		/* building may have looked up, and built, the same relation */
		entry = hash_search(cache.entries, &relid, HASH_ENTER, &found);
		if (found && entry->policy != NULL)
			MemoryContextSetParent(entry->policy->memory, TopTransactionContext);
		entry->policy = policy;
		MemoryContextSetParent(policy->memory, CacheMemoryContext);
	}
	if (entry->policy->valid)
		cache.last = entry->policy;
	return entry->policy;
}

/* Build an entry in a context of its own, a child of the current one. */
static AtPolicy *
build(Relation rel)
{
	uint64 invalidations = cache.invalidations;
	StoredPolicy stored;
	AtTarget target;

	if (!find_stored(rel, &stored))
		return NULL;
	at_trigger_check(rel);

	MemoryContext memory =
		AllocSetContextCreate(CurrentMemoryContext, "audit_trail policy", ALLOCSET_SMALL_SIZES);
	MemoryContext save = MemoryContextSwitchTo(memory);
	AtPolicy *policy = palloc0(sizeof(AtPolicy));

	policy->memory = memory;
	policy->relid = RelationGetRelid(rel);
	policy->root_relid = stored.root;
	policy->watched = at_change_wanted_hook != NULL && at_change_wanted_hook(stored.root);
	if (!at_target_read(stored.target_id, &target))
		ereport(ERROR, (errcode(ERRCODE_AT_CAPTURE_FAILED),
						errmsg("audit.target has no row %d, which the policy of \"%s\" names",
							   stored.target_id, RelationGetRelationName(rel)),
						errhint("SELECT * FROM audit.verify();")));
	policy->target_id = target.target_id;
	policy->retention_class = target.retention_class;
	policy->schema = at_span_of(target.table_schema);
	policy->table = at_span_of(target.table_name);
	policy->resource_type = at_span_of(target.resource_type);
	build_columns(policy, rel, &stored);
	build_keys(policy, rel, &stored);
	MemoryContextSwitchTo(save);

	/* what was read may have changed meanwhile: then it serves this row only */
	policy->valid = cache.invalidations == invalidations;
	return policy;
}

/* The stored policy of the relation or of its nearest ancestor that has one. */
static bool
find_stored(Relation rel, StoredPolicy *stored)
{
	ListCell *cell;

	if (read_stored(RelationGetRelid(rel), stored))
		return true;
	if (!rel->rd_rel->relispartition)
		return false;

	foreach (cell, get_partition_ancestors(RelationGetRelid(rel)))
		if (read_stored(lfirst_oid(cell), stored))
			return true;
	return false;
}

static List *
names_of(Datum array)
{
	ArrayType *names = DatumGetArrayTypeP(array);
	Datum *elements;
	bool *nulls;
	int count;
	List *list = NIL;

	deconstruct_array(names, TEXTOID, -1, false, TYPALIGN_INT, &elements, &nulls, &count);
	for (int i = 0; i < count; i++)
		list = lappend(list, TextDatumGetCString(elements[i]));
	return list;
}

static void
fill_stored(HeapTuple tuple, TupleDesc desc, StoredPolicy *stored)
{
	bool isnull;

	stored->root = DatumGetObjectId(heap_getattr(tuple, Anum_policy_target, desc, &isnull));
	stored->target_id = DatumGetInt32(heap_getattr(tuple, Anum_policy_target_id, desc, &isnull));
	stored->ignored = names_of(heap_getattr(tuple, Anum_policy_ignored_columns, desc, &isnull));
	stored->keys = names_of(heap_getattr(tuple, Anum_policy_key_columns, desc, &isnull));
}

/* Read an enabled policy; the newest, whatever the transaction's snapshot is. */
static bool
read_stored(Oid relid, StoredPolicy *stored)
{
	Relation rel = table_open(at_audit_relid(AT_POLICY_TABLE), AccessShareLock);
	Snapshot snapshot = RegisterSnapshot(GetLatestSnapshot());
	ScanKeyData key;
	bool found = false;
	bool isnull;

	ScanKeyInit(&key, Anum_policy_target, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(relid));

	SysScanDesc scan =
		systable_beginscan(rel, at_audit_relid(AT_POLICY_INDEX), true, snapshot, 1, &key);
	HeapTuple tuple = systable_getnext(scan);

	if (HeapTupleIsValid(tuple) &&
		DatumGetBool(heap_getattr(tuple, Anum_policy_enabled, RelationGetDescr(rel), &isnull)))
	{
		fill_stored(tuple, RelationGetDescr(rel), stored);
		found = true;
	}
	systable_endscan(scan);
	UnregisterSnapshot(snapshot);
	table_close(rel, AccessShareLock);
	return found;
}

static bool
contains_name(List *names, const char *name)
{
	ListCell *cell;

	foreach (cell, names)
		if (strcmp(lfirst(cell), name) == 0)
			return true;
	return false;
}

static void
build_column(AtColumn *column, Form_pg_attribute attribute, const StoredPolicy *stored)
{
	StringInfoData json;

	initStringInfo(&json);
	at_render_string(NameStr(attribute->attname), strlen(NameStr(attribute->attname)), &json);
	appendStringInfoChar(&json, ':');

	column->attnum = attribute->attnum;
	column->root_attnum = attribute->attrelid == stored->root
							  ? attribute->attnum
							  : get_attnum(stored->root, NameStr(attribute->attname));
	column->typlen = attribute->attlen;
	column->typbyval = attribute->attbyval;
	column->name = pstrdup(NameStr(attribute->attname));
	column->json_name = json.data;
	column->json_name_len = json.len;
	column->is_key = contains_name(stored->keys, column->name);
	column->ignored = contains_name(stored->ignored, column->name);
	at_render_choose(column, attribute->atttypid, CurrentMemoryContext);
}

static void
build_columns(AtPolicy *policy, Relation rel, const StoredPolicy *stored)
{
	TupleDesc desc = RelationGetDescr(rel);

	policy->columns = palloc0(sizeof(AtColumn) * Max(desc->natts, 1));
	for (int i = 0; i < desc->natts; i++)
		if (!TupleDescAttr(desc, i)->attisdropped)
			build_column(&policy->columns[policy->ncolumns++], TupleDescAttr(desc, i), stored);
}

static void
build_keys(AtPolicy *policy, Relation rel, const StoredPolicy *stored)
{
	ListCell *cell;

	policy->keys = palloc0(sizeof(AtColumn *) * Max(list_length(stored->keys), 1));
	foreach (cell, stored->keys)
	{
		const char *name = lfirst(cell);
		AtColumn *found = NULL;

		for (int i = 0; i < policy->ncolumns; i++)
			if (strcmp(policy->columns[i].name, name) == 0)
				found = &policy->columns[i];
		if (found == NULL)
			ereport(ERROR, (errcode(ERRCODE_AT_CAPTURE_FAILED),
							errmsg("table \"%s\" has lost its audit key column \"%s\"",
								   RelationGetRelationName(rel), name),
							errhint("Disable and enable its audit again.")));
		policy->keys[policy->nkeys++] = found;
	}
}
