/*-------------------------------------------------------------------------
 * recorded.c
 *		Events of the trail, as rules look at them.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "alert/recorded.h"
#include "base/compat.h"
#include "base/json_scan.h"
#include "core/operation.h"
#include "ledger/datum.h"

/* Places in AT_RECORDED_COLUMNS. */
enum
{
	REC_TX_ID = 1,
	REC_ORDINAL,
	REC_OCCURRED_AT,
	REC_EVENT_TYPE,
	REC_ACTION,
	REC_RESOURCE_TYPE,
	REC_RESOURCE_ID,
	REC_SCHEMA,
	REC_TABLE,
	REC_OLD_VALUES,
	REC_NEW_VALUES,
	REC_ACTOR,
	REC_ACTOR_TYPE,
	REC_DB_USER,
	REC_DB_ROLE,
	REC_APPLICATION,
	REC_REASON,
	REC_REQUEST_ID,
	REC_TARGET_ID
};

/* What of a record stood in it before an event. */
static const char before_query[] =
	"SELECT (audit.to_jsonb(e.new_values) -> $1)::text FROM audit.events e "
	"WHERE e.target_id = ANY (ARRAY(SELECT audit.target_versions($2::oid::regclass))) "
	"AND e.resource_id = $3 AND (e.tx_id, e.ordinal) < ($4, $5) "
	"AND audit.to_jsonb(e.new_values) ? $1 "
	"ORDER BY e.tx_at DESC, e.tx_id DESC, e.ordinal DESC LIMIT 1";

static const char after_query[] =
	"SELECT " AT_RECORDED_COLUMNS " FROM audit.events e "
	"WHERE e.target_id = ANY (ARRAY(SELECT audit.target_versions($1::oid::regclass))) "
	"AND e.resource_id = $2 AND e.tx_at >= $3 - interval '1 day' "
	"AND e.occurred_at BETWEEN $3 AND $4 AND (e.tx_id, e.ordinal) <> ($5, $6) "
	"ORDER BY e.occurred_at, e.tx_id, e.ordinal LIMIT 1000";

static const char after_of_none_query[] =
	"SELECT " AT_RECORDED_COLUMNS " FROM audit.events e "
	"WHERE e.resource_type = $1 "
	"AND e.resource_id IS NOT DISTINCT FROM $2 AND e.tx_at >= $3 - interval '1 day' "
	"AND e.occurred_at BETWEEN $3 AND $4 AND (e.tx_id, e.ordinal) <> ($5, $6) "
	"ORDER BY e.occurred_at, e.tx_id, e.ordinal LIMIT 1000";

static const char find_query[] = "SELECT " AT_RECORDED_COLUMNS " FROM audit.events e "
								 "WHERE e.tx_id = $1 AND e.ordinal = $2";

static AtChangedColumn changed_column(const AtChange *change, int i);
static bool append_value(const AtChange *change, bool is_new, AttrNumber attnum, StringInfo out);
static bool find_member(const struct varlena *object, const char *name, AtJsonSlice *value);
static bool look_before(const AtRecorded *recorded, const char *name, StringInfo out);
static void read_changed(AtRecorded *recorded);

static char
op_of(const char *action)
{
	for (char op = 'A'; op <= 'Z'; op++)
	{
		const AtOperation *operation = at_operation(op);

		if (operation != NULL && strcmp(operation->action, action) == 0)
			return op;
	}
	return '?';
}

static struct varlena *
read_varlena(HeapTuple row, TupleDesc desc, int column)
{
	char *value = SPI_getvalue(row, desc, column);

	return value != NULL ? (struct varlena *) cstring_to_text(value) : NULL;
}

