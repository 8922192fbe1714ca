/*-------------------------------------------------------------------------
 * alert_seal.c
 *		Alerts under the seal: events that name alerts, each with a hash of its
 *		row.
 *
 * Where a column is null that cannot be, somebody has forged the row: then it
 * has another hash than any row that we write.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "base/columns.h"
#include "base/compat.h"
#include "core/bytes.h"
#include "core/hash.h"
#include "core/json_text.h"
#include "ledger/alert_action.h"
#include "ledger/alert_seal.h"
#include "ledger/datum.h"
#include "ledger/kind.h"

static void put_column(StringInfo out, int column, Datum value);
static void put_string(StringInfo out, const void *data, size_t len);
static void put_number(StringInfo out, uint64 number);
static void put_names(StringInfo out, Datum names);
static void append_event(AtAlertSeal *seal);

char *
at_alert_seal_hash(const Datum *values, const bool *nulls)
{
	char *hex = palloc(AT_HASH_HEX_LEN + 1);
	StringInfoData body;
	AtHash whole;

	initStringInfo(&body);
	for (int column = 1; column <= Natts_alert; column++)
		if (nulls[column - 1])
			put_string(&body, NULL, 0);
		else
			put_column(&body, column, values[column - 1]);
	if (!at_hash(body.data, body.len, &whole))
		at_hash_failed();
	at_hash_hex(&whole, hex);
	hex[AT_ALERT_SEAL_LEN] = '\0';
	return hex;
}

static void
put_column(StringInfo out, int column, Datum value)
{
	struct varlena *text;

	switch (column)
	{
		case Anum_alert_alert_id:
		case Anum_alert_xid:
		case Anum_alert_tx_id:
			put_number(out, DatumGetInt64(value));
			break;
		case Anum_alert_raised_at:
			put_number(out, at_unix_microseconds(DatumGetTimestampTz(value)));
			break;
		case Anum_alert_ordinal:
		case Anum_alert_target_id:
			put_number(out, DatumGetInt32(value));
			break;
		case Anum_alert_changed:
			put_names(out, value);
			break;
		default:
			text = (struct varlena *) PG_DETOAST_DATUM_PACKED(value);
			put_string(out, VARDATA_ANY(text), VARSIZE_ANY_EXHDR(text));
	}
}

/* NULL is missing. */
static void
put_string(StringInfo out, const void *data, size_t len)
{
	uint8 length[4];

	at_put_u32(length, data == NULL ? 0xFFFFFFFF : len);
	appendBinaryStringInfo(out, (char *) length, sizeof(length));
	if (data != NULL)
		appendBinaryStringInfo(out, data, len);
}

static void
put_number(StringInfo out, uint64 number)
{
	uint8 bytes[8];

	at_put_u64(bytes, number);
	put_string(out, bytes, sizeof(bytes));
}

/* A string of strings. */
static void
put_names(StringInfo out, Datum names)
{
	StringInfoData list;
	Datum *name;
	bool *isnull;
	int count;

	initStringInfo(&list);
	deconstruct_array(DatumGetArrayTypeP(names), TEXTOID, -1, false, TYPALIGN_INT, &name, &isnull,
					  &count);
	for (int i = 0; i < count; i++)
		if (isnull[i])
			put_string(&list, NULL, 0);
		else
			put_string(&list, VARDATA_ANY(DatumGetPointer(name[i])),
					   VARSIZE_ANY_EXHDR(DatumGetPointer(name[i])));
	put_string(out, list.data, list.len);
}

void
at_alert_seal_begin(AtAlertSeal *seal, const char *since, const char *until)
{
	*seal = (AtAlertSeal){.since = since, .until = until};
	initStringInfo(&seal->alerts);
}

void
at_alert_seal_add(AtAlertSeal *seal, const Datum *values, const bool *nulls)
{
	int64 alert_id = DatumGetInt64(values[Anum_alert_alert_id - 1]);

	if (seal->count == 0)
		seal->first = alert_id;
	appendStringInfo(&seal->alerts, "%s\"" INT64_FORMAT "\":\"%s\"", seal->count > 0 ? "," : "",
					 alert_id, at_alert_seal_hash(values, nulls));
	if (++seal->count == AT_ALERT_SEAL_MAX)
		append_event(seal);
}

void
at_alert_seal_end(AtAlertSeal *seal)
{
	if (seal->count > 0)
		append_event(seal);
}

/* Not told to who hears of events: a rule for all events would raise an alert, and so on for ever.
 */
static void
append_event(AtAlertSeal *seal)
{
	StringInfoData json;
	AtTarget target;

	at_kind_target(AT_ALERT_ACTION_RESOURCE, &target);

	AtEvent event = at_kind_event(&target, AT_ALERT_SEAL_OP, AT_ALERT_SEAL_TYPE);

	initStringInfo(&json);
	appendStringInfo(&json, "{\"count\":%d,", seal->count);
	if (seal->since != NULL)
		appendStringInfo(&json, "\"since\":\"%s\",", seal->since);
	if (seal->until != NULL)
		appendStringInfo(&json, "\"until\":\"%s\",", seal->until);
	appendStringInfo(&json, "\"alerts\":{%s}}", seal->alerts.data);
	event.record_key = (struct varlena *) cstring_to_text(psprintf(INT64_FORMAT, seal->first));
	event.new_values = (struct varlena *) cstring_to_text_with_len(json.data, json.len);
	(void) at_event_append(&event);
	pfree(json.data);
	resetStringInfo(&seal->alerts);
	seal->count = 0;
}

/* An empty text where it is missing. */
static bool
find_string(AtText object, const char *key, AtText *value)
{
	if (at_json_text_find(object, key, value))
		return at_json_text_unquote(value);
	*value = (AtText){"", 0};
	return true;
}

bool
at_alert_seal_read(AtSpan values, AtText *since, AtText *until, AtText *alerts)
{
	AtText object = {values.data, values.len};
	AtText list;

	return values.data != NULL && at_json_text_check(object) &&
		   find_string(object, "since", since) && find_string(object, "until", until) &&
		   at_json_text_find(object, "alerts", &list) && at_json_text_open(list, alerts);
}

bool
at_alert_seal_next(AtText *alerts, int64 *alert_id, AtText *hash)
{
	AtText key;
	uint64_t number;

	if (!at_json_text_next(alerts, &key, hash) || !at_text_decimal(key, &number) ||
		number > PG_INT64_MAX || !at_json_text_unquote(hash))
		return false;
	*alert_id = number;
	return true;
}
