/*-------------------------------------------------------------------------
 * reveal.c
 *		Personal values as who may see them sees them.
 *
 * A value that only looks like a recorded one is opened by no key, and shown as it is.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/json.h"

#include "base/compat.h"
#include "base/json_scan.h"
#include "core/base64.h"
#include "ledger/subject_key.h"
#include "query/reveal.h"

static bool mentions_personal(const text *json);
static void append_member(AtJsonScan *in, bool sees_personal, StringInfo out);
static void append_value(AtSpan column, const AtPersonalText *value, StringInfo out);
static bool open_value(AtSpan column, const AtPersonalText *value, const AtSubjectKey *key,
					   StringInfo out);

text *
at_reveal(text *json, bool sees_personal)
{
	StringInfoData out;
	AtJsonScan in;
	int members = 0;

	if (likely(!mentions_personal(json)))
		return json;
	at_json_start(&in, VARDATA_ANY(json), VARSIZE_ANY_EXHDR(json));
	if (!at_json_next(&in) || in.kind != '{')
		return json;

	initStringInfo(&out);
	appendStringInfoChar(&out, '{');
	while (at_json_next(&in) && in.kind != '}')
	{
		CHECK_FOR_INTERRUPTS();
		if (in.kind != '"')
			continue; /* the comma */
		if (members++ > 0)
			appendStringInfoChar(&out, ',');
		append_member(&in, sees_personal, &out);
	}
	appendStringInfoChar(&out, '}');
	return cstring_to_text_with_len(out.data, out.len);
}

static bool
mentions_personal(const text *json)
{
	static const char start[] = "\"" AT_PERSONAL_PREFIX;

	return memmem(VARDATA_ANY(json), VARSIZE_ANY_EXHDR(json), start, strlen(start)) != NULL;
}

/* The scan stands on the name of the member. */
static void
append_member(AtJsonScan *in, bool sees_personal, StringInfo out)
{
	AtJsonSlice column = at_json_string(in);
	AtJsonSlice value;
	AtPersonalText personal;

	appendStringInfoChar(out, '"');
	appendBinaryStringInfo(out, in->start, in->len);
	appendStringInfoString(out, "\":");
	at_json_next(in); /* the colon */
	at_json_next(in);
	value = at_json_value(in);
	if (value.len < 2 || value.data[0] != '"' ||
		!at_personal_read((AtText){value.data + 1, value.len - 2}, &personal))
		appendBinaryStringInfo(out, value.data, value.len);
	else if (!sees_personal)
		appendStringInfoString(out, "\"***\"");
	else
		append_value((AtSpan){.data = column.data, .len = column.len}, &personal, out);
}

static void
append_value(AtSpan column, const AtPersonalText *value, StringInfo out)
{
	const AtSubjectKey *key = at_subject_key_named(value->name);

	if (key->state == AT_KEY_DESTROYED)
		appendStringInfoString(out, "\"[erased]\"");
	else if (key->state == AT_KEY_NONE)
		appendStringInfoString(out, "\"[key missing]\"");
	else if (value->sealed_len == 0)
		appendStringInfoString(out, "\"[too long]\"");
	else if (!open_value(column, value, key, out))
		appendStringInfoString(out, "\"[unreadable]\"");
}

static bool
open_value(AtSpan column, const AtPersonalText *value, const AtSubjectKey *key, StringInfo out)
{
	uint8 *sealed = palloc(value->sealed_len);
	size_t len = value->sealed_len - AT_SEALED_MORE;
	char *plain = palloc(len + 1);

	if (!at_base64_decode(value->sealed, sealed, value->sealed_len) ||
		!at_subject_open(key->key, column, sealed, value->sealed_len, (uint8 *) plain))
		return false;
	plain[len] = '\0';
	if (plain[0])
		escape_json(out, plain + 1);
	else
		appendBinaryStringInfo(out, plain + 1, len - 1);
	pfree(sealed);
	pfree(plain);
	return true;
}
