/*-------------------------------------------------------------------------
 * show.c
 *		Foreign bytes in the form in which a terminal and JSON can have them.
 *-------------------------------------------------------------------------
 */
#include "core/calendar.h"
#include "core/escape.h"
#include "message.h"
#include "show.h"

static bool is_shown(int32_t code_point);
static char *show_bytes(char *out, AtText bytes);
static bool take(void *taker, AtText piece);

char *
at_show(AtText text)
{
	char *shown = at_alloc(4 * text.len + 1);
	char *out = shown;

	while (text.len > 0)
	{
		AtText rest = text;
		int32_t code_point = at_text_character(&rest);
		size_t len = code_point < 0 ? 1 : text.len - rest.len;

		if (!is_shown(code_point))
			out = show_bytes(out, (AtText){text.data, len});
		else
		{
			if (code_point == '\\')
				*out++ = '\\';
			memcpy(out, text.data, len);
			out += len;
		}
		text = (AtText){text.data + len, text.len - len};
	}
	*out = '\0';
	return shown;
}

const char *
at_show_time(int64_t time, char buffer[AT_SHOWN_TIME_MAX])
{
	AtWriter writer = at_writer(buffer, AT_SHOWN_TIME_MAX - 1);
	AtOutput output;

	at_output_start(&output, take, &writer);
	at_out_time(&output, time);
	(void) at_output_end(&output);
	buffer[writer.len] = '\0';
	return buffer;
}

/* Private characters have no form that all agree on. */
static bool
is_shown(int32_t code_point)
{
	bool is_private = (code_point >= 0xe000 && code_point <= 0xf8ff) || code_point >= 0xf0000;

	return !is_private && !at_is_unseen(code_point);
}

static char *
show_bytes(char *out, AtText bytes)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < bytes.len; i++)
	{
		uint8_t byte = (uint8_t) bytes.data[i];

		*out++ = '\\';
		*out++ = 'x';
		*out++ = digits[byte >> 4];
		*out++ = digits[byte & 15];
	}
	return out;
}

/* An AtOutputTake. */
static bool
take(void *taker, AtText piece)
{
	at_write(taker, piece);
	return true;
}
