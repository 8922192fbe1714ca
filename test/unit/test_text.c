/*-------------------------------------------------------------------------
 * test_text.c
 *		Strict reading of lines, numbers and UTF-8; writing within bounds.
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "check.h"
#include "core/text.h"

static void
test_pieces(void)
{
	AtText text = at_text("one\ntwo=2\nrest");
	AtText part;

	check(at_text_line(&text, &part) && at_text_equal(part, at_text("one")), "a line is cut off");
	check(!at_text_skip(&text, "twO"), "what does not stand there is not skipped");
	check(at_text_skip(&text, "two"), "what does is");
	check(at_text_until(&text, '=', &part) && part.len == 0, "nothing may stand before a mark");
	check(at_text_line(&text, &part) && at_text_equal(part, at_text("2")), "the next line");
	check(!at_text_line(&text, &part), "what does not end is no line");
	check(at_text_equal(text, at_text("rest")), "and is left as it is");
	check(!at_text_skip(&text, "rest of it"), "nothing is skipped past the end");
	check(!at_text_line(&(AtText){NULL, 0}, &part), "nothing is no line");
	check(at_text_equal((AtText){NULL, 0}, at_text("")), "nothing is nothing");
	check(!at_text_equal(at_text("a"), at_text("b")), "equal lengths are not enough");
	check(!at_text_equal(at_text("a"), at_text("ab")), "nor is an equal start");
}

static void
test_decimal(void)
{
	static const struct
	{
		const char *text;
		bool valid;
		uint64_t number;
	} cases[] = {
		{"0", true, 0},
		{"7", true, 7},
		{"9223372036854775807", true, INT64_MAX},
		{"9223372036854775808", true, UINT64_C(1) << 63},
		{"18446744073709551615", true, UINT64_MAX},
		{"18446744073709551616", false, 0},
		{"18446744073709551620", false, 0},
		{"99999999999999999999", false, 0},
		{"184467440737095516150", false, 0},
		{"", false, 0},
		{"00", false, 0},
		{"01", false, 0},
		{"-1", false, 0},
		{"+1", false, 0},
		{" 1", false, 0},
		{"1 ", false, 0},
		{"1\n", false, 0},
		{"1e3", false, 0},
		{"0x1", false, 0},
		{"1:", false, 0},
		{"1/", false, 0},
		{"\xd9\xa1", false, 0}, /* a digit of another script */
	};

	for (size_t i = 0; i < lengthof(cases); i++)
	{
		uint64_t number = 0;

		check(at_text_decimal(at_text(cases[i].text), &number) == cases[i].valid &&
				  number == cases[i].number,
			  cases[i].valid ? "a decimal is read" : "what is no decimal is refused");
	}
	check(!at_text_decimal((AtText){"1\0", 2}, &(uint64_t){0}), "a zero byte is no digit");
}

static void
test_character(void)
{
	static const struct
	{
		const char *text;
		int32_t code_point;
	} cases[] = {
		{"a", 'a'},
		{"\x7f", 0x7f},
		{"\xc2\x80", 0x80},
		{"\xdf\xbf", 0x7ff},
		{"\xe0\xa0\x80", 0x800},
		{"\xed\x9f\xbf", 0xd7ff},
		{"\xee\x80\x80", 0xe000},
		{"\xef\xbf\xbf", 0xffff},
		{"\xf0\x90\x80\x80", 0x10000},
		{"\xf4\x8f\xbf\xbf", 0x10ffff},
		{"", -1},
		{"\x80", -1},             /* begins with a later byte */
		{"\xc2", -1},             /* cut off */
		{"\xe2\x80", -1},         /* cut off */
		{"\xc2 ", -1},            /* no later byte */
		{"\xe2\x80 ", -1},        /* no later byte at the end */
		{"\xc1\xbf", -1},         /* longer than need be */
		{"\xe0\x9f\xbf", -1},     /* the same, three bytes */
		{"\xf0\x8f\xbf\xbf", -1}, /* the same, four bytes */
		{"\xed\xa0\x80", -1},     /* first surrogate */
		{"\xed\xbf\xbf", -1},     /* last surrogate */
		{"\xf4\x90\x80\x80", -1}, /* above U+10FFFF */
		{"\xf7\xbf\xbf\xbf", -1},
		{"\xf8\x88\x80\x80\x80", -1},
		{"\xff", -1},
	};

	for (size_t i = 0; i < lengthof(cases); i++)
	{
		AtText text = at_text(cases[i].text);
		size_t left = cases[i].code_point < 0 ? text.len : 0;

		check(at_text_character(&text) == cases[i].code_point && text.len == left,
			  cases[i].code_point < 0 ? "ill-formed UTF-8 is refused" : "a character is read");
	}
	check(at_text_character(&(AtText){"\0", 1}) == 0, "a zero byte is a character");
}

/* White_Space of Unicode 15, PropList.txt: 25 code points. */
static void
test_space(void)
{
	static const int32_t spaces[] = {'\t',   '\v',   '\f',   '\r',   '\n',   ' ',
									 0x85,   0xa0,   0x1680, 0x2000, 0x2005, 0x200a,
									 0x2028, 0x2029, 0x202f, 0x205f, 0x3000};
	int found = 0;
	int listed = 0;

	for (int32_t code_point = 0; code_point <= 0x10ffff; code_point++)
		found += at_is_space(code_point);
	for (size_t i = 0; i < lengthof(spaces); i++)
		listed += at_is_space(spaces[i]);
	check(found == 25 && listed == lengthof(spaces), "white space is that of Unicode");
}

static void
test_writer(void)
{
	char buffer[] = "..........";
	AtWriter writer = at_writer(buffer, 5);

	at_write_string(&writer, "ab");
	at_write(&writer, (AtText){NULL, 0});
	at_write_decimal(&writer, 120);
	check(at_writer_error(&writer) == AT_OK && writer.len == 5, "the buffer is filled");
	at_write_string(&writer, "");
	check(at_writer_error(&writer) == AT_OK, "nothing still fits");
	at_write_string(&writer, "c");
	check(at_writer_error(&writer) == AT_ERR_NO_ROOM, "one byte more does not");
	check(strcmp(buffer, "ab120.....") == 0, "and nothing is written past the end");

	writer = at_writer(buffer, 5);
	at_write_string(&writer, "abcdef");
	at_write_string(&writer, "g");
	check(writer.len == 0 && at_writer_error(&writer) == AT_ERR_NO_ROOM,
		  "what follows a piece that did not fit is not written, though it would");

	writer = at_writer(buffer, sizeof(buffer));
	at_write_decimal(&writer, 0);
	check(writer.len == 1 && buffer[0] == '0', "zero has a digit");

	char largest[AT_DECIMAL_MAX];

	writer = at_writer(largest, sizeof(largest));
	at_write_decimal(&writer, UINT64_MAX);
	check(memcmp(largest, "18446744073709551615", sizeof(largest)) == 0, "the largest has 20");
}

int
main(void)
{
	test_pieces();
	test_decimal();
	test_character();
	test_space();
	test_writer();
	return check_done();
}
