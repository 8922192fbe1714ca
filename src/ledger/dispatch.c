/*-------------------------------------------------------------------------
 * dispatch.c
 *		An event that another process is to record.
 *
 * A record is made of bounded parts: names have NAMEDATALEN, values of the
 * context AT_MAX_CONTEXT_LENGTH, other texts AT_MAX_DISPATCH_TEXT.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "commands/dbcommands.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/json.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "base/catalog.h"
#include "base/client.h"
#include "base/errors.h"
#include "base/guc.h"
#include "base/ring.h"
#include "base/wire.h"
#include "ledger/dispatch.h"

/* What the line in the server's log begins with. */
#define LOG_PREFIX "audit_trail record: "

/* As long as a collector may sleep. */
#define WAIT_LEAST_MS 1000

static AtDispatchFate end_record(StringInfo record, int64 rows, AtRingPatience patience);
static void send(const AtDispatch *dispatch, AtRingPatience patience);
static bool logs_all(void);
static Oid addressee(void);
static const char *database_name(void);
static void write_json(const AtOrigin *origin, const AtDispatch *dispatch, StringInfo json);
static void write_session(const AtOrigin *origin, StringInfo json);
static void write_context(const AtOrigin *origin, StringInfo json);

void
at_dispatch_begin(StringInfo record, const AtOrigin *origin, const AtDispatch *dispatch)
{
	StringInfoData bytes;

	initStringInfo(&bytes);
	at_origin_write(origin, &bytes);
	at_dispatch_begin_with(record, &bytes, dispatch);
	pfree(bytes.data);
}

void
at_dispatch_begin_with(StringInfo record, const StringInfoData *origin, const AtDispatch *dispatch)
{
	initStringInfo(record);
	appendBinaryStringInfo(record, origin->data, origin->len);
	at_wire_put_number(record, dispatch->at != 0 ? dispatch->at : GetCurrentTimestamp());
	at_wire_put_number(record, dispatch->op);
	at_wire_put_number(record, dispatch->target_id);
	at_wire_put_text(record, dispatch->event_type);
	at_wire_put_text(record, dispatch->resource_type);
	at_wire_put_text(record, dispatch->record_key);
	at_wire_put_text(record, dispatch->values);
	at_wire_put_text(record, database_name());
	enlargeStringInfo(record, sizeof(int64));
}

void
at_dispatch_end(StringInfo record, int64 rows)
{
	(void) end_record(record, rows, AT_RING_AS_SET);
}

AtDispatchFate
at_dispatch_end_surely(StringInfo record, int64 rows, bool waits)
{
	return end_record(record, rows, waits ? AT_RING_WAITS : AT_RING_AT_ONCE);
}

static AtDispatchFate
end_record(StringInfo record, int64 rows, AtRingPatience patience)
{
	Oid database = addressee();
	AtRingOutcome outcome = AT_RING_LATE;

	at_wire_put_number(record, rows);
	if (OidIsValid(database))
		outcome = at_ring_put(database, record->data, record->len, patience);
	if (outcome == AT_RING_TAKEN)
		return AT_DISPATCH_SENT;
	if (outcome == AT_RING_LATE)
		at_dispatch_log(record->data, record->len, NULL);
	if (!OidIsValid(database))
		return logs_all() ? AT_DISPATCH_DURABLE : AT_DISPATCH_UNHEARD;
	return record->len > AT_RING_MAX_RECORD ? AT_DISPATCH_TOO_LONG : AT_DISPATCH_NO_ROOM;
}

AtDispatchFate
at_dispatch_wait(void)
{
	int64 timeout = Max(at_guc_ring_timeout, WAIT_LEAST_MS);

	if (RecoveryInProgress())
		timeout += at_guc_primary_timeout;
	switch (at_ring_wait(timeout))
	{
		case AT_RING_RECORDED:
			return AT_DISPATCH_DURABLE;
		case AT_RING_LOGGED:
			return AT_DISPATCH_NO_PRIMARY;
		case AT_RING_WAITING:
			break;
	}
	return AT_DISPATCH_SENT;
}

