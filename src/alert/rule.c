/*-------------------------------------------------------------------------
 * rule.c
 *		The alert rules of a table: a cache over audit.alert_rule.
 *
 * An invalidation of the audited table flips its entry, and the next
 * look-up reads anew; audit.alert_when() and audit.alert_drop() cause one.
 * The newest rules count, whatever the transaction's snapshot is.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "alert/rule.h"
#include "base/catalog.h"
#include "base/latest.h"
#include "base/relation_change.h"

typedef struct CacheEntry
{
	Oid relid;
	bool valid;
	MemoryContext memory; /* of rules; NULL: never read */
	AtRules rules;
} CacheEntry;

/* Right after an error: an entry is filled only when it has been read whole. */
static struct
{
	HTAB *entries; /* made at the first look-up */
	uint64 invalidations;
} cache;

static void forget_relation(Datum arg, Oid relid);
static void make_cache(void);
static List *read_rules(Oid relid);
static AtRule *make_rule(HeapTuple tuple, TupleDesc desc);
static void warn_of_lost_columns(Oid relid, const AtRule *rule);

void
at_rule_init(void)
{
	at_relation_change_register(forget_relation);
}

static void
forget_relation(Datum arg, Oid relid)
{
	HASH_SEQ_STATUS status;
	CacheEntry *entry;

	cache.invalidations++;
	if (cache.entries == NULL)
		return;
	if (OidIsValid(relid))
	{
		entry = hash_search(cache.entries, &relid, HASH_FIND, NULL);
		if (entry != NULL)
			entry->valid = false;
		return;
	}
	hash_seq_init(&status, cache.entries);
	while ((entry = hash_seq_search(&status)) != NULL)
		entry->valid = false;
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
		hash_create("audit_trail alert rules", 64, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

/* Take over what was read into memory. */
static void
fill(CacheEntry *entry, MemoryContext memory, List *rules)
{
	MemoryContext save = MemoryContextSwitchTo(memory);
	AtRule *array = palloc(sizeof(AtRule) * Max(list_length(rules), 1));
	ListCell *cell;

	foreach (cell, rules)
		array[foreach_current_index(cell)] = *(AtRule *) lfirst(cell);
	MemoryContextSwitchTo(save);

	if (entry->memory != NULL)
		MemoryContextDelete(entry->memory);
	MemoryContextSetParent(memory, CacheMemoryContext);
	entry->memory = memory;
	entry->rules = (AtRules){.count = list_length(rules), .rules = array};
}

const AtRules *
at_rules_lookup(Oid relid)
{
	CacheEntry *entry;
	bool found;

	if (cache.entries == NULL)
		make_cache();
	entry = hash_search(cache.entries, &relid, HASH_FIND, NULL);
	if (entry == NULL || !entry->valid)
	{
		uint64 invalidations = cache.invalidations;
		MemoryContext memory = AllocSetContextCreate(
			CurrentMemoryContext, "audit_trail alert rules", ALLOCSET_SMALL_SIZES);
		MemoryContext save = MemoryContextSwitchTo(memory);
		List *rules = read_rules(relid);

		MemoryContextSwitchTo(save);
		entry = hash_search(cache.entries, &relid, HASH_ENTER, &found);
		if (!found)
			*entry = (CacheEntry){.relid = relid};
		fill(entry, memory, rules);

		/* what was read may have changed meanwhile: then it serves this time only */
		entry->valid = invalidations == cache.invalidations;
	}
	return &entry->rules;
}

static int
compare_rules(const ListCell *a, const ListCell *b)
{
	return strcmp(((AtRule *) lfirst(a))->name, ((AtRule *) lfirst(b))->name);
}

static List *
read_rules(Oid relid)
{
	List *rules = NIL;
	AtLatest latest;
	ScanKeyData key;
	HeapTuple tuple;
	bool isnull;

	ScanKeyInit(&key, Anum_rule_target, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(relid));
	at_latest_begin(&latest, at_audit_relid(AT_RULE_TABLE), AT_RULE_INDEX, 1, &key);
	while (HeapTupleIsValid(tuple = at_latest_next(&latest)))
		if (DatumGetBool(heap_getattr(tuple, Anum_rule_enabled, latest.desc, &isnull)))
			rules = lappend(rules, make_rule(tuple, latest.desc));
	at_latest_end(&latest);

	list_sort(rules, compare_rules);
	for (int i = 0; i < list_length(rules); i++)
		warn_of_lost_columns(relid, list_nth(rules, i));
	return rules;
}

static char *
get_string(HeapTuple tuple, TupleDesc desc, int column)
{
	bool isnull;

	return TextDatumGetCString(heap_getattr(tuple, column, desc, &isnull));
}

static AtRule *
make_rule(HeapTuple tuple, TupleDesc desc)
{
	AtRule *rule = palloc(sizeof(AtRule));
	Datum *names;
	bool isnull;

	rule->name = get_string(tuple, desc, Anum_rule_name);
	rule->severity = get_string(tuple, desc, Anum_rule_severity);
	rule->channel = get_string(tuple, desc, Anum_rule_channel);
	deconstruct_array(DatumGetArrayTypeP(heap_getattr(tuple, Anum_rule_columns, desc, &isnull)),
					  TEXTOID, -1, false, TYPALIGN_INT, &names, NULL, &rule->ncolumns);
	rule->columns = palloc(sizeof(char *) * Max(rule->ncolumns, 1));
	for (int i = 0; i < rule->ncolumns; i++)
		rule->columns[i] = TextDatumGetCString(names[i]);
	return rule;
}

/* Whoever renames or drops a watched column learns that the rule does not see it any more. */
static void
warn_of_lost_columns(Oid relid, const AtRule *rule)
{
	for (int i = 0; i < rule->ncolumns; i++)
		if (get_attnum(relid, rule->columns[i]) == InvalidAttrNumber)
			ereport(WARNING,
					(errcode(ERRCODE_UNDEFINED_COLUMN),
					 errmsg("alert rule \"%s\" watches column \"%s\", which table \"%s\" lacks",
							rule->name, rule->columns[i], get_rel_name(relid)),
					 errhint("Give the rule other columns with SELECT audit.alert_when(...), or "
							 "SELECT audit.alert_drop(%s);",
							 quote_literal_cstr(rule->name))));
}
