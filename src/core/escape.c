/*-------------------------------------------------------------------------
 * escape.c
 *		Recorded text in JSON and HTML: whatever its bytes are, it stays text.
 *-------------------------------------------------------------------------
 */
#include "core/escape.h"
#include "core/json_text.h"

/* Characters that cannot be seen as they are, besides the control characters. */
static const struct
{
	int32_t first;
	int32_t last;
} unseen[] = {
	{0x7f, 0x9f},       {0xad, 0xad},     {0x34f, 0x34f},   {0x61c, 0x61c},     {0x115f, 0x1160},
	{0x17b4, 0x17b5},   {0x180b, 0x180f}, {0x200b, 0x200f}, {0x2028, 0x202e},   {0x2060, 0x206f},
	{0x3164, 0x3164},   {0xd800, 0xdfff}, {0xfdd0, 0xfdef}, {0xfe00, 0xfe0f},   {0xfeff, 0xfeff},
	{0xffa0, 0xffa0},   {0xfff0, 0xfffb}, {0xfffe, 0xffff}, {0x1bca0, 0x1bca3}, {0x1d173, 0x1d17a},
	{0xe0000, 0xe0fff},
};

static int32_t take_character(AtText *text);
static void out_json_character(AtOutput *output, int32_t code_point, AtText as_it_is);
static void out_json_unit(AtOutput *output, int32_t unit);
static void out_html_character(AtOutput *output, int32_t code_point);
static void out_mark(AtOutput *output, const char *prefix, int32_t number, int digits);
static void out_utf8(AtOutput *output, int32_t code_point);

bool
at_is_unseen(int32_t code_point)
{
	for (size_t i = 0; i < sizeof(unseen) / sizeof(unseen[0]); i++)
		if (code_point >= unseen[i].first && code_point <= unseen[i].last)
			return true;

	return code_point < ' ' || (code_point & 0xfffe) == 0xfffe;
}

bool
at_text_is_utf8(AtText text)
{
	while (text.len > 0)
		if (at_text_character(&text) < 0)
			return false;

	return true;
}

void
at_out_json_string(AtOutput *output, AtText text)
{
	at_out_string(output, "\"");
	while (text.len > 0)
	{
		AtText start = text;
		int32_t code_point = take_character(&text);

		if (code_point == '"' || code_point == '\\')
			at_out_string(output, "\\");
		out_json_character(output, code_point, (AtText){start.data, start.len - text.len});
	}
	at_out_string(output, "\"");
}

void
at_out_json_value(AtOutput *output, AtText value)
{
	bool in_string = false;

	while (value.len > 0)
	{
		AtText start = value;
		int32_t code_point = take_character(&value);

		if (code_point == '"')
			in_string = !in_string;
		else if (code_point == '\\')
			(void) take_character(&value);
		else if (!in_string && code_point <= ' ')
			continue;
		out_json_character(output, code_point, (AtText){start.data, start.len - value.len});
	}
}

void
at_out_html(AtOutput *output, AtText text)
{
	while (text.len > 0)
		out_html_character(output, take_character(&text));
}

void
at_out_html_string(AtOutput *output, AtText string)
{
	while (string.len > 0)
		out_html_character(output, at_json_text_character(&string));
}

/* Cut off a character; of a byte that is not UTF-8, -1 - that byte. The text is not empty. */
static int32_t
take_character(AtText *text)
{
	int32_t code_point = at_text_character(text);

	if (code_point < 0)
	{
		code_point = -1 - (uint8_t) text->data[0];
		*text = (AtText){text->data + 1, text->len - 1};
	}
	return code_point;
}

static void
out_json_character(AtOutput *output, int32_t code_point, AtText as_it_is)
{
	if (code_point < 0)
		at_out_string(output, "\\ufffd");
	else if (code_point == '\n' || code_point == '\t')
		at_out_string(output, code_point == '\n' ? "\\n" : "\\t");
	else if (!at_is_unseen(code_point))
		at_out(output, as_it_is);
	else if (code_point < 0x10000)
		out_json_unit(output, code_point);
	else
	{
		out_json_unit(output, 0xd800 + ((code_point - 0x10000) >> 10));
		out_json_unit(output, 0xdc00 + (code_point & 0x3ff));
	}
}

static void
out_json_unit(AtOutput *output, int32_t unit)
{
	uint8_t bytes[2] = {(uint8_t) (unit >> 8), (uint8_t) unit};

	at_out_string(output, "\\u");
	at_out_hex(output, bytes, sizeof(bytes));
}

static void
out_html_character(AtOutput *output, int32_t code_point)
{
	switch (code_point)
	{
		case '&':
			at_out_string(output, "&amp;");
			break;
		case '<':
			at_out_string(output, "&lt;");
			break;
		case '>':
			at_out_string(output, "&gt;");
			break;
		case '"':
			at_out_string(output, "&quot;");
			break;
		case '\'':
			at_out_string(output, "&#39;");
			break;
		case '\n':
			at_out_string(output, "<i>new line</i><br>");
			break;
		case '\t':
			at_out_string(output, "<i>tab</i>");
			break;
		default:
			if (code_point < 0)
				out_mark(output, "byte ", -1 - code_point, 2);
			else if (at_is_unseen(code_point))
				out_mark(output, "U+", code_point, code_point < 0x10000 ? 4 : 6);
			else
				out_utf8(output, code_point);
	}
}

/* <i>U+202E</i> */
static void
out_mark(AtOutput *output, const char *prefix, int32_t number, int digits)
{
	static const char digit[] = "0123456789ABCDEF";

	at_out_string(output, "<i>");
	at_out_string(output, prefix);
	while (digits-- > 0)
		at_out(output, (AtText){&digit[number >> 4 * digits & 15], 1});
	at_out_string(output, "</i>");
}

static void
out_utf8(AtOutput *output, int32_t code_point)
{
	char bytes[4];
	size_t len = code_point < 0x80 ? 1 : code_point < 0x800 ? 2 : code_point < 0x10000 ? 3 : 4;

	for (size_t i = len - 1; i > 0; i--)
	{
		bytes[i] = (char) (0x80 | (code_point & 0x3f));
		code_point >>= 6;
	}
	bytes[0] = (char) (len == 1 ? code_point : (0xf00 >> len & 0xff) | code_point);
	at_out(output, (AtText){bytes, len});
}