void
at_dispatch_send_as(const AtOrigin *origin, const AtDispatch *dispatch)
{
	StringInfoData record;

	at_dispatch_begin(&record, origin, dispatch);
	at_dispatch_end(&record, dispatch->rows);
	pfree(record.data);
}

void
at_dispatch_send(const AtDispatch *dispatch)
{
	send(dispatch, AT_RING_AS_SET);
}

void
at_dispatch_send_at_once(const AtDispatch *dispatch)
{
	send(dispatch, AT_RING_AT_ONCE);
}

static void
send(const AtDispatch *dispatch, AtRingPatience patience)
{
	MemoryContext context =
		AllocSetContextCreate(CurrentMemoryContext, "audit_trail dispatch", ALLOCSET_SMALL_SIZES);
	MemoryContext save = MemoryContextSwitchTo(context);
	StringInfoData record;
	AtOrigin origin;

	at_origin_now(&origin);
	at_dispatch_begin(&record, &origin, dispatch);
	(void) end_record(&record, dispatch->rows, patience);
	MemoryContextSwitchTo(save);
	MemoryContextDelete(context);
}

/* Can the catalog be asked? Not when the process is ending, though its transaction may be open. */
static bool
can_look(void)
{
	return OidIsValid(MyDatabaseId) && IsTransactionState() && !proc_exit_inprogress;
}

/* A standby whose administrator wants the records in its log. */
static bool
logs_all(void)
{
	return RecoveryInProgress() && at_guc_primary_conninfo[0] == '\0';
}

bool
at_dispatch_is_heard(void)
{
	if (logs_all())
		return can_look() && at_incarnation_begun();
	return OidIsValid(addressee());
}

/* The database whose collector is to have what happens here; InvalidOid if none is. */
static Oid
addressee(void)
{
	AtClient client;

	if (!at_ring_ready() || logs_all())
		return InvalidOid;
	if (can_look() && at_incarnation_begun())
		return MyDatabaseId;
	if (OidIsValid(MyDatabaseId))
		return at_ring_addressee(MyDatabaseId, NULL);
	return at_ring_addressee(InvalidOid, at_client_look(&client) ? client.database : NULL);
}

/* Where we are, or want to be; nobody can give the database another name meanwhile. */
static const char *
database_name(void)
{
	static NameData name;
	AtClient client;

	if (NameStr(name)[0] == '\0' && can_look())
	{
		const char *found = get_database_name(MyDatabaseId);

		if (found != NULL)
			namestrcpy(&name, found);
	}
	if (NameStr(name)[0] != '\0')
		return NameStr(name);
	return at_client_look(&client) ? client.database : NULL;
}

bool
at_dispatch_read(const char *record, int len, AtOrigin *origin, int *origin_len,
				 AtDispatch *dispatch)
{
	StringInfoData in = {.data = (char *) record, .len = len, .maxlen = len};
	bool valid = at_origin_read(origin, &in);

	*origin_len = in.cursor;
	dispatch->at = at_wire_get_number(&in, &valid);
	dispatch->op = at_wire_get_number(&in, &valid);
	dispatch->target_id = at_wire_get_number(&in, &valid);
	dispatch->event_type = at_wire_get_text(&in, &valid);
	dispatch->resource_type = at_wire_get_text(&in, &valid);
	dispatch->record_key = at_wire_get_text(&in, &valid);
	dispatch->values = at_wire_get_text(&in, &valid);
	dispatch->database = at_wire_get_text(&in, &valid);
	dispatch->rows = at_wire_get_number(&in, &valid);
	return valid;
}

/* ---- members of a JSON object ---- */

static void
begin_member(StringInfo members, const char *name)
{
	appendStringInfo(members, "%s\"%s\":", members->len > 0 ? "," : "", name);
}

void
at_member_text(StringInfo members, const char *name, const char *value)
{
	if (value == NULL)
		return;
	begin_member(members, name);
	escape_json(members, value);
}

