/*-------------------------------------------------------------------------
 * claim.c
 *		audit.check_personal() and audit.hash_value(): what somebody says a
 *		concealed value was, held against the trail.
 *
 * Whoever may call them can find a value by trying: they are for those who
 * may know it.
 *
 * The ledger is read as its owner, with a query of ours alone.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"

#include "base/catalog.h"
#include "base/compat.h"
#include "capture/conceal.h"
#include "ledger/secret.h"
#include "ledger/datum.h"
#include "ledger/owner.h"

/* An event that is asked about; strings are in the context of the call. */
typedef struct Claim
{
	int64 tx_id;
	int32 ordinal;
	char *event_id;
	char *column;
	char *value; /* NULL: it is said to have been null */

	/* from the event; JSON texts, NULL where missing */
	char *recorded[2]; /* old, new */
	char *subject[2];
	char *nonce;
} Claim;

/* Columns of the result, and of what the query finds. */
enum
{
	OLD,
	NEW,
	SIDES
};

PG_FUNCTION_INFO_V1(at_check_personal);
PG_FUNCTION_INFO_V1(at_hash_value);

static void read_arguments(FunctionCallInfo fcinfo, Claim *claim);
static void read_event(Claim *claim);
static void check_side(const Claim *claim, int side, Datum *matches, bool *nulls);
static bool is_value(const Claim *claim, int side, const char *recorded);
pg_noreturn static void refuse(const Claim *claim);
static void check_nonce(const Claim *claim);
static void check_form(const Claim *claim, const char *recorded);

Datum
at_check_personal(PG_FUNCTION_ARGS)
{
	Claim claim = {0};
	Datum matches[SIDES];
	bool nulls[SIDES];
	TupleDesc desc;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "audit.check_personal() must return a row");
	read_arguments(fcinfo, &claim);
	read_event(&claim);
	check_side(&claim, OLD, &matches[OLD], &nulls[OLD]);
	check_side(&claim, NEW, &matches[NEW], &nulls[NEW]);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), matches, nulls)));
}

/* audit.hash_value(value): as a hashed column would have it. */
Datum
at_hash_value(PG_FUNCTION_ARGS)
{
	text *value = PG_GETARG_TEXT_PP(0);

	PG_RETURN_TEXT_P(
		cstring_to_text(at_conceal_hash(VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value))));
}

static void
read_arguments(FunctionCallInfo fcinfo, Claim *claim)
{
	char rest;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
						errmsg("event_id and column_name must not be null")));
	claim->event_id = text_to_cstring(PG_GETARG_TEXT_PP(0));
	claim->column = text_to_cstring(PG_GETARG_TEXT_PP(1));
	claim->value = PG_ARGISNULL(2) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(2));
	if (sscanf(claim->event_id, INT64_FORMAT ".%d%c", &claim->tx_id, &claim->ordinal, &rest) != 2)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("\"%s\" is not the name of an event", claim->event_id),
						errhint("Events are named as in audit.events.event_id.")));
}

/* A result as a string of the caller's context; NULL for null. */
static char *
result_text(int column, MemoryContext memory)
{
	char *value = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, column);

	return value ? MemoryContextStrdup(memory, value) : NULL;
}

static void
read_event(Claim *claim)
{
	static const char query[] =
		"SELECT v.old -> $3, v.new -> $3, "
		"v.extra ->> CASE WHEN v.extra ? 'former_subject' THEN 'former_subject' "
		"ELSE 'subject' END, v.extra ->> 'subject', v.extra ->> 'nonce' "
		"FROM audit.event e CROSS JOIN LATERAL (SELECT audit.to_jsonb(e.old_values), "
		"audit.to_jsonb(e.new_values), audit.to_jsonb(e.extra)) v (old, new, extra) "
		"WHERE e.tx_id = $1 AND e.ordinal = $2";
	Oid types[] = {INT8OID, INT4OID, TEXTOID};
	Datum values[] = {Int64GetDatum(claim->tx_id), Int32GetDatum(claim->ordinal),
					  CStringGetTextDatum(claim->column)};
	MemoryContext memory = CurrentMemoryContext;
	AtOwnerState state;

	at_owner_enter(&state);
	SPI_connect();
	if (SPI_execute_with_args(query, lengthof(types), types, values, NULL, true, 1) !=
		SPI_OK_SELECT)
		elog(ERROR, "could not read audit.event");
	if (SPI_processed == 0)
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
						errmsg("there is no event \"%s\"", claim->event_id)));
	claim->recorded[OLD] = result_text(1, memory);
	claim->recorded[NEW] = result_text(2, memory);
	claim->subject[OLD] = result_text(3, memory);
	claim->subject[NEW] = result_text(4, memory);
	claim->nonce = result_text(5, memory);
	SPI_finish();
	at_owner_leave(&state);
}

/* Null where the event has no value of the column on that side. */
static void
check_side(const Claim *claim, int side, Datum *matches, bool *nulls)
{
	const char *recorded = claim->recorded[side];

	*matches = BoolGetDatum(false);
	*nulls = recorded == NULL;
	if (recorded == NULL)
		return;
	if (strcmp(recorded, "null") == 0)
	{
		*matches = BoolGetDatum(claim->value == NULL);
		return;
	}
	*matches = BoolGetDatum(is_value(claim, side, recorded));
}

/* Under the person's key, or as a commitment under the one key. */
static bool
is_value(const Claim *claim, int side, const char *recorded)
{
	AtPersonal personal = {.side = side == OLD ? 'O' : 'N'};
	AtSpan column = at_span_of(claim->column);
	AtText bare = {.data = recorded + 1, .len = strlen(recorded) - 2};
	AtPersonalText text;
	bool is_sealed = recorded[0] == '"' && at_personal_read(bare, &text);

	check_nonce(claim);
	if (!is_sealed)
		check_form(claim, recorded);
	if (claim->value == NULL)
		return false;
	hex_decode(claim->nonce, strlen(claim->nonce), (char *) personal.nonce);
	if (claim->subject[side] != NULL)
		personal.subject = at_span_of(claim->subject[side]);
	if (is_sealed)
		return at_conceal_is_personal(&personal, column, &text, claim->value, strlen(claim->value));
	return strcmp(recorded, psprintf("\"%s\"", at_conceal_commit(&personal, column, claim->value,
																 strlen(claim->value)))) == 0;
}

static void
refuse(const Claim *claim)
{
	ereport(ERROR, (errcode(ERRCODE_WRONG_OBJECT_TYPE),
					errmsg("column \"%s\" of event \"%s\" is not recorded as a commitment",
						   claim->column, claim->event_id),
					errdetail("It was not personal then.")));
}

static void
check_nonce(const Claim *claim)
{
	if (claim->nonce == NULL || strlen(claim->nonce) != 2 * AT_NONCE_LEN)
		refuse(claim);
}

/* Is it a commitment, and one that the present key made? */
static void
check_form(const Claim *claim, const char *recorded)
{
	static const char start[] = "\"" AT_COMMITMENT_PREFIX;
	const char *id = at_secret_get()->id;
	const char *recorded_id = recorded + strlen(start);

	if (strncmp(recorded, start, strlen(start)) != 0)
		refuse(claim);
	if (strncmp(recorded_id, id, strlen(id)) != 0 || recorded_id[strlen(id)] != ':')
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("event \"%s\" was recorded with another key", claim->event_id),
				 errdetail("It names key %.*s, and the file that audit_trail.hash_key_file names "
						   "holds key %s.",
						   (int) strlen(id), recorded_id, id),
				 errhint("Name the file of that key, and reload the configuration.")));
}
