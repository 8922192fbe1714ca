/*-------------------------------------------------------------------------
 * exhibit.c
 *		audit.export_evidence(): evidence for those who do not have this server.
 *
 * That evidence was exported is an event itself, committed before the bundle
 * gets its name or is returned, in a transaction of its own: nobody can take a bundle
 * and roll back the record of it. Where what follows fails, the record
 * stands for a bundle that nobody has.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_authid.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/snapmgr.h"

#include "base/catalog.h"
#include "base/compat.h"
#include "base/guc.h"
#include "ledger/apart.h"
#include "ledger/context.h"
#include "ledger/statement.h"
#include "seal/exhibit.h"

#define EVENT_TYPE "evidence.exported"

/* So many names of events are told in the record. */
#define TOLD_NAMES 100

static void check_arguments(FunctionCallInfo fcinfo);
static char *make_record(FunctionCallInfo fcinfo, const AtExhibit *exhibit,
						 const AtExhibitFiles *files);
static void append_selection(StringInfo json, FunctionCallInfo fcinfo, const AtExhibit *exhibit);
static char *hex_of(const AtHash *hash);

PG_FUNCTION_INFO_V1(at_export_evidence);

/*
 * export_evidence(event_ids text[], query text, directory text):
 * (events, size, manifest, recorded_as, archive)
 */
Datum
at_export_evidence(PG_FUNCTION_ARGS)
{
	AtExhibit *exhibit = palloc0(sizeof(AtExhibit));
	AtExhibitFiles files = {0};
	TupleDesc desc;
	AtEventName record;
	Datum values[5];
	bool nulls[5] = {false};

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	check_arguments(fcinfo);
	(void) at_ledger_relid(AT_LEDGER_LOG_ENTRY);
	if (!PG_ARGISNULL(2))
		at_exhibit_files_check(&files, text_to_cstring(PG_GETARG_TEXT_PP(2)));

	if (PG_ARGISNULL(1))
		at_exhibit_select_names(exhibit, PG_GETARG_DATUM(0));
	else
		at_exhibit_select_query(exhibit, text_to_cstring(PG_GETARG_TEXT_PP(1)));
	at_exhibit_collect(exhibit);
	at_exhibit_cover(exhibit);
	at_exhibit_prove(exhibit);
	UnregisterSnapshot(exhibit->snapshot);
	at_exhibit_files_open(&files);
	PG_ENSURE_ERROR_CLEANUP(at_exhibit_files_remove, PointerGetDatum(&files));
	{
		at_exhibit_write(exhibit, &files);
		record = at_apart_append('X', EVENT_TYPE, make_record(fcinfo, exhibit, &files));
		at_exhibit_files_publish(&files);
	}
	PG_END_ENSURE_ERROR_CLEANUP(at_exhibit_files_remove, PointerGetDatum(&files));

	values[0] = Int64GetDatum(exhibit->selected_count);
	values[1] = Int64GetDatum(exhibit->checkpoint.size);
	values[2] = CStringGetTextDatum(hex_of(&files.manifest));
	values[3] = CStringGetTextDatum(psprintf(UINT64_FORMAT ".%u", record.tx_id, record.ordinal));
	values[4] = PointerGetDatum(files.archive.data);
	nulls[4] = files.directory != NULL;
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}

/* Privileges as for COPY to a file. */
static void
check_arguments(FunctionCallInfo fcinfo)
{
	if (PG_ARGISNULL(0) == PG_ARGISNULL(1))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("there must be either event_ids or a query"),
						errdetail("They tell which events are to be proved."),
						errhint("SELECT * FROM audit.export_evidence(event_ids => '{1042.3}');")));
	if (!PG_ARGISNULL(2) && !has_privs_of_role(GetUserId(), ROLE_PG_WRITE_SERVER_FILES))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("must be superuser or have privileges of the pg_write_server_files role to "
						"export evidence to a directory"),
				 errdetail("It is a directory of the server."),
				 errhint("Leave directory out: then the bundle is returned, as an archive.")));
}

/* What is on record: who asked, for what, and which bundle it was. */
static char *
make_record(FunctionCallInfo fcinfo, const AtExhibit *exhibit, const AtExhibitFiles *files)
{
	StringInfoData json;

	initStringInfo(&json);
	appendStringInfoChar(&json, '{');
	append_selection(&json, fcinfo, exhibit);
	appendStringInfo(
		&json,
		",\"events\":%zu,\"checkpoint_size\":" UINT64_FORMAT ",\"manifest\":\"%s\",\"directory\":",
		exhibit->selected_count, (uint64) exhibit->checkpoint.size, hex_of(&files->manifest));
	if (files->directory != NULL)
		escape_json(&json, files->directory);
	else
		appendStringInfoString(&json, "null");
	appendStringInfoChar(&json, ',');
	at_apart_requester(&json);
	appendStringInfoChar(&json, '}');
	return json.data;
}

static void
append_selection(StringInfo json, FunctionCallInfo fcinfo, const AtExhibit *exhibit)
{
	if (!PG_ARGISNULL(1))
	{
		text *query = PG_GETARG_TEXT_PP(1);

		appendStringInfoString(json, "\"query\":");
		escape_json(json, at_context_clean_part(VARDATA_ANY(query), VARSIZE_ANY_EXHDR(query),
												AT_MAX_QUERY_LENGTH));
		return;
	}
	appendStringInfoString(json, "\"event_ids\":[");
	for (size_t i = 0; i < Min(exhibit->selected_count, TOLD_NAMES); i++)
		appendStringInfo(json, "%s\"" UINT64_FORMAT ".%u\"", i > 0 ? "," : "",
						 exhibit->selected[i].tx_id, exhibit->selected[i].ordinal);
	appendStringInfoChar(json, ']');
	if (exhibit->selected_count > TOLD_NAMES)
		appendStringInfo(json, ",\"more\":%zu", exhibit->selected_count - TOLD_NAMES);
}

static char *
hex_of(const AtHash *hash)
{
	char *digits = palloc0(2 * AT_HASH_LEN + 1);

	hex_encode((const char *) hash->bytes, AT_HASH_LEN, digits);
	return digits;
}
