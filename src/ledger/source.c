/*-------------------------------------------------------------------------
 * source.c
 *		Settings of others that tell who acts: a cache over
 *		audit.context_source.
 *
 * An invalidation of the table flips the cache, and the next look-up reads
 * it anew; a trigger on the table causes one with every change. The newest
 * rows count, whatever the transaction's snapshot is.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "commands/trigger.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "base/catalog.h"
#include "base/latest.h"
#include "base/relation_change.h"
#include "ledger/pick.h"
#include "ledger/source.h"

/* Name of the configuration table and its columns (sql/install/10_context.sql). */
#define SOURCE_TABLE "context_source"

#define Anum_source_field     1
#define Anum_source_priority  2
#define Anum_source_setting   3
#define Anum_source_json_path 4

typedef struct Source
{
	int field; /* AtContextField */
	int priority;
	char *setting;
	char *json_path; /* NULL: the value itself */
	char *name;      /* as the transaction's row has it */
} Source;

/* Right after an error: filled only when the table has been read whole. */
static struct
{
	bool valid;
	uint64 invalidations;
	Oid relid;
	MemoryContext memory; /* of sources; NULL: never read */
	List *sources;        /* by priority */
} cache;

PG_FUNCTION_INFO_V1(at_context_source_changed);

static void forget_relation(Datum arg, Oid relid);
static bool is_installed(void);
static void fill_cache(void);
static List *read_sources(void);
static Source *make_source(HeapTuple tuple, TupleDesc desc);
static char *read_source(const Source *source);

void
at_source_init(void)
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

/* The statement trigger of audit.context_source. */
Datum
at_context_source_changed(PG_FUNCTION_ARGS)
{
	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
						errmsg("audit.context_source_changed() can only be called as a trigger")));
	CacheInvalidateRelcache(((TriggerData *) fcinfo->context)->tg_relation);
	PG_RETURN_POINTER(NULL);
}

void
at_source_read(AtContextValue *field)
{
	ListCell *cell;

	if (!cache.valid && !is_installed())
		return;
	if (!cache.valid)
		fill_cache();

	foreach (cell, cache.sources)
	{
		const Source *source = lfirst(cell);

		if (field[source->field].value != NULL)
			continue;
		field[source->field].value = read_source(source);
		if (field[source->field].value != NULL)
			field[source->field].source = pstrdup(source->name);
	}
}

/* What happens in a database without the extension may be told as well. */
static bool
is_installed(void)
{
	Oid schema = at_audit_schema();

	return OidIsValid(schema) && OidIsValid(get_relname_relid(SOURCE_TABLE, schema));
}

static void
fill_cache(void)
{
	MemoryContext memory = AllocSetContextCreate(
		CurrentMemoryContext, "audit_trail context sources", ALLOCSET_SMALL_SIZES);
	MemoryContext save = MemoryContextSwitchTo(memory);
	Relation rel;
	List *sources;

	cache.relid = at_audit_relid(SOURCE_TABLE);

	/* opening the table may tell that what is known is out of date */
	rel = table_open(cache.relid, AccessShareLock);

	uint64 invalidations = cache.invalidations;

	sources = read_sources();
	table_close(rel, AccessShareLock);
	MemoryContextSwitchTo(save);

	if (cache.memory != NULL)
		MemoryContextDelete(cache.memory);
	MemoryContextSetParent(memory, CacheMemoryContext);
	cache.memory = memory;
	cache.sources = sources;
	cache.valid = cache.invalidations == invalidations;
}

static int
compare_sources(const ListCell *a, const ListCell *b)
{
	const Source *left = lfirst(a);
	const Source *right = lfirst(b);

	return left->priority == right->priority ? 0 : left->priority < right->priority ? -1 : 1;
}

/* All rows that name a field. */
static List *
read_sources(void)
{
	List *sources = NIL;
	AtLatest latest;
	HeapTuple tuple;

	at_latest_begin(&latest, cache.relid, NULL, 0, NULL);
	while (HeapTupleIsValid(tuple = at_latest_next(&latest)))
	{
		Source *source = make_source(tuple, latest.desc);

		if (source->field < AT_CONTEXT_FIELDS)
			sources = lappend(sources, source);
	}
	at_latest_end(&latest);
	list_sort(sources, compare_sources);
	return sources;
}

static Source *
make_source(HeapTuple tuple, TupleDesc desc)
{
	Source *source = palloc(sizeof(Source));
	Datum path;
	bool isnull;
	char *field = TextDatumGetCString(heap_getattr(tuple, Anum_source_field, desc, &isnull));

	for (source->field = 0; source->field < AT_CONTEXT_FIELDS; source->field++)
		if (strcmp(field, at_context_names[source->field]) == 0)
			break;
	source->priority = DatumGetInt32(heap_getattr(tuple, Anum_source_priority, desc, &isnull));
	source->setting = TextDatumGetCString(heap_getattr(tuple, Anum_source_setting, desc, &isnull));
	source->name = psprintf("source:%s", source->setting);
	path = heap_getattr(tuple, Anum_source_json_path, desc, &isnull);
	source->json_path = isnull ? NULL : TextDatumGetCString(path);
	return source;
}

/* What the setting says now, ready to be stored; NULL if nothing that can be used. */
static char *
read_source(const Source *source)
{
	const char *value = GetConfigOption(source->setting, true, false);
	bool is_extra = source->field == AT_CONTEXT_EXTRA;
	bool is_object = false;

	if (value == NULL || value[0] == '\0' ||
		(GetConfigOptionFlags(source->setting, true) & GUC_SUPERUSER_ONLY) != 0)
		return NULL;
	if (source->json_path != NULL || is_extra)
	{
		if (strnlen(value, AT_SOURCE_MAX_JSON + 1) > AT_SOURCE_MAX_JSON)
			return NULL;
		value = at_json_pick(value, source->json_path ? source->json_path : "", AT_SOURCE_MAX_DEPTH,
							 &is_object);
		if (value == NULL || value[0] == '\0' || is_object != is_extra)
			return NULL;

		/* an object would not be one if it were cut */
		if (is_extra && strlen(value) > AT_MAX_CONTEXT_LENGTH)
			return NULL;
	}
	return at_context_clean(value);
}
