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
#include "base/guc.h"
#include "capture/conceal.h"
#include "ledger/secret.h"
#include "ledger/subject_key.h"
#include "ledger/datum.h"

/* A value on its way from the renderer. */
typedef struct Concealed
{
	const AtColumn *column;
	const AtPersonal *personal;
	StringInfo out;
} Concealed;

static void append_hash(const char *data, int len, bool quote, void *arg);
static void append_personal(const char *data, int len, bool quote, void *arg);
static void append_sealed(Concealed *concealed, const char *data, int len, bool quote);
static AtHash commit(const uint8 *secret, const AtPersonal *personal, AtSpan column,
					 const char *text, int len);
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
			at_render_whole(column, value, append_personal, &concealed);
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

/* Under the person's key, if there is one: to destroy that is to destroy the value. */
static void
append_personal(const char *data, int len, bool quote, void *arg)
{
	Concealed *concealed = arg;
	AtSpan name = at_span_of(concealed->column->name);

	if (at_subject_keys_used() && concealed->personal->subject.data != NULL)
		append_sealed(concealed, data, len, quote);
	else
		appendStringInfo(concealed->out, "\"%s\"",
						 at_conceal_commit(concealed->personal, name, data, len));
}

/* What is too long to be recorded as it is leaves its commitment alone. */
static void
append_sealed(Concealed *concealed, const char *data, int len, bool quote)
{
	const AtSubjectKey *key = at_subject_key_of(concealed->personal->subject);
	AtSpan column = at_span_of(concealed->column->name);
	AtHash commitment = commit(key->key, concealed->personal, column, data, len);
	int sealed_len = len > (int64) at_guc_max_value_size * 1024 ? 0 : 1 + len + AT_SEALED_MORE;
	uint8 *sealed = palloc(sealed_len);
	AtWriter writer = at_writer(palloc(AT_PERSONAL_LEN(sealed_len)), AT_PERSONAL_LEN(sealed_len));

	if (sealed_len > 0)
	{
		char *plain = palloc(1 + len);

		plain[0] = quote;
		memcpy(plain + 1, data, len);
		if (!at_subject_seal(key->key, column, plain, 1 + len, sealed))
			at_hash_failed();
	}
	at_personal_write(&writer, key->name, &commitment, sealed, sealed_len);
	appendStringInfo(concealed->out, "\"%.*s\"", (int) writer.len, writer.data);
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
	AtHash digest = commit(at_secret_get()->key, personal, column, text, len);

	return name_digest(AT_COMMITMENT_PREFIX, &digest);
}

bool
at_conceal_is_personal(const AtPersonal *personal, AtSpan column, const AtPersonalText *recorded,
					   const char *text, int len)
{
	const AtSubjectKey *key = at_subject_key_named(recorded->name);
	AtHash digest;

	if (key->state != AT_KEY_FOUND)
		ereport(
			ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("the key that the value was recorded with is not there"),
			 key->state == AT_KEY_DESTROYED
				 ? errdetail("It was destroyed: the person was erased.")
				 : errdetail("It is not in the directory that audit_trail.subject_key_directory "
							 "names.")));
	digest = commit(key->key, personal, column, text, len);
	return memcmp(&digest, &recorded->commitment, AT_HASH_LEN) == 0;
}

static AtHash
commit(const uint8 *secret, const AtPersonal *personal, AtSpan column, const char *text, int len)
{
	AtCommitmentPlace place = {
		.log_id = at_log_id(),
		.nonce = personal->nonce,
		.side = personal->side,
		.subject = personal->subject,
		.column = column,
	};
	AtHash digest;

	if (!at_commitment(secret, &place, text, len, &digest))
		at_hash_failed();
	return digest;
}

static char *
name_digest(const char *prefix, const AtHash *digest)
{
	char hex[2 * AT_HASH_LEN + 1];

	hex[hex_encode((const char *) digest->bytes, AT_HASH_LEN, hex)] = '\0';
	return psprintf("%s%s:%s", prefix, at_secret_get()->id, hex);
}
