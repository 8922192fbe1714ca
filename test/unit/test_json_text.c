/*-------------------------------------------------------------------------
 * test_json_text.c
 *		Recorded JSON: what is JSON, its members, and its characters.
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "check.h"
#include "core/json_text.h"

static void
test_check(void)
{
	static const char *const good[] = {
		"0",
		"-0",
		"10.50",
		"1e999999",
		"-1.5E+3",
		"1e-3",
		"\"\"",
		"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0000\\uD800\"",
		"\"\xff\xc3\"",
		"true",
		"false",
		" null ",
		"{}",
		"[]",
		"{\"a\":1,\"a\":2}",
		"[1,[2,{\"a\":[]}],{}]",
		"\t{ \"a\" :\n[ 1 , 2 ] }\r\n",
	};
	static const char *const bad[] = {
		"",
		" ",
		"-",
		"01",
		"1.",
		".5",
		"1e",
		"1e+",
		"+1",
		"NaN",
		"tru",
		"\"",
		"\"\\",
		"\"\\x\"",
		"\"\\u12g4\"",
		"\"\\u123",
		"\"\n\"",
		"{",
		"}",
		"[",
		"]",
		"[1",
		"[1,",
		"[1,]",
		"[,1]",
		"[1 2]",
		"[1}",
		"{1}",
		"{\"a\"}",
		"{\"a\":}",
		"{\"a\" 1}",
		"{\"a\":1,}",
		"{\"a\":1]",
		"{\"a\":1 \"b\":2}",
		"{a:1}",
		"1 2",
		"{}{}",
		"[[[",
		"//",
	};

	for (size_t i = 0; i < lengthof(good); i++)
		check(at_json_text_check(at_text(good[i])), good[i]);
	for (size_t i = 0; i < lengthof(bad); i++)
		check(!at_json_text_check(at_text(bad[i])), bad[i]);
	check(!at_json_text_check((AtText){"\"\\\0\"", 4}), "a zero byte is no escape");
	check(!at_json_text_check((AtText){"1\0", 2}), "nor white space");
}

static void
test_depth(void)
{
	static char text[2 * AT_JSON_TEXT_DEPTH + 2];

	memset(text, '[', AT_JSON_TEXT_DEPTH);
	memset(text + AT_JSON_TEXT_DEPTH, ']', AT_JSON_TEXT_DEPTH);
	check(at_json_text_check((AtText){text, 2 * AT_JSON_TEXT_DEPTH}), "the deepest nesting");
	memset(text, '[', AT_JSON_TEXT_DEPTH + 1);
	memset(text + AT_JSON_TEXT_DEPTH + 1, ']', AT_JSON_TEXT_DEPTH + 1);
	check(!at_json_text_check((AtText){text, 2 * AT_JSON_TEXT_DEPTH + 2}), "what is deeper");
}

static void
test_members(void)
{
	AtText members;
	AtText key;
	AtText value;

	check(at_json_text_open(
			  at_text(" { \"a\\\"\" : [1, \"]\\\"}\"] ,\"b\":{\"c\":[]},\n\"b\": -1.50 } "),
			  &members),
		  "an object is opened");
	check(at_json_text_next(&members, &key, &value) && at_text_equal(key, at_text("a\\\"")) &&
			  at_text_equal(value, at_text("[1, \"]\\\"}\"]")),
		  "a value ends where its brackets are even, outside of strings");
	check(at_json_text_next(&members, &key, &value) && at_text_equal(key, at_text("b")) &&
			  at_text_equal(value, at_text("{\"c\":[]}")),
		  "objects within are whole");
	check(at_json_text_next(&members, &key, &value) && at_text_equal(key, at_text("b")) &&
			  at_text_equal(value, at_text("-1.50")),
		  "a key may be there again");
	check(!at_json_text_next(&members, &key, &value), "then there is no other");

	check(!at_json_text_open(at_text("[1]"), &members) && !at_json_text_open(at_text(""), &members),
		  "what is no object has no members");
	check(at_json_text_find(at_text("{\"a\":1,\"b\":2}"), "b", &value) &&
			  at_text_equal(value, at_text("2")),
		  "a member is found by its key");
	check(!at_json_text_find(at_text("{\"a\":1}"), "b", &value) &&
			  !at_json_text_find(at_text("1"), "b", &value),
		  "or not");
}

static void
test_characters(void)
{
	static const struct
	{
		const char *text;
		int32_t code_point;
		size_t left;
	} cases[] = {
		{"a", 'a', 0},
		{"\\nx", '\n', 1},
		{"\\\"", '"', 0},
		{"\\/", '/', 0},
		{"\\u00e4", 0xe4, 0},
		{"\\u00AF", 0xaf, 0},
		{"\\ud83d\\ude00!", 0x1f600, 1},
		{"\\ud83dx", 0xd83d, 1},
		{"\\ud83d\\u0041", 0xd83d, 6},
		{"\\ude00", 0xde00, 0},
		{"\xc3\xa4", 0xe4, 0},
		{"\xff.", -1 - 0xff, 1},
		{"\\", '\\', 0},
		{"\\x", '\\', 1},
		{"\\u12", '\\', 3},
		{"\\u12g4", '\\', 5},
	};
	AtText value = at_text("\"a\"");

	for (size_t i = 0; i < lengthof(cases); i++)
	{
		AtText text = at_text(cases[i].text);

		check(at_json_text_character(&text) == cases[i].code_point && text.len == cases[i].left,
			  cases[i].text);
	}
	check(at_json_text_unquote(&value) && at_text_equal(value, at_text("a")), "quotes are cut off");
	check(!at_json_text_unquote(&value), "where there are some");
	value = at_text("\"");
	check(!at_json_text_unquote(&value), "one alone are none");
}

int
main(void)
{
	test_check();
	test_depth();
	test_members();
	test_characters();
	return check_done();
}
