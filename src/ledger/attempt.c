/*-------------------------------------------------------------------------
 * attempt.c
 *		Attempts that are refused, on their way to the collector.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "tcop/pquery.h"
#include "tcop/tcopprot.h"
#include "utils/memutils.h"

#include "base/catalog.h"
#include "base/ring.h"
#include "ledger/attempt.h"
#include "ledger/context.h"
#include "ledger/dispatch.h"
#include "ledger/statement.h"

/* Longest message, and longest name of an object. */
#define MAX_MESSAGE 1000

/* What was refused or read. */
typedef struct Attempt
{
	int sqlstate;
	const char *message; /* NULL: it was no error, but a read */
	const char *object;
	bool without_literals;
	const char *details; /* more members */
} Attempt;

static char *cut(const char *text);
static char *make_values(const Attempt *attempt);
static void append_statement(bool without_literals, StringInfo values);

/* Tell it in memory of its own, which goes with it. */
static void
tell(const Attempt *attempt, AtDispatch *dispatch, void (*send)(const AtDispatch *))
{
	MemoryContext context;
	MemoryContext save;

	if (!at_ring_ready() || !at_incarnation_begun())
		return;
	context =
		AllocSetContextCreate(CurrentMemoryContext, "audit_trail attempt", ALLOCSET_SMALL_SIZES);
	save = MemoryContextSwitchTo(context);
	dispatch->op = 'R';
	dispatch->resource_type = "attempt";
	dispatch->values = make_values(attempt);
	dispatch->rows = -1;
	send(dispatch);
	MemoryContextSwitchTo(save);
	MemoryContextDelete(context);
}

void
at_attempt_tell(int sqlstate, const char *message, const char *object)
{
	Attempt attempt = {.sqlstate = sqlstate, .message = message, .object = object};
	AtDispatch dispatch = {.event_type = "audit.refused"};

	tell(&attempt, &dispatch, at_dispatch_send);
}

void
at_attempt_deny(const char *message, const char *object, int32 target_id)
{
	Attempt attempt = {
		.sqlstate = ERRCODE_INSUFFICIENT_PRIVILEGE,
		.message = message,
		.object = object,
		.without_literals = true,
	};
	AtDispatch dispatch = {.event_type = "access.denied", .target_id = target_id};

	tell(&attempt, &dispatch, at_dispatch_send);
}

void
at_attempt_refuse_read(int sqlstate, const char *message, const char *object, int32 target_id)
{
	Attempt attempt = {
		.sqlstate = sqlstate,
		.message = message,
		.object = object,
		.without_literals = true,
	};
	AtDispatch dispatch = {.event_type = "audit.refused", .target_id = target_id};

	tell(&attempt, &dispatch, at_dispatch_send_at_once);
}

void
at_attempt_block(int sqlstate, const char *message, int32 target_id, const char *record_key,
				 const char *details)
{
	Attempt attempt = {
		.sqlstate = sqlstate,
		.message = message,
		.without_literals = true,
		.details = details,
	};
	AtDispatch dispatch = {
		.event_type = AT_CHANGE_BLOCKED,
		.target_id = target_id,
		.record_key = (char *) record_key,
	};

	tell(&attempt, &dispatch, at_dispatch_send);
}

void
at_attempt_begin_read(StringInfo record, const char *object)
{
	Attempt attempt = {.object = object};
	AtDispatch dispatch = {
		.op = 'V',
		.event_type = "audit.read",
		.resource_type = "trail",
		.values = make_values(&attempt),
	};
	AtOrigin origin;

	at_origin_now(&origin);
	at_dispatch_begin(record, &origin, &dispatch);
}

/* A copy that is not too long, cut between characters; NULL stays NULL. */
static char *
cut(const char *text)
{
	return text != NULL ? at_context_clean_part(text, strlen(text), MAX_MESSAGE) : NULL;
}

static char *
make_values(const Attempt *attempt)
{
	StringInfoData values;

	initStringInfo(&values);
	if (attempt->message != NULL)
		at_member_text(&values, "sqlstate", unpack_sql_state(attempt->sqlstate));
	at_member_text(&values, "message", cut(attempt->message));
	at_member_text(&values, "object", cut(attempt->object));
	at_attempt_append_command(&values, true, attempt->without_literals);
	if (attempt->details != NULL)
		appendStringInfo(&values, ",%s", attempt->details);
	return values.data;
}

void
at_attempt_append_command(StringInfo values, bool with_text, bool without_literals)
{
	at_member_text(values, "command", at_statement_tag());
	if (with_text)
		append_statement(without_literals, values);
}

/* Secrets go before the text is cut: a word that tells of them may stand behind. */
static void
append_statement(bool without_literals, StringInfo values)
{
	int len = 0;
	const char *text = at_statement_text(&len);
	int64 bytes;

	/* while the client's string is parsed and planned there is no command yet */
	if (text == NULL && without_literals && ActivePortal == NULL && debug_query_string != NULL)
	{
		text = debug_query_string;
		len = strlen(text);
	}
	if (text == NULL)
		return;
	bytes = len;
	text = at_statement_shown(text, &len, without_literals);
	at_member_text(values, "statement", at_context_clean_part(text, len, AT_MAX_DISPATCH_TEXT));
	if (bytes > AT_MAX_DISPATCH_TEXT)
		at_member_number(values, "statement_bytes", bytes);
}
