/*-------------------------------------------------------------------------
 * json_scan.c
 *		Tokens of a json value, without the refusals of jsonb.
 *
 * A value of type json has been checked when it was made, so the scanner
 * checks no syntax; on other texts it finds some tokens and the end. It
 * never reads past the end.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "mb/pg_wchar.h"

#include "base/json_scan.h"

static void at_json_scan_string(AtJsonScan *scan);
static void at_json_scan_word(AtJsonScan *scan);
static const char *at_json_resolve(const char *pos, const char *end, char **out);
static const char *at_json_resolve_unicode(const char *pos, const char *end, char **out);
static bool at_json_put_char(pg_wchar c, char **out);

void
at_json_start(AtJsonScan *scan, const char *text, int len)
{
	*scan = (AtJsonScan){.pos = text, .end = text + len};
}

bool
at_json_next(AtJsonScan *scan)
{
	while (scan->pos < scan->end && strchr(" \t\n\r", *scan->pos) != NULL && *scan->pos != '\0')
		scan->pos++;
	scan->start = scan->pos;
	scan->len = 0;
	scan->escaped = false;
	scan->kind = '\0';
	if (scan->pos >= scan->end)
		return false;

	switch (*scan->pos)
	{
		case '{':
		case '}':
		case '[':
		case ']':
		case ',':
		case ':':
			scan->kind = *scan->pos++;
			scan->len = 1;
			break;
		case '"':
			at_json_scan_string(scan);
			break;
		default:
			at_json_scan_word(scan);
	}
	return true;
}

static void
at_json_scan_string(AtJsonScan *scan)
{
	const char *pos = ++scan->start;

	while (pos < scan->end && *pos != '"')
	{
		if (*pos == '\\')
		{
			scan->escaped = true;
			pos++;
		}
		if (pos < scan->end)
			pos++;
	}
	scan->kind = pos < scan->end ? '"' : '?';
	scan->len = pos - scan->start;
	scan->pos = pos < scan->end ? pos + 1 : pos;
}

/* A number, true, false or null: all that reaches to the next space or punctuation. */
static void
at_json_scan_word(AtJsonScan *scan)
{
	static const struct
	{
		const char *word;
		int len;
	} words[] = {{"true", 4}, {"false", 5}, {"null", 4}};
	const char *pos = scan->pos + 1;

	while (pos < scan->end && (isalnum((unsigned char) *pos) || strchr("+-.", *pos) != NULL) &&
		   *pos != '\0')
		pos++;
	scan->len = pos - scan->start;
	scan->pos = pos;
	scan->kind = '?';
	if (*scan->start == '-' || isdigit((unsigned char) *scan->start))
		scan->kind = '0';
	for (int i = 0; i < lengthof(words); i++)
	{
		if (scan->len == words[i].len && memcmp(scan->start, words[i].word, words[i].len) == 0)
			scan->kind = words[i].word[0];
	}
}

AtJsonSlice
at_json_value(AtJsonScan *scan)
{
	const char *start = scan->kind == '"' ? scan->start - 1 : scan->start;
	int depth = 0;

	do
	{
		if (scan->kind == '{' || scan->kind == '[')
			depth++;
		else if (scan->kind == '}' || scan->kind == ']')
			depth--;
	} while (depth > 0 && at_json_next(scan));
	return (AtJsonSlice){.data = start, .len = scan->pos - start};
}

AtJsonSlice
at_json_string(const AtJsonScan *scan)
{
	const char *pos = scan->start;
	const char *end = scan->start + scan->len;
	char *resolved;
	char *out;

	if (!scan->escaped)
		return (AtJsonSlice){.data = scan->start, .len = scan->len};

	/* no escape is shorter than what it stands for */
	resolved = out = palloc_extended(scan->len + 1, MCXT_ALLOC_HUGE);
	while (pos < end)
	{
		const char *plain = memchr(pos, '\\', end - pos);
		int n = (plain != NULL ? plain : end) - pos;

		memcpy(out, pos, n);
		out += n;
		pos += n;
		if (pos < end)
			pos = at_json_resolve(pos, end, &out);
	}
	return (AtJsonSlice){.data = resolved, .len = out - resolved};
}

