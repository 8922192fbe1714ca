/*-------------------------------------------------------------------------
 * erase.c
 *		Erasing a person.
 *
 * Locks: that of at_control_begin(), by whoever asks, whoever approves, and the keeper
 * when it says that it is done. Keys are destroyed without it: that may be done twice.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "base/catalog.h"
#include "base/clock.h"
#include "base/compat.h"
#include "base/debug_point.h"
#include "base/errors.h"
#include "base/worker.h"
#include "ledger/control.h"
#include "ledger/datum.h"
#include "ledger/owner.h"
#include "ledger/owner_query.h"
#include "ledger/request.h"
#include "ledger/subject_key.h"
#include "retention/erase.h"
#include "retention/hold.h"
#include "retention/keeper.h"

#define AT_KIND_ERASE  "erase"
#define AT_KIND_ERASED "erased"

/* A key that an order names. */
typedef struct Doomed
{
	int64 order; /* log_index of the record */
	bool is_done;
	uint8 name[AT_SUBJECT_NAME_LEN];
} Doomed;

PG_FUNCTION_INFO_V1(at_erase_subject);
PG_FUNCTION_INFO_V1(at_subject_key_state);

static void run_request(const AtApproval *approval);
static bool run_step(TimestampTz deadline);
static char *living_keys(const char *subject);
static void check_holds(const char *subject);
static List *find_doomed(void);
static void destroy(List *doomed);
static void seal_done(const Doomed *one, bool found);

static const AtRequestKind erase_kind = {
	.name = AT_KIND_ERASE, .approver = "purge_approver", .run = run_request};
static const AtKeeperStep erase_step = {.name = "erase", .in_window = false, .run = run_step};

void
at_erase_init(void)
{
	at_request_register(&erase_kind);
	at_keeper_register(&erase_step);
}

/* erase_subject(subject, legal_basis): the request */
Datum
at_erase_subject(PG_FUNCTION_ARGS)
{
	char *subject = text_to_cstring(PG_GETARG_TEXT_PP(0));
	char *legal_basis = text_to_cstring(PG_GETARG_TEXT_PP(1));
	StringInfoData what;
	AtControl control;
	int64 request_id;

	(void) at_ledger_relid(AT_LEDGER_LOG_ENTRY);
	at_request_check_text("subject", subject);
	at_request_check_text("legal basis", legal_basis);
	initStringInfo(&what);
	appendStringInfoString(&what, "{\"subject\":");
	escape_json(&what, subject);
	appendStringInfo(&what, ",\"keys\":%s,\"legal_basis\":", living_keys(subject));
	escape_json(&what, legal_basis);
	appendStringInfoChar(&what, '}');

	at_control_begin(&control);
	check_holds(subject);
	request_id = at_request_make(&control, AT_KIND_ERASE, what.data, legal_basis);
	at_control_end(&control);
	PG_RETURN_INT64(request_id);
}

/* subject_key_state(subject): what has become of the newest key of a person */
Datum
at_subject_key_state(PG_FUNCTION_ARGS)
{
	uint8(*names)[AT_SUBJECT_NAME_LEN];
	int count;
	bool is_alive;

	if (!at_subject_keys_used())
		PG_RETURN_TEXT_P(cstring_to_text("none"));
	count = at_subject_key_names(at_span_of(text_to_cstring(PG_GETARG_TEXT_PP(0))), &names);
	is_alive = count > 0 && at_subject_key_named(names[count - 1])->state == AT_KEY_FOUND;
	PG_RETURN_TEXT_P(cstring_to_text(count == 0 ? "none" : is_alive ? "held" : "erased"));
}

/* It is approved: the order, which the keeper carries out. */
static void
run_request(const AtApproval *approval)
{
	static const char query[] =
		"SELECT pg_catalog.json_build_object('request', $1, 'approval', $2, 'subject', "
		"$3::json -> 'subject', 'keys', $4::json, 'legal_basis', $3::json -> 'legal_basis', "
		"'by', $5, 'approved_by', $6)";
	Oid what_type[] = {TEXTOID};
	Datum what[] = {CStringGetTextDatum(approval->what)};
	char *subject = at_owner_value("SELECT $1::json ->> 'subject'", 1, what_type, what);
	Oid types[] = {INT8OID, INT8OID, TEXTOID, TEXTOID, TEXTOID, TEXTOID};
	Datum values[] = {Int64GetDatum(approval->request_id),
					  Int64GetDatum(approval->approval_id),
					  what[0],
					  CStringGetTextDatum(living_keys(subject)),
					  CStringGetTextDatum(approval->requested_by),
					  CStringGetTextDatum(approval->approved_by)};

	check_holds(subject);
	(void) at_control_append(approval->control, AT_KIND_ERASE,
							 at_owner_value(query, lengthof(types), types, values));
	at_worker_wake(AT_WORKER_KEEPER);
}

/* The key that a person has, as a JSON array; an error if there is none. */
static char *
living_keys(const char *subject)
{
	uint8(*names)[AT_SUBJECT_NAME_LEN];
	char hex[2 * AT_SUBJECT_NAME_LEN + 1];
	int count;

	if (!at_subject_keys_used())
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("there are no keys of persons"),
						errdetail("audit_trail.subject_key_directory names no directory, so "
								  "personal values are commitments that nobody can read."),
						errhint("See doc/persons.md.")));
	count = at_subject_key_names(at_span_of(subject), &names);
	if (count == 0 || at_subject_key_named(names[count - 1])->state != AT_KEY_FOUND)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT), errmsg("person \"%s\" has no key", subject),
				 errdetail("%s", count == 0 ? "No personal value was recorded under one."
											: "The person was erased, and nothing recorded since."),
				 errhint("A person is named as the column that audit.enable() has as subject.")));
	hex[hex_encode((const char *) names[count - 1], AT_SUBJECT_NAME_LEN, hex)] = '\0';
	return psprintf("[\"%s\"]", hex);
}

