/*-------------------------------------------------------------------------
 * emit.c
 *		audit.emit() and audit.emit_now(): what an application says has
 *		happened.
 *
 * Such an event has the op E, and is of no table: whatever it says, nobody can take
 * it for a change that was captured. Who may emit is decided by the privilege
 * to call the function.
 *
 * Memory: that of the call.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"

#include "base/catalog.h"
#include "base/errors.h"
#include "base/guc.h"
#include "base/json_scan.h"
#include "base/relation_change.h"
#include "domain/emit.h"
#include "domain/payload.h"
#include "ledger/apart.h"
#include "ledger/datum.h"
#include "ledger/event_type.h"
#include "ledger/hooks.h"
#include "ledger/shorten.h"
#include "ledger/target.h"

/* Parameters of audit.emit(). */
enum
{
	ARG_EVENT_TYPE,
	ARG_RESOURCE_ID,
	ARG_OLD,
	ARG_NEW,
	ARG_RESOURCE_TYPE,
	ARG_EXTRA
};

/* Longest name of a resource type, in bytes. */
#define MAX_RESOURCE_TYPE 63

#define KEY_LENGTH (2 * NAMEDATALEN)

/* What events of a context about a resource type are recorded under. */
typedef struct Place
{
	char key[KEY_LENGTH]; /* context and resource type, with a slash between */
	int32 target_id;
	int16 retention_class;
} Place;

/*
 * Places that are known. Emptied when a transaction or subtransaction is rolled back, or
 * prepared, in which a target was appended, and when the ledger is another one.
 */
static struct
{
	HTAB *entries;    /* NULL: none */
	Oid target_relid; /* audit.target, from which they were read */
	bool appended;    /* by the running transaction */
} places;

PG_FUNCTION_INFO_V1(at_emit);
PG_FUNCTION_INFO_V1(at_emit_now);

static const AtEventType *make_event(FunctionCallInfo fcinfo, AtEvent *event);
static Datum name_datum(AtEventName name);
static const AtEventType *get_type(FunctionCallInfo fcinfo, text *name);
static const AtEventType *unknown_type(const char *name);
static void warn_if_deprecated(AtEventType *type);
static const char *get_resource_type(FunctionCallInfo fcinfo, const AtEventType *type);
static Place find_place(const char *context, const char *resource_type);
static void set_key(AtEvent *event, text *key);
static void set_payload(AtEvent *event, FunctionCallInfo fcinfo, const AtEventType *type);
static StringInfo more_extra(AtEvent *event);
static void forget_places(void);

static void
end_transaction(XactEvent event, void *arg)
{
	if (places.appended && event != XACT_EVENT_COMMIT)
		forget_places();
	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT || event == XACT_EVENT_PREPARE)
		places.appended = false;
}

static void
end_subtransaction(SubXactEvent event, SubTransactionId id, SubTransactionId parent, void *arg)
{
	if (places.appended && event == SUBXACT_EVENT_ABORT_SUB)
		forget_places();
}

static void
forget_relation(Datum arg, Oid relid)
{
	if (!OidIsValid(relid) || relid == places.target_relid)
		forget_places();
}

void
at_emit_init(void)
{
	RegisterXactCallback(end_transaction, NULL);
	RegisterSubXactCallback(end_subtransaction, NULL);
	at_relation_change_register(forget_relation);
}

Datum
at_emit(PG_FUNCTION_ARGS)
{
	const AtEventType *type;
	AtEvent event;
	Place place;

	PreventCommandIfReadOnly("audit.emit()");
	type = make_event(fcinfo, &event);
	place = find_place(type->context, event.resource_type.data);
	event.target_id = place.target_id;
	event.retention_class = place.retention_class;
	event.schema = at_span_of(AT_SCHEMA);
	event.table = at_span_of("");
	PG_RETURN_DATUM(name_datum(at_change_record(&event, InvalidOid)));
}

