/*-------------------------------------------------------------------------
 * sentence.c
 *		What has happened, in a sentence of plain English.
 *
 * Templates are the admin's and taken as they are; all else comes from users.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "miscadmin.h"

#include "core/escape.h"
#include "core/operation.h"
#include "core/text.h"
#include "ledger/event_type.h"
#include "ledger/sentence.h"

/* Longest value, in bytes, and how many changes are told. */
#define MAX_VALUE   100
#define MAX_CHANGES 8

#define NOTHING "(not given)"

static bool render_part(const AtSentence *event, AtJsonSlice part, StringInfo out);
static bool put_name(const AtSentence *event, AtJsonSlice name, StringInfo out);
static bool put_member(const AtSentence *event, AtJsonSlice path, StringInfo out);
static bool put_changes(const AtSentence *event, StringInfo out);
static void put_value(AtJsonSlice json, StringInfo out);
static bool put_list(AtJsonSlice json, StringInfo out);
static bool put_text(AtJsonSlice text, StringInfo out);
static bool put_words(AtJsonSlice words, StringInfo out);

static AtJsonSlice
slice_of(const char *text)
{
	return (AtJsonSlice){text, strlen(text)};
}

static bool
equals(AtJsonSlice slice, const char *text)
{
	return slice.len == strlen(text) && memcmp(slice.data, text, slice.len) == 0;
}

/* Cut off what stands before the character, and the character; all, if it is not there. */
static AtJsonSlice
cut_until(AtJsonSlice *rest, char end)
{
	const char *at = memchr(rest->data, end, rest->len);
	AtJsonSlice before = {rest->data, at != NULL ? at - rest->data : rest->len};
	int taken = before.len + (at != NULL ? 1 : 0);

	*rest = (AtJsonSlice){rest->data + taken, rest->len - taken};
	return before;
}

static const char *
find_template(const AtSentence *event)
{
	const AtEventType *type =
		event->event_type.data != NULL
			? at_event_type_find(event->event_type.data, event->event_type.len)
			: NULL;
	const AtOperation *operation = at_operation(event->op);

	if (type != NULL)
		return type->sentence;
	if (operation == NULL)
		return "{event_type}[ of {resource}]";
	return event->resource_id.data != NULL ? operation->sentence : operation->table_sentence;
}

void
at_sentence_render(const AtSentence *event, StringInfo out)
{
	AtJsonSlice rest = slice_of(find_template(event));

	while (rest.len > 0)
	{
		AtJsonSlice fixed = cut_until(&rest, '[');
		AtJsonSlice optional = cut_until(&rest, ']');
		int start;

		(void) render_part(event, fixed, out);
		start = out->len;
		if (!render_part(event, optional, out))
			out->data[out->len = start] = '\0';
	}
}

/* Text with names in braces; returns whether the event has something for all of them. */
static bool
render_part(const AtSentence *event, AtJsonSlice part, StringInfo out)
{
	bool whole = true;

	while (part.len > 0)
	{
		AtJsonSlice fixed = cut_until(&part, '{');
		AtJsonSlice name = cut_until(&part, '}');

		appendBinaryStringInfo(out, fixed.data, fixed.len);
		if (name.len == 0 || put_name(event, name, out))
			continue;
		appendStringInfoString(out, NOTHING);
		whole = false;
	}
	return whole;
}

/* What the name stands for; appends nothing and returns false if that is nothing. */
static bool
put_name(const AtSentence *event, AtJsonSlice name, StringInfo out)
{
	if (equals(name, "actor"))
		return put_text(event->actor, out);
	if (equals(name, "reason"))
		return put_text(event->reason, out);
	if (equals(name, "request_id"))
		return put_text(event->request_id, out);
	if (equals(name, "event_type"))
		return put_text(event->event_type, out);
	if (equals(name, "resource_id"))
		return put_text(event->resource_id, out);
	if (equals(name, "resource_type"))
		return put_words(event->resource_type, out);
	if (equals(name, "changes"))
		return put_changes(event, out);
	if (!equals(name, "resource"))
		return put_member(event, name, out);

	if (!put_words(event->resource_type, out))
		return false;
	if (event->resource_id.data != NULL)
	{
		appendStringInfoChar(out, ' ');
		(void) put_text(event->resource_id, out);
	}
	return true;
}

/* new.address.city */
static bool
put_member(const AtSentence *event, AtJsonSlice path, StringInfo out)
{
	AtJsonSlice side = cut_until(&path, '.');
	AtJsonSlice value = equals(side, "old")     ? event->old_values
						: equals(side, "new")   ? event->new_values
						: equals(side, "extra") ? event->extra
												: (AtJsonSlice){NULL, 0};

	/* what an application gives with an event is a member of its own there */
	if (equals(side, "extra") && event->op == 'E' && value.data != NULL)
		value = at_json_member(value, slice_of("app"));
	while (path.len > 0 && value.data != NULL)
	{
		AtJsonSlice member = cut_until(&path, '.');

		value = at_json_member(value, member);
	}
	if (value.data == NULL || value.len == 0)
		return false;
	put_value(value, out);
	return true;
}

