/*-------------------------------------------------------------------------
 * payload.c
 *		What an application gives with an event, as it is recorded.
 *
 * Most payloads are recorded as they are. One that is long, or mentions a secret
 * anywhere, is rewritten token by token.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/builtins.h"

#include "base/compat.h"
#include "base/errors.h"
#include "base/guc.h"
#include "base/json_scan.h"
#include "core/redact.h"
#include "domain/payload.h"
#include "ledger/shorten.h"

#define MASK "\"***\""

/* All of one payload. As capture allows for a row. */
#define MAX_BYTES (128 * 1024 * 1024)

static void rewrite(AtJsonSlice json, const AtEventType *type, StringInfo shortened,
					StringInfo out);
static void rewrite_value(AtJsonSlice value, const AtEventType *type, StringInfo out);
static bool is_key(AtJsonScan scan);
static bool is_masked(AtJsonSlice key, const AtEventType *type);
static bool has_password(AtJsonSlice text);

struct varlena *
at_payload_render(Jsonb *value, const char *what, const AtEventType *type, StringInfo shortened)
{
	StringInfoData text;
	StringInfoData out;

	if (!JB_ROOT_IS_OBJECT(value))
		ereport(ERROR, (errcode(ERRCODE_AT_BAD_EVENT),
						errmsg("\"%s\" of an event must be an object", what),
						errhint("Give it as jsonb_build_object('name', value, ...).")));
	initStringInfo(&text);
	(void) JsonbToCString(&text, &value->root, VARSIZE(value));
	if (text.len > at_guc_max_value_size * 1024 || type->masked != NIL ||
		at_mentions_secret(text.data, text.len))
	{
		initStringInfo(&out);
		rewrite((AtJsonSlice){text.data, text.len}, type, shortened, &out);
		text = out;
	}
	if (text.len > MAX_BYTES)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("\"%s\" of an event is too long", what),
				 errdetail("It has %d bytes, and at most %d are recorded.", text.len, MAX_BYTES)));
	return (struct varlena *) cstring_to_text_with_len(text.data, text.len);
}

/* A member, up to and with its colon; the scan then stands on its value. */
static AtJsonSlice
copy_key(AtJsonScan *in, StringInfo out)
{
	AtJsonSlice key = at_json_string(in);

	appendStringInfoChar(out, '"');
	appendBinaryStringInfo(out, in->start, in->len);
	appendStringInfoString(out, "\":");
	at_json_next(in); /* the colon */
	at_json_next(in);
	return key;
}

static void
note_shortened(AtJsonSlice key, StringInfo shortened)
{
	if (shortened->len > 0)
		appendStringInfoChar(shortened, ',');
	at_json_quote(key.data, key.len, shortened);
}

/* The members of the object itself, one by one. */
static void
rewrite(AtJsonSlice json, const AtEventType *type, StringInfo shortened, StringInfo out)
{
	AtJsonScan in;

	at_json_start(&in, json.data, json.len);
	at_json_next(&in);
	appendStringInfoChar(out, '{');
	while (at_json_next(&in) && in.kind != '}')
	{
		AtJsonSlice key;
		AtJsonSlice value;
		int start;

		CHECK_FOR_INTERRUPTS();
		if (in.kind != '"')
			continue; /* the comma */
		if (out->len > 1)
			appendStringInfoChar(out, ',');
		key = copy_key(&in, out);
		start = out->len;
		value = at_json_value(&in);
		if (is_masked(key, type) && in.kind != 'n')
			appendStringInfoString(out, MASK);
		else
			rewrite_value(value, type, out);
		if (out->len - start > at_guc_max_value_size * 1024)
		{
			char *whole = pnstrdup(out->data + start, out->len - start);
			int len = out->len - start;

			out->len = start;
			at_shorten_text(whole, len, out);
			note_shortened(key, shortened);
			pfree(whole);
		}
	}
	appendStringInfoChar(out, '}');
}

/* A value with all that is in it. */
static void
rewrite_value(AtJsonSlice value, const AtEventType *type, StringInfo out)
{
	AtJsonScan in;

	at_json_start(&in, value.data, value.len);
	while (at_json_next(&in))
	{
		CHECK_FOR_INTERRUPTS();
		if (in.kind != '"')
			appendBinaryStringInfo(out, in.start, in.len);
		else if (is_key(in))
		{
			if (!is_masked(copy_key(&in, out), type) || in.kind == 'n')
			{
				in.pos = in.kind == '"' ? in.start - 1 : in.start; /* it is looked at next */
				continue;
			}
			(void) at_json_value(&in);
			appendStringInfoString(out, MASK);
		}
		else if (has_password((AtJsonSlice){in.start, in.len}))
			appendStringInfoString(out, MASK);
		else
			appendBinaryStringInfo(out, in.start - 1, in.len + 2);
	}
}

/* Does the string stand before a colon? */
static bool
is_key(AtJsonScan scan)
{
	return at_json_next(&scan) && scan.kind == ':';
}

static bool
is_masked(AtJsonSlice key, const AtEventType *type)
{
	ListCell *cell;

	foreach (cell, type->masked)
	{
		const char *name = lfirst(cell);

		if (key.len == strlen(name) && memcmp(key.data, name, key.len) == 0)
			return true;
	}
	return at_mentions_secret(key.data, key.len);
}

/* scheme://user:password@host */
static bool
has_password(AtJsonSlice text)
{
	bool in_authority = false;
	bool colon = false;

	for (int i = 0; i < text.len; i++)
	{
		char c = text.data[i];

		if (!in_authority)
		{
			in_authority = i >= 2 && c == '/' && text.data[i - 1] == '/' && text.data[i - 2] == ':';
			colon = false;
		}
		else if (c == '@' && colon)
			return true;
		else if (c == '/' || c == '?' || c == ' ')
			in_authority = false;
		else if (c == ':')
			colon = true;
	}
	return false;
}
