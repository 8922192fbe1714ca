/*-------------------------------------------------------------------------
 * guc_check.c
 *		What the settings of audit_trail accept.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/jsonapi.h"
#include "mb/pg_wchar.h"

#include "base/command.h"
#include "base/compat.h"
#include "base/guc.h"
#include "base/guc_check.h"
#include "base/window.h"

/* A % that stands for nothing would be found out at the first anchoring, or never. */
bool
at_guc_check_anchor_command(char **newval, void **extra, GucSource source)
{
	if (at_command_is_sound(*newval, "prs"))
		return true;
	GUC_check_errdetail("Known are %%p, %%r, %%s and %%%%.");
	return false;
}

/* The same, of those that store an archived file elsewhere and bring it back. */
bool
at_guc_check_archive_command(char **newval, void **extra, GucSource source)
{
	if (at_command_is_sound(*newval, "pf"))
		return true;
	GUC_check_errdetail("Known are %%p, %%f and %%%%.");
	return false;
}

/* And of the one that removes it there. */
bool
at_guc_check_remove_command(char **newval, void **extra, GucSource source)
{
	if (at_command_is_sound(*newval, "f"))
		return true;
	GUC_check_errdetail("Known are %%f and %%%%.");
	return false;
}

/* NOTIFY takes no longer name. */
bool
at_guc_check_channel(char **newval, void **extra, GucSource source)
{
	if (strlen(*newval) < NAMEDATALEN)
		return true;
	GUC_check_errdetail("The name of a channel has less than %d bytes.", NAMEDATALEN);
	return false;
}

bool
at_guc_check_context(char **newval, void **extra, GucSource source)
{
	if (strlen(*newval) > AT_MAX_CONTEXT_LENGTH)
	{
		GUC_check_errdetail("The value is longer than %d bytes.", AT_MAX_CONTEXT_LENGTH);
		return false;
	}

	/* what comes with the connection, or from ALTER ROLE in another database, was not checked */
	if (!pg_verifymbstr(*newval, strlen(*newval), true))
	{
		GUC_check_errdetail("The value is not valid in encoding \"%s\".",
							GetDatabaseEncodingName());
		return false;
	}
	return true;
}

/* Empty, or an object in valid JSON. */
bool
at_guc_check_extra(char **newval, void **extra, GucSource source)
{
	JsonLexContext *lex;
	bool valid;

	if (**newval == '\0')
		return true;
	if (!at_guc_check_context(newval, extra, source))
		return false;

	lex =
		makeJsonLexContextCstringLen(NULL, *newval, strlen(*newval), GetDatabaseEncoding(), false);
	valid = (*newval)[strspn(*newval, " \t\r\n")] == '{' &&
			pg_parse_json(lex, &nullSemAction) == JSON_SUCCESS;
	pfree(lex);
	if (!valid)
		GUC_check_errdetail("The value must be empty or a JSON object.");
	return valid;
}

/* Empty, or absolute. What is at the path is looked at when it is used. */
bool
at_guc_check_path(char **newval, void **extra, GucSource source)
{
	if (**newval != '\0' && !is_absolute_path(*newval))
	{
		GUC_check_errdetail("The value must be empty or an absolute path.");
		return false;
	}
	if (strlen(*newval) >= MAXPGPATH)
	{
		GUC_check_errdetail("The path is longer than %d bytes.", MAXPGPATH - 1);
		return false;
	}
	return true;
}

bool
at_guc_check_window(char **newval, void **extra, GucSource source)
{
	int from;
	int until;

	if (**newval != '\0' && (!at_window_read(*newval, &from, &until) || from == until))
	{
		GUC_check_errdetail("The value must be empty or two different times of day, as in "
							"22:00-05:00.");
		return false;
	}
	return true;
}
