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

#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "base/catalog.h"
#include "base/errors.h"
#include "base/json_scan.h"
#include "base/names.h"
#include "base/relation_change.h"
#include "capture/cover.h"
#include "capture/policy.h"
#include "capture/stored.h"
#include "capture/version.h"
#include "ledger/datum.h"
#include "ledger/hooks.h"
#include "ledger/target.h"

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
static const AtPolicy *renew(Relation rel);
static AtPolicy *build(Relation rel);
static void read_target(Relation rel, AtStoredPolicy *stored, AtTarget *target);
static void build_place(AtPolicy *policy, Relation rel);
static void build_columns(AtPolicy *policy, Relation rel, const AtStoredPolicy *stored);
static void build_keys(AtPolicy *policy, Relation rel, const AtStoredPolicy *stored);
static AtColumn *readable_column(AtPolicy *policy, const char *name);

void
at_policy_init(void)
{
	at_relation_change_register(forget_relation);
	at_trigger_needed_hook = at_cover_needs;
	at_audited_by_hook = at_stored_root;
	at_audited_table_hook = at_stored_table;
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
at_policy_known(Relation rel)
{
	Oid relid = RelationGetRelid(rel);
	CacheEntry *entry;

	if (cache.last != NULL && cache.last->relid == relid)
		return cache.last;
	if (cache.entries == NULL)
		return NULL;
	entry = hash_search(cache.entries, &relid, HASH_FIND, NULL);
	return entry != NULL && entry->policy != NULL && entry->policy->valid ? entry->policy : NULL;
}

const AtPolicy *
at_policy_lookup(Relation rel)
{
	const AtPolicy *policy = at_policy_known(rel);

	if (policy == NULL)
		policy = renew(rel);
	if (policy != NULL && policy->valid)
		cache.last = policy;
	return policy;
}

/* Build the entry of a relation and put it in the place of the old one; NULL if it has no policy.
 */
static const AtPolicy *
renew(Relation rel)
{
	Oid relid = RelationGetRelid(rel);
	AtPolicy *policy = build(rel);
	CacheEntry *entry;
	bool found;

	if (policy == NULL)
		return NULL;
	if (cache.entries == NULL)
		make_cache();

	/* building may have looked up, and built, the same relation */
	entry = hash_search(cache.entries, &relid, HASH_ENTER, &found);
	if (found && entry->policy != NULL)
	{
		MemoryContextSetParent(entry->policy->memory, TopTransactionContext);
		cache.last = NULL;
	}
	entry->policy = policy;
	MemoryContextSetParent(policy->memory, CacheMemoryContext);
	return policy;
}

/* Build an entry in a context of its own, a child of the current one. */
static AtPolicy *
build(Relation rel)
{
	uint64 invalidations = cache.invalidations;
	AtStoredPolicy stored;
	AtTarget target;
	int places[AT_ROW_TRIGGERS];

	if (!at_stored_find(RelationGetRelid(rel), &stored))
		return NULL;
	at_trigger_check(rel, places);
	read_target(rel, &stored, &target);

	MemoryContext memory =
		AllocSetContextCreate(CurrentMemoryContext, "audit_trail policy", ALLOCSET_SMALL_SIZES);
	MemoryContext save = MemoryContextSwitchTo(memory);
	AtPolicy *policy = palloc0(sizeof(AtPolicy));

	policy->memory = memory;
	memcpy(policy->trigger, places, sizeof(places));
	policy->relid = RelationGetRelid(rel);
	policy->root_relid = stored.root;
	policy->watched = at_change_wanted_hook != NULL ? at_change_wanted_hook(stored.root) : 0;
	policy->tell_truncated = strcmp(stored.truncate, AT_TRUNCATE_ROWS) == 0;
	policy->tell_query = stored.query;
	policy->target_id = target.target_id;
	policy->retention_class = target.retention_class;
	policy->schema = at_span_of(pstrdup(target.table_schema));
	policy->table = at_span_of(pstrdup(target.table_name));
	policy->resource_type = at_span_of(pstrdup(target.resource_type));
	build_place(policy, rel);
	build_columns(policy, rel, &stored);
	build_keys(policy, rel, &stored);
	if (stored.row.subject != NULL)
		policy->subject = readable_column(policy, stored.row.subject);
	if (stored.row.when != NULL)
		policy->filter = at_filter_build(rel, stored.row.when);
	policy->map = at_event_map_build(stored.root);
	MemoryContextSwitchTo(save);

	/* what was read may have changed meanwhile: then it serves this row only */
	policy->valid = cache.invalidations == invalidations;
	return policy;
}

/*
 * The version of the table that the policy names. Where the table was altered
 * by a session without our hook, it is followed here. A copy that is being
 * restored waits until it is begun.
 */
static void
read_target(Relation rel, AtStoredPolicy *stored, AtTarget *target)
{
	AtSchemaChange unseen = {.command = NULL};
	bool found = at_target_read(stored->target_id, target);

	if (found && at_incarnation_begun() && at_version_differs(stored, target))
	{
		at_version_follow(stored->root, &unseen);
		found = at_stored_find(RelationGetRelid(rel), stored) &&
				at_target_read(stored->target_id, target);
	}
	if (!found)
		ereport(ERROR, (errcode(ERRCODE_AT_CAPTURE_FAILED),
						errmsg("audit.target has no row %d, which the policy of \"%s\" names",
							   stored->target_id, RelationGetRelationName(rel)),
						errhint("SELECT * FROM audit.verify();")));
}

/* A child may have a row with the key of another's; in partitions the key is that of the table. */
static void
build_place(AtPolicy *policy, Relation rel)
{
	const char *name = at_qualified_name(policy->relid);
	StringInfoData json;

	if (policy->relid == policy->root_relid || rel->rd_rel->relispartition)
		return;
	initStringInfo(&json);
	appendStringInfoString(&json, "\"relation\":");
	at_json_quote(name, strlen(name), &json);
	policy->place_json = json.data;
}

static void
build_column(AtColumn *column, Form_pg_attribute attribute, const AtStoredPolicy *stored)
{
	at_render_prepare(column, attribute);
	column->root_attnum = attribute->attrelid == stored->root
							  ? attribute->attnum
							  : get_attnum(stored->root, column->name);
	column->is_key = at_names_contain(stored->keys, column->name);
	column->ignored = at_names_contain(stored->ignored, column->name);
}

static void
build_columns(AtPolicy *policy, Relation rel, const AtStoredPolicy *stored)
{
	TupleDesc desc = RelationGetDescr(rel);

	policy->columns = palloc0(sizeof(AtColumn) * Max(desc->natts, 1));
	for (int i = 0; i < desc->natts; i++)
	{
		AtTreatment treatment;

		if (TupleDescAttr(desc, i)->attisdropped)
			continue;
		treatment = at_row_treatment(rel, i + 1, &stored->row, stored->keys);
		if (treatment == AT_OMITTED)
			continue;
		build_column(&policy->columns[policy->ncolumns], TupleDescAttr(desc, i), stored);
		policy->columns[policy->ncolumns++].treatment = treatment;
		policy->personal = policy->personal || treatment == AT_PERSONAL;
	}
}

/* The column of that name; NULL if there is none, or nobody may read it in the trail. */
static AtColumn *
readable_column(AtPolicy *policy, const char *name)
{
	for (int i = 0; i < policy->ncolumns; i++)
		if (strcmp(policy->columns[i].name, name) == 0 && policy->columns[i].treatment == AT_PLAIN)
			return &policy->columns[i];
	return NULL;
}

static void
build_keys(AtPolicy *policy, Relation rel, const AtStoredPolicy *stored)
{
	ListCell *cell;

	policy->keys = palloc0(sizeof(AtColumn *) * Max(list_length(stored->keys), 1));
	foreach (cell, stored->keys)
	{
		const char *name = lfirst(cell);
		AtColumn *found = readable_column(policy, name);

		if (found == NULL)
			ereport(ERROR, (errcode(ERRCODE_AT_CAPTURE_FAILED),
							errmsg("table \"%s\" has lost its audit key column \"%s\"",
								   RelationGetRelationName(rel), name),
							errhint("Disable and enable its audit again.")));
		policy->keys[policy->nkeys++] = found;
	}
}
