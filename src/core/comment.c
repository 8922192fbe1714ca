/*-------------------------------------------------------------------------
 * comment.c
 *		Hints in a comment at the end of an SQL statement.
 *
 * The comment is searched from behind, so that a statement of any length
 * without one costs nothing. A statement that PostgreSQL accepts and that
 * ends with the closing mark ends in a comment. That begins at the last
 * opening mark before, unless it has comments within it; then there is a
 * closing mark in what follows, and it is none of ours.
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "core/comment.h"

/* What is still to be read, and where decoded bytes go. */
typedef struct Cursor
{
	const char *at;
	const char *end;
	char *out;
} Cursor;

static bool find(const char *sql, size_t len, Cursor *cursor);
static bool read_pair(Cursor *cursor, AtCommentPair *pair);
static bool read_key(Cursor *cursor);
static bool read_value(Cursor *cursor);
static bool put_decoded(Cursor *cursor);

bool
at_comment_read(AtComment *comment, const char *sql, size_t len)
{
	Cursor cursor;
	int npairs = 0;

	comment->npairs = 0;
	if (!find(sql, len, &cursor))
		return false;
	cursor.out = comment->text;
	do
	{
		if (npairs == AT_COMMENT_PAIRS || !read_pair(&cursor, &comment->pair[npairs++]))
			return false;
	} while (cursor.at < cursor.end && *cursor.at++ == ',');

	/* what ended the list was not a comma */
	if (cursor.at < cursor.end || cursor.end[-1] == ',')
		return false;
	comment->npairs = npairs;
	return true;
}

static inline bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Find the inside of the comment that the statement ends with. */
static bool
find(const char *sql, size_t len, Cursor *cursor)
{
	size_t stop;
	size_t start;

	while (len > 0 && (is_space(sql[len - 1]) || sql[len - 1] == ';'))
		len--;
	if (len < 4 || sql[len - 1] != '/' || sql[len - 2] != '*')
		return false;

	stop = len - 2;
	for (start = stop; start >= 2 && stop - start <= AT_COMMENT_MAX; start--)
	{
		if (sql[start - 2] == '/' && sql[start - 1] == '*')
		{
			*cursor = (Cursor){.at = sql + start, .end = sql + stop};
			return stop > start;
		}
		if (start < stop && sql[start - 1] == '*' && sql[start] == '/')
			return false;
	}
	return false;
}

static void
skip_spaces(Cursor *cursor)
{
	while (cursor->at < cursor->end && is_space(*cursor->at))
		cursor->at++;
}

/* key='value', with what spaces there are around. */
static bool
read_pair(Cursor *cursor, AtCommentPair *pair)
{
	skip_spaces(cursor);
	pair->key = cursor->out;
	if (!read_key(cursor))
		return false;
	pair->value = cursor->out;
	if (!read_value(cursor))
		return false;
	skip_spaces(cursor);
	return true;
}

/* Up to the equals sign; spaces before it do not belong to the key. */
static bool
read_key(Cursor *cursor)
{
	const char *start = cursor->out;

	while (cursor->at < cursor->end && *cursor->at != '=' && !is_space(*cursor->at))
	{
		if (*cursor->at == ',' || *cursor->at == '\'' || !put_decoded(cursor))
			return false;
	}
	skip_spaces(cursor);
	if (cursor->at == cursor->end || *cursor->at != '=' || cursor->out == start)
		return false;
	cursor->at++;
	skip_spaces(cursor);
	*cursor->out++ = '\0';
	return true;
}

static bool
read_value(Cursor *cursor)
{
	if (cursor->at == cursor->end || *cursor->at != '\'')
		return false;
	cursor->at++;
	while (cursor->at < cursor->end && *cursor->at != '\'')
	{
		if (*cursor->at == '\\' && ++cursor->at == cursor->end)
			return false;
		if (!put_decoded(cursor))
			return false;
	}
	if (cursor->at == cursor->end)
		return false;
	cursor->at++;
	*cursor->out++ = '\0';
	return true;
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The next byte, or the one that %XX stands for. Never more bytes come out than went in. */
static bool
put_decoded(Cursor *cursor)
{
	char byte = *cursor->at++;

	if (byte == '%')
	{
		if (cursor->end - cursor->at < 2 || hex_digit(cursor->at[0]) < 0 ||
			hex_digit(cursor->at[1]) < 0)
			return false;
		byte = (char) (hex_digit(cursor->at[0]) << 4 | hex_digit(cursor->at[1]));
		cursor->at += 2;
	}
	*cursor->out++ = byte;
	return byte != '\0';
}