/* Write what the escape at pos stands for, and return where it ends. */
static const char *
at_json_resolve(const char *pos, const char *end, char **out)
{
	static const char from[] = "\"\\/bfnrt";
	static const char to[] = "\"\\/\b\f\n\r\t";
	const char *found;

	if (end - pos >= 2 && pos[1] == 'u')
		return at_json_resolve_unicode(pos, end, out);
	if (end - pos >= 2 && pos[1] != '\0' && (found = strchr(from, pos[1])) != NULL)
	{
		*(*out)++ = to[found - from];
		return pos + 2;
	}
	*(*out)++ = *pos;
	return pos + 1;
}

/* The code of the \uXXXX at pos, or -1. */
static int
at_json_code(const char *pos, const char *end)
{
	int code = 0;

	if (end - pos < 6 || pos[0] != '\\' || pos[1] != 'u')
		return -1;
	for (int i = 2; i < 6; i++)
	{
		char c = pos[i];

		if (!isxdigit((unsigned char) c))
			return -1;
		code = code * 16 + (c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
	}
	return code;
}

static const char *
at_json_resolve_unicode(const char *pos, const char *end, char **out)
{
	int code = at_json_code(pos, end);
	int low = code < 0 ? -1 : at_json_code(pos + 6, end);
	int len = 6;
	pg_wchar c = code < 0 ? 0 : code;

	if (is_utf16_surrogate_first(c) && low >= 0 && is_utf16_surrogate_second(low))
	{
		c = surrogate_pair_to_codepoint(c, low);
		len = 12;
	}
	if (!at_json_put_char(c, out))
	{
		len = Min(len, end - pos);
		memcpy(*out, pos, len);
		*out += len;
	}
	return pos + len;
}

/* Write a character in the database's encoding; false if it has none there. */
static bool
at_json_put_char(pg_wchar c, char **out)
{
	unsigned char utf8[8] = {0};
	unsigned char converted[8 * MAX_CONVERSION_GROWTH];
	int encoding = GetDatabaseEncoding();
	Oid proc;
	int len;

	if (c == 0 || is_utf16_surrogate_first(c) || is_utf16_surrogate_second(c))
		return false;
	if (c < 0x80)
	{
		*(*out)++ = (char) c;
		return true;
	}
	unicode_to_utf8(c, utf8);
	len = pg_utf_mblen(utf8);
	if (encoding == PG_UTF8)
	{
		memcpy(*out, utf8, len);
		*out += len;
		return true;
	}

	proc = encoding == PG_SQL_ASCII ? InvalidOid : FindDefaultConversionProc(PG_UTF8, encoding);
	if (!OidIsValid(proc) ||
		pg_do_encoding_conversion_buf(proc, PG_UTF8, encoding, utf8, len, converted,
									  sizeof(converted), true) != len)
		return false;
	len = strlen((char *) converted);
	memcpy(*out, converted, len);
	*out += len;
	return true;
}

bool
at_json_slice_is(AtJsonSlice slice, const char *text)
{
	return slice.len == strlen(text) && memcmp(slice.data, text, slice.len) == 0;
}

AtJsonSlice
at_json_member(AtJsonSlice object, AtJsonSlice name)
{
	AtJsonSlice found = {0};
	AtJsonScan in;

	at_json_start(&in, object.data, object.len);
	if (!at_json_next(&in) || in.kind != '{')
		return found;
	while (at_json_next(&in) && in.kind != '}')
	{
		AtJsonSlice key;
		AtJsonSlice value;

		if (in.kind != '"')
			continue; /* the comma */
		key = at_json_string(&in);
		at_json_next(&in); /* the colon */
		at_json_next(&in);
		value = at_json_value(&in);
		if (key.len == name.len && memcmp(key.data, name.data, name.len) == 0)
			found = value;
	}
	return found;
}

void
at_json_quote(const char *data, int len, StringInfo out)
{
	const char *end = data + len;
	const char *clean = data;

	appendStringInfoCharMacro(out, '"');
	for (const char *at = data; at < end; at++)
	{
		unsigned char c = *at;

		if (likely(c >= ' ' && c != '"' && c != '\\'))
			continue;
		appendBinaryStringInfo(out, clean, at - clean);
		clean = at + 1;
		if (c == '"' || c == '\\')
		{
			appendStringInfoCharMacro(out, '\\');
			appendStringInfoCharMacro(out, c);
		}
		else
			appendStringInfo(out, "\\u%04x", c);
	}
	appendBinaryStringInfo(out, clean, end - clean);
	appendStringInfoCharMacro(out, '"');
}