/* "status from new to paid, total from 10 to 12" */
static bool
put_changes(const AtSentence *event, StringInfo out)
{
	AtJsonScan in;
	int count = 0;

	if (event->new_values.data == NULL)
		return false;
	at_json_start(&in, event->new_values.data, event->new_values.len);
	if (!at_json_next(&in) || in.kind != '{')
		return false;
	while (at_json_next(&in) && in.kind != '}')
	{
		AtJsonSlice key;
		AtJsonSlice value;
		AtJsonSlice old = {NULL, 0};

		CHECK_FOR_INTERRUPTS();
		if (in.kind != '"')
			continue; /* the comma */
		key = at_json_string(&in);
		at_json_next(&in); /* the colon */
		at_json_next(&in);
		value = at_json_value(&in);
		if (++count > MAX_CHANGES)
			continue;
		appendStringInfoString(out, count > 1 ? ", " : "");
		(void) put_words(key, out);
		if (event->old_values.data != NULL)
			old = at_json_member(event->old_values, key);
		if (old.data != NULL)
		{
			appendStringInfoString(out, " from ");
			put_value(old, out);
		}
		appendStringInfoString(out, " to ");
		put_value(value, out);
	}
	if (count > MAX_CHANGES)
		appendStringInfo(out, " and %d more", count - MAX_CHANGES);
	return count > 0;
}

/*
 * A JSON value: a string without its quotes and escapes, a list with commas between, all else as
 * it is written.
 */
static void
put_value(AtJsonSlice json, StringInfo out)
{
	AtJsonScan in;

	at_json_start(&in, json.data, json.len);
	if (!at_json_next(&in))
		return;
	if (in.kind == '[' && json.len > 2 && put_list(json, out))
		return;
	if (in.kind == '"')
		(void) put_text(at_json_string(&in), out);
	else if (in.kind == 'n')
		appendStringInfoString(out, "nothing");
	else
		(void) put_text(json, out);
}

/* A short list of values that are no lists or objects themselves; else false, and nothing. */
static bool
put_list(AtJsonSlice json, StringInfo out)
{
	int start = out->len;
	int count = 0;
	AtJsonScan in;

	at_json_start(&in, json.data, json.len);
	at_json_next(&in);
	while (at_json_next(&in) && in.kind != ']')
	{
		AtJsonSlice value;

		if (in.kind == ',')
			continue;
		if (in.kind == '[' || in.kind == '{' || ++count > MAX_CHANGES)
		{
			out->data[out->len = start] = '\0';
			return false;
		}
		value = at_json_value(&in);
		appendStringInfoString(out, count > 1 ? ", " : "");
		put_value(value, out);
	}
	return count > 0;
}

/* ---- text of users ---- */

/* Is it a letter of some script, and nothing that could be taken for a blank or a quote? */
static bool
is_letter(AtText character)
{
	int32 code = at_text_character(&character);

	return ((code >= 0xc0 && code < 0x2000) || (code >= 0x3040 && code < 0xd800)) &&
		   !at_is_unseen(code) && !at_is_space(code);
}

/* Is it one word, which nobody takes for several? */
static bool
is_word(AtJsonSlice text)
{
	bool is_utf8 = GetDatabaseEncoding() == PG_UTF8;
	int width;

	for (int i = 0; i < text.len; i += width)
	{
		char c = text.data[i];

		width = pg_mblen(text.data + i);
		if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
			strchr("._-+/@:#*%", c) == NULL &&
			!(is_utf8 && width > 1 && is_letter((AtText){text.data + i, width})))
			return false;
	}
	return text.len > 0;
}

/* A character of a quoted text, whose length is given; what cannot be seen is told by its code. */
static void
put_character(const char *at, int len, StringInfo out)
{
	AtText text = {at, len};
	int32 code = (unsigned char) *at;

	if (GetDatabaseEncoding() == PG_UTF8)
		code = at_text_character(&text);
	if (*at == '"' || *at == '\\')
		appendStringInfoChar(out, '\\');
	if ((len > 1 && GetDatabaseEncoding() != PG_UTF8) || (code >= 0 && !at_is_unseen(code)))
		appendBinaryStringInfo(out, at, len);
	else
		appendStringInfo(out, "\\u%04x", code < 0 ? (unsigned char) *at : code);
}

/* The text, quoted if need be; false if there is none. */
static bool
put_text(AtJsonSlice text, StringInfo out)
{
	int len = text.len;

	if (text.data == NULL)
		return false;
	if (len > MAX_VALUE)
		len = pg_mbcliplen(text.data, text.len, MAX_VALUE);
	if (len == text.len && is_word(text))
	{
		appendBinaryStringInfo(out, text.data, len);
		return true;
	}
	appendStringInfoChar(out, '"');
	for (int i = 0; i < len;)
	{
		int width = Min(pg_mblen(text.data + i), len - i);

		put_character(text.data + i, width, out);
		i += width;
	}
	appendStringInfoString(out, len < text.len ? "...\"" : "\"");
	return true;
}

/* A name that is made of words: purchase_order is "purchase order". */
static bool
put_words(AtJsonSlice words, StringInfo out)
{
	int start = out->len;

	if (words.data == NULL)
		return false;
	(void) put_text(words, out);
	for (int i = start; i < out->len; i++)
		if (out->data[i] == '_')
			out->data[i] = ' ';
	return true;
}
