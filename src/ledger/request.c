/*-------------------------------------------------------------------------
 * request.c
 *		What one person asks for and another must approve.
 *
 * Locks: that of at_control_begin(): of two who decide about the same request
 * the second finds it decided.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/json.h"
#include "utils/timestamp.h"

#include "base/catalog.h"
#include "base/clock.h"
#include "base/compat.h"
#include "base/errors.h"
#include "base/guc.h"
#include "ledger/attempt.h"
#include "ledger/owner_query.h"
#include "ledger/request.h"

#define MAX_KINDS 16

/* A request as the log has it. */
typedef struct Request
{
	int64 request_id;
	const AtRequestKind *kind;
	char *what;
	char *by;
	Oid by_oid;
	char *state; /* open, approved, refused or expired */
} Request;

/* Set at load, then constant. */
static struct
{
	const AtRequestKind *kind[MAX_KINDS];
	int count;
} requests;

/* All requests; $1 is now. */
#define REQUESTS                                                                                   \
	"SELECT r.log_index, r.payload ->> 'kind', (r.payload -> 'what')::jsonb, "                     \
	"r.payload ->> 'reason', r.payload ->> 'by', r.sealed_at, "                                    \
	"(r.payload ->> 'expires_at')::timestamptz, "                                                  \
	"CASE d.kind WHEN 'approve' THEN 'approved' WHEN 'refuse' THEN 'refused' "                     \
	"ELSE CASE WHEN (r.payload ->> 'expires_at')::timestamptz <= $1 THEN 'expired' ELSE 'open' "   \
	"END END, d.payload ->> 'by', d.sealed_at, d.payload ->> 'note', "                             \
	"(r.payload ->> 'by_oid')::oid "                                                               \
	"FROM audit.log_entry AS r LEFT JOIN LATERAL (SELECT e.kind, e.sealed_at, e.payload "          \
	"FROM audit.log_entry AS e WHERE e.kind IN ('approve', 'refuse') "                             \
	"AND e.log_index > r.log_index AND (e.payload ->> 'request')::int8 = r.log_index "             \
	"ORDER BY e.log_index LIMIT 1) AS d ON true WHERE r.kind = 'request'"

/* Columns of it. */
enum
{
	REQUEST_ID = 1,
	REQUEST_KIND,
	REQUEST_WHAT,
	REQUEST_REASON,
	REQUEST_BY,
	REQUEST_AT,
	REQUEST_EXPIRES_AT,
	REQUEST_STATE,
	REQUEST_DECIDED_BY,
	REQUEST_DECIDED_AT,
	REQUEST_NOTE,
	REQUEST_BY_OID
};

PG_FUNCTION_INFO_V1(at_read_requests);
PG_FUNCTION_INFO_V1(at_approve);
PG_FUNCTION_INFO_V1(at_refuse_request);

static void decide(FunctionCallInfo fcinfo, bool approve);
static void find_request(int64 request_id, Request *request);
static const AtRequestKind *find_kind(const char *name);
static void check_state(const Request *request);
static void check_decider(const Request *request, bool approve);
static void check_approver(const Request *request);
pg_noreturn static void refuse(const Request *request, const char *detail, const char *hint);

void
at_request_register(const AtRequestKind *kind)
{
	if (requests.count == MAX_KINDS)
		elog(ERROR, "too many kinds of requests");
	requests.kind[requests.count++] = kind;
}

char *
at_request_login(void)
{
	/* workers act for nobody */
	if (MyProcPort == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_AT_NOT_APPROVED), errmsg("nobody has logged in to this process"),
				 errdetail("What two persons decide cannot be done by a background worker."),
				 errhint("Call the function from a session of your own.")));
	return GetUserNameFromId(GetAuthenticatedUserId(), false);
}

void
at_request_check_text(const char *what, const char *text)
{
	if (text[0] == '\0' || strlen(text) > AT_MAX_CONTEXT_LENGTH)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("there must be a %s", what),
				 errdetail("It has from 1 to %d bytes.", AT_MAX_CONTEXT_LENGTH),
				 errhint("Say why, for those who read the log in some years.")));
}

