/*-------------------------------------------------------------------------
 * retention_class.c
 *		Which retention class an event is stored under.
 *
 * Sessions keep the policies, and the class of each version of a table that
 * they have asked for. A change of audit.target or audit.event, as the relation
 * cache tells it, makes the next question read them anew: the first is sent
 * on purpose when a policy is set, the second comes when partitions for a
 * class are attached. Without policies a question is one comparison.
 *
 * After an error the cache is as good as before, or to be filled.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_collation_d.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "base/catalog.h"
#include "base/columns.h"
#include "base/compat.h"
#include "base/latest.h"
#include "base/relation_change.h"
#include "core/json_text.h"
#include "ledger/retention_class.h"
#include "ledger/target.h"

/* What a policy is for; the first that fits decides. */
typedef enum ScopeKind
{
	SCOPE_EVENT_TYPE,
	SCOPE_TABLE,
	SCOPE_CONTEXT,
	SCOPE_KINDS
} ScopeKind;

static const char *const scope_names[SCOPE_KINDS] = {"event_type", "lineage", "context"};

typedef struct Policy
{
	ScopeKind scope;
	char *name; /* of the scope: decoded text, or digits */
	int16 class;
} Policy;

typedef struct TargetClass
{
	int32 target_id; /* key */
	int16 class;
} TargetClass;

static struct
{
	bool is_filled;
	Oid target_relid; /* whose invalidation empties it; set with is_filled */
	Oid event_relid;
	MemoryContext context; /* of what follows; NULL: none yet */
	List *policies;        /* of Policy; a later one stands before an earlier one */
	bool any_event_type;
	HTAB *targets;
} cache;

static void forget(Datum arg, Oid relid);
static void fill(void);
static void read_policies(void);
static void add_policy(const char *payload, int len);
static int16 find_class(ScopeKind scope, const char *name, int len);
static int16 class_of_target(int32 target_id);

void
at_retention_class_init(void)
{
	at_relation_change_register(forget);
}

static void
forget(Datum arg, Oid relid)
{
	if (!OidIsValid(relid) || relid == cache.target_relid || relid == cache.event_relid)
		cache.is_filled = false;
}

void
at_retention_classes_changed(void)
{
	CacheInvalidateRelcacheByRelid(at_ledger_relid(AT_LEDGER_TARGET));
}

int16
at_retention_class(int32 target_id, AtSpan event_type, int16 otherwise)
{
	if (unlikely(!cache.is_filled))
		fill();
	if (likely(cache.policies == NIL))
		return otherwise;
	if (cache.any_event_type && event_type.data != NULL)
	{
		int16 class = find_class(SCOPE_EVENT_TYPE, event_type.data, event_type.len);

		if (class != 0)
			return class;
	}

	TargetClass *known = hash_search(cache.targets, &target_id, HASH_FIND, NULL);

	if (known == NULL)
	{
		int16 class = class_of_target(target_id);

		/* looking may have emptied the cache; then the next question fills it */
		known = hash_search(cache.targets, &target_id, HASH_ENTER, NULL);
		known->class = class;
	}
	return known->class;
}

int
at_retention_classes(int16 **classes)
{
	ListCell *cell;
	int count = 0;

	fill();
	*classes = palloc(sizeof(int16) * Max(list_length(cache.policies), 1));
	foreach (cell, cache.policies)
		(*classes)[count++] = ((Policy *) lfirst(cell))->class;
	return count;
}

