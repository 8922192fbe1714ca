/*-------------------------------------------------------------------------
 * attach.c
 *		audit.attach_archive(), audit.detach_archive() and
 *		audit.verify_attached(): archives of other servers, to be read here.
 *
 * An archive is verified as contrib/audit_verify does it, against a public key that the caller
 * gives; what comes with the archive is not asked. Who reads it later has only to see that
 * the files are the same: by the digest of their checksums.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_authid.h"
#include "catalog/pg_type_d.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "base/compat.h"
#include "base/errors.h"
#include "ledger/datum.h"
#include "ledger/owner_query.h"
#include "query/attached.h"

#define CHECKPOINT     "checkpoint"
#define CHECKPOINT_MAX (64 * 1024)

/* An archive, as it verifies. */
typedef struct Verified
{
	AtText note;
	AtCheckpoint checkpoint; /* its strings point into the note */
	AtArchive archive;
	AtHash digest;
	uint64 segments;
	int64 first_tx_at; /* microseconds since 1970; 0 without any */
	int64 last_tx_at;
} Verified;

PG_FUNCTION_INFO_V1(at_attach_archive);
PG_FUNCTION_INFO_V1(at_detach_archive);
PG_FUNCTION_INFO_V1(at_verify_attached);

static char *check_directory(const char *directory);
static void read_key(AtPublicKey *key, const char *text);
static const char *verify(const char *directory, const AtPublicKey *key, Verified *verified);
static const char *verify_segments(const char *directory, Verified *verified);
static void keep(const char *name, const char *directory, const char *key,
				 const Verified *verified);

/* attach_archive(name, directory, key): (origin, size, segments, events, transactions) */
Datum
at_attach_archive(PG_FUNCTION_ARGS)
{
	char *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	char *directory = check_directory(text_to_cstring(PG_GETARG_TEXT_PP(1)));
	char *key_text = text_to_cstring(PG_GETARG_TEXT_PP(2));
	Verified *verified = palloc0(sizeof(Verified));
	AtPublicKey key;
	const char *why;
	TupleDesc desc;
	Datum values[5];
	bool nulls[5] = {false};

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	read_key(&key, key_text);
	why = verify(directory, &key, verified);
	if (why != NULL)
		ereport(ERROR, (errcode(ERRCODE_AT_INTEGRITY),
						errmsg("archive \"%s\" cannot be attached", directory),
						errdetail_internal("%s", why),
						errhint("Ask whoever gave it to you for it again, and for the public key "
								"of its log on another way.")));
	keep(name, directory, key_text, verified);
	values[0] = PointerGetDatum(cstring_to_text_with_len(verified->checkpoint.origin.data,
														 verified->checkpoint.origin.len));
	values[1] = Int64GetDatum(verified->checkpoint.size);
	values[2] = Int64GetDatum(verified->segments);
	values[3] = Int64GetDatum(verified->archive.events);
	values[4] = Int64GetDatum(verified->archive.transactions);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}

/* As for COPY from a file. */
static char *
check_directory(const char *directory)
{
	char *canonical = pstrdup(directory);

	if (!has_privs_of_role(GetUserId(), ROLE_PG_READ_SERVER_FILES))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("must be superuser or have privileges of the pg_read_server_files role to "
						"attach an archive"),
				 errdetail("It is read from files of the server."),
				 errhint("Ask somebody who has them.")));
	canonicalize_path(canonical);
	if (!is_absolute_path(canonical))
		ereport(ERROR, (errcode(ERRCODE_INVALID_NAME),
						errmsg("relative path \"%s\" not allowed for an archive", directory),
						errdetail("The server would look for it in its data directory."),
						errhint("Name an absolute path.")));
	return canonical;
}

static void
read_key(AtPublicKey *key, const char *text)
{
	AtError error = at_key_read_public(key, at_text(text));

	if (error != AT_OK)
		ereport(
			ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("\"%s\" is not the public key of a log", text),
			 errdetail("%s.", at_error_text(error)),
			 errhint("It is what audit.create_signing_key() returned there, as "
					 "example.org/shop+9dbc11ef+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4.")));
}

/* The checkpoint is believed for its signature, and the rest for giving its root. */
static const char *
verify(const char *directory, const AtPublicKey *key, Verified *verified)
{
	const char *why = at_attached_file(directory, CHECKPOINT, CHECKPOINT_MAX, &verified->note);
	AtError error;
	AtHash root;

	if (why != NULL)
		return why;
	error = at_checkpoint_open(&verified->checkpoint, verified->note, &(AtTrust){.log_key = key});
	if (error != AT_OK)
		return psprintf("Of its checkpoint: %s.", at_error_text(error));
	why = verify_segments(directory, verified);
	if (why != NULL)
		return why;
	if (!at_merkle_root(&verified->archive.log, &root))
		at_hash_failed();
	if (verified->archive.log.size != verified->checkpoint.size ||
		memcmp(&root, &verified->checkpoint.root, sizeof(root)) != 0)
		return psprintf("Its " UINT64_FORMAT " entries do not give the root that was signed.",
						(uint64) verified->archive.log.size);
	if (verified->archive.broken > 0)
		return psprintf(UINT64_FORMAT " transactions contradict themselves or lack their session, "
									  "the first is " UINT64_FORMAT ".",
						(uint64) verified->archive.broken, (uint64) verified->archive.first_broken);
	return NULL;
}

