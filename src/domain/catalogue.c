/*-------------------------------------------------------------------------
 * catalogue.c
 *		Changing the catalogue of business events.
 *
 * Who may do so is decided by the privilege to call the functions; what is then
 * done is done as the owner of the extension. A type is changed by adding a version of it,
 * so that what ships with the extension stays as it was, and what users have made
 * of it is dumped beside it. The checks are constraints of the tables.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/inval.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"

#include "base/catalog.h"
#include "base/config_row.h"
#include "base/errors.h"
#include "base/latest.h"
#include "ledger/event_type.h"
#include "ledger/owner.h"

/* Columns of audit.context. */
#define Anum_context_context     1
#define Anum_context_title       2
#define Anum_context_description 3
#define Anum_context_seeded      4

PG_FUNCTION_INFO_V1(at_add_context);
PG_FUNCTION_INFO_V1(at_add_event_type);
PG_FUNCTION_INFO_V1(at_change_event_type);
PG_FUNCTION_INFO_V1(at_deprecate_event_type);

static char *get_string(FunctionCallInfo fcinfo, int arg, const char *name);
static void check_there(const char *table, const char *name, const char *hint);
static int32 last_version(AtConfigRow *row, const char *name);
static int32 next_version(AtConfigRow *row, const char *name);
static void begin_version(AtConfigRow *row, const char *name, int32 version);
static void write_version(AtConfigRow *row);

Datum
at_add_context(PG_FUNCTION_ARGS)
{
	char *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	AtOwnerState state;
	AtConfigRow row;

	at_owner_enter(&state);
	at_config_begin(&row, "context");
	at_config_set_text(&row, Anum_context_context, name);
	at_config_set(&row, Anum_context_title, PG_GETARG_DATUM(1));
	at_config_set(&row, Anum_context_description, PG_GETARG_DATUM(2));
	at_config_set(&row, Anum_context_seeded, BoolGetDatum(false));
	at_config_insert(&row);
	at_config_end(&row);
	at_owner_leave(&state);
	PG_RETURN_TEXT_P(cstring_to_text(psprintf("context \"%s\" added", name)));
}

/* audit.add_event_type(event_type, context, category, sentence, description, severity, ...) */
Datum
at_add_event_type(PG_FUNCTION_ARGS)
{
	char *name = get_string(fcinfo, 0, "event_type");
	char *context = get_string(fcinfo, 1, "context");
	char *category = get_string(fcinfo, 2, "category");
	AtOwnerState state;
	AtConfigRow row;

	check_there("context", context,
				"See SELECT * FROM audit.context, or add one with "
				"SELECT audit.add_context(...);");
	check_there("category", category, "See SELECT * FROM audit.category.");
	at_owner_enter(&state);
	at_config_begin(&row, AT_EVENT_TYPE_TABLE);
	if (last_version(&row, name) > 0)
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("event type \"%s\" exists already", name),
				 errhint("SELECT audit.change_event_type(%s, ...);", quote_literal_cstr(name))));
	begin_version(&row, name, 1);
	at_config_set(&row, Anum_event_type_reserved, BoolGetDatum(false));
	at_config_set_text(&row, Anum_event_type_context, context);
	at_config_set_text(&row, Anum_event_type_category, category);
	at_config_set_text(&row, Anum_event_type_sentence, get_string(fcinfo, 3, "sentence"));
	at_config_set_text(&row, Anum_event_type_description, get_string(fcinfo, 4, "description"));
	at_config_set_text(&row, Anum_event_type_severity, get_string(fcinfo, 5, "severity"));
	if (!PG_ARGISNULL(6))
		at_config_set(&row, Anum_event_type_payload_schema, PG_GETARG_DATUM(6));
	at_config_set(&row, Anum_event_type_masked,
				  PG_ARGISNULL(7) ? PointerGetDatum(construct_empty_array(TEXTOID))
								  : PG_GETARG_DATUM(7));
	write_version(&row);
	at_owner_leave(&state);
	PG_RETURN_TEXT_P(cstring_to_text(psprintf("event type \"%s\" added", name)));
}

/* audit.change_event_type(event_type, category, sentence, description, severity, ...) */
Datum
at_change_event_type(PG_FUNCTION_ARGS)
{
	static const int columns[] = {0,
								  Anum_event_type_category,
								  Anum_event_type_sentence,
								  Anum_event_type_description,
								  Anum_event_type_severity,
								  Anum_event_type_payload_schema,
								  Anum_event_type_masked};
	char *name = get_string(fcinfo, 0, "event_type");
	AtOwnerState state;
	AtConfigRow row;
	int32 version;

	if (!PG_ARGISNULL(1))
		check_there("category", get_string(fcinfo, 1, "category"),
					"See SELECT * FROM audit.category.");
	at_owner_enter(&state);
	at_config_begin(&row, AT_EVENT_TYPE_TABLE);
	version = next_version(&row, name);
	begin_version(&row, name, version);
	for (int i = 1; i < lengthof(columns); i++)
		if (!PG_ARGISNULL(i))
			at_config_set(&row, columns[i], PG_GETARG_DATUM(i));
	write_version(&row);
	at_owner_leave(&state);
	PG_RETURN_TEXT_P(
		cstring_to_text(psprintf("event type \"%s\" changed: version %d", name, version)));
}

