/*-------------------------------------------------------------------------
 * hold.c
 *		Rows on their way to the client that are held back.
 *
 * What is held lies in a tuple store, which goes to disk beyond work_mem. The
 * receiver behind is started at once: the description of the rows is no row.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "executor/executor.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "utils/tuplestore.h"

#include "observe/hold.h"

struct AtHold
{
	DestReceiver receiver; /* first: it is one */
	DestReceiver *behind;
	const bool *holds;
	Tuplestorestate *rows; /* NULL: none were held */
	TupleDesc desc;
	MemoryContext memory;
};

static bool receive(TupleTableSlot *slot, DestReceiver *self);
static void start_up(DestReceiver *self, int operation, TupleDesc desc);
static void shut_down(DestReceiver *self);
static void destroy(DestReceiver *self);

bool
at_hold_is_remote(const DestReceiver *receiver)
{
	switch (receiver->mydest)
	{
		case DestDebug:
		case DestRemote:
		case DestRemoteExecute:
		case DestRemoteSimple:
		case DestCopyOut:
		case DestTuplestore: /* of FETCH, EXECUTE, RETURNING: it is sent from there */
			return true;
		default:
			return false;
	}
}

DestReceiver *
at_hold_begin(DestReceiver *receiver, const bool *holds)
{
	AtHold *hold = palloc0(sizeof(AtHold));

	hold->receiver = (DestReceiver){
		.receiveSlot = receive,
		.rStartup = start_up,
		.rShutdown = shut_down,
		.rDestroy = destroy,
		.mydest = receiver->mydest,
	};
	hold->behind = receiver;
	hold->holds = holds;
	hold->memory = CurrentMemoryContext;
	return &hold->receiver;
}

static bool
receive(TupleTableSlot *slot, DestReceiver *self)
{
	AtHold *hold = (AtHold *) self;

	if (!*hold->holds && hold->rows == NULL)
		return hold->behind->receiveSlot(slot, hold->behind);
	if (hold->rows == NULL)
	{
		MemoryContext save = MemoryContextSwitchTo(hold->memory);

		hold->rows = tuplestore_begin_heap(false, false, work_mem);
		MemoryContextSwitchTo(save);
	}
	tuplestore_puttupleslot(hold->rows, slot);
	return true;
}

static void
start_up(DestReceiver *self, int operation, TupleDesc desc)
{
	AtHold *hold = (AtHold *) self;
	MemoryContext save = MemoryContextSwitchTo(hold->memory);

	hold->desc = CreateTupleDescCopy(desc);
	MemoryContextSwitchTo(save);
	hold->behind->rStartup(hold->behind, operation, desc);
}

/* Not yet: rows are still to come. */
static void
shut_down(DestReceiver *self)
{
}

static void
destroy(DestReceiver *self)
{
}

void
at_hold_release(DestReceiver *self)
{
	AtHold *hold = (AtHold *) self;

	if (hold->rows != NULL)
	{
		TupleTableSlot *slot = MakeSingleTupleTableSlot(hold->desc, &TTSOpsMinimalTuple);

		while (tuplestore_gettupleslot(hold->rows, true, false, slot))
		{
			CHECK_FOR_INTERRUPTS();
			if (!hold->behind->receiveSlot(slot, hold->behind))
				break;
		}
		ExecDropSingleTupleTableSlot(slot);
		tuplestore_end(hold->rows);
		hold->rows = NULL;
	}
	if (hold->desc != NULL)
		hold->behind->rShutdown(hold->behind);
}