void
at_member_number(StringInfo members, const char *name, int64 value)
{
	begin_member(members, name);
	appendStringInfo(members, INT64_FORMAT, value);
}

void
at_member_json(StringInfo members, const char *name, const char *json)
{
	if (json == NULL)
		return;
	begin_member(members, name);
	appendStringInfoString(members, json);
}

/* ---- the line in the server's log ---- */

/* The statement stays out of it: nobody has looked for secrets there. */
void
at_dispatch_log(const char *record, int len, const char *members)
{
	MemoryContext context =
		AllocSetContextCreate(TopMemoryContext, "audit_trail log", ALLOCSET_SMALL_SIZES);
	MemoryContext save = MemoryContextSwitchTo(context);
	AtOrigin origin;
	AtDispatch dispatch;
	StringInfoData json;
	int origin_len;

	initStringInfo(&json);
	if (at_dispatch_read(record, len, &origin, &origin_len, &dispatch))
	{
		write_json(&origin, &dispatch, &json);
		if (members != NULL)
			appendStringInfo(&json, ",%s", members);
		ereport(LOG, (errmsg_internal("%s{%s}", LOG_PREFIX, json.data), errhidestmt(true),
					  errhidecontext(true)));
	}
	MemoryContextSwitchTo(save);
	MemoryContextDelete(context);
}

/* In UTC, as events have it. */
static const char *
write_time(TimestampTz at)
{
	char *text = palloc(MAXDATELEN + 1);
	int utc = 0;

	return JsonEncodeDateTime(text, TimestampTzGetDatum(at), TIMESTAMPTZOID, &utc);
}

static void
write_json(const AtOrigin *origin, const AtDispatch *dispatch, StringInfo json)
{
	StringInfoData values;

	initStringInfo(&values);
	appendStringInfo(&values, "{%s", dispatch->values != NULL ? dispatch->values : "");
	if (dispatch->rows >= 0)
		appendStringInfo(&values, "%s\"rows\":" INT64_FORMAT, values.len > 1 ? "," : "",
						 dispatch->rows);
	appendStringInfoChar(&values, '}');

	at_member_text(json, "occurred_at", write_time(dispatch->at));
	at_member_text(json, "database", dispatch->database);
	at_member_text(json, "op", (char[]){dispatch->op, '\0'});
	at_member_text(json, "event_type", dispatch->event_type);
	at_member_text(json, "resource_type", dispatch->resource_type);
	if (dispatch->target_id != 0)
		at_member_number(json, "target_id", dispatch->target_id);
	at_member_text(json, "resource_id", dispatch->record_key);
	at_member_json(json, "new_values", values.data);
	write_session(origin, json);
	write_context(origin, json);
}

static void
write_session(const AtOrigin *origin, StringInfo json)
{
	const AtSessionFacts *session = &origin->session;

	if (origin->session_id != 0)
		at_member_number(json, "session_id", origin->session_id);
	at_member_text(json, "session_started_at", write_time(session->started_at));
	at_member_number(json, "backend_pid", session->backend_pid);
	at_member_text(json, "login_user", session->login_user);
	at_member_text(json, "db_user", origin->db_user);
	at_member_text(json, "db_role", origin->db_role);
	at_member_text(json, "client_ip", session->client_addr);
	at_member_number(json, "client_port", session->client_port);
	at_member_text(json, "application_name", session->application);
	at_member_text(json, "tls", session->tls);
}

static void
write_context(const AtOrigin *origin, StringInfo json)
{
	for (int i = 0; i < AT_CONTEXT_FIELDS; i++)
	{
		if (i == AT_CONTEXT_EXTRA)
			at_member_json(json, at_context_names[i], origin->field[i].value);
		else if (i == AT_CONTEXT_CLIENT_IP)
			at_member_text(json, "claimed_client_ip", origin->field[i].value);
		else
			at_member_text(json, at_context_names[i], origin->field[i].value);
	}
}
