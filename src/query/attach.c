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

#include <sys/stat.h>

#include "catalog/pg_authid.h"
#include "catalog/pg_type_d.h"
#include "common/string.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "base/compat.h"
#include "base/errors.h"
#include "ledger/cold_file.h"
#include "ledger/datum.h"
#include "ledger/owner_query.h"
#include "query/attached.h"
#include "query/attached_cold.h"
#include "query/attached_index.h"

#define CHECKPOINT     "checkpoint"
#define CHECKPOINT_MAX (64 * 1024)

/* Where the files are. */
typedef struct Files
{
	char *directory;
	List *segments; /* names of files of cold segments; NIL: it is an archive */
} Files;

/* What was verified; times are microseconds since 1970. */
typedef struct Verified
{
	char *origin;
	uint8 log_id[AT_LOG_ID_LEN];
	uint64 size;
	AtHash root;
	AtHash digest;
	uint64 segments;
	uint64 events;
	uint64 transactions;
	int64 first_tx_at; /* 0 without any */
	int64 last_tx_at;
} Verified;

PG_FUNCTION_INFO_V1(at_attach_archive);
PG_FUNCTION_INFO_V1(at_detach_archive);
PG_FUNCTION_INFO_V1(at_verify_attached);

static char *check_directory(const char *directory);
static void find_files(Files *files, char *path);
static void read_key(AtPublicKey *key, const char *text);
static const char *verify(const Files *files, const AtPublicKey *key, Verified *verified,
						  AtAttachedIndex *index);
static const char *verify_archive(const char *directory, const AtPublicKey *key, Verified *verified,
								  AtAttachedIndex *index);
static const char *verify_segments(const char *directory, uint64 size, AtArchive *archive,
								   Verified *verified, AtAttachedIndex *index);
static void note_items(AtAttachedIndex *index, const AtAttachedWalk *walk, AtText content);
static const char *verify_cold(const Files *files, const AtPublicKey *key, Verified *verified,
							   AtAttachedIndex *index);
static void keep(const char *name, const Files *files, const char *key, const Verified *verified);
static Files *files_of(const char *name);

/* attach_archive(name, directory, key): (origin, size, segments, events, transactions) */
Datum
at_attach_archive(PG_FUNCTION_ARGS)
{
	char *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	char *path = check_directory(text_to_cstring(PG_GETARG_TEXT_PP(1)));
	char *key_text = text_to_cstring(PG_GETARG_TEXT_PP(2));
	Verified *verified = palloc0(sizeof(Verified));
	AtAttachedIndex *index = at_attached_index_open(name);
	Files files;
	AtPublicKey key;
	const char *why;
	TupleDesc desc;
	Datum values[5];
	bool nulls[5] = {false};

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	read_key(&key, key_text);
	find_files(&files, path);
	why = verify(&files, &key, verified, index);
	if (why != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_AT_INTEGRITY), errmsg("archive \"%s\" cannot be attached", path),
				 errdetail_internal("%s", why),
				 errhint("Ask whoever gave it to you for it again, and for the public key "
						 "of its log on another way.")));
	at_attached_index_close(index);
	keep(name, &files, key_text, verified);
	values[0] = CStringGetTextDatum(verified->origin);
	values[1] = Int64GetDatum(verified->size);
	values[2] = Int64GetDatum(verified->segments);
	values[3] = Int64GetDatum(verified->events);
	values[4] = Int64GetDatum(verified->transactions);
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