/* A hold that keeps an event keeps what is in it. */
static void
check_holds(const char *subject)
{
	static const char query[] = "WITH hold AS (" AT_HOLDS(
		"$1") ") SELECT e.tx_id || '.' || e.ordinal "
			  "FROM audit.event AS e JOIN audit.target AS g ON g.target_id = e.target_id "
			  "JOIN audit.transaction AS t ON t.tx_at = e.tx_at AND t.tx_id = e.tx_id "
			  "WHERE EXISTS (SELECT FROM hold) AND e.extra IS NOT NULL "
			  "AND $2 IN (audit.to_jsonb(e.extra) ->> 'subject', "
			  "audit.to_jsonb(e.extra) ->> 'former_subject') AND " AT_IS_HELD " LIMIT 1";
	Oid types[] = {TIMESTAMPTZOID, TEXTOID};
	Datum values[] = {TimestampTzGetDatum(at_clock_now()), CStringGetTextDatum(subject)};
	char *event_id = at_owner_value(query, lengthof(types), types, values);

	if (event_id != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_AT_GUARDED),
				 errmsg("person \"%s\" cannot be erased: a hold keeps what is recorded", subject),
				 errdetail("It keeps event %s, perhaps with others.", event_id),
				 errhint("SELECT * FROM audit.holds; a hold is released by "
						 "audit.release_hold().")));
}

/* All orders at once: they are few. */
static bool
run_step(TimestampTz deadline)
{
	MemoryContext context = CurrentMemoryContext;
	List *doomed;

	StartTransactionCommand();
	MemoryContextSwitchTo(context);
	PushActiveSnapshot(GetTransactionSnapshot());
	doomed = find_doomed();
	if (doomed != NIL)
		destroy(doomed);
	PopActiveSnapshot();
	CommitTransactionCommand();
	return false;
}

static List *
find_doomed(void)
{
	static const char query[] =
		"SELECT o.log_index, k.key, EXISTS (SELECT FROM audit.log_entry AS d WHERE d.kind = "
		"'erased' AND (d.payload ->> 'erase')::int8 = o.log_index) FROM audit.log_entry AS o "
		"CROSS JOIN LATERAL pg_catalog.json_array_elements_text(o.payload -> 'keys') AS k (key) "
		"WHERE o.kind = 'erase' ORDER BY o.log_index";
	MemoryContext context = CurrentMemoryContext;
	List *doomed = NIL;
	AtOwnerState state;

	at_owner_enter(&state);
	SPI_connect();
	if (SPI_execute(query, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read the orders to erase");
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		HeapTuple row = SPI_tuptable->vals[i];
		char *hex = SPI_getvalue(row, SPI_tuptable->tupdesc, 2);
		Doomed *one = MemoryContextAllocZero(context, sizeof(Doomed));
		MemoryContext save = MemoryContextSwitchTo(context);
		bool is_null;

		one->order = DatumGetInt64(SPI_getbinval(row, SPI_tuptable->tupdesc, 1, &is_null));
		one->is_done = DatumGetBool(SPI_getbinval(row, SPI_tuptable->tupdesc, 3, &is_null));
		if (strlen(hex) != 2 * AT_SUBJECT_NAME_LEN)
			elog(ERROR, "record " INT64_FORMAT " of the log names no key", one->order);
		hex_decode(hex, strlen(hex), (char *) one->name);
		doomed = lappend(doomed, one);
		MemoryContextSwitchTo(save);
	}
	SPI_finish();
	at_owner_leave(&state);
	return doomed;
}

/* The keys first; then each order that is not done, or had to be done again, has its record. */
static void
destroy(List *doomed)
{
	ListCell *cell;

	if (!at_subject_keys_used())
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("keys of erased persons cannot be destroyed"),
						errdetail("audit_trail.subject_key_directory names no directory."),
						errhint("Name the one that has them, and reload the configuration.")));
	at_debug_point("erase-found");
	foreach (cell, doomed)
	{
		Doomed *one = lfirst(cell);
		bool is_alive = at_subject_key_named(one->name)->state == AT_KEY_FOUND;

		if (one->is_done && !is_alive)
			continue;
		at_subject_key_destroy(one->name);
		at_debug_point("erase-destroyed");
		seal_done(one, is_alive);
		at_debug_point("erase-recorded");
	}
}

static void
seal_done(const Doomed *one, bool found)
{
	AtControl control;

	at_control_begin(&control);
	(void) at_control_append(&control, AT_KIND_ERASED,
							 psprintf("{\"erase\":" INT64_FORMAT ",\"found\":%s,\"again\":%s}",
									  one->order, found ? "true" : "false",
									  one->is_done ? "true" : "false"));
	at_control_end(&control);
	at_keeper_did(1, "the key of the person of order " INT64_FORMAT " destroyed%s", one->order,
				  one->is_done ? " again: it was back" : "");
}