/* audit.emit_now(): when it returns, the event is committed. */
Datum
at_emit_now(PG_FUNCTION_ARGS)
{
	const AtEventType *type;
	AtEvent event;

	(void) at_ledger_relid(AT_LEDGER_TARGET);
	type = make_event(fcinfo, &event);
	PG_RETURN_DATUM(name_datum(at_apart_record(&event, type->context)));
}

static Datum
name_datum(AtEventName name)
{
	return CStringGetTextDatum(psprintf(UINT64_FORMAT ".%u", name.tx_id, name.ordinal));
}

/* What the arguments say; where it belongs is left to be filled in. */
static const AtEventType *
make_event(FunctionCallInfo fcinfo, AtEvent *event)
{
	const AtEventType *type;

	if (PG_ARGISNULL(ARG_EVENT_TYPE))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
						errmsg("the type of an event must not be null")));
	*event = (AtEvent){
		.op = 'E',
		.event_type = (struct varlena *) PG_GETARG_TEXT_PP(ARG_EVENT_TYPE),
	};
	type = get_type(fcinfo, (text *) event->event_type);
	event->resource_type = at_span_of(get_resource_type(fcinfo, type));
	if (!PG_ARGISNULL(ARG_RESOURCE_ID))
		set_key(event, PG_GETARG_TEXT_PP(ARG_RESOURCE_ID));
	set_payload(event, fcinfo, type);
	return type;
}

/* ---- the type ---- */

static const AtEventType *
get_type(FunctionCallInfo fcinfo, text *name)
{
	AtEventType *type = at_event_type_find(VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name));

	if (type == NULL)
		return unknown_type(text_to_cstring(name));
	if (type->reserved)
		ereport(ERROR, (errcode(ERRCODE_AT_BAD_EVENT),
						errmsg("nobody can emit events of type \"%s\"", type->name),
						errdetail("The server itself records them."),
						errhint("See SELECT * FROM audit.event_types WHERE NOT reserved;")));
	warn_if_deprecated(type);
	return type;
}

/* Refused, or recorded as what nobody knows, if it can be a name at all. */
static const AtEventType *
unknown_type(const char *name)
{
	AtEventType *type = palloc0(sizeof(AtEventType));
	char *resource_type = pnstrdup(name, strcspn(name, "."));
	int len = pg_mbcliplen(name, strlen(name), AT_EVENT_TYPE_LENGTH);
	char *shown = psprintf("%s%s", pnstrdup(name, len), name[len] != '\0' ? "..." : "");
	bool refused =
		at_guc_unknown_event_type == AT_UNKNOWN_EVENT_ERROR || len == 0 || name[len] != '\0';

	ereport(refused ? ERROR : WARNING,
			(errcode(ERRCODE_AT_BAD_EVENT), errmsg("there is no event type \"%s\"", shown),
			 errdetail("The catalogue of the audit trail has all types that can be emitted."),
			 errhint("SELECT audit.add_event_type(%s, context => ..., category => ..., sentence => "
					 "..., description => ...); or look for another one in audit.event_types.",
					 quote_literal_cstr(shown))));
	type->context = "system";
	type->resource_type =
		at_event_type_is_resource(resource_type) ? resource_type : pstrdup("unknown");
	return type;
}

static void
warn_if_deprecated(AtEventType *type)
{
	if (likely(!type->deprecated) || type->warned)
		return;
	type->warned = true;
	ereport(WARNING,
			(errcode(ERRCODE_WARNING_DEPRECATED_FEATURE),
			 errmsg("event type \"%s\" is deprecated", type->name),
			 type->replaced_by != NULL ? errhint("Emit \"%s\" instead.", type->replaced_by) : 0));
}

/* What it happens to: as the type says, or another that the catalogue knows. */
static const char *
get_resource_type(FunctionCallInfo fcinfo, const AtEventType *type)
{
	char *given;

	if (PG_ARGISNULL(ARG_RESOURCE_TYPE))
		return type->resource_type;
	given = text_to_cstring(PG_GETARG_TEXT_PP(ARG_RESOURCE_TYPE));
	if (strcmp(given, type->resource_type) != 0 &&
		(strlen(given) > MAX_RESOURCE_TYPE || !at_event_type_is_resource(given)))
		ereport(ERROR, (errcode(ERRCODE_AT_BAD_EVENT),
						errmsg("no event type has the resource type \"%s\"", given),
						errhint("Leave resource_type out, or add a type of event for it: SELECT "
								"audit.add_event_type(...);")));
	return given;
}

