/*-------------------------------------------------------------------------
 * output.c
 *		Text of any length, handed on in pieces as it is made.
 *-------------------------------------------------------------------------
 */
#include "core/base64.h"
#include "core/output.h"

/* Bytes that are put into base64 at a time: their text has no padding within. */
#define BASE64_CHUNK 48

static void hand_on(AtOutput *output);

void
at_output_start(AtOutput *output, AtOutputTake take, void *taker)
{
	output->take = take;
	output->taker = taker;
	output->failed = false;
	output->len = 0;
}

void
at_out(AtOutput *output, AtText text)
{
	while (text.len > 0 && !output->failed)
	{
		size_t room = sizeof(output->buffer) - output->len;
		size_t len = text.len < room ? text.len : room;

		memcpy(output->buffer + output->len, text.data, len);
		output->len += len;
		text = (AtText){text.data + len, text.len - len};
		if (output->len == sizeof(output->buffer))
			hand_on(output);
	}
}

void
at_out_string(AtOutput *output, const char *string)
{
	at_out(output, at_text(string));
}

void
at_out_decimal(AtOutput *output, uint64_t number)
{
	char digits[AT_DECIMAL_MAX];
	AtWriter writer = at_writer(digits, sizeof(digits));

	at_write_decimal(&writer, number);
	at_out(output, (AtText){digits, writer.len});
}

void
at_out_signed(AtOutput *output, int64_t number)
{
	if (number < 0)
		at_out_string(output, "-");
	at_out_decimal(output, number < 0 ? -(uint64_t) number : (uint64_t) number);
}

void
at_out_hex(AtOutput *output, const void *data, size_t len)
{
	static const char digit[] = "0123456789abcdef";
	const uint8_t *bytes = data;

	for (size_t i = 0; i < len; i++)
		at_out(output, (AtText){(char[]){digit[bytes[i] >> 4], digit[bytes[i] & 15]}, 2});
}

void
at_out_base64(AtOutput *output, const void *data, size_t len)
{
	const uint8_t *bytes = data;
	char text[AT_BASE64_LEN(BASE64_CHUNK)];

	for (size_t done = 0; done < len; done += BASE64_CHUNK)
	{
		AtWriter writer = at_writer(text, sizeof(text));

		at_write_base64(&writer, bytes + done,
						len - done < BASE64_CHUNK ? len - done : BASE64_CHUNK);
		at_out(output, (AtText){text, writer.len});
	}
}

AtError
at_output_end(AtOutput *output)
{
	hand_on(output);
	return output->failed ? AT_ERR_OUTPUT : AT_OK;
}

static void
hand_on(AtOutput *output)
{
	if (output->len > 0 && !output->failed)
		output->failed = !output->take(output->taker, (AtText){output->buffer, output->len});
	output->len = 0;
}
