/*-------------------------------------------------------------------------
 * replay_sort.c
 *		Events and rows of a replay in the order in which they are applied.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "utils/tuplesort.h"
#include "utils/typcache.h"

#include "capture/replay_sort.h"

/* Columns of a sorted record. */
enum
{
	COL_GROUP,
	COL_AT,
	COL_TX_ID,
	COL_ORDINAL,
	COL_OP,
	COL_KEY,
	COL_FORMER,
	COL_BEFORE,
	COL_AFTER,
	COLUMNS
};

#define KEYS (COL_ORDINAL + 1)

static const Oid column_types[COLUMNS] = {
	BYTEAOID, TIMESTAMPTZOID, INT8OID, INT4OID, CHAROID, BYTEAOID, BYTEAOID, BYTEAOID, BYTEAOID,
};

struct AtReplaySort
{
	TupleTableSlot *input;
	TupleTableSlot *output;
	Tuplesortstate *state;
	bool sorted;
};

static Tuplesortstate *
begin_state(TupleDesc desc, int first)
{
	AttrNumber columns[KEYS];
	Oid operators[KEYS];
	Oid collations[KEYS] = {InvalidOid};
	bool nulls_first[KEYS] = {false};

	for (int i = first; i < KEYS; i++)
	{
		columns[i] = i + 1;
		operators[i] = lookup_type_cache(column_types[i], TYPECACHE_LT_OPR)->lt_opr;
	}
	return tuplesort_begin_heap(desc, KEYS - first, columns + first, operators + first,
								collations + first, nulls_first + first, work_mem, NULL,
								TUPLESORT_NONE);
}

AtReplaySort *
at_replay_sort_begin(bool by_group)
{
	AtReplaySort *sort = palloc0(sizeof(AtReplaySort));
	TupleDesc desc = CreateTemplateTupleDesc(COLUMNS);

	for (int i = 0; i < COLUMNS; i++)
		TupleDescInitEntry(desc, i + 1, NULL, column_types[i], -1, 0);
	sort->input = MakeSingleTupleTableSlot(desc, &TTSOpsVirtual);
	sort->output = MakeSingleTupleTableSlot(desc, &TTSOpsMinimalTuple);
	sort->state = begin_state(desc, by_group ? COL_GROUP : COL_AT);
	return sort;
}

static inline void
set_column(TupleTableSlot *slot, int column, struct varlena *value)
{
	slot->tts_values[column] = PointerGetDatum(value);
	slot->tts_isnull[column] = value == NULL;
}

void
at_replay_sort_put(AtReplaySort *sort, struct varlena *group, const AtReplayEvent *event)
{
	TupleTableSlot *slot = ExecClearTuple(sort->input);

	memset(slot->tts_isnull, 0, sizeof(bool) * COLUMNS);
	set_column(slot, COL_GROUP, group ? group : (struct varlena *) cstring_to_text(""));
	slot->tts_values[COL_AT] = TimestampTzGetDatum(event->at);
	slot->tts_values[COL_TX_ID] = Int64GetDatum(event->tx_id);
	slot->tts_values[COL_ORDINAL] = Int32GetDatum(event->ordinal);
	slot->tts_values[COL_OP] = CharGetDatum(event->op);
	set_column(slot, COL_KEY, event->key);
	set_column(slot, COL_FORMER, event->former);
	set_column(slot, COL_BEFORE, event->before);
	set_column(slot, COL_AFTER, event->after);
	ExecStoreVirtualTuple(slot);
	tuplesort_puttupleslot(sort->state, slot);
}

static struct varlena *
get_varlena(TupleTableSlot *slot, int column)
{
	return slot->tts_isnull[column] ? NULL
									: (struct varlena *) DatumGetPointer(slot->tts_values[column]);
}

bool
at_replay_sort_next(AtReplaySort *sort, struct varlena **group, AtReplayEvent *event)
{
	TupleTableSlot *slot = sort->output;

	CHECK_FOR_INTERRUPTS();
	if (!sort->sorted)
		tuplesort_performsort(sort->state);
	sort->sorted = true;
	if (!tuplesort_gettupleslot(sort->state, true, false, slot, NULL))
		return false;

	slot_getallattrs(slot);
	*group = get_varlena(slot, COL_GROUP);
	event->at = DatumGetTimestampTz(slot->tts_values[COL_AT]);
	event->tx_id = DatumGetInt64(slot->tts_values[COL_TX_ID]);
	event->ordinal = DatumGetInt32(slot->tts_values[COL_ORDINAL]);
	event->op = DatumGetChar(slot->tts_values[COL_OP]);
	event->key = get_varlena(slot, COL_KEY);
	event->former = get_varlena(slot, COL_FORMER);
	event->before = get_varlena(slot, COL_BEFORE);
	event->after = get_varlena(slot, COL_AFTER);
	return true;
}

void
at_replay_sort_end(AtReplaySort *sort)
{
	tuplesort_end(sort->state);
	ExecDropSingleTupleTableSlot(sort->input);
	ExecDropSingleTupleTableSlot(sort->output);
}