/* A file of cold segments, or a directory with such, or else the directory of an archive. */
static void
find_files(Files *files, char *path)
{
	struct stat status;

	files->directory = path;
	files->segments = NIL;
	if (stat(path, &status) != 0)
		return;
	if (S_ISREG(status.st_mode) && pg_str_endswith(path, AT_COLD_FILE_END))
	{
		files->directory = pstrdup(path);
		files->segments = list_make1(pstrdup(strrchr(path, '/') + 1));
		get_parent_directory(files->directory);
	}
	else if (S_ISDIR(status.st_mode) && stat(psprintf("%s/" CHECKPOINT, path), &status) != 0)
		files->segments = at_attached_cold_list(path);
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

static const char *
verify(const Files *files, const AtPublicKey *key, Verified *verified, AtAttachedIndex *index)
{
	return files->segments != NIL ? verify_cold(files, key, verified, index)
								  : verify_archive(files->directory, key, verified, index);
}

/* The checkpoint is believed for its signature, and the rest for giving its root. */
static const char *
verify_archive(const char *directory, const AtPublicKey *key, Verified *verified,
			   AtAttachedIndex *index)
{
	AtArchive *archive = palloc(sizeof(AtArchive));
	AtCheckpoint checkpoint;
	AtText note;
	const char *why = at_attached_file(directory, CHECKPOINT, CHECKPOINT_MAX, &note);
	AtError error;
	AtHash root;

	if (why != NULL)
		return why;
	error = at_checkpoint_open(&checkpoint, note, &(AtTrust){.log_key = key});
	if (error != AT_OK)
		return psprintf("Of its checkpoint: %s.", at_error_text(error));
	why = verify_segments(directory, checkpoint.size, archive, verified, index);
	if (why == NULL && index != NULL)
		why = at_attached_targets(directory, archive->log_id, index);
	if (why != NULL)
		return why;
	if (!at_merkle_root(&archive->log, &root))
		at_hash_failed();
	if (archive->log.size != checkpoint.size || memcmp(&root, &checkpoint.root, sizeof(root)) != 0)
		return psprintf("Its " UINT64_FORMAT " entries do not give the root that was signed.",
						(uint64) archive->log.size);
	if (archive->broken > 0)
		return psprintf(UINT64_FORMAT " transactions contradict themselves or lack their session, "
									  "the first is " UINT64_FORMAT ".",
						(uint64) archive->broken, (uint64) archive->first_broken);
	verified->origin = pnstrdup(checkpoint.origin.data, checkpoint.origin.len);
	verified->size = checkpoint.size;
	verified->root = checkpoint.root;
	memcpy(verified->log_id, archive->log_id, AT_LOG_ID_LEN);
	verified->events = archive->events;
	verified->transactions = archive->transactions;
	return NULL;
}

static const char *
verify_segments(const char *directory, uint64 size, AtArchive *archive, Verified *verified,
				AtAttachedIndex *index)
{
	AtAttachedWalk walk;
	AtText content;
	bool found;
	const char *why;

	at_archive_init(archive);
	at_attached_begin(&walk, directory, size);
	while ((why = at_attached_next(&walk, &found)) == NULL && found)
	{
		const AtSegment *segment = &walk.segment;
		AtError error;

		why = at_attached_unpack(&walk, &content);
		if (why != NULL)
			break;
		error = at_archive_read(archive, segment, content);
		if (error != AT_OK)
		{
			why = psprintf("Of file \"%s\", at leaf " UINT64_FORMAT " of entry " UINT64_FORMAT
						   ": %s.",
						   walk.path, (uint64) archive->place.leaf,
						   (uint64) archive->place.log_index, at_error_text(error));
			break;
		}
		if (index != NULL)
			note_items(index, &walk, content);
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

/* What leads to the segment; it was verified, so all of its items can be read. */
static void
note_items(AtAttachedIndex *index, const AtAttachedWalk *walk, AtText content)
{
	AtHash checksum;
	AtEventBody event;
	AtTransactionBody transaction;
	AtSpan bytes;
	char kind;

	memcpy(&checksum, walk->file.data + walk->file.len - AT_HASH_LEN, AT_HASH_LEN);
	at_attached_index_segment(index, &(AtAttachedPlace){
										 .kind = AT_ATTACHED_ALL,
										 .file = walk->path,
										 .bytes = walk->file.len,
										 .checksum = &checksum,
									 });
	while (at_segment_item_next(&content, &kind, &bytes) == AT_OK)
	{
		if (kind == AT_ARCHIVE_EVENT && at_event_body_read(&event, bytes.data, bytes.len))
			at_attached_index_event(index, &event);
		if (kind == AT_ARCHIVE_TRANSACTION &&
			at_transaction_body_read(&transaction, bytes.data, bytes.len))
			at_attached_index_transaction(index, &transaction);
		if (at_attached_is_gone(kind, bytes))
			at_attached_index_transaction(index, NULL);
	}
}

static const char *
verify_cold(const Files *files, const AtPublicKey *key, Verified *verified, AtAttachedIndex *index)
{
	AtAttachedCold *cold = palloc0(sizeof(AtAttachedCold));
	const char *why = at_attached_cold_verify(files->directory, files->segments, key, cold, index);

	if (why != NULL)
		return why;
	memcpy(verified->log_id, cold->log_id, AT_LOG_ID_LEN);
	verified->origin = cold->origin;
	verified->size = cold->size;
	verified->root = cold->root;
	verified->digest = cold->digest;
	verified->segments = cold->segments;
	verified->events = cold->events;
	verified->transactions = cold->transactions;
	verified->first_tx_at = cold->first_tx_at;
	verified->last_tx_at = cold->last_tx_at;
	return NULL;
}

/* Remember it, by its name. */
static void
keep(const char *name, const Files *files, const char *key, const Verified *verified)
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
		CStringGetTextDatum(files->directory),
		CStringGetTextDatum(key),
		CStringGetTextDatum(verified->origin),
		at_bytea_datum(verified->log_id, AT_LOG_ID_LEN),
		Int64GetDatum(verified->size),
		at_bytea_datum(&verified->root, AT_HASH_LEN),
		Int64GetDatum(verified->segments),
		Int64GetDatum(verified->events),
		Int64GetDatum(verified->transactions),
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
	(void) at_owner_execute("DELETE FROM audit.attached_segment WHERE archive = $1", 1, types,
							values);
	(void) at_owner_execute("DELETE FROM audit.attached_target WHERE archive = $1", 1, types,
							values);
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

/* The text of a digest, as bytea has it. */
static bool
is_digest(const AtHash *digest, const char *text)
{
	char hex[AT_HASH_HEX_LEN];

	at_hash_hex(digest, hex);
	return strlen(text) == AT_HASH_HEX_LEN + 2 && memcmp(text + 2, hex, sizeof(hex)) == 0;
}

static uint64
count_segments(const char *name)
{
	Oid types[] = {TEXTOID};
	Datum values[] = {CStringGetTextDatum(name)};

	return strtoull(at_owner_value("SELECT pg_catalog.count(*)::text FROM audit.attached_segment "
								   "AS s WHERE s.archive = $1",
								   1, types, values),
					NULL, 10);
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
	why = verify(files_of(name), &key, verified, NULL);
	if (why != NULL)
		PG_RETURN_TEXT_P(cstring_to_text(why));
	if (!is_digest(&verified->digest, column_of(name, "digest")))
		PG_RETURN_TEXT_P(cstring_to_text("It is valid, and another one than was attached: detach "
										 "and attach it."));
	if (strtoull(column_of(name, "segments"), NULL, 10) != count_segments(name))
		PG_RETURN_TEXT_P(cstring_to_text("Rows of audit.attached_segment are missing: detach and "
										 "attach it."));
	PG_RETURN_NULL();
}

/* What was attached: of cold files those that led to its segments, whatever is beside them now. */
static Files *
files_of(const char *name)
{
	Oid types[] = {TEXTOID};
	Datum values[] = {CStringGetTextDatum(name)};
	Files *files = palloc0(sizeof(Files));
	char *list =
		at_owner_value("SELECT pg_catalog.string_agg(DISTINCT s.file, '/' ORDER BY s.file) "
					   "FROM audit.attached_segment AS s WHERE s.archive = $1 "
					   "AND s.kind <> 'A'",
					   1, types, values);

	files->directory = column_of(name, "directory");
	for (char *file = list == NULL ? NULL : strtok(list, "/"); file != NULL;
		 file = strtok(NULL, "/"))
		files->segments = lappend(files->segments, file);
	list_sort(files->segments, at_attached_compare_names);
	return files;
}