static const char *
verify_segments(const char *directory, Verified *verified)
{
	AtAttachedWalk walk;
	AtText content;
	bool found;
	const char *why;

	at_archive_init(&verified->archive);
	at_attached_begin(&walk, directory, verified->checkpoint.size);
	while ((why = at_attached_next(&walk, &found)) == NULL && found)
	{
		const AtSegment *segment = &walk.segment;
		AtError error;

		why = at_attached_unpack(&walk, &content);
		if (why != NULL)
			break;
		error = at_archive_read(&verified->archive, segment, content);
		if (error != AT_OK)
		{
			why = psprintf("Of file \"%s\", at leaf " UINT64_FORMAT " of entry " UINT64_FORMAT
						   ": %s.",
						   walk.path, (uint64) verified->archive.place.leaf,
						   (uint64) verified->archive.place.log_index, at_error_text(error));
			break;
		}
		verified->segments++;
		if (segment->events + segment->transactions == 0)
			continue;
		if (verified->first_tx_at == 0 || segment->first_tx_at < verified->first_tx_at)
			verified->first_tx_at = segment->first_tx_at;
		verified->last_tx_at = Max(verified->last_tx_at, segment->last_tx_at);
	}
	verified->digest = walk.digest;
	at_attached_end(&walk);
	return why;
}

/* Remember it, by its name. */
static void
keep(const char *name, const char *directory, const char *key, const Verified *verified)
{
	static const char insert[] =
		"INSERT INTO audit.attached_archive (name, directory, public_key, origin, log_id, size, "
		"root, segments, events, transactions, first_tx_at, last_tx_at, digest, attached_by, "
		"attached_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, "
		"pg_catalog.to_timestamp($11 / 1000000.0), pg_catalog.to_timestamp($12 / 1000000.0), $13, "
		"session_user, pg_catalog.statement_timestamp())";
	Oid types[] = {TEXTOID, TEXTOID, TEXTOID, TEXTOID, BYTEAOID, INT8OID, BYTEAOID,
				   INT8OID, INT8OID, INT8OID, INT8OID, INT8OID,  BYTEAOID};
	Datum values[] = {
		CStringGetTextDatum(name),
		CStringGetTextDatum(directory),
		CStringGetTextDatum(key),
		PointerGetDatum(cstring_to_text_with_len(verified->checkpoint.origin.data,
												 verified->checkpoint.origin.len)),
		at_bytea_datum(verified->archive.log_id, AT_LOG_ID_LEN),
		Int64GetDatum(verified->checkpoint.size),
		at_bytea_datum(&verified->checkpoint.root, AT_HASH_LEN),
		Int64GetDatum(verified->segments),
		Int64GetDatum(verified->archive.events),
		Int64GetDatum(verified->archive.transactions),
		Int64GetDatum(verified->first_tx_at),
		Int64GetDatum(verified->last_tx_at),
		at_bytea_datum(&verified->digest, AT_HASH_LEN),
	};

	(void) at_owner_execute(insert, lengthof(types), types, values);
}

pg_noreturn static void
unknown(const char *name)
{
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT), errmsg("no archive \"%s\" is attached", name),
			 errhint("SELECT * FROM audit.attached_archive;")));
}

/* detach_archive(name): its files stay */
Datum
at_detach_archive(PG_FUNCTION_ARGS)
{
	Oid types[] = {TEXTOID};
	Datum values[] = {PG_GETARG_DATUM(0)};

	if (at_owner_execute("DELETE FROM audit.attached_archive WHERE name = $1", 1, types, values) ==
		0)
		unknown(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	PG_RETURN_VOID();
}

static char *
column_of(const char *name, const char *column)
{
	Oid types[] = {TEXTOID};
	Datum values[] = {CStringGetTextDatum(name)};
	char *value = at_owner_value(
		psprintf("SELECT a.%s::text FROM audit.attached_archive AS a WHERE a.name = $1", column), 1,
		types, values);

	if (value == NULL)
		unknown(name);
	return value;
}

/* verify_attached(name): what is wrong with it, in words; null for nothing */
Datum
at_verify_attached(PG_FUNCTION_ARGS)
{
	char *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	Verified *verified = palloc0(sizeof(Verified));
	AtPublicKey key;
	const char *why;

	read_key(&key, column_of(name, "public_key"));
	why = verify(column_of(name, "directory"), &key, verified);
	if (why != NULL)
		PG_RETURN_TEXT_P(cstring_to_text(why));
	if (strtoull(column_of(name, "size"), NULL, 10) != verified->checkpoint.size)
		PG_RETURN_TEXT_P(cstring_to_text("It is valid, and another one than was attached: detach "
										 "and attach it."));
	PG_RETURN_NULL();
}
