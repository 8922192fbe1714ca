/*-------------------------------------------------------------------------
 * event_type.c
 *		Types of events: a cache over audit.event_type.
 *
 * A type is read when it is first asked for, and so is that there is none: the view
 * asks about the type of every event. An invalidation of the table, which a
 * trigger on it causes with every change, empties the cache. The memory of what it had
 * lives on until the end of the transaction, since a type may be in use.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "fmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "base/catalog.h"
#include "base/latest.h"
#include "base/relation_change.h"
#include "ledger/event_type.h"

/* Names that are no types come from users too; so many entries are kept at most. */
#define MAX_ENTRIES 2000

/* Right after an error: an entry is made only when its type has been read. */
static struct
{
	bool valid;
	Oid relid;
	uint64 invalidations;
	MemoryContext memory; /* of what follows; NULL: nothing was read yet */
	HTAB *types;          /* of AtEventType */
} cache;

PG_FUNCTION_INFO_V1(at_catalogue_changed);

static void forget_relation(Datum arg, Oid relid);
static bool begin_cache(void);
static void read_type(AtEventType *type);
static void fill(AtEventType *type, HeapTuple tuple, TupleDesc desc);
static List *get_list(HeapTuple tuple, int column, TupleDesc desc);
static char *get_text(HeapTuple tuple, int column, TupleDesc desc);

void
at_event_type_init(void)
{
	at_relation_change_register(forget_relation);
}

static void
forget_relation(Datum arg, Oid relid)
{
	if (OidIsValid(relid) && relid != cache.relid)
		return;
	cache.valid = false;
	cache.invalidations++;
}

/* The statement trigger of audit.event_type. */
Datum
at_catalogue_changed(PG_FUNCTION_ARGS)
{
	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
						errmsg("audit.catalogue_changed() can only be called as a trigger")));
	CacheInvalidateRelcache(((TriggerData *) fcinfo->context)->tg_relation);
	PG_RETURN_POINTER(NULL);
}

AtEventType *
at_event_type_find(const char *name, int len)
{
	AtEventType read = {.known = false};
	AtEventType *type;
	uint64 invalidations;

	if (len == 0 || len > AT_EVENT_TYPE_LENGTH || memchr(name, '\0', len) != NULL)
		return NULL;
	memcpy(read.name, name, len);
	if (!cache.valid && !begin_cache())
		return NULL;
	type = hash_search(cache.types, read.name, HASH_FIND, NULL);
	if (type == NULL)
	{
		invalidations = cache.invalidations;
		read_type(&read);
		if (invalidations != cache.invalidations && !begin_cache())
			return NULL;
		type = hash_search(cache.types, read.name, HASH_ENTER, NULL);
		*type = read;

		/* what was read may have changed meanwhile: then it serves this time only */
		cache.valid = invalidations == cache.invalidations;
	}
	return type->known ? type : NULL;
}

/* An empty cache in the place of the old one; false if there is no catalogue. */
static bool
begin_cache(void)
{
	HASHCTL control = {.keysize = AT_EVENT_TYPE_LENGTH + 1, .entrysize = sizeof(AtEventType)};
	Oid schema = at_audit_schema();
	Oid relid = OidIsValid(schema) ? get_relname_relid(AT_EVENT_TYPE_TABLE, schema) : InvalidOid;
	MemoryContext memory;

	if (!OidIsValid(relid))
		return false;
	memory = AllocSetContextCreate(CurrentMemoryContext, "audit_trail event types",
								   ALLOCSET_DEFAULT_SIZES);
	control.hcxt = memory;
	if (cache.memory != NULL)
		MemoryContextSetParent(cache.memory, TopTransactionContext);
	cache.memory = NULL;
	cache.types = hash_create("audit_trail event types", 64, &control,
							  HASH_ELEM | HASH_STRINGS | HASH_CONTEXT);
	MemoryContextSetParent(memory, CacheMemoryContext);
	cache.memory = memory;
	cache.relid = relid;
	cache.valid = true;
	return true;
}

/* The version that counts, if there is one. */
static void
read_type(AtEventType *type)
{
	AtLatest latest;
	ScanKeyData key;
	HeapTuple tuple;
	int32 version = 0;

	if (hash_get_num_entries(cache.types) >= MAX_ENTRIES)
		(void) begin_cache();
	ScanKeyInit(&key, Anum_event_type_event_type, BTEqualStrategyNumber, F_TEXTEQ,
				CStringGetTextDatum(type->name));
	at_latest_begin(&latest, cache.relid, AT_EVENT_TYPE_INDEX, 1, &key);
	while (HeapTupleIsValid(tuple = at_latest_next(&latest)))
	{
		bool isnull;
		int32 found =
			DatumGetInt32(heap_getattr(tuple, Anum_event_type_version, latest.desc, &isnull));

		if (found > version)
			fill(type, tuple, latest.desc);
		version = Max(version, found);
	}
	at_latest_end(&latest);
}

static void
fill(AtEventType *type, HeapTuple tuple, TupleDesc desc)
{
	MemoryContext save = MemoryContextSwitchTo(cache.memory);
	bool isnull;

	type->known = true;
	type->version = DatumGetInt32(heap_getattr(tuple, Anum_event_type_version, desc, &isnull));
	type->context = get_text(tuple, Anum_event_type_context, desc);
	type->category = get_text(tuple, Anum_event_type_category, desc);
	type->severity = get_text(tuple, Anum_event_type_severity, desc);
	type->sentence = get_text(tuple, Anum_event_type_sentence, desc);
	type->masked = get_list(tuple, Anum_event_type_masked, desc);
	type->replaced_by = get_text(tuple, Anum_event_type_replaced_by, desc);
	type->resource_type = get_text(tuple, Anum_event_type_resource_type, desc);
	type->reserved = DatumGetBool(heap_getattr(tuple, Anum_event_type_reserved, desc, &isnull));
	type->deprecated = !heap_attisnull(tuple, Anum_event_type_deprecated_at, desc);
	MemoryContextSwitchTo(save);
}

/* NULL for null. */
static char *
get_text(HeapTuple tuple, int column, TupleDesc desc)
{
	bool isnull;
	Datum value = heap_getattr(tuple, column, desc, &isnull);

	return isnull ? NULL : TextDatumGetCString(value);
}

static List *
get_list(HeapTuple tuple, int column, TupleDesc desc)
{
	bool isnull;
	Datum value = heap_getattr(tuple, column, desc, &isnull);
	Datum *elements;
	bool *nulls;
	int count;
	List *list = NIL;

	if (isnull)
		return NIL;
	deconstruct_array(DatumGetArrayTypeP(value), TEXTOID, -1, false, TYPALIGN_INT, &elements,
					  &nulls, &count);
	for (int i = 0; i < count; i++)
		if (!nulls[i])
			list = lappend(list, TextDatumGetCString(elements[i]));
	return list;
}

bool
at_event_type_is_resource(const char *resource_type)
{
	AtLatest latest;
	HeapTuple tuple;
	bool found = false;

	at_latest_begin(&latest, at_audit_relid(AT_EVENT_TYPE_TABLE), NULL, 0, NULL);
	while (!found && HeapTupleIsValid(tuple = at_latest_next(&latest)))
		found =
			strcmp(get_text(tuple, Anum_event_type_resource_type, latest.desc), resource_type) == 0;
	at_latest_end(&latest);
	return found;
}