static void
fill(void)
{
	HASHCTL control = {.keysize = sizeof(int32), .entrysize = sizeof(TargetClass)};
	MemoryContext save;

	cache.target_relid = at_ledger_relid(AT_LEDGER_TARGET);
	cache.event_relid = at_ledger_relid(AT_LEDGER_EVENT);
	if (cache.context == NULL)
		cache.context = AllocSetContextCreate(CacheMemoryContext, "audit_trail retention",
											  ALLOCSET_SMALL_SIZES);
	cache.policies = NIL;
	cache.any_event_type = false;
	MemoryContextReset(cache.context);
	control.hcxt = cache.context;

	/* what comes while it is read empties it again */
	cache.is_filled = true;
	PG_TRY();
	{
		save = MemoryContextSwitchTo(cache.context);
		cache.targets = hash_create("audit_trail retention", 64, &control,
									HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
		read_policies();
		MemoryContextSwitchTo(save);
	}
	PG_CATCH();
	{
		cache.is_filled = false;
		cache.policies = NIL;
		PG_RE_THROW();
	}
	PG_END_TRY();
}

static void
read_policies(void)
{
	AtLatest latest;
	ScanKeyData key;
	HeapTuple tuple;

	ScanKeyInit(&key, Anum_log_entry_kind, BTEqualStrategyNumber, F_TEXTEQ,
				CStringGetTextDatum(AT_KIND_RETENTION));
	key.sk_collation = DEFAULT_COLLATION_OID;
	at_latest_begin(&latest, at_ledger_relid(AT_LEDGER_LOG_ENTRY), "log_entry_kind_idx", 1, &key);
	while (HeapTupleIsValid(tuple = at_latest_next(&latest)))
	{
		bool isnull;
		Datum payload = heap_getattr(tuple, Anum_log_entry_payload, latest.desc, &isnull);

		if (!isnull)
		{
			struct varlena *text = pg_detoast_datum_packed((struct varlena *) payload);

			add_policy(VARDATA_ANY(text), VARSIZE_ANY_EXHDR(text));
		}
	}
	at_latest_end(&latest);
}

/* A string of JSON without its quotes, its escapes resolved as far as ASCII goes. */
static char *
decode(AtText value)
{
	char *text = palloc(value.len + 1);
	size_t len = 0;

	(void) at_json_text_unquote(&value);
	while (value.len > 0)
	{
		const char *start = value.data;
		int32 character;

		if (*start != '\\')
		{
			text[len++] = *start;
			value.data++;
			value.len--;
			continue;
		}
		character = at_json_text_character(&value);
		text[len++] = character > 0 && character < 128 ? (char) character : '?';
	}
	text[len] = '\0';
	return text;
}

/* Those without partitions are left out: their events would have to go to the default one. */
static bool
has_partitions(int16 class)
{
	char *name = psprintf("event_%d", class);
	Oid relid = get_relname_relid(name, at_audit_schema());
	char *other = psprintf("transaction_%d", class);

	return OidIsValid(relid) && get_rel_relispartition(relid) &&
		   get_rel_relispartition(get_relname_relid(other, at_audit_schema()));
}

static void
add_policy(const char *payload, int len)
{
	AtText object = {payload, len};
	AtText value;
	Policy *policy = palloc0(sizeof(Policy));
	ListCell *cell;

	if (!at_json_text_find(object, "class", &value))
		return;
	policy->class = atoi(pnstrdup(value.data, value.len));
	for (policy->scope = 0; policy->scope < SCOPE_KINDS; policy->scope++)
		if (at_json_text_find(object, scope_names[policy->scope], &value))
			break;
	if (policy->scope == SCOPE_KINDS)
		return;
	policy->name = decode(value);
	foreach (cell, cache.policies)
	{
		Policy *earlier = lfirst(cell);

		if (earlier->scope == policy->scope && strcmp(earlier->name, policy->name) == 0)
			cache.policies = foreach_delete_current(cache.policies, cell);
	}
	cache.policies = lcons(policy, cache.policies);
	cache.any_event_type |= policy->scope == SCOPE_EVENT_TYPE;
}

/* 0 if there is no policy for it. */
static int16
find_class(ScopeKind scope, const char *name, int len)
{
	ListCell *cell;

	foreach (cell, cache.policies)
	{
		const Policy *policy = lfirst(cell);

		if (policy->scope == scope && strncmp(policy->name, name, len) == 0 &&
			policy->name[len] == '\0')
			return has_partitions(policy->class) ? policy->class : AT_RETENTION_CLASS_DEFAULT;
	}
	return 0;
}

static int16
class_of_target(int32 target_id)
{
	AtTarget target;
	char lineage[16];
	int16 class;

	if (!at_target_read(target_id, &target))
		return AT_RETENTION_CLASS_DEFAULT;
	snprintf(lineage, sizeof(lineage), "%d", target.lineage);
	class = find_class(SCOPE_TABLE, lineage, strlen(lineage));
	if (class == 0)
		class = find_class(SCOPE_CONTEXT, target.context, strlen(target.context));
	return class != 0 ? class : AT_RETENTION_CLASS_DEFAULT;
}
