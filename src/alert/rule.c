/*-------------------------------------------------------------------------
 * rule.c
 *		The alert rules of a table: a cache over audit.alert_rule.
 *
 * An invalidation of the audited table flips its entry, and the next
 * look-up reads anew; whatever changes a rule causes one. Rules of no table have an entry that an
 * invalidation of the configuration table flips. The newest rules count, whatever the
 * transaction's snapshot is.
 *
 * Who tells alerts looks rules up by their names. These are kept until anything at all was
 * invalidated, which is seldom enough.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
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

typedef struct NamedRule
{
	char name[AT_RULE_NAME_BYTES + 1];
	AtRule *rule; /* NULL: there is none */
} NamedRule;

/* Right after an error: an entry is filled only when it has been read whole. */
static struct
{
	HTAB *entries;  /* made at the first look-up */
	Oid rule_table; /* set when it was read first */
	uint64 invalidations;
} cache;

/* Rules by name. Right after an error: a rule is entered only when it has been read whole. */
static struct
{
	MemoryContext memory; /* of all of it; NULL: nothing is kept */
	HTAB *rules;
	uint64 invalidations; /* as it was when the first was read */
} named;

static void forget_relation(Datum arg, Oid relid);
static void make_cache(void);
static List *read_rules(Oid relid);
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
		if (relid == cache.rule_table)
			relid = InvalidOid; /* the entry of rules of no table */
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

	/* one that looks at a rule may have caused this, by an output function: it goes on looking */
	if (entry->memory != NULL)
		MemoryContextSetParent(entry->memory, TopTransactionContext);
	MemoryContextSetParent(memory, CacheMemoryContext);
	entry->memory = memory;
	entry->rules = (AtRules){.count = list_length(rules), .rules = array};
	for (int i = 0; i < entry->rules.count; i++)
		entry->rules.ops |= array[i].ops;
}

AtRules
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
	return entry->rules;
}

static int
compare_rules(const ListCell *a, const ListCell *b)
{
	return strcmp(((AtRule *) lfirst(a))->name, ((AtRule *) lfirst(b))->name);
}

/* The rules of the table that are enabled. What is pointed to is in the current memory context. */
static List *
read_rules(Oid relid)
{
	List *rules = NIL;
	AtLatest latest;
	ScanKeyData key;
	HeapTuple tuple;
	bool isnull;

	cache.rule_table = at_audit_relid(AT_RULE_TABLE);
	ScanKeyInit(&key, Anum_rule_target, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(relid));
	at_latest_begin(&latest, cache.rule_table, OidIsValid(relid) ? AT_RULE_INDEX : NULL,
					OidIsValid(relid) ? 1 : 0, &key);
	while (HeapTupleIsValid(tuple = at_latest_next(&latest)))
	{
		AtRule *rule;

		(void) heap_getattr(tuple, Anum_rule_target, latest.desc, &isnull);
		if (isnull == OidIsValid(relid) ||
			!DatumGetBool(heap_getattr(tuple, Anum_rule_enabled, latest.desc, &isnull)))
			continue;
		rule = palloc(sizeof(AtRule));
		at_rule_compile(rule, tuple, latest.desc, true);
		rules = lappend(rules, rule);
	}
	at_latest_end(&latest);

	list_sort(rules, compare_rules);
	for (int i = 0; i < list_length(rules); i++)
		warn_of_lost_columns(relid, list_nth(rules, i));
	return rules;
}

HeapTuple
at_rule_find(const char *name, TupleDesc *desc)
{
	AtLatest latest;
	ScanKeyData key;
	HeapTuple tuple;

	ScanKeyInit(&key, Anum_rule_name, BTEqualStrategyNumber, F_TEXTEQ, CStringGetTextDatum(name));
	at_latest_begin(&latest, at_audit_relid(AT_RULE_TABLE), "alert_rule_pkey", 1, &key);
	tuple = at_latest_next(&latest);
	if (HeapTupleIsValid(tuple))
	{
		tuple = heap_copytuple(tuple);
		*desc = CreateTupleDescCopy(latest.desc);
	}
	at_latest_end(&latest);
	return tuple;
}

static void
begin_named(void)
{
	HASHCTL control = {.keysize = AT_RULE_NAME_BYTES + 1, .entrysize = sizeof(NamedRule)};

	if (named.memory != NULL)
		MemoryContextDelete(named.memory);
	named.memory = control.hcxt = AllocSetContextCreate(
		CacheMemoryContext, "audit_trail alert rules by name", ALLOCSET_SMALL_SIZES);
	named.rules = hash_create("audit_trail alert rules by name", 64, &control,
							  HASH_ELEM | HASH_STRINGS | HASH_CONTEXT);
	named.invalidations = cache.invalidations;
}

const AtRule *
at_rule_named(const char *name)
{
	MemoryContext save = CurrentMemoryContext;
	NamedRule *entry;
	TupleDesc desc;
	HeapTuple tuple;
	AtRule *rule = NULL;

	if (strlen(name) > AT_RULE_NAME_BYTES)
		return NULL;
	if (named.memory == NULL || named.invalidations != cache.invalidations)
		begin_named();
	entry = hash_search(named.rules, name, HASH_FIND, NULL);
	if (entry != NULL)
		return entry->rule;

	tuple = at_rule_find(name, &desc);
	if (tuple != NULL)
	{
		MemoryContextSwitchTo(named.memory);
		rule = palloc(sizeof(AtRule));
		at_rule_compile(rule, tuple, desc, true);
		MemoryContextSwitchTo(save);
	}
	entry = hash_search(named.rules, name, HASH_ENTER, NULL);
	entry->rule = rule;
	return rule;
}

/* Whoever renames or drops a watched column learns that the rule does not see it any more. */
static void
warn_of_lost_columns(Oid relid, const AtRule *rule)
{
	for (int i = 0; i < rule->ncolumns; i++)
		if (OidIsValid(relid) && rule->columns[i].attnum == InvalidAttrNumber)
			ereport(WARNING,
					(errcode(ERRCODE_UNDEFINED_COLUMN),
					 errmsg("alert rule \"%s\" watches column \"%s\", which table \"%s\" lacks",
							rule->name, rule->columns[i].name, get_rel_name(relid)),
					 errhint("Give the rule other columns with SELECT audit.alert_when(...), or "
							 "SELECT audit.alert_drop(%s);",
							 quote_literal_cstr(rule->name))));
}
