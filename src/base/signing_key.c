/*-------------------------------------------------------------------------
 * signing_key.c
 *		The key that signs the checkpoints of this database's log.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "commands/dbcommands.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"

#include "base/guc.h"
#include "base/key_file.h"
#include "base/signing_key.h"

#define FILE_MAX (AT_PRIVATE_KEY_TEXT_MAX + 1 + AT_ENDORSEMENT_MAX)

static const AtKeyFileKind signing_key = {
	.need = "Checkpoints of the audit log are signed with it.",
	.remedy = "Make one with: SELECT audit.create_signing_key('FILE', 'NAME');",
};

static AtError decode(AtSigningKey *key, AtText text);
static bool is_ascii(const char *string);

bool
at_signing_key_is_configured(void)
{
	return at_guc_signing_key_file[0] != '\0';
}

void
at_signing_key_read(AtSigningKey *key)
{
	char *path = at_database_path(at_guc_signing_key_file);
	char text[FILE_MAX + 1];
	AtKeyFileStamp stamp;
	int len = at_key_file_read_text(path, &signing_key, text, sizeof(text), &stamp);
	AtError error = decode(key, (AtText){text, len});

	explicit_bzero(text, sizeof(text));
	if (error != AT_OK)
		ereport(ERROR,
				(errcode(ERRCODE_CONFIG_FILE_ERROR), errmsg("cannot use key file \"%s\"", path),
				 errdetail("It does not hold a signing key: %s.", at_error_text(error)),
				 errhint("%s", signing_key.remedy)));
	pfree(path);
}

/* A line that is the key, and perhaps an endorsement behind it. */
static AtError
decode(AtSigningKey *key, AtText text)
{
	AtText line = text;
	AtText rest = {text.data + text.len, 0};
	AtError error;

	if (text.len > FILE_MAX)
		return AT_ERR_TOO_LONG;
	if (at_text_line(&text, &line))
		rest = text;
	if (rest.len > AT_ENDORSEMENT_MAX)
		return AT_ERR_TOO_LONG;
	memcpy(key->endorsement, rest.data, rest.len);
	key->endorsement[rest.len] = '\0';

	error = at_key_read_private(&key->key, line);
	if (error == AT_OK && key->key.public_key.type != AT_KEY_NOTE)
		error = AT_ERR_KEY_TYPE;
	if (error == AT_OK && (!is_ascii(key->key.public_key.name) || !is_ascii(key->endorsement)))
		error = AT_ERR_KEY_NAME;
	if (error != AT_OK)
		at_key_forget(&key->key);
	return error;
}

/* Apart from the dash that signature lines begin with. */
static bool
is_ascii(const char *string)
{
	static const char dash[] = "\n\xE2\x80\x94 ";

	for (const char *at = string; *at != '\0'; at++)
	{
		if (strncmp(at, dash, strlen(dash)) == 0)
			at += strlen(dash) - 1;
		else if (IS_HIGHBIT_SET(*at))
			return false;
	}
	return true;
}

char *
at_database_path(const char *setting)
{
	StringInfoData path;

	initStringInfo(&path);
	for (const char *at = setting; *at != '\0'; at++)
	{
		if (at[0] != '%' || at[1] != 'd')
		{
			appendStringInfoChar(&path, *at);
			continue;
		}

		const char *name = get_database_name(MyDatabaseId);

		if (name[0] == '.' || strchr(name, '/') != NULL)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_NAME),
					 errmsg("database name \"%s\" cannot be part of a path", name),
					 errdetail("It begins with a dot or has a slash, and the configured path "
							   "\"%s\" has %%d.",
							   setting),
					 errhint("Rename the database, or name a path without %%d.")));
		appendStringInfoString(&path, name);
		at++;
	}
	return path.data;
}