/* ---- the place ---- */

static Place
find_place(const char *context, const char *resource_type)
{
	HASHCTL control = {
		.keysize = KEY_LENGTH, .entrysize = sizeof(Place), .hcxt = CacheMemoryContext};
	Place place = {.key = ""};
	Place *known = NULL;
	AtTarget target;

	snprintf(place.key, KEY_LENGTH, "%s/%s", context, resource_type);
	if (places.entries != NULL)
		known = hash_search(places.entries, place.key, HASH_FIND, NULL);
	if (known != NULL)
		return *known;

	Oid relid = at_ledger_relid(AT_LEDGER_TARGET);

	if (at_target_obtain(context, resource_type, &target))
		places.appended = true;
	place.target_id = target.target_id;
	place.retention_class = target.retention_class;
	places.target_relid = relid;
	if (places.entries == NULL)
		places.entries = hash_create("audit_trail places of events", 64, &control,
									 HASH_ELEM | HASH_STRINGS | HASH_CONTEXT);
	known = hash_search(places.entries, place.key, HASH_ENTER, NULL);
	*known = place;
	return place;
}

static void
forget_places(void)
{
	HTAB *entries = places.entries;

	places.entries = NULL;
	if (entries != NULL)
		hash_destroy(entries);
}

/* ---- what the event has ---- */

/* A key that no index would take becomes a digest, and stands in extra. */
static void
set_key(AtEvent *event, text *key)
{
	StringInfoData digest;
	StringInfo extra;

	event->record_key = (struct varlena *) key;
	if (VARSIZE_ANY_EXHDR(key) <= AT_MAX_KEY_BYTES)
		return;
	extra = more_extra(event);
	appendStringInfoString(extra, "\"key\":");
	at_json_quote(VARDATA_ANY(key), VARSIZE_ANY_EXHDR(key), extra);
	initStringInfo(&digest);
	at_shorten_key(VARDATA_ANY(key), VARSIZE_ANY_EXHDR(key), &digest);
	event->record_key = (struct varlena *) cstring_to_text_with_len(digest.data, digest.len);
}

/* What is given besides is a member of its own, so that it cannot pass for what the server tells.
 */
static void
set_payload(AtEvent *event, FunctionCallInfo fcinfo, const AtEventType *type)
{
	StringInfoData shortened;

	initStringInfo(&shortened);
	if (!PG_ARGISNULL(ARG_OLD))
		event->old_values = at_payload_render(PG_GETARG_JSONB_P(ARG_OLD), "old", type, &shortened);
	if (!PG_ARGISNULL(ARG_NEW))
		event->new_values = at_payload_render(PG_GETARG_JSONB_P(ARG_NEW), "new", type, &shortened);
	if (!PG_ARGISNULL(ARG_EXTRA) && JB_ROOT_COUNT(PG_GETARG_JSONB_P(ARG_EXTRA)) > 0)
	{
		struct varlena *app =
			at_payload_render(PG_GETARG_JSONB_P(ARG_EXTRA), "extra", type, &shortened);
		StringInfo extra = more_extra(event);

		appendStringInfoString(extra, "\"app\":");
		appendBinaryStringInfo(extra, VARDATA_ANY(app), VARSIZE_ANY_EXHDR(app));
	}
	if (shortened.len > 0)
		appendStringInfo(more_extra(event), "\"shortened\":[%s]", shortened.data);
}

/* To append a member to. */
static StringInfo
more_extra(AtEvent *event)
{
	if (event->extra == NULL)
		event->extra = makeStringInfo();
	else
		appendStringInfoChar(event->extra, ',');
	return event->extra;
}
