/*-------------------------------------------------------------------------
 * conceal.c
 *		What stands in recorded values for one that nobody is to read.
 *
 * A commitment is salted by a nonce that is drawn for its event and stored
 * with it, and not by the name of the event: that is not known before the
 * values are written, since an output function may record events itself.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/builtins.h"

#include "base/catalog.h"
#include "capture/conceal.h"
#include "capture/secret.h"
#include "ledger/datum.h"

/* A value on its way from the renderer. */
typedef struct Concealed
{
	const AtColumn *column;
	const AtPersonal *personal;
	StringInfo out;
} Concealed;

static void append_hash(const char *data, int len, bool quote, void *arg);
static void append_commitment(const char *data, int len, bool quote, void *arg);
static char *name_digest(const char *prefix, const AtHash *digest);

void
at_conceal(AtColumn *column, Datum value, AtPersonal *personal, StringInfo out)
{
	Concealed concealed = {.column = column, .personal = personal, .out = out};

	switch (column->treatment)
	{
		case AT_MASKED:
			appendStringInfoString(out, "\"" AT_MASK "\"");
			break;
		case AT_HASHED:
			at_render_whole(column, value, append_hash, &concealed);
			break;
		case AT_PERSONAL:
			if (!personal->drawn && !pg_strong_random(personal->nonce, AT_NONCE_LEN))
				ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR),
								errmsg("could not draw a random number for a commitment")));
			personal->drawn = true;
			at_render_whole(column, value, append_commitment, &concealed);
			break;
		default:
			elog(ERROR, "column \"%s\" is not concealed", column->name);
	}
}

static void
append_hash(const char *data, int len, bool quote, void *arg)
{
	Concealed *concealed = arg;

	appendStringInfo(concealed->out, "\"%s\"", at_conceal_hash(data, len));
}

static void
append_commitment(const char *data, int len, bool quote, void *arg)
{
	Concealed *concealed = arg;
	AtSpan name = at_span_of(concealed->column->name);

	appendStringInfo(concealed->out, "\"%s\"",
					 at_conceal_commit(concealed->personal, name, data, len));
}

char *
at_conceal_hash(const char *text, int len)
{
	AtHash digest;

	if (!at_keyed_hash(at_secret_get()->key, text, len, &digest))
		at_hash_failed();
	return name_digest(AT_HASH_PREFIX, &digest);
}

char *
at_conceal_commit(const AtPersonal *personal, AtSpan column, const char *text, int len)
{
	AtCommitmentPlace place = {
		.log_id = at_log_id(),
		.nonce = personal->nonce,
		.side = personal->side,
		.subject = personal->subject,
		.column = column,
	};
	AtHash digest;

	if (!at_commitment(at_secret_get()->key, &place, text, len, &digest))
		at_hash_failed();
	return name_digest(AT_COMMITMENT_PREFIX, &digest);
}

static char *
name_digest(const char *prefix, const AtHash *digest)
{
	char hex[2 * AT_HASH_LEN + 1];

	hex[hex_encode((const char *) digest->bytes, AT_HASH_LEN, hex)] = '\0';
	return psprintf("%s%s:%s", prefix, at_secret_get()->id, hex);
}
