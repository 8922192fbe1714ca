/*-------------------------------------------------------------------------
 * receive.c
 *		audit.receive_records(): records of a standby become events of this
 *		server, each once.
 *
 * A standby numbers its records. What it sends is a batch, whose records of one origin make
 * one transaction, in the order of the first of each. Each transaction says in audit.standby_stream
 *which batch it belongs to and how many of its groups are committed by it, and does so only if
 *nobody else has come further. So whatever became of a connection, a standby sends all again that
 *it does not know to be committed, and a transaction of a connection that it has given up already
 *is either counted or fails. What comes again may have more records behind it: those are the next
 *batch.
 *
 * Nothing that comes is trusted to be well-formed: it comes from a role that could say it itself.
 *It can tell of reads, refusals, sessions and privileges by the types of events that the server
 * records, and of no changes of rows; all of it says which standby, role and address it came from.
 *
 * Locks: the row of the stream, to the end of each transaction.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/snapmgr.h"

#include "base/catalog.h"
#include "base/compat.h"
#include "base/debug_point.h"
#include "base/errors.h"
#include "base/wire.h"
#include "ledger/context.h"
#include "ledger/event_type.h"
#include "ledger/owner_query.h"
#include "ledger/session.h"
#include "ledger/transaction.h"
#include "observe/receive.h"
#include "observe/record.h"

#define FORM_VERSION 1

/* Longest name of a standby that is kept. */
#define MAX_NAME 200

enum
{
	ARG_STREAM,
	ARG_STANDBY,
	ARG_RECORDS,
	ARGS
};

/* What came. */
typedef struct Receipt
{
	char *stream;
	char *standby;
	AtSessionFacts session; /* by which it came */
	AtRecord *record;
	int count;
	AtTarget target; /* of the event before */
} Receipt;

/* Some of it: a batch as it was sent first. */
typedef struct Part
{
	int from;
	int until;
	int groups; /* that are committed */
	int left;   /* records that are not */
} Part;

/* What of the server's own events may come: ops, and what they are about where it is no table. */
static const char ops[] = "LPRSV";
static const char *const resource_types[] = {
	"access", "attempt", "default_privileges", "function", "owner", "policy",
	"role",   "session", "privilege",          "setting",  "trail",
};

PG_FUNCTION_INFO_V1(at_receive_records);

static void check_call(FunctionCallInfo fcinfo);
static void read_records(Receipt *receipt, const bytea *bytes);
static void record_all(Receipt *receipt);
static void record_part(Receipt *receipt, Part *part);
static void record_group(Receipt *receipt, Part *part, int first);
static void check_record(const AtRecord *record);
static StringInfo make_extra(const Receipt *receipt, const AtRecord *record);
static void advance(const Receipt *receipt, const Part *part);
static void commit(bool durable);
pg_noreturn static void malformed(const char *detail);

void
at_receive_write(const AtRingBatch *batch, StringInfo out)
{
	AtRingRecord record;
	Size at = 0;

	at_wire_put_number(out, FORM_VERSION);
	while (at_ring_batch_next(batch, &at, &record))
	{
		at_wire_put_number(out, record.number);
		at_wire_put_number(out, record.len);
		appendBinaryStringInfo(out, record.data, record.len);
	}
}

Datum
at_receive_records(PG_FUNCTION_ARGS)
{
	Receipt receipt = {.count = 0};

	check_call(fcinfo);
	SPI_connect_ext(SPI_OPT_NONATOMIC);
	receipt.stream = DatumGetCString(DirectFunctionCall1(uuid_out, PG_GETARG_DATUM(ARG_STREAM)));
	receipt.standby = text_to_cstring(PG_GETARG_TEXT_PP(ARG_STANDBY));
	receipt.standby = at_context_clean_part(receipt.standby, strlen(receipt.standby), MAX_NAME);
	at_session_facts(&receipt.session);
	read_records(&receipt, PG_GETARG_BYTEA_PP(ARG_RECORDS));
	if (receipt.count > 0)
		record_all(&receipt);
	SPI_finish();
	PG_RETURN_VOID();
}

