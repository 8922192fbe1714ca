/*-------------------------------------------------------------------------
 * text.c
 *		Pieces of text: read strictly, written within bounds.
 *-------------------------------------------------------------------------
 */
#include "core/text.h"

static void skip(AtText *text, size_t len);
static int sequence_length(uint8_t first);

bool
at_text_equal(AtText one, AtText other)
{
	return one.len == other.len && (one.len == 0 || memcmp(one.data, other.data, one.len) == 0);
}

int
at_text_compare(AtText one, AtText other)
{
	size_t len = one.len < other.len ? one.len : other.len;
	int order = len > 0 ? memcmp(one.data, other.data, len) : 0;

	return order != 0 ? order : (one.len > other.len) - (one.len < other.len);
}

bool
at_text_skip(AtText *text, const char *start)
{
	size_t len = strlen(start);

	if (text->len < len || memcmp(text->data, start, len) != 0)
		return false;

	skip(text, len);
	return true;
}

bool
at_text_line(AtText *text, AtText *line)
{
	return at_text_until(text, '\n', line);
}

bool
at_text_until(AtText *text, char end, AtText *before)
{
	const char *found = text->len > 0 ? memchr(text->data, end, text->len) : NULL;

	if (found == NULL)
		return false;

	*before = (AtText){text->data, (size_t) (found - text->data)};
	skip(text, before->len + 1);
	return true;
}

bool
at_text_decimal(AtText text, uint64_t *number)
{
	uint64_t value = 0;

	if (text.len == 0 || (text.data[0] == '0' && text.len > 1))
		return false;

	for (size_t i = 0; i < text.len; i++)
	{
		unsigned digit = (unsigned) ((uint8_t) text.data[i]) - '0';

		if (digit > 9 || value > (UINT64_MAX - digit) / 10)
			return false;
		value = value * 10 + digit;
	}
	*number = value;
	return true;
}

int32_t
at_text_character(AtText *text)
{
	static const int32_t least[] = {0, 0, 0x80, 0x800, 0x10000};

	if (text->len == 0)
		return -1;

	const uint8_t *bytes = (const uint8_t *) text->data;
	int len = sequence_length(bytes[0]);

	if (len == 0 || text->len < (size_t) len)
		return -1;

	int32_t code_point = len == 1 ? bytes[0] : bytes[0] & (0x7f >> len);

	for (int i = 1; i < len; i++)
	{
		if ((bytes[i] & 0xc0) != 0x80)
			return -1;
		code_point = code_point << 6 | (bytes[i] & 0x3f);
	}
	if (code_point < least[len] || code_point > 0x10ffff || (code_point >> 11) == 0xd800 >> 11)
		return -1;

	skip(text, (size_t) len);
	return code_point;
}

bool
at_is_space(int32_t code_point)
{
	switch (code_point)
	{
		case ' ':
		case 0x85:
		case 0xa0:
		case 0x1680:
		case 0x2028:
		case 0x2029:
		case 0x202f:
		case 0x205f:
		case 0x3000:
			return true;
		default:
			return (code_point >= '\t' && code_point <= '\r') ||
				   (code_point >= 0x2000 && code_point <= 0x200a);
	}
}

AtWriter
at_writer(char *buffer, size_t size)
{
	return (AtWriter){.data = buffer, .max = size};
}

void
at_write(AtWriter *writer, AtText text)
{
	if (writer->full || text.len > writer->max - writer->len)
	{
		writer->full = true;
		return;
	}
	if (text.len > 0)
		memcpy(writer->data + writer->len, text.data, text.len);
	writer->len += text.len;
}

void
at_write_string(AtWriter *writer, const char *string)
{
	at_write(writer, at_text(string));
}

void
at_write_decimal(AtWriter *writer, uint64_t number)
{
	char digits[AT_DECIMAL_MAX];
	size_t start = sizeof(digits);

	do
	{
		digits[--start] = (char) ('0' + number % 10);
		number /= 10;
	} while (number > 0);
	at_write(writer, (AtText){digits + start, sizeof(digits) - start});
}

AtError
at_writer_error(const AtWriter *writer)
{
	return writer->full ? AT_ERR_NO_ROOM : AT_OK;
}

static void
skip(AtText *text, size_t len)
{
	text->data += len;
	text->len -= len;
}

/* Bytes of a UTF-8 character by its first one; 0 if none begins so. */
static int
sequence_length(uint8_t first)
{
	if (first < 0x80)
		return 1;
	if (first < 0xc0 || first > 0xf7)
		return 0;
	return first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}
