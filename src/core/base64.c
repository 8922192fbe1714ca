/*-------------------------------------------------------------------------
 * base64.c
 *		Base64 of RFC 4648, section 4, and of each byte string one text only.
 *
 * Caveat: time depends on the characters, so who can measure the reading of
 * a private key to the nanosecond may learn of it. It is read once, from a
 * file that nobody else can read.
 *-------------------------------------------------------------------------
 */
#include "core/base64.h"

static void encode_group(const uint8_t *in, size_t len, char out[4]);
static bool decode_group(const char in[4], int len, uint8_t out[3]);
static int digit_value(char digit);

void
at_write_base64(AtWriter *writer, const void *data, size_t len)
{
	const uint8_t *bytes = data;

	for (size_t i = 0; i < len; i += 3)
	{
		char group[4];

		encode_group(bytes + i, len - i < 3 ? len - i : 3, group);
		at_write(writer, (AtText){group, sizeof(group)});
	}
}

bool
at_base64_check(AtText text, size_t *len)
{
	size_t padding = 0;

	if (text.len % 4 != 0)
		return false;
	while (padding < 2 && padding < text.len && text.data[text.len - 1 - padding] == '=')
		padding++;

	for (size_t i = 0; i < text.len; i += 4)
	{
		uint8_t ignored[3];
		bool last = i + 4 == text.len;

		if (!decode_group(text.data + i, last ? 3 - (int) padding : 3, ignored))
			return false;
	}
	*len = text.len / 4 * 3 - padding;
	return true;
}

bool
at_base64_decode(AtText text, void *out, size_t len)
{
	size_t found;

	return at_base64_check(text, &found) && found == len && at_base64_decode_start(text, out, len);
}

bool
at_base64_decode_start(AtText text, void *out, size_t len)
{
	uint8_t *bytes = out;
	size_t found;

	if (!at_base64_check(text, &found) || found < len)
		return false;

	for (size_t i = 0; i < len; i += 3)
	{
		uint8_t group[3];

		decode_group(text.data + i / 3 * 4, found - i < 3 ? (int) (found - i) : 3, group);
		memcpy(bytes + i, group, len - i < 3 ? len - i : 3);
	}
	return true;
}

/* Four characters of one to three bytes. */
static void
encode_group(const uint8_t *in, size_t len, char out[4])
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	uint32_t bits = (uint32_t) in[0] << 16;

	if (len > 1)
		bits |= (uint32_t) in[1] << 8;
	if (len > 2)
		bits |= in[2];

	out[0] = digits[bits >> 18];
	out[1] = digits[bits >> 12 & 63];
	out[2] = len > 1 ? digits[bits >> 6 & 63] : '=';
	out[3] = len > 2 ? digits[bits & 63] : '=';
}

/* One to three bytes of four characters, of which only the padding is not looked at. */
static bool
decode_group(const char in[4], int len, uint8_t out[3])
{
	uint32_t bits = 0;

	for (int i = 0; i < 4; i++)
	{
		int value = i <= len ? digit_value(in[i]) : 0;

		if (value < 0)
			return false;
		bits = bits << 6 | (uint32_t) value;
	}
	out[0] = (uint8_t) (bits >> 16);
	out[1] = (uint8_t) (bits >> 8);
	out[2] = (uint8_t) bits;

	/* what lies behind the last byte must be zero, else two texts would mean the same */
	return (bits & ((UINT32_C(1) << 8 * (3 - len)) - 1)) == 0;
}

/* The six bits of a character; -1 if it is none of the alphabet. */
static int
digit_value(char digit)
{
	if (digit >= 'A' && digit <= 'Z')
		return digit - 'A';
	if (digit >= 'a' && digit <= 'z')
		return digit - 'a' + 26;
	if (digit >= '0' && digit <= '9')
		return digit - '0' + 52;
	if (digit == '+')
		return 62;
	return digit == '/' ? 63 : -1;
}