/* A time as json has it. */
static void
append_time(StringInfo json, TimestampTz at)
{
	char text[MAXDATELEN + 1];

	JsonEncodeDateTime(text, TimestampTzGetDatum(at), TIMESTAMPTZOID, NULL);
	escape_json(json, text);
}

int64
at_request_make(AtControl *control, const char *kind, const char *what, const char *reason)
{
	TimestampTz expires_at = at_clock_now() + at_guc_request_expiry * USECS_PER_SEC;
	StringInfoData json;

	at_request_check_text("reason", reason);
	(void) find_kind(kind);
	initStringInfo(&json);
	appendStringInfoString(&json, "{\"kind\":");
	escape_json(&json, kind);
	appendStringInfo(&json, ",\"what\":%s,\"reason\":", what);
	escape_json(&json, reason);
	appendStringInfoString(&json, ",\"by\":");
	escape_json(&json, at_request_login());
	appendStringInfo(&json, ",\"by_oid\":%u,\"expires_at\":", GetAuthenticatedUserId());
	append_time(&json, expires_at);
	appendStringInfoChar(&json, '}');
	return at_control_append(control, AT_KIND_REQUEST, json.data);
}

/* read_requests(): all requests and what became of them */
Datum
at_read_requests(PG_FUNCTION_ARGS)
{
	Oid types[] = {TIMESTAMPTZOID};
	Datum values[] = {TimestampTzGetDatum(at_clock_now())};

	at_owner_query(fcinfo,
				   "SELECT log_index, kind, what, reason, by, sealed_at, expires_at, state, "
				   "decided_by, decided_at, note FROM (" REQUESTS
				   ") AS r (log_index, kind, what, reason, by, sealed_at, expires_at, state, "
				   "decided_by, decided_at, note, by_oid)",
				   lengthof(types), types, values);
	return (Datum) 0;
}

/* approve(request_id bigint, note text) */
Datum
at_approve(PG_FUNCTION_ARGS)
{
	decide(fcinfo, true);
	PG_RETURN_VOID();
}

/* refuse_request(request_id bigint, note text) */
Datum
at_refuse_request(PG_FUNCTION_ARGS)
{
	decide(fcinfo, false);
	PG_RETURN_VOID();
}

/* Decide: the record, and what is approved with it. */
static void
decide(FunctionCallInfo fcinfo, bool approve)
{
	char *note = text_to_cstring(PG_GETARG_TEXT_PP(1));
	StringInfoData json;
	AtControl control;
	Request request;

	(void) at_ledger_relid(AT_LEDGER_LOG_ENTRY);
	at_request_check_text("note", note);
	at_control_begin(&control);
	find_request(PG_GETARG_INT64(0), &request);
	check_state(&request);
	check_decider(&request, approve);

	initStringInfo(&json);
	appendStringInfo(&json, "{\"request\":" INT64_FORMAT ",\"by\":", request.request_id);
	escape_json(&json, at_request_login());
	appendStringInfo(&json, ",\"by_oid\":%u,\"note\":", GetAuthenticatedUserId());
	escape_json(&json, note);
	appendStringInfoChar(&json, '}');

	AtApproval approval = {
		.control = &control,
		.request_id = request.request_id,
		.what = request.what,
		.requested_by = request.by,
		.approved_by = at_request_login(),
		.approval_id =
			at_control_append(&control, approve ? AT_KIND_APPROVE : AT_KIND_REFUSE, json.data),
	};

	if (approve && request.kind->run != NULL)
		request.kind->run(&approval);
	at_control_end(&control);
}

static const AtRequestKind *
find_kind(const char *name)
{
	for (int i = 0; i < requests.count; i++)
		if (strcmp(requests.kind[i]->name, name) == 0)
			return requests.kind[i];
	ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					errmsg("requests of kind \"%s\" are not known", name),
					errdetail("A later version of audit_trail may know them."),
					errhint("SELECT request_id, kind, state FROM audit.request;")));
}

