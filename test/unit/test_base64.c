/*-------------------------------------------------------------------------
 * test_base64.c
 *		Base64: RFC 4648's vectors, and one text for each byte string.
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "check.h"
#include "core/base64.h"

static bool is_canonical(const char group[4]);

/* RFC 4648, section 10. */
static void
test_vectors(void)
{
	static const struct
	{
		const char *bytes;
		const char *text;
	} cases[] = {
		{"", ""},
		{"f", "Zg=="},
		{"fo", "Zm8="},
		{"foo", "Zm9v"},
		{"foob", "Zm9vYg=="},
		{"fooba", "Zm9vYmE="},
		{"foobar", "Zm9vYmFy"},
		{"\xfb\xff\xbf", "+/+/"},
	};

	for (size_t i = 0; i < lengthof(cases); i++)
	{
		AtText text = at_text(cases[i].text);
		size_t len = strlen(cases[i].bytes);
		uint8_t bytes[16];
		char buffer[16];
		AtWriter writer = at_writer(buffer, sizeof(buffer));

		at_write_base64(&writer, cases[i].bytes, len);
		check(at_text_equal((AtText){buffer, writer.len}, text) && writer.len == AT_BASE64_LEN(len),
			  "bytes are encoded");
		check(at_base64_decode(text, bytes, len) && memcmp(bytes, cases[i].bytes, len) == 0,
			  "and decoded");
		check(!at_base64_decode(text, bytes, len + 1), "but not as one byte more");
		check(len == 0 || !at_base64_decode(text, bytes, len - 1), "or less");
	}
}

static void
test_refused(void)
{
	static const char *const wrong[] = {
		"Z",    "Zg",     "Zg=",      "Zm8",      "Zm9vY",  "Zm9v=", "Zm9v====", "====",
		"=",    "Z===",   "Zg==Zg==", "Zm8=Zm9v", "Zm=v",   "Z=9v",  "=m9v",     "Zm9 ",
		" Zm9", "Zm9v\n", "Zm9\n",    "Zm9v\r\n", "Zm9-",   "Zm9_",  "Zm9\x80",  "Zh==",
		"Zn==", "Zv==",   "Zm9=",     "Zm+=",     "Zm8=\n", "Zm8 =", "Zm8==",    "Zg==\n\n\n\n",
	};
	size_t len;

	for (size_t i = 0; i < lengthof(wrong); i++)
		check(!at_base64_check(at_text(wrong[i]), &len), "what is not base64 is refused");
	check(!at_base64_check((AtText){"Zm9\0", 4}, &len), "and so is a zero byte");
}

/* Of all texts of four characters exactly those pass that encoding can make. */
static void
test_one_text(void)
{
	static const char some[] = "AQgw/+09BCEZz=\n-";
	int wrong = 0;
	int accepted = 0;

	for (int i = 0; i < 16 * 16 * 16 * 16; i++)
	{
		char group[] = {some[i & 15], some[i >> 4 & 15], some[i >> 8 & 15], some[i >> 12]};
		size_t len;
		bool valid = at_base64_check((AtText){group, 4}, &len);

		accepted += valid;
		wrong += valid != is_canonical(group);
	}
	check(wrong == 0 && accepted > 13 * 13 * 13 * 13, "a text passes if it is what encoding makes");
}

static void
test_start(void)
{
	uint8_t bytes[] = "......";

	check(at_base64_decode_start(at_text("Zm9vYmE="), bytes, 4) && memcmp(bytes, "foob..", 6) == 0,
		  "the first bytes are decoded, and no more written");
	check(at_base64_decode_start(at_text("Zm9vYmE="), bytes, 5) && memcmp(bytes, "fooba.", 6) == 0,
		  "all are");
	check(!at_base64_decode_start(at_text("Zm9vYmE="), bytes, 6), "more than there are is refused");
	check(!at_base64_decode_start(at_text("Zm9vYmF="), bytes, 1), "an error behind them is found");
}

int
main(void)
{
	test_vectors();
	test_refused();
	test_one_text();
	test_start();
	return check_done();
}

/* Is there a string of one to three bytes that is encoded so? Four characters are 24 bits. */
static bool
is_canonical(const char group[4])
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	int len = group[3] != '=' ? 4 : group[2] != '=' ? 3 : 2;
	long bits = 0;

	for (int i = 0; i < len; i++)
	{
		const char *digit = memchr(digits, group[i], 64);

		if (digit == NULL)
			return false;
		bits = bits * 64 + (digit - digits);
	}
	return len == 4 || bits % (len == 3 ? 4 : 16) == 0;
}
