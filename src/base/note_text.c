/*-------------------------------------------------------------------------
 * note_text.c
 *		Signed notes as values of SQL.
 *
 * That a conversion succeeds is not enough: EUC_JP has one dash for two
 * characters of Unicode, and gives the other one back.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "base/compat.h"
#include "base/note_text.h"

static bool convert(AtText from, int encoding, int to_encoding, AtText *to);

text *
at_note_to_text(AtText note, const char *bytes_function)
{
	int encoding = GetDatabaseEncoding();
	AtText converted = note;
	AtText back = note;

	if (encoding != PG_UTF8 && encoding != PG_SQL_ASCII &&
		(!convert(note, PG_UTF8, encoding, &converted) ||
		 !convert(converted, encoding, PG_UTF8, &back) || !at_text_equal(note, back)))
		ereport(ERROR,
				(errcode(ERRCODE_UNTRANSLATABLE_CHARACTER),
				 errmsg("a signed note cannot be a text in encoding \"%s\"",
						pg_encoding_to_char(encoding)),
				 errdetail("The dash that its signature lines begin with, U+2014, would be lost."),
				 errhint("Ask for its bytes: use %s.", bytes_function)));
	return cstring_to_text_with_len(converted.data, converted.len);
}

/* False if a character is not in the other encoding, or there is no conversion. */
static bool
convert(AtText from, int encoding, int to_encoding, AtText *to)
{
	Oid proc = FindDefaultConversionProc(encoding, to_encoding);
	size_t room = from.len * MAX_CONVERSION_GROWTH + 1;
	char *bytes;

	if (!OidIsValid(proc) || from.len >= MaxAllocSize / MAX_CONVERSION_GROWTH)
		return false;
	bytes = palloc(room);
	if (pg_do_encoding_conversion_buf(proc, encoding, to_encoding,
									  (unsigned char *) unconstify(char *, from.data), from.len,
									  (unsigned char *) bytes, room, true) != from.len)
		return false;
	*to = at_text(bytes);
	return true;
}

bytea *
at_note_to_bytes(AtText note)
{
	return (bytea *) cstring_to_text_with_len(note.data, note.len);
}

AtText
at_note_from_text(const text *note)
{
	char *string = text_to_cstring(note);

	return at_text(pg_server_to_any(string, strlen(string), PG_UTF8));
}

AtText
at_note_from_bytes(const bytea *note)
{
	const bytea *bytes = (const bytea *) PG_DETOAST_DATUM_PACKED(PointerGetDatum(note));

	return (AtText){VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes)};
}