static void
check_call(FunctionCallInfo fcinfo)
{
	for (int i = 0; i < ARGS; i++)
		if (PG_ARGISNULL(i))
			ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
							errmsg("arguments of audit.receive_records() must not be null")));
	if (fcinfo->context == NULL || !IsA(fcinfo->context, CallContext) ||
		castNode(CallContext, fcinfo->context)->atomic)
		ereport(ERROR, (errcode(ERRCODE_INVALID_TRANSACTION_TERMINATION),
						errmsg("audit.receive_records() cannot run in a transaction block"),
						errdetail("It commits for each origin of the records.")));
	if (!at_incarnation_begun())
		ereport(ERROR, (errcode(ERRCODE_AT_NO_LEDGER),
						errmsg("there is no ledger that takes records of standbys"),
						errhint("SELECT audit.init();")));
}

static void
read_records(Receipt *receipt, const bytea *bytes)
{
	StringInfoData in = {.data = VARDATA_ANY(bytes), .len = VARSIZE_ANY_EXHDR(bytes)};
	bool valid = true;
	int room = 64;

	if (at_wire_get_number(&in, &valid) != FORM_VERSION || !valid)
		malformed("Their form is not one that this version knows.");
	receipt->record = palloc(sizeof(AtRecord) * room);
	while (in.cursor < in.len)
	{
		AtRingRecord ring = {.number = at_wire_get_number(&in, &valid)};
		int64 len = at_wire_get_number(&in, &valid);

		if (!valid || len <= 0 || len > AT_RING_MAX_RECORD || len > in.len - in.cursor)
			malformed("A record is longer than what came.");
		if (receipt->count > 0 && ring.number <= receipt->record[receipt->count - 1].ring.number)
			malformed("Their numbers do not grow.");
		ring.data = in.data + in.cursor;
		ring.len = len;
		in.cursor += len;
		if (receipt->count == room)
			receipt->record = repalloc(receipt->record, sizeof(AtRecord) * (room *= 2));
		if (!at_record_read(&ring, &receipt->record[receipt->count]))
			malformed("A record cannot be taken apart.");
		check_record(&receipt->record[receipt->count]);
		receipt->count++;
	}
}

/* Does it tell what only the server can have seen? */
static void
check_record(const AtRecord *record)
{
	const AtDispatch *dispatch = &record->dispatch;
	const char *type = dispatch->event_type;
	bool is_known = dispatch->target_id != 0 && dispatch->op == 'S';

	for (int i = 0; i < lengthof(resource_types) && !is_known; i++)
		is_known = dispatch->resource_type != NULL &&
				   strcmp(dispatch->resource_type, resource_types[i]) == 0;
	if (dispatch->op == '\0' || strchr(ops, dispatch->op) == NULL || !is_known)
		malformed("A record is about nothing that a standby can have observed.");
	if (type == NULL ? dispatch->op != 'S' || dispatch->target_id == 0
					 : at_event_type_find(type, strlen(type)) == NULL ||
						   !at_event_type_find(type, strlen(type))->reserved)
		malformed("A record is of no type of events that the server itself records.");
}

bool
at_receive_read_state(const char *stream, AtReceived *received)
{
	static const char query[] =
		"SELECT pg_catalog.format('%s %s %s %s', s.first, s.last, s.records, s.groups) "
		"FROM audit.standby_stream AS s WHERE s.stream = $1::pg_catalog.uuid";
	Oid types[] = {TEXTOID};
	Datum values[] = {CStringGetTextDatum(stream)};
	char *state = at_owner_value(query, lengthof(types), types, values);

	return state != NULL &&
		   sscanf(state, UINT64_FORMAT " " UINT64_FORMAT " %d %d", &received->first,
				  &received->last, &received->records, &received->groups) == 4;
}

/* What is a part of a batch that has come before is finished first. */
static void
record_all(Receipt *receipt)
{
	AtReceived received;
	Part former = {.from = 0, .until = 0};
	Part rest;

	if (at_receive_read_state(receipt->stream, &received))
	{
		while (former.until < receipt->count &&
			   receipt->record[former.until].ring.number <= received.last)
			former.until++;
		former.groups = received.groups;
		if (former.until > 0 &&
			(receipt->record[0].ring.number != received.first || former.until != received.records))
			malformed("They are other records than those that came under these numbers before.");
	}
	record_part(receipt, &former);
	rest = (Part){.from = former.until, .until = receipt->count};
	record_part(receipt, &rest);
}

