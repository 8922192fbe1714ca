/*-------------------------------------------------------------------------
 * attempt.c
 *		Attempts that are refused, on their way to the collector.
 *
 * A record is made of bounded parts: names have NAMEDATALEN, values of the
 * context AT_MAX_CONTEXT_LENGTH, the text of the command what is left.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xlog.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "base/catalog.h"
#include "base/ring.h"
#include "base/wire.h"
#include "core/redact.h"
#include "ledger/attempt.h"
#include "ledger/context.h"
#include "ledger/statement.h"

/* Longest message, and longest name of an object. */
#define MAX_MESSAGE 1000

static void write_attempt(const char *message, int sqlstate, const char *object, StringInfo out);
static void write_command(StringInfo out);

void
at_attempt_tell(int sqlstate, const char *message, const char *object)
{
	MemoryContext context;
	MemoryContext save;
	StringInfoData record;
	AtOrigin origin;

	if (!at_ring_ready() || RecoveryInProgress() || !at_incarnation_begun())
		return;
	context =
		AllocSetContextCreate(CurrentMemoryContext, "audit_trail attempt", ALLOCSET_SMALL_SIZES);
	save = MemoryContextSwitchTo(context);

	at_origin_now(&origin);
	initStringInfo(&record);
	at_origin_write(&origin, &record);
	write_attempt(message, sqlstate, object, &record);
	if (!at_ring_put(record.data, record.len))
		ereport(LOG, (errmsg("could not record a refused attempt: the collector has not kept up"),
					  errdetail("%s", message)));

	MemoryContextSwitchTo(save);
	MemoryContextDelete(context);
}

/* A copy that is not too long, cut between characters; NULL stays NULL. */
static char *
cut(const char *text)
{
	return text != NULL ? at_context_clean_part(text, strlen(text), MAX_MESSAGE) : NULL;
}

void
at_attempt_begin_read(StringInfo record, const char *object)
{
	AtOrigin origin;

	at_origin_now(&origin);
	initStringInfo(record);
	at_origin_write(&origin, record);
	write_attempt(NULL, 0, object, record);
	record->len -= sizeof(int64); /* the rows, for which there is room now */
}

void
at_attempt_end_read(StringInfo record, int64 rows)
{
	at_wire_put_number(record, rows);
	if (!at_ring_put(record->data, record->len))
		ereport(LOG, (errmsg("could not record a read of the audit trail: the collector has not "
							 "kept up")));
}

static void
write_attempt(const char *message, int sqlstate, const char *object, StringInfo out)
{
	at_wire_put_number(out, GetCurrentTimestamp());
	at_wire_put_number(out, sqlstate);
	at_wire_put_text(out, cut(message));
	at_wire_put_text(out, cut(object));
	at_wire_put_text(out, at_statement_tag());
	write_command(out);
	at_wire_put_number(out, 0); /* rows */
}

/* Secrets go before the text is cut: a word that tells of them may stand behind. */
static void
write_command(StringInfo out)
{
	int len = 0;
	const char *text = at_statement_text(&len);
	int64 bytes = len;

	if (text != NULL && at_mentions_secret(text, len))
	{
		char *left = palloc_extended(at_redact_size(len), MCXT_ALLOC_HUGE);

		len = at_redact(text, len, left);
		text = left;
	}
	at_wire_put_text(out,
					 text != NULL ? at_context_clean_part(text, len, AT_MAX_ATTEMPT_TEXT) : NULL);
	at_wire_put_number(out, bytes);
}

bool
at_attempt_read(const char *record, int len, AtOrigin *origin, int *origin_len, AtAttempt *attempt)
{
	StringInfoData in = {.data = (char *) record, .len = len, .maxlen = len};
	bool valid = at_origin_read(origin, &in);

	*origin_len = in.cursor;
	attempt->at = at_wire_get_number(&in, &valid);
	attempt->sqlstate = at_wire_get_number(&in, &valid);
	attempt->message = at_wire_get_text(&in, &valid);
	attempt->object = at_wire_get_text(&in, &valid);
	attempt->command = at_wire_get_text(&in, &valid);
	attempt->text = at_wire_get_text(&in, &valid);
	attempt->text_bytes = at_wire_get_number(&in, &valid);
	attempt->rows = at_wire_get_number(&in, &valid);
	return valid;
}