Datum
at_deprecate_event_type(PG_FUNCTION_ARGS)
{
	char *name = get_string(fcinfo, 0, "event_type");
	char *other = PG_ARGISNULL(1) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(1));
	AtOwnerState state;
	AtConfigRow row;
	int32 version;

	if (other != NULL)
		check_there(AT_EVENT_TYPE_TABLE, other, "See SELECT * FROM audit.event_types.");
	at_owner_enter(&state);
	at_config_begin(&row, AT_EVENT_TYPE_TABLE);
	version = next_version(&row, name);
	begin_version(&row, name, version);
	at_config_set(&row, Anum_event_type_deprecated_at,
				  TimestampTzGetDatum(GetCurrentTransactionStartTimestamp()));
	at_config_set_text(&row, Anum_event_type_replaced_by, other);
	write_version(&row);
	at_owner_leave(&state);
	PG_RETURN_TEXT_P(
		cstring_to_text(psprintf("event type \"%s\" deprecated: version %d", name, version)));
}

static char *
get_string(FunctionCallInfo fcinfo, int arg, const char *name)
{
	if (PG_ARGISNULL(arg))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("%s must not be null", name)));
	return text_to_cstring(PG_GETARG_TEXT_PP(arg));
}

/* Is there a row whose first column is this name? */
static void
check_there(const char *table, const char *name, const char *hint)
{
	AtLatest latest;
	ScanKeyData key;
	bool found;

	ScanKeyInit(&key, 1, BTEqualStrategyNumber, F_TEXTEQ, CStringGetTextDatum(name));
	at_latest_begin(&latest, at_audit_relid(table), psprintf("%s_pkey", table), 1, &key);
	found = HeapTupleIsValid(at_latest_next(&latest));
	at_latest_end(&latest);
	if (!found)
		ereport(ERROR, (errcode(ERRCODE_AT_BAD_EVENT),
						errmsg("there is no %s \"%s\"",
							   strcmp(table, "event_type") == 0 ? "event type" : table, name),
						errhint("%s", hint)));
}

/* ---- versions of a type ---- */

/* Give the row what the version that counts has, and return its number; 0 if there is none. */
static int32
last_version(AtConfigRow *row, const char *name)
{
	TupleDesc desc = RelationGetDescr(row->rel);
	AtLatest latest;
	ScanKeyData key;
	HeapTuple tuple;
	int32 version = 0;

	ScanKeyInit(&key, Anum_event_type_event_type, BTEqualStrategyNumber, F_TEXTEQ,
				CStringGetTextDatum(name));
	at_latest_begin(&latest, RelationGetRelid(row->rel), AT_EVENT_TYPE_INDEX, 1, &key);
	while (HeapTupleIsValid(tuple = at_latest_next(&latest)))
	{
		bool isnull;
		int32 found = DatumGetInt32(heap_getattr(tuple, Anum_event_type_version, desc, &isnull));

		if (found < version)
			continue;
		version = found;
		heap_deform_tuple(heap_copytuple(tuple), desc, row->values, row->nulls);
	}
	at_latest_end(&latest);
	return version;
}

static int32
next_version(AtConfigRow *row, const char *name)
{
	int32 version = last_version(row, name);

	if (version == 0)
		ereport(ERROR,
				(errcode(ERRCODE_AT_BAD_EVENT), errmsg("there is no event type \"%s\"", name),
				 errhint("SELECT audit.add_event_type(%s, ...);", quote_literal_cstr(name))));
	return version + 1;
}

/* The next version is the same but for what is then set. */
static void
begin_version(AtConfigRow *row, const char *name, int32 version)
{
	at_config_set_text(row, Anum_event_type_event_type, name);
	at_config_set(row, Anum_event_type_version, Int32GetDatum(version));
	at_config_set(row, Anum_event_type_changed_at,
				  TimestampTzGetDatum(GetCurrentTransactionStartTimestamp()));
	at_config_set(row, Anum_event_type_seeded, BoolGetDatum(false));
}

/* What the constraints want, for whoever meets one. */
static void
explain_check(void *arg)
{
	if (geterrcode() == ERRCODE_CHECK_VIOLATION)
		errhint(
			"A type is named by what it happens to, a dot, and a past participle, in lower case: "
			"order.cancelled. A sentence has in braces only names that events have: {actor}, "
			"{resource_id}, {old.price}, {new.price}, ...");
}

static void
write_version(AtConfigRow *row)
{
	ErrorContextCallback context = {.callback = explain_check, .previous = error_context_stack};

	error_context_stack = &context;
	at_config_insert(row);
	error_context_stack = context.previous;
	CacheInvalidateRelcache(row->rel); /* triggers of statements are none of ours here */
	at_config_end(row);
}