void
at_recorded_read(HeapTuple row, TupleDesc desc, Oid relid, AtRecorded *recorded)
{
	AtEvent *event = &recorded->event;
	bool isnull;
	bool of_row;

	memset(recorded, 0, sizeof(*recorded));
	recorded->relid = relid;
	*event = (AtEvent){
		.target_id = DatumGetInt32(SPI_getbinval(row, desc, REC_TARGET_ID, &isnull)),
		.schema = at_span_of(SPI_getvalue(row, desc, REC_SCHEMA)),
		.table = at_span_of(SPI_getvalue(row, desc, REC_TABLE)),
		.resource_type = at_span_of(SPI_getvalue(row, desc, REC_RESOURCE_TYPE)),
		.op = op_of(SPI_getvalue(row, desc, REC_ACTION)),
		.record_key = read_varlena(row, desc, REC_RESOURCE_ID),
		.event_type = read_varlena(row, desc, REC_EVENT_TYPE),
		.old_values = read_varlena(row, desc, REC_OLD_VALUES),
		.new_values = read_varlena(row, desc, REC_NEW_VALUES),
		.occurred_at = DatumGetTimestampTz(SPI_getbinval(row, desc, REC_OCCURRED_AT, &isnull)),
	};
	/* as it is when it happens: changes of rows have a type only in the view */
	if (strchr("IUDTB", event->op) != NULL)
		event->event_type = NULL;
	of_row = strchr("IUDT", event->op) != NULL &&
			 (event->old_values != NULL || event->new_values != NULL);
	recorded->change = (AtChange){
		.event = event,
		.name = {.tx_id = DatumGetInt64(SPI_getbinval(row, desc, REC_TX_ID, &isnull)),
				 .ordinal = DatumGetInt32(SPI_getbinval(row, desc, REC_ORDINAL, &isnull))},
		.relid = relid,
		.value = of_row && OidIsValid(relid) ? append_value : NULL,
		.arg = recorded,
	};
	if (event->op == 'U' && OidIsValid(relid))
		read_changed(recorded);
	at_observe_change(&recorded->observed, &recorded->change);
	recorded->observed.has_who = true;
	recorded->observed.who = (AtWho){
		.actor = SPI_getvalue(row, desc, REC_ACTOR),
		.actor_type = SPI_getvalue(row, desc, REC_ACTOR_TYPE),
		.db_user = SPI_getvalue(row, desc, REC_DB_USER),
		.db_role = SPI_getvalue(row, desc, REC_DB_ROLE),
		.application = SPI_getvalue(row, desc, REC_APPLICATION),
		.reason = SPI_getvalue(row, desc, REC_REASON),
		.request_id = SPI_getvalue(row, desc, REC_REQUEST_ID),
	};
}

/* The members of the new values are what changed. */
static void
read_changed(AtRecorded *recorded)
{
	const struct varlena *values = recorded->event.new_values;
	AtJsonScan scan;

	if (values == NULL)
		return;
	recorded->columns = palloc(sizeof(AtChangedColumn) * MaxHeapAttributeNumber);
	recorded->change.changed = changed_column;
	at_json_start(&scan, VARDATA_ANY(values), VARSIZE_ANY_EXHDR(values));
	(void) at_json_next(&scan); /* the brace */
	while (at_json_next(&scan) && scan.kind != '}')
	{
		AtJsonSlice name;

		if (scan.kind != '"')
			continue; /* the comma */
		name = at_json_string(&scan);
		if (recorded->change.nchanged < MaxHeapAttributeNumber)
		{
			AtChangedColumn *column = &recorded->columns[recorded->change.nchanged++];

			column->name = pnstrdup(name.data, name.len);
			column->attnum = get_attnum(recorded->relid, column->name);
		}
		at_json_next(&scan); /* the colon */
		at_json_next(&scan);
		(void) at_json_value(&scan);
	}
}

static AtChangedColumn
changed_column(const AtChange *change, int i)
{
	return ((AtRecorded *) change->arg)->columns[i];
}

static bool
find_member(const struct varlena *object, const char *name, AtJsonSlice *value)
{
	AtJsonScan scan;

	at_json_start(&scan, VARDATA_ANY(object), VARSIZE_ANY_EXHDR(object));
	(void) at_json_next(&scan); /* the brace */
	while (at_json_next(&scan) && scan.kind != '}')
	{
		AtJsonSlice key;

		if (scan.kind != '"')
			continue; /* the comma */
		key = at_json_string(&scan);
		at_json_next(&scan); /* the colon */
		at_json_next(&scan);
		*value = at_json_value(&scan);
		if (at_json_slice_is(key, name))
			return true;
	}
	return false;
}

