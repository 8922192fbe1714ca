/*-------------------------------------------------------------------------
 * keying.c
 *		A control record in the log for each key that begins to sign it, and
 *		audit.create_signing_key().
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/string.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "base/checkpoint_file.h"
#include "base/guc.h"
#include "base/key_file.h"
#include "ledger/public_key.h"
#include "seal/attempt.h"
#include "seal/keying.h"
#include "seal/report.h"

/* Right after an error: the log is asked again, unless what it says was committed. */
static struct
{
	bool known; /* the last key in the log: */
	AtPublicKey last;
	bool said; /* in this pass */
	AtPublicKey said_key;
	AtReport report;
} keying;

/* What a try works with. */
typedef struct Try
{
	AtSigningKey key;
	bool has_last;
	AtPublicKey last;
} Try;

/* A key that is being made: all but vkey is overwritten, whatever happens. */
typedef struct NewKey
{
	AtPrivateKey key;
	AtSigningKey old;
	AtWriter writer; /* of the text */
	char text[AT_PRIVATE_KEY_TEXT_MAX + 1 + AT_ENDORSEMENT_MAX];
	char vkey[AT_PUBLIC_KEY_TEXT_MAX + 1];
} NewKey;

static void seal_key(Try *try, AtLogHead *head, int32 incarnation);
static void read_and_check(void *arg);
static void read_key(void *arg);

PG_FUNCTION_INFO_V1(at_create_signing_key);

void
at_keying_seal(AtLogHead *head, int32 incarnation)
{
	Try try = {0};

	keying.said = false;
	if (!at_signing_key_is_configured())
		return;
	PG_TRY();
	{
		seal_key(&try, head, incarnation);
	}
	PG_FINALLY();
	{
		at_key_forget(&try.key.key);
	}
	PG_END_TRY();
}

static void
seal_key(Try *try, AtLogHead *head, int32 incarnation)
{
	char *message;

	if (!at_attempt(read_and_check, try, &message))
	{
		at_report(&keying.report, "checkpoints of the audit log cannot be signed", message);
		return;
	}
	at_report_done(&keying.report);
	if (!try->has_last || !at_public_key_equal(&try->key.key.public_key, &try->last))
		at_public_key_append(head, incarnation, &try->key, try->has_last ? &try->last : NULL);
	keying.said_key = try->key.key.public_key;
	keying.said = true;
}

void
at_keying_sealed(void)
{
	if (keying.said)
	{
		keying.known = true;
		keying.last = keying.said_key;
	}
}

/* What cannot be published must not be signed: the file must be there before the key is. */
static void
read_and_check(void *arg)
{
	Try *try = arg;
	AtCheckpointFile file;

	at_signing_key_read(&try->key);
	try->has_last = keying.known;
	try->last = keying.last;
	if (!keying.known || !at_public_key_equal(&try->key.key.public_key, &keying.last))
	{
		at_checkpoint_file_open(&file);
		at_checkpoint_file_close(&file);
		try->has_last = at_public_key_last(&try->last);
	}
	at_public_key_check(&try->key, try->has_last ? &try->last : NULL);
}

static void
read_key(void *arg)
{
	at_signing_key_read(arg);
}

/* Read the configured key, of which the new one takes the place; false if there is none of that
 * name. */
static bool
read_old_key(AtSigningKey *key, const char *path, const char *name)
{
	char *message;

	if (!at_signing_key_is_configured() ||
		strcmp(at_database_path(at_guc_signing_key_file), path) == 0)
		return false;
	if (!at_attempt(read_key, key, &message))
	{
		ereport(WARNING, (errmsg("the new key is not endorsed by the one before it"),
						  errdetail("The configured one is of no use: %s.", message),
						  errhint("The log will show that; tell those who verify checkpoints.")));
		return false;
	}
	return strcmp(key->key.public_key.name, name) == 0;
}

/* Write the text of a new key file, endorsed by the key before it, and the public key. */
static void
write_key(NewKey *new, const char *path, const char *name)
{
	AtWriter public_writer = at_writer(new->vkey, AT_PUBLIC_KEY_TEXT_MAX);
	AtError error = pg_is_ascii(name) ? at_key_generate(&new->key, AT_KEY_NOTE, at_text(name))
									  : AT_ERR_KEY_NAME;

	if (error != AT_OK)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("cannot make a signing key"),
				 errdetail("For the name \"%s\": %s.", name, at_error_text(error)),
				 errhint("A name is like \"example.org/shop\": up to %d ASCII characters, no "
						 "spaces, no plus signs.",
						 AT_KEY_NAME_MAX)));
	new->writer = at_writer(new->text, sizeof(new->text));
	at_key_write_private(&new->writer, &new->key);
	at_write_string(&new->writer, "\n");
	at_key_write_public(&public_writer, &new->key.public_key);
	new->vkey[public_writer.len] = '\0';
	if (read_old_key(&new->old, path, name))
		error = at_endorse(&new->writer, &new->key.public_key, &new->old.key);
	if (error == AT_OK)
		error = at_writer_error(&new->writer);
	if (error != AT_OK)
		elog(ERROR, "could not write a signing key: %s", at_error_text(error));
}

/* create_signing_key(path text, name text): the public key */
Datum
at_create_signing_key(PG_FUNCTION_ARGS)
{
	char *path = text_to_cstring(PG_GETARG_TEXT_PP(0));
	char *name = text_to_cstring(PG_GETARG_TEXT_PP(1));
	NewKey new;

	if (!superuser())
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("must be superuser to make a signing key"),
				 errdetail("It is a file of the server's user."), errhint("Ask a superuser.")));
	canonicalize_path(path);
	if (!is_absolute_path(path) || strlen(path) >= MAXPGPATH)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("cannot make key file \"%s\"", path),
				 errdetail("The path is not absolute, or longer than %d bytes.", MAXPGPATH - 1),
				 errhint("Name a file outside of the data directory.")));
	PG_TRY();
	{
		write_key(&new, path, name);
		at_key_file_create(path, new.text, new.writer.len);
	}
	PG_FINALLY();
	{
		at_key_forget(&new.key);
		at_key_forget(&new.old.key);
		explicit_bzero(new.text, sizeof(new.text));
	}
	PG_END_TRY();
	PG_RETURN_TEXT_P(cstring_to_text(new.vkey));
}
