/*-------------------------------------------------------------------------
 * config_row.c
 *		Writing rows of our configuration tables beside the executor.
 *
 * This is what a worker of logical replication does with a row that it is
 * told, by the same functions.
 *
 * Locks: RowExclusiveLock on the table; the row, as an UPDATE or DELETE has it.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "utils/builtins.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "base/catalog.h"
#include "base/compat.h"
#include "base/config_row.h"

/* What the executor's functions want to be given. */
typedef struct Writer
{
	EState *estate;
	ResultRelInfo *result;
	EPQState epq;
} Writer;

static void begin_write(Writer *writer, Relation rel);
static void end_write(Writer *writer);
static bool find_row(Writer *writer, const AtConfigRow *row, TupleTableSlot *found);
static void fill_slot(TupleTableSlot *slot, const AtConfigRow *row, TupleTableSlot *former);

void
at_config_begin(AtConfigRow *row, const char *table)
{
	row->rel = table_open(at_audit_relid(table), RowExclusiveLock);

	int natts = RelationGetNumberOfAttributes(row->rel);

	row->values = palloc0(sizeof(Datum) * natts);
	row->nulls = palloc(sizeof(bool) * natts);
	memset(row->nulls, true, sizeof(bool) * natts);
	row->given = palloc0(sizeof(bool) * natts);
}

void
at_config_set(AtConfigRow *row, int column, Datum value)
{
	row->values[column - 1] = value;
	row->nulls[column - 1] = false;
	row->given[column - 1] = true;
}

void
at_config_set_text(AtConfigRow *row, int column, const char *value)
{
	row->values[column - 1] = value != NULL ? CStringGetTextDatum(value) : (Datum) 0;
	row->nulls[column - 1] = value == NULL;
	row->given[column - 1] = true;
}

bool
at_config_update(AtConfigRow *row)
{
	Writer writer;

	begin_write(&writer, row->rel);

	TupleTableSlot *former = table_slot_create(row->rel, &writer.estate->es_tupleTable);
	TupleTableSlot *slot = table_slot_create(row->rel, &writer.estate->es_tupleTable);
	bool found = find_row(&writer, row, former);

	if (found)
	{
		fill_slot(slot, row, former);
		EvalPlanQualSetSlot(&writer.epq, slot);
		ExecSimpleRelationUpdate(writer.result, writer.estate, &writer.epq, former, slot);
	}
	end_write(&writer);
	return found;
}

bool
at_config_delete(AtConfigRow *row)
{
	Writer writer;

	begin_write(&writer, row->rel);

	TupleTableSlot *former = table_slot_create(row->rel, &writer.estate->es_tupleTable);
	bool found = find_row(&writer, row, former);

	if (found)
	{
		EvalPlanQualSetSlot(&writer.epq, former);
		ExecSimpleRelationDelete(writer.result, writer.estate, &writer.epq, former);
	}
	end_write(&writer);
	return found;
}

void
at_config_insert(AtConfigRow *row)
{
	Writer writer;

	begin_write(&writer, row->rel);

	TupleTableSlot *slot = table_slot_create(row->rel, &writer.estate->es_tupleTable);

	fill_slot(slot, row, NULL);
	ExecSimpleRelationInsert(writer.result, writer.estate, slot);
	end_write(&writer);
}

void
at_config_end(AtConfigRow *row)
{
	table_close(row->rel, NoLock);
}

static void
begin_write(Writer *writer, Relation rel)
{
	RangeTblEntry *entry = makeNode(RangeTblEntry);
	List *perm_infos = NIL;

	CommandCounterIncrement(); /* what the transaction has written before can be found */
	PushActiveSnapshot(GetLatestSnapshot());

	entry->rtekind = RTE_RELATION;
	entry->relid = RelationGetRelid(rel);
	entry->relkind = rel->rd_rel->relkind;
	entry->rellockmode = RowExclusiveLock;
	addRTEPermissionInfo(&perm_infos, entry); /* of none: nobody's are checked */
	writer->estate = CreateExecutorState();
	ExecInitRangeTable(writer->estate, list_make1(entry), perm_infos, bms_make_singleton(1));
	writer->estate->es_output_cid = GetCurrentCommandId(true);
	writer->result = makeNode(ResultRelInfo);
	InitResultRelInfo(writer->result, rel, 1, NULL, 0);

	/* where triggers that were queued (of foreign keys) look for it */
	writer->estate->es_opened_result_relations =
		lappend(writer->estate->es_opened_result_relations, writer->result);
	AfterTriggerBeginQuery();
	EvalPlanQualInit(&writer->epq, writer->estate, NULL, NIL, -1, NIL);
	ExecOpenIndices(writer->result, false);
}

static void
end_write(Writer *writer)
{
	ExecCloseIndices(writer->result);
	EvalPlanQualEnd(&writer->epq);
	AfterTriggerEndQuery(writer->estate);
	ExecResetTupleTable(writer->estate->es_tupleTable, false);
	FreeExecutorState(writer->estate);
	PopActiveSnapshot();
	CommandCounterIncrement();
}

/* Lock the row that has the primary key given. */
static bool
find_row(Writer *writer, const AtConfigRow *row, TupleTableSlot *found)
{
	TupleTableSlot *key = table_slot_create(row->rel, &writer->estate->es_tupleTable);

	(void) RelationGetIndexList(row->rel); /* finds the primary key */
	fill_slot(key, row, NULL);
	return RelationFindReplTupleByIndex(row->rel, row->rel->rd_pkindex, LockTupleExclusive, key,
										found);
}

/* What is to be stored; columns that are not given are those of the former row, or null. */
static void
fill_slot(TupleTableSlot *slot, const AtConfigRow *row, TupleTableSlot *former)
{
	int natts = slot->tts_tupleDescriptor->natts;

	if (former != NULL)
		slot_getallattrs(former);
	ExecClearTuple(slot);
	for (int i = 0; i < natts; i++)
	{
		bool keep = former != NULL && !row->given[i];

		slot->tts_values[i] = keep ? former->tts_values[i] : row->values[i];
		slot->tts_isnull[i] = keep ? former->tts_isnull[i] : row->nulls[i];
	}
	ExecStoreVirtualTuple(slot);
}
