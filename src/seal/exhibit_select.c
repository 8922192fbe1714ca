/*-------------------------------------------------------------------------
 * exhibit_select.c
 *		Which events a bundle of evidence is of: by name, or by a query.
 *
 * A query is run as if the caller had sent it: with the rights and the
 * search path of the caller, one statement, a SELECT, in a transaction that is
 * read-only meanwhile, whatever functions it calls. So it needs a
 * right to what it reads, while the events that it names are read by whoever may call
 * audit.export_evidence().
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "base/compat.h"
#include "seal/exhibit.h"
#include "seal/place.h"

#define FETCH 1000

static void run_query(AtExhibit *exhibit, const char *query);
static void add(AtExhibit *exhibit, const char *event_id);
static void finish(AtExhibit *exhibit);
static int compare_names(const void *a, const void *b);

pg_noreturn static void
bad_query(const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("the query does not select events for evidence"), errdetail("%s", detail),
			 errhint("For example: SELECT event_id FROM audit.events WHERE resource_id = '42'.")));
}

void
at_exhibit_select_names(AtExhibit *exhibit, Datum names)
{
	Datum *elements;
	bool *nulls;
	int count;

	deconstruct_array(DatumGetArrayTypeP(names), TEXTOID, -1, false, TYPALIGN_INT, &elements,
					  &nulls, &count);
	for (int i = 0; i < count; i++)
	{
		if (nulls[i])
			ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
							errmsg("the name of an event must not be null"),
							errdetail("Element %d of event_ids is.", i + 1),
							errhint("See event_id in audit.events.")));
		add(exhibit, TextDatumGetCString(elements[i]));
	}
	finish(exhibit);
}

void
at_exhibit_select_query(AtExhibit *exhibit, const char *query)
{
	bool save = XactReadOnly;

	XactReadOnly = true;
	PG_TRY();
	{
		run_query(exhibit, query);
	}
	PG_FINALLY();
	{
		XactReadOnly = save;
	}
	PG_END_TRY();
	finish(exhibit);
}

static void
run_query(AtExhibit *exhibit, const char *query)
{
	MemoryContext owner = CurrentMemoryContext;
	SPIPlanPtr plan;
	Portal portal;

	SPI_connect();
	plan = SPI_prepare(query, 0, NULL);
	if (plan == NULL || list_length(SPI_plan_get_plan_sources(plan)) != 1)
		bad_query("It must be one statement.");
	if (!SPI_is_cursor_plan(plan))
		bad_query("It must be one that returns rows.");
	portal = SPI_cursor_open(NULL, plan, NULL, NULL, true);
	if (portal->tupDesc->natts != 1 || (TupleDescAttr(portal->tupDesc, 0)->atttypid != TEXTOID &&
										TupleDescAttr(portal->tupDesc, 0)->atttypid != VARCHAROID))
		bad_query("It must return one column of type text, with names of events.");
	do
	{
		SPI_cursor_fetch(portal, true, FETCH);

		MemoryContext save = MemoryContextSwitchTo(owner);

		for (uint64 i = 0; i < SPI_processed; i++)
		{
			char *event_id = SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1);

			if (event_id == NULL)
				bad_query("It returned a null.");
			add(exhibit, event_id);
		}
		MemoryContextSwitchTo(save);
		SPI_freetuptable(SPI_tuptable);
	} while (SPI_processed > 0);
	SPI_finish();
}

static void
add(AtExhibit *exhibit, const char *event_id)
{
	size_t count = exhibit->selected_count;

	CHECK_FOR_INTERRUPTS();
	if (count == AT_EXHIBIT_MAX_EVENTS)
		ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
						errmsg("too many events for one bundle of evidence"),
						errdetail("%d are the limit.", AT_EXHIBIT_MAX_EVENTS),
						errhint("Select fewer, and make several bundles.")));
	if (exhibit->selected == NULL)
		exhibit->selected = palloc(sizeof(AtEventName));
	else if ((count & (count - 1)) == 0)
		exhibit->selected = repalloc(exhibit->selected, 2 * count * sizeof(AtEventName));
	exhibit->selected[exhibit->selected_count++] = at_event_name_read(event_id);
}

/* In order, each once. */
static void
finish(AtExhibit *exhibit)
{
	size_t count = 0;

	if (exhibit->selected_count == 0)
		ereport(ERROR, (errcode(ERRCODE_NO_DATA_FOUND), errmsg("there is no event to prove"),
						errdetail("Nothing was selected."),
						errhint("A query sees what its caller may see: try it alone.")));
	qsort(exhibit->selected, exhibit->selected_count, sizeof(AtEventName), compare_names);
	for (size_t i = 0; i < exhibit->selected_count; i++)
		if (i == 0 || compare_names(&exhibit->selected[i], &exhibit->selected[count - 1]) != 0)
			exhibit->selected[count++] = exhibit->selected[i];
	exhibit->selected_count = count;
}

static int
compare_names(const void *a, const void *b)
{
	const AtEventName *left = a;
	const AtEventName *right = b;

	if (left->tx_id != right->tx_id)
		return left->tx_id < right->tx_id ? -1 : 1;
	return (left->ordinal > right->ordinal) - (left->ordinal < right->ordinal);
}
