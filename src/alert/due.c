/*-------------------------------------------------------------------------
 * due.c
 *		Alerts that are told again.
 *
 * What was told and may have to be told again is never updated: a delivery
 * with a higher attempt on the same channel has superseded it, or somebody
 * has acknowledged the alert.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/timestamp.h"

#include "alert/due.h"
#include "alert/notifier.h"
#include "alert/tell.h"
#include "base/columns.h"
#include "base/guc.h"

/* Columns of the query. */
enum
{
	DUE_DELIVERY_ID = Natts_alert + 1,
	DUE_AT,
	DUE_CHANNEL,
	DUE_ATTEMPT,
	DUE_UNHEARD,
	DUE_SUPERSEDED,
	DUE_ACKNOWLEDGED,
	DUE_NATTS = DUE_ACKNOWLEDGED
};

static const char due_query[] =
	"SELECT " AT_TELL_COLUMNS ", d.delivery_id, d.due_at, d.channel, d.attempt, "
	"d.outcome = 'unheard', "
	"EXISTS (SELECT FROM audit.alert_delivery l WHERE l.alert_id = d.alert_id "
	"AND l.channel = d.channel AND l.attempt > d.attempt OFFSET 0), "
	"EXISTS (SELECT FROM audit.alert_action k WHERE k.alert_id = d.alert_id "
	"AND k.kind = 'acknowledged' OFFSET 0) "
	"FROM audit.alert_delivery d CROSS JOIN LATERAL (SELECT * FROM audit.alert x "
	"WHERE x.alert_id = d.alert_id OFFSET 0) a "
	"WHERE (d.due_at, d.delivery_id) > ($1, $2) AND d.due_at <= $3 "
	"AND EXISTS (SELECT FROM audit.transaction t WHERE t.tx_id = a.tx_id "
	"AND t.system_identifier = $4 AND t.database_oid = $5 OFFSET 0) "
	"ORDER BY d.due_at, d.delivery_id LIMIT $6";

/* Right after an error: it is set only when whole. */
static SPIPlanPtr due_plan;

static void see_to(HeapTuple row, TupleDesc desc);

int
at_due_tell(AtDuePlace *place, int limit)
{
	Oid types[] = {TIMESTAMPTZOID, INT8OID, TIMESTAMPTZOID, INT8OID, OIDOID, INT8OID};
	Datum values[] = {
		TimestampTzGetDatum(place->due_at),
		Int64GetDatum(place->delivery_id),
		TimestampTzGetDatum(GetCurrentTimestamp()),
		Int64GetDatum(GetSystemIdentifier()),
		ObjectIdGetDatum(MyDatabaseId),
		Int64GetDatum(limit),
	};
	bool isnull;

	if (SPI_execute_plan(at_notifier_plan(&due_plan, due_query, lengthof(types), types), values,
						 NULL, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read audit.alert_delivery");

	SPITupleTable *rows = SPI_tuptable;
	int count = SPI_processed;

	for (int i = 0; i < count; i++)
	{
		HeapTuple row = rows->vals[i];

		CHECK_FOR_INTERRUPTS();
		see_to(row, rows->tupdesc);
		*place = (AtDuePlace){
			.due_at = DatumGetTimestampTz(SPI_getbinval(row, rows->tupdesc, DUE_AT, &isnull)),
			.delivery_id =
				DatumGetInt64(SPI_getbinval(row, rows->tupdesc, DUE_DELIVERY_ID, &isnull)),
		};
	}
	return count;
}

static bool
get_flag(HeapTuple row, TupleDesc desc, int column)
{
	bool isnull;

	return DatumGetBool(SPI_getbinval(row, desc, column, &isnull));
}

static void
see_to(HeapTuple row, TupleDesc desc)
{
	AtTelling telling;
	Datum values[DUE_NATTS];
	bool nulls[DUE_NATTS];
	int attempt;

	if (get_flag(row, desc, DUE_SUPERSEDED))
		return;
	heap_deform_tuple(row, desc, values, nulls);
	attempt = DatumGetInt32(values[DUE_ATTEMPT - 1]);
	at_tell_read(values, nulls, &telling);
	if (get_flag(row, desc, DUE_UNHEARD))
		at_tell_again(&telling, SPI_getvalue(row, desc, DUE_CHANNEL), 0);
	else if (at_guc_alert_repeat_after == 0 || get_flag(row, desc, DUE_ACKNOWLEDGED))
		return;
	else if (attempt > at_guc_alert_repeats)
		at_tell_give_up(&telling, attempt + 1);
	else
		at_tell_again(&telling, NULL, 0);
}
