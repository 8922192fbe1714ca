/*-------------------------------------------------------------------------
 * redact.c
 *		The text of a command without the secrets that it may hold.
 *
 * Literals are found by SQL's lexical rules: quotes are doubled within
 * quotes, dollar quotes end with the tag they begin with, comments nest. What a
 * backslash before a quote means depends on the literal's kind and on
 * standard_conforming_strings, and who guesses wrong reads the rest inside
 * out: so from such a literal on everything goes.
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "core/redact.h"

#define REPLACEMENT "'***'"

/* What is being read. */
typedef struct Reader
{
	const char *text;
	size_t len;
	size_t at;
} Reader;

/* Lower case, as they are looked for. */
static const char *const words[] = {
	"passw",      "passph", "pass=",   "pwd",    "secret",  "token",
	"credential", "crypt",  "api_key", "apikey", "private", "://",
};

static size_t redact(const char *text, size_t len, bool numbers, char *out);
static bool skip_number(Reader *reader);
static bool skip_comment(Reader *reader);
static bool skip_quoted(Reader *reader, char quote);
static bool skip_dollar_quoted(Reader *reader);
static size_t tag_length(const Reader *reader);
static bool is_word(char c);

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char) (c - 'A' + 'a') : c;
}

static bool
begins_with(const char *text, size_t len, const char *word)
{
	size_t i;

	for (i = 0; word[i] != '\0'; i++)
		if (i == len || lower(text[i]) != word[i])
			return false;
	return true;
}

/* Can a word begin like this? Most characters are passed over by that. */
static bool
may_begin(char c)
{
	return c == ':' || memchr("pstca", c | 0x20, 5) != NULL;
}

bool
at_mentions_secret(const char *text, size_t len)
{
	for (size_t at = 0; at < len; at++)
		for (size_t i = may_begin(text[at]) ? 0 : sizeof(words) / sizeof(words[0]);
			 i < sizeof(words) / sizeof(words[0]); i++)
			if (begins_with(text + at, len - at, words[i]))
				return true;
	return false;
}

/* The shortest literal, of two bytes, becomes one of five. */
size_t
at_redact_size(size_t len)
{
	return len / 2 * (sizeof(REPLACEMENT) - 1) + len % 2 + sizeof(REPLACEMENT);
}

size_t
at_redact(const char *text, size_t len, char *out)
{
	return redact(text, len, false, out);
}

size_t
at_redact_values(const char *text, size_t len, char *out)
{
	return redact(text, len, true, out);
}

static size_t
redact(const char *text, size_t len, bool numbers, char *out)
{
	Reader reader = {text, len, 0};
	size_t written = 0;
	bool was_literal = false;

	while (reader.at < len)
	{
		size_t from = reader.at;

		if (skip_quoted(&reader, '\'') || skip_dollar_quoted(&reader))
		{
			/* two that touch become one: else a reader would take them for one with a quote */
			if (!was_literal)
			{
				memcpy(out + written, REPLACEMENT, sizeof(REPLACEMENT) - 1);
				written += sizeof(REPLACEMENT) - 1;
			}
			was_literal = true;
			continue;
		}
		was_literal = false;
		if (numbers && skip_number(&reader))
		{
			out[written++] = '0';
			continue;
		}
		if (!skip_comment(&reader) && !skip_quoted(&reader, '"'))
			reader.at++;
		memcpy(out + written, text + from, reader.at - from);
		written += reader.at - from;
	}
	out[written] = '\0';
	return written;
}

/* Does this stand here? */
static bool
is_here(const Reader *reader, const char *word)
{
	return begins_with(reader->text + reader->at, reader->len - reader->at, word);
}

/* A number, with fraction, exponent and what else is written on to it; no name, no parameter. */
static bool
skip_number(Reader *reader)
{
	const char *text = reader->text;
	char before = reader->at > 0 ? text[reader->at - 1] : ' ';

	if (text[reader->at] < '0' || text[reader->at] > '9' || is_word(before) || before == '$')
		return false;
	while (reader->at < reader->len && (is_word(text[reader->at]) || text[reader->at] == '.'))
		reader->at++;
	return true;
}

static bool
skip_comment(Reader *reader)
{
	size_t depth = 0;

	if (is_here(reader, "--"))
	{
		while (reader->at < reader->len && reader->text[reader->at] != '\n')
			reader->at++;
		return true;
	}
	if (!is_here(reader, "/*"))
		return false;
	do
	{
		if (is_here(reader, "/*"))
		{
			depth++;
			reader->at += 2;
		}
		else if (is_here(reader, "*/"))
		{
			depth--;
			reader->at += 2;
		}
		else
			reader->at++;
	} while (depth > 0 && reader->at < reader->len);
	return true;
}

static bool
skip_quoted(Reader *reader, char quote)
{
	if (reader->text[reader->at] != quote)
		return false;
	for (reader->at++; reader->at < reader->len; reader->at++)
	{
		char c = reader->text[reader->at];

		if (c == '\\' && quote == '\'' && is_here(reader, "\\'"))
			break;
		if (c == quote)
		{
			reader->at++;
			if (reader->at == reader->len || reader->text[reader->at] != quote)
				return true;
		}
	}
	reader->at = reader->len;
	return true;
}

static bool
skip_dollar_quoted(Reader *reader)
{
	size_t tag = tag_length(reader);
	const char *start = reader->text + reader->at;

	if (tag == 0)
		return false;
	for (reader->at += tag; reader->at + tag <= reader->len; reader->at++)
	{
		if (memcmp(reader->text + reader->at, start, tag) == 0)
		{
			reader->at += tag;
			return true;
		}
	}
	reader->at = reader->len;
	return true;
}

/* Length of a dollar quote's beginning, $tag$, that stands here; 0 if none does. */
static size_t
tag_length(const Reader *reader)
{
	const char *text = reader->text + reader->at;
	size_t len = reader->len - reader->at;
	size_t i = 1;

	if (text[0] != '$' || (reader->at > 0 && is_word(text[-1])))
		return 0;
	if (len > 1 && text[1] >= '0' && text[1] <= '9')
		return 0; /* a parameter */
	while (i < len && is_word(text[i]))
		i++;
	return i < len && text[i] == '$' ? i + 1 : 0;
}

/* Can the byte be part of a name, but for the dollar sign? */
static bool
is_word(char c)
{
	return (lower(c) >= 'a' && lower(c) <= 'z') || (c >= '0' && c <= '9') || c == '_' ||
		   (unsigned char) c > 127;
}