static void
record_part(Receipt *receipt, Part *part)
{
	int committed = part->groups;

	part->left = part->until - part->from;
	part->groups = 0;
	for (int i = part->from; i < part->until; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (receipt->record[i].taken)
			continue;
		part->groups++;
		part->left -= at_record_take_group(receipt->record, i, part->until, part->groups);
		if (part->groups > committed)
			record_group(receipt, part, i);
	}
}

/* Which group it is, and of which batch, is said first: then the settings are those of the session
 * while events are written. */
static void
record_group(Receipt *receipt, Part *part, int first)
{
	AtOrigin *origin = receipt->record[first].origin;

	PushActiveSnapshot(GetTransactionSnapshot());
	advance(receipt, part);
	at_record_clean_origin(origin);
	origin->session_id = 0; /* no session of this server's */
	at_transaction_act_for(origin);
	for (int i = first; i < part->until; i++)
		if (receipt->record[i].group == part->groups)
			at_record_append(&receipt->record[i], &receipt->target,
							 make_extra(receipt, &receipt->record[i]));
	at_debug_point("receive-before-commit");
	PopActiveSnapshot();
	commit(part->left == 0);
	at_debug_point("receive-after-commit");
}

/* Whence it came. */
static StringInfo
make_extra(const Receipt *receipt, const AtRecord *record)
{
	StringInfo extra = makeStringInfo();
	StringInfoData standby;

	initStringInfo(&standby);
	at_member_text(&standby, "name", receipt->standby);
	at_member_text(&standby, "stream", receipt->stream);
	at_member_number(&standby, "number", record->ring.number);
	at_member_text(&standby, "sent_by", receipt->session.login_user);
	at_member_text(&standby, "sent_from", receipt->session.client_addr);
	at_member_json(extra, "standby", psprintf("{%s}", standby.data));
	return extra;
}

/* Nobody else may have come as far as this. */
static void
advance(const Receipt *receipt, const Part *part)
{
	static const char begin[] =
		"INSERT INTO audit.standby_stream AS s "
		"(stream, standby, first, last, records, groups, received_at) VALUES "
		"($1::pg_catalog.uuid, $2, $3, $4, $5, $6, pg_catalog.clock_timestamp()) "
		"ON CONFLICT (stream) DO UPDATE SET standby = excluded.standby, first = excluded.first, "
		"last = excluded.last, records = excluded.records, groups = excluded.groups, "
		"received_at = excluded.received_at WHERE s.last < excluded.first";
	static const char go_on[] =
		"UPDATE audit.standby_stream AS s SET groups = $6, standby = $2, "
		"received_at = pg_catalog.clock_timestamp() WHERE s.stream = $1::pg_catalog.uuid AND "
		"s.first = $3 AND s.last = $4 AND s.records = $5 AND s.groups = $6 - 1";
	Oid types[] = {TEXTOID, TEXTOID, INT8OID, INT8OID, INT4OID, INT4OID};
	Datum values[] = {
		CStringGetTextDatum(receipt->stream),
		CStringGetTextDatum(receipt->standby),
		Int64GetDatum(receipt->record[part->from].ring.number),
		Int64GetDatum(receipt->record[part->until - 1].ring.number),
		Int32GetDatum(part->until - part->from),
		Int32GetDatum(part->groups),
	};

	if (at_owner_execute(part->groups == 1 ? begin : go_on, lengthof(types), types, values) != 1)
		ereport(ERROR, (errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
						errmsg("records of standby \"%s\" are being received by another session",
							   receipt->standby),
						errhint("They are sent again.")));
}

/* The last transaction of a batch waits for the disk, which has the others then too. */
static void
commit(bool durable)
{
	volatile int configured = synchronous_commit;

	PG_TRY();
	{
		if (!durable)
			synchronous_commit = SYNCHRONOUS_COMMIT_OFF;
		else if (configured < SYNCHRONOUS_COMMIT_LOCAL_FLUSH)
			synchronous_commit = SYNCHRONOUS_COMMIT_LOCAL_FLUSH;
		SPI_commit();
	}
	PG_FINALLY();
	{
		synchronous_commit = configured;
	}
	PG_END_TRY();
}

static void
malformed(const char *detail)
{
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("these are no records of a standby"), errdetail_internal("%s", detail)));
}