static bool
append_value(const AtChange *change, bool is_new, AttrNumber attnum, StringInfo out)
{
	const AtRecorded *recorded = change->arg;
	const AtEvent *event = &recorded->event;
	const struct varlena *values = is_new ? event->new_values : event->old_values;
	char *name = get_attname(recorded->relid, attnum, true);
	AtJsonSlice value;

	if (name == NULL || values == NULL)
		return false;
	if (find_member(values, name, &value))
	{
		appendBinaryStringInfo(out, value.data, value.len);
		return true;
	}
	return event->op == 'U' && event->record_key != NULL && look_before(recorded, name, out);
}

/* Its rows are gone with the connection. */
static bool
look_before(const AtRecorded *recorded, const char *name, StringInfo out)
{
	Oid types[] = {TEXTOID, OIDOID, TEXTOID, INT8OID, INT4OID};
	Datum values[] = {
		CStringGetTextDatum(name),
		ObjectIdGetDatum(recorded->relid),
		PointerGetDatum(recorded->event.record_key),
		Int64GetDatum(recorded->change.name.tx_id),
		Int32GetDatum(recorded->change.name.ordinal),
	};
	MemoryContext memory = CurrentMemoryContext;
	char *found = NULL;

	SPI_connect();
	if (SPI_execute_with_args(before_query, lengthof(types), types, values, NULL, true, 1) !=
		SPI_OK_SELECT)
		elog(ERROR, "could not read audit.events");
	if (SPI_processed > 0)
		found = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
	if (found != NULL)
		found = MemoryContextStrdup(memory, found);
	SPI_finish();
	if (found != NULL)
		appendStringInfoString(out, found);
	return found != NULL;
}

bool
at_recorded_find(AtEventName name, Oid relid, AtRecorded *recorded)
{
	Oid types[] = {INT8OID, INT4OID};
	Datum values[] = {Int64GetDatum(name.tx_id), Int32GetDatum(name.ordinal)};

	if (SPI_execute_with_args(find_query, lengthof(types), types, values, NULL, true, 1) !=
		SPI_OK_SELECT)
		elog(ERROR, "could not read audit.events");
	if (SPI_processed == 0)
		return false;
	at_recorded_read(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, relid, recorded);
	return true;
}

bool
at_recorded_follows(const AtRule *rule, const AtRecorded *recorded, TimestampTz until)
{
	bool of_table = OidIsValid(rule->relid);
	const AtSpan *type = &recorded->event.resource_type;
	Oid types[] = {
		of_table ? OIDOID : TEXTOID, TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID, INT8OID, INT4OID};
	Datum values[] = {
		of_table ? ObjectIdGetDatum(rule->relid)
				 : PointerGetDatum(cstring_to_text_with_len(type->data, type->len)),
		PointerGetDatum(recorded->event.record_key),
		TimestampTzGetDatum(recorded->event.occurred_at),
		TimestampTzGetDatum(until),
		Int64GetDatum(recorded->change.name.tx_id),
		Int32GetDatum(recorded->change.name.ordinal),
	};
	char nulls[] = "      ";

	nulls[1] = recorded->event.record_key == NULL ? 'n' : ' ';
	if (SPI_execute_with_args(of_table ? after_query : after_of_none_query, lengthof(types), types,
							  values, nulls, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read audit.events");

	SPITupleTable *rows = SPI_tuptable;
	bool follows = false;

	for (uint64 i = 0; i < rows->numvals && !follows; i++)
	{
		AtRecorded *next = palloc(sizeof(AtRecorded));

		at_recorded_read(rows->vals[i], rows->tupdesc, rule->relid, next);
		follows = at_condition_judge(rule->followed_by, &next->observed) == AT_TRUE;
	}
	SPI_freetuptable(rows);
	return follows;
}
