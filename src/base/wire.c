/*-------------------------------------------------------------------------
 * wire.c
 *		Numbers and texts as bytes, from one process of this server to another.
 *
 * Numbers are in the server's own byte order. A text has its length before
 * it, and a zero byte behind it.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/wire.h"

#define NO_TEXT (-1)

void
at_wire_put_number(StringInfo out, int64 number)
{
	appendBinaryStringInfo(out, (const char *) &number, sizeof(number));
}

void
at_wire_put_text(StringInfo out, const char *text)
{
	at_wire_put_number(out, text != NULL ? (int64) strlen(text) : NO_TEXT);
	if (text != NULL)
		appendBinaryStringInfo(out, text, strlen(text) + 1);
}

int64
at_wire_get_number(StringInfo in, bool *valid)
{
	int64 number = 0;

	if (in->len - in->cursor < (int) sizeof(number))
		*valid = false;
	else
	{
		memcpy(&number, in->data + in->cursor, sizeof(number));
		in->cursor += sizeof(number);
	}
	return number;
}

char *
at_wire_get_text(StringInfo in, bool *valid)
{
	int64 len = at_wire_get_number(in, valid);
	char *text = in->data + in->cursor;

	if (!*valid || len == NO_TEXT)
		return NULL;
	if (len < 0 || len >= in->len - in->cursor || text[len] != '\0')
	{
		*valid = false;
		return NULL;
	}
	in->cursor += len + 1;
	return text;
}
