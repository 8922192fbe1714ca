/*-------------------------------------------------------------------------
 * watched.c
 *		Tables of which reading is recorded.
 *
 * Most relations are not watched, and that is what is found most often: one
 * look-up in a hash table. An invalidation of the relation, or of the table whose policy
 * serves it, flips the entry; so does switching the audit of a table above it on, which
 * gives the relation triggers.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "access/transam.h"
#include "lib/stringinfo.h"
#include "utils/hsearch.h"
#include "utils/json.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "base/catalog.h"
#include "base/names.h"
#include "base/relation_change.h"
#include "ledger/dispatch.h"
#include "ledger/hooks.h"
#include "observe/watched.h"

/* Right after an error: an entry is valid only once it is whole. */
static struct
{
	HTAB *entries;
	uint64 invalidations;
} cache;

static void forget_relation(Datum arg, Oid relid);
static void make_cache(void);
static void build(AtWatched *entry, Oid relid);
static Bitmapset *columns_of(Oid relid, List *names);

void
at_watched_init(void)
{
	at_relation_change_register(forget_relation);
}

static void
forget_relation(Datum arg, Oid relid)
{
	HASH_SEQ_STATUS status;
	AtWatched *entry;

	cache.invalidations++;
	if (cache.entries == NULL)
		return;
	hash_seq_init(&status, cache.entries);
	while ((entry = hash_seq_search(&status)) != NULL)
		if (!OidIsValid(relid) || relid == entry->relid || relid == entry->root)
			entry->valid = false;
}

AtWatched *
at_watched_find(Oid relid)
{
	AtWatched *entry;
	bool found;

	if (relid < FirstNormalObjectId)
		return NULL;
	if (cache.entries == NULL)
		make_cache();
	entry = hash_search(cache.entries, &relid, HASH_FIND, NULL);
	if (likely(entry != NULL && entry->valid))
		return entry->watched ? entry : NULL;

	entry = hash_search(cache.entries, &relid, HASH_ENTER, &found);
	if (!found)
	{
		entry->memory = NULL;
		entry->valid = false;
		entry->watched = false;
		entry->root = InvalidOid;
	}
	build(entry, relid);
	return entry->watched ? entry : NULL;
}

static void
make_cache(void)
{
	HASHCTL control = {
		.keysize = sizeof(Oid),
		.entrysize = sizeof(AtWatched),
		.hcxt = CacheMemoryContext,
	};

	cache.entries =
		hash_create("audit_trail watched", 64, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

/* What was read may have changed meanwhile: then it serves this statement only. */
static void
build(AtWatched *entry, Oid relid)
{
	uint64 invalidations = cache.invalidations;
	AtAuditedTable table = {.reads = false};
	bool audited = at_audited_table_hook != NULL && at_audit_schema() != InvalidOid &&
				   at_audited_table_hook(relid, &table);

	if (entry->memory != NULL)
		MemoryContextSetParent(entry->memory, TopTransactionContext); /* somebody may look at it */
	entry->memory = NULL;
	entry->last_read = NULL;
	entry->last_members = NULL;
	entry->columns = NULL;
	entry->root = audited ? table.root : InvalidOid;
	entry->watched = audited && table.reads;
	if (entry->watched)
	{
		MemoryContext save;

		entry->memory =
			AllocSetContextCreate(CacheMemoryContext, "audit_trail watched", ALLOCSET_SMALL_SIZES);
		save = MemoryContextSwitchTo(entry->memory);
		entry->target_id = table.target_id;
		entry->query = table.query;
		entry->limited = table.reads_limited;
		entry->columns = columns_of(relid, table.read_columns);
		MemoryContextSwitchTo(save);
	}
	entry->valid = cache.invalidations == invalidations;
}

static Bitmapset *
columns_of(Oid relid, List *names)
{
	Bitmapset *columns = NULL;
	ListCell *cell;

	foreach (cell, names)
	{
		AttrNumber attnum = get_attnum(relid, lfirst(cell));

		if (attnum != InvalidAttrNumber)
			columns = bms_add_member(columns, attnum - FirstLowInvalidHeapAttributeNumber);
	}
	return columns;
}

/* A row as a whole has all columns. */
bool
at_watched_reads(const AtWatched *watched, const Bitmapset *columns)
{
	return !watched->limited || bms_overlap(watched->columns, columns) ||
		   bms_is_member(InvalidAttrNumber - FirstLowInvalidHeapAttributeNumber, columns);
}

static void
append_name(const char *name, StringInfo json)
{
	if (json->data[json->len - 1] != '[')
		appendStringInfoChar(json, ',');
	escape_json(json, name);
}

const char *
at_watched_members(AtWatched *watched, const Bitmapset *columns)
{
	MemoryContext save;
	StringInfoData json;
	int left_out = 0;
	int column = -1;

	if (watched->last_members != NULL && bms_equal(watched->last_read, columns))
		return watched->last_members;
	save = MemoryContextSwitchTo(watched->memory);
	initStringInfo(&json);
	appendStringInfoString(&json, "\"columns\":[");
	while ((column = bms_next_member(columns, column)) >= 0)
	{
		AttrNumber attnum = column + FirstLowInvalidHeapAttributeNumber;
		char *name = attnum == InvalidAttrNumber ? "*" : get_attname(watched->relid, attnum, true);

		if (name == NULL)
			continue;
		if (json.len > AT_MAX_DISPATCH_TEXT)
			left_out++;
		else
			append_name(name, &json);
	}
	appendStringInfoChar(&json, ']');
	if (left_out > 0)
		at_member_number(&json, "columns_left_out", left_out);
	watched->last_read = bms_copy(columns);
	watched->last_members = json.data;
	MemoryContextSwitchTo(save);
	return json.data;
}
