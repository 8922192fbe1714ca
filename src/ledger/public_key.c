/*-------------------------------------------------------------------------
 * public_key.c
 *		The public keys of the log, which are entries of it.
 *
 * All of a payload is ASCII: it is hashed and read in every encoding alike.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "executor/spi.h"
#include "lib/stringinfo.h"
#include "utils/json.h"

#include "base/errors.h"
#include "core/base64.h"
#include "ledger/public_key.h"

static char *make_payload(const AtSigningKey *key, const AtPublicKey *last);

bool
at_public_key_last(AtPublicKey *key)
{
	return at_public_key_at(key, PG_INT64_MAX);
}

bool
at_public_key_at(AtPublicKey *key, uint64 size)
{
	char *sql = psprintf("SELECT pg_catalog.json_extract_path_text(payload, 'vkey') "
						 "FROM audit.log_entry WHERE kind OPERATOR(pg_catalog.=) '" AT_KIND_KEY
						 "' AND log_index OPERATOR(pg_catalog.<) " UINT64_FORMAT
						 " ORDER BY log_index DESC LIMIT 1",
						 size);
	bool found;

	SPI_connect();
	if (SPI_execute(sql, true, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not read the keys of the log");
	found = SPI_processed > 0;
	if (found)
	{
		char *vkey = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);

		if (vkey == NULL || at_key_read_public(key, at_text(vkey)) != AT_OK)
			ereport(ERROR, (errcode(ERRCODE_AT_INTEGRITY),
							errmsg("the last key in the audit log is no key"),
							errhint("SELECT * FROM audit.verify();")));
	}
	SPI_finish();
	return found;
}

void
at_public_key_check(const AtSigningKey *key, const AtPublicKey *last)
{
	const AtPublicKey *public_key = &key->key.public_key;
	AtError error;

	if (last == NULL || at_public_key_equal(public_key, last))
		return;
	if (strcmp(public_key->name, last->name) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_CONFIG_FILE_ERROR),
				 errmsg("the signing key \"%s\" is not for this log", public_key->name),
				 errdetail("The name of the key names the log, which is \"%s\".", last->name),
				 errhint("Name a key of that name in audit_trail.signing_key_file.")));
	if (key->endorsement[0] == '\0')
		return;
	error = at_endorsement_verify(at_text(key->endorsement), public_key, last);
	if (error != AT_OK)
		ereport(
			ERROR,
			(errcode(ERRCODE_CONFIG_FILE_ERROR),
			 errmsg("the signing key %08x was not endorsed by the key before it", public_key->id),
			 errdetail("That is %08x; of the endorsement in the file: %s.", last->id,
					   at_error_text(error)),
			 errhint("Make the new key while the old one is configured, or remove all but the "
					 "first line of the file: then the log shows that nothing vouches for "
					 "it.")));
}

void
at_public_key_append(AtLogHead *head, int32 incarnation, const AtSigningKey *key,
					 const AtPublicKey *last)
{
	at_log_append_control(head, incarnation, AT_KIND_KEY, NULL, make_payload(key, last));
}

/* {"vkey":...}, and of an endorsed key "endorsed_by", an id, and "endorsement", in base64. */
static char *
make_payload(const AtSigningKey *key, const AtPublicKey *last)
{
	char vkey[AT_PUBLIC_KEY_TEXT_MAX + 1];
	char endorsement[AT_BASE64_LEN(AT_ENDORSEMENT_MAX) + 1];
	AtWriter writer = at_writer(vkey, sizeof(vkey) - 1);
	StringInfoData json;

	at_key_write_public(&writer, &key->key.public_key);
	vkey[writer.len] = '\0';
	initStringInfo(&json);
	appendStringInfoString(&json, "{\"vkey\":");
	escape_json(&json, vkey);
	if (last != NULL && key->endorsement[0] != '\0')
	{
		writer = at_writer(endorsement, sizeof(endorsement) - 1);
		at_write_base64(&writer, key->endorsement, strlen(key->endorsement));
		endorsement[writer.len] = '\0';
		appendStringInfo(&json, ",\"endorsed_by\":\"%08x\",\"endorsement\":\"%s\"", last->id,
						 endorsement);
	}
	appendStringInfoChar(&json, '}');
	return json.data;
}
