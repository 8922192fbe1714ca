/*-------------------------------------------------------------------------
 * target_names.c
 *		The names that events get from audit.target when they are hashed.
 *
 * All targets are read at the first question: there are as many as audited
 * tables had versions. The last answer is kept, since events come in runs.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "executor/tuptable.h"
#include "fmgr.h"
#include "utils/memutils.h"

#include "base/columns.h"
#include "ledger/datum.h"
#include "ledger/scan.h"
#include "ledger/target_names.h"

struct AtTargetNames
{
	MemoryContext context;
	Snapshot snapshot;
	bool loaded;
	int count;
	int capacity;
	AtTargetName *name; /* ascending by target_id */
	const AtTargetName *last;
};

static void load(AtTargetNames *names);
static void add(TupleTableSlot *slot, void *arg);
static int compare(const void *a, const void *b);

AtTargetNames *
at_target_names_open(Snapshot snapshot)
{
	MemoryContext context =
		AllocSetContextCreate(CurrentMemoryContext, "audit target names", ALLOCSET_SMALL_SIZES);
	AtTargetNames *names = MemoryContextAllocZero(context, sizeof(AtTargetNames));

	names->context = context;
	names->snapshot = snapshot;
	return names;
}

const AtTargetName *
at_target_names_find(AtTargetNames *names, int32 target_id)
{
	AtTargetName key = {.target_id = target_id};

	if (names->last != NULL && names->last->target_id == target_id)
		return names->last;
	if (!names->loaded)
		load(names);
	names->last = bsearch(&key, names->name, names->count, sizeof(key), compare);
	return names->last;
}

void
at_target_names_close(AtTargetNames *names)
{
	MemoryContextDelete(names->context);
}

static void
load(AtTargetNames *names)
{
	MemoryContext save = MemoryContextSwitchTo(names->context);

	names->capacity = 64;
	names->name = palloc(sizeof(AtTargetName) * names->capacity);
	at_scan_heap(AT_LEDGER_TARGET, names->snapshot, add, names);
	qsort(names->name, names->count, sizeof(AtTargetName), compare);
	names->loaded = true;
	MemoryContextSwitchTo(save);
}

/* A text column as a span of its own; missing where somebody made it null. */
static AtSpan
copy_text(TupleTableSlot *slot, int column)
{
	if (slot->tts_isnull[column - 1])
		return (AtSpan){NULL, 0};
	return at_span_of_varlena(PG_DETOAST_DATUM_COPY(slot->tts_values[column - 1]));
}

static void
add(TupleTableSlot *slot, void *arg)
{
	AtTargetNames *names = arg;

	if (names->count == names->capacity)
	{
		names->capacity *= 2;
		names->name = repalloc(names->name, sizeof(AtTargetName) * names->capacity);
	}
	slot_getallattrs(slot);
	names->name[names->count++] = (AtTargetName){
		.target_id = DatumGetInt32(slot->tts_values[Anum_target_target_id - 1]),
		.schema = copy_text(slot, Anum_target_table_schema),
		.table = copy_text(slot, Anum_target_table_name),
		.resource_type = copy_text(slot, Anum_target_resource_type),
	};
}

static int
compare(const void *a, const void *b)
{
	int32 left = ((const AtTargetName *) a)->target_id;
	int32 right = ((const AtTargetName *) b)->target_id;

	return left < right ? -1 : left > right;
}