static void
find_request(int64 request_id, Request *request)
{
	static const char query[] =
		"SELECT pg_catalog.json_build_array(r.kind, r.what, r.by, r.by_oid, r.state)::text FROM "
		"(" REQUESTS ") AS r (log_index, kind, what, reason, by, sealed_at, expires_at, state, "
		"decided_by, decided_at, note, by_oid) WHERE r.log_index = $2";
	static const char part[] = "SELECT $1::json ->> $2";
	Oid types[] = {TIMESTAMPTZOID, INT8OID};
	Datum values[] = {TimestampTzGetDatum(at_clock_now()), Int64GetDatum(request_id)};
	char *row = at_owner_value(query, lengthof(types), types, values);
	Oid part_types[] = {TEXTOID, INT4OID};
	char *field[5];

	if (row == NULL)
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
						errmsg("there is no request " INT64_FORMAT, request_id),
						errhint("SELECT request_id, kind, what, state FROM audit.request;")));
	for (int i = 0; i < lengthof(field); i++)
	{
		Datum part_values[] = {CStringGetTextDatum(row), Int32GetDatum(i)};

		field[i] = at_owner_value(part, lengthof(part_types), part_types, part_values);
	}
	*request = (Request){.request_id = request_id,
						 .kind = find_kind(field[0]),
						 .what = field[1],
						 .by = field[2],
						 .by_oid = pg_strtoint64(field[3]),
						 .state = field[4]};
}

static void
check_state(const Request *request)
{
	if (strcmp(request->state, "open") == 0)
		return;
	ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					errmsg("request " INT64_FORMAT " is not open", request->request_id),
					errdetail("It is %s.", request->state),
					errhint("Have it made anew; see SELECT * FROM audit.request;")));
}

/* Who has asked may still take it back; everything else takes another. */
static void
check_decider(const Request *request, bool approve)
{
	bool is_own =
		GetAuthenticatedUserId() == request->by_oid || strcmp(at_request_login(), request->by) == 0;

	if (GetUserId() != GetAuthenticatedUserId())
		refuse(request,
			   psprintf("Role \"%s\" has logged in, and \"%s\" is acting.", at_request_login(),
						GetUserNameFromId(GetUserId(), false)),
			   "Decide in a session of your own, without SET ROLE, and not in a function that has "
			   "its owner's rights.");
	if (!is_own)
		check_approver(request);
	else if (approve)
		refuse(request, psprintf("Role \"%s\" has asked for it.", request->by),
			   "Somebody else must approve it.");
}

/* The login must be another one, independent of the first, and have the role. */
static void
check_approver(const Request *request)
{
	Oid types[] = {TEXTOID};
	Datum values[] = {CStringGetTextDatum(request->kind->approver)};
	char *role = at_owner_value("SELECT role FROM audit.role WHERE kind = $1", lengthof(types),
								types, values);
	Oid approvers = role != NULL ? get_role_oid(role, true) : InvalidOid;
	Oid asker = get_role_oid(request->by, true);
	Oid self = GetAuthenticatedUserId();

	if (!OidIsValid(approvers))
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("nobody can approve request " INT64_FORMAT, request->request_id),
						errdetail("There is no role of kind \"%s\".", request->kind->approver),
						errhint("SELECT * FROM audit.create_roles();")));
	if (!is_member_of_role_nosuper(self, approvers))
		refuse(request, psprintf("Role \"%s\" is no member of \"%s\".", at_request_login(), role),
			   "Superusers approve as members of that role or not at all.");
	if (OidIsValid(asker) &&
		(is_member_of_role_nosuper(self, asker) || is_member_of_role_nosuper(asker, self)))
		refuse(request,
			   psprintf("Of the roles \"%s\" and \"%s\" one is a member of the other.",
						at_request_login(), request->by),
			   "Two roles of which one can act as the other are not two persons.");
}

/* It is on record, whatever becomes of the transaction. */
static void
refuse(const Request *request, const char *detail, const char *hint)
{
	char *message =
		psprintf("request " INT64_FORMAT " cannot be decided by this role", request->request_id);

	at_attempt_tell(ERRCODE_AT_NOT_APPROVED, message,
					psprintf("request " INT64_FORMAT, request->request_id));
	ereport(ERROR, (errcode(ERRCODE_AT_NOT_APPROVED), errmsg_internal("%s", message),
					errdetail_internal("%s", detail), errhint("%s", hint)));
}
