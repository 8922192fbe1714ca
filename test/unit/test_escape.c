/*-------------------------------------------------------------------------
 * test_escape.c
 *		Hostile text in JSON and HTML.
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "check.h"
#include "core/escape.h"
#include "core/json_text.h"
#include "evidence_sample.h"

typedef void (*Out)(AtOutput *output, AtText text);

static bool
comes_out(Out out, AtText text, const char *expected)
{
	char buffer[1000];
	AtWriter writer = at_writer(buffer, sizeof(buffer));
	AtOutput output;

	at_output_start(&output, sample_take, &writer);
	out(&output, text);
	return at_output_end(&output) == AT_OK &&
		   at_text_equal((AtText){buffer, writer.len}, at_text(expected));
}

static void
test_json(void)
{
	check(comes_out(at_out_json_string, at_text("a \"b\" \\ \xc3\xa4 /"),
					"\"a \\\"b\\\" \\\\ \xc3\xa4 /\""),
		  "quotes and backslashes are escaped, letters are not");
	check(comes_out(at_out_json_string, (AtText){"\0\n\t\r\x1f\x7f\xc2\x85", 8},
					"\"\\u0000\\n\\t\\u000d\\u001f\\u007f\\u0085\""),
		  "control characters are");
	check(comes_out(at_out_json_string, at_text("\xe2\x80\xae\xe2\x80\x8b\xef\xbb\xbf"),
					"\"\\u202e\\u200b\\ufeff\""),
		  "so are those that are not seen, or turn the line");
	check(comes_out(at_out_json_string, at_text("\xf3\xa0\x80\x81\xf0\x9f\x98\x80"),
					"\"\\udb40\\udc01\xf0\x9f\x98\x80\""),
		  "also far from the others, but not what is only rare");
	check(comes_out(at_out_json_string, at_text("caf\xe9\xff\xf0\x9f"),
					"\"caf\\ufffd\\ufffd\\ufffd\\ufffd\""),
		  "a byte that is not UTF-8 is replaced");
}

static void
test_json_value(void)
{
	check(comes_out(at_out_json_value, at_text(" { \"a b\" : [ 1.50,\n null , \"\\\" \\\\\" ] }\n"),
					"{\"a b\":[1.50,null,\"\\\" \\\\\"]}"),
		  "values keep all but white space");
	check(comes_out(at_out_json_value, at_text("\"\\u0041\xe2\x80\xae\xff\x7f\""),
					"\"\\u0041\\u202e\\ufffd\\u007f\""),
		  "in their strings, the same is escaped");
}

static void
test_html(void)
{
	check(comes_out(at_out_html, at_text("<b a=\"'\">&amp;</b>"),
					"&lt;b a=&quot;&#39;&quot;&gt;&amp;amp;&lt;/b&gt;"),
		  "markup is text");
	check(comes_out(at_out_html, (AtText){"a\0\n\t\r", 5},
					"a<i>U+0000</i><i>new line</i><br><i>tab</i><i>U+000D</i>"),
		  "control characters are named");
	check(comes_out(at_out_html, at_text("\xe2\x80\xae\xef\xb7\x90\xef\xbf\xbf\xf4\x8f\xbf\xbf"),
					"<i>U+202E</i><i>U+FDD0</i><i>U+FFFF</i><i>U+10FFFF</i>"),
		  "so are those that are not seen");
	check(comes_out(at_out_html, at_text("a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"),
					"a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"),
		  "letters of one to four bytes are not");
	check(comes_out(at_out_html, at_text("caf\xe9\xc3<"), "caf<i>byte E9</i><i>byte C3</i>&lt;"),
		  "nor are bytes letters that are not UTF-8");
	check(comes_out(at_out_html_string, at_text("\\u003cb\\u003e\\n\\\"\\ud800\\u00e4"),
					"&lt;b&gt;<i>new line</i><br>&quot;<i>U+D800</i>\xc3\xa4"),
		  "escapes of JSON do not get around it");
}

/* Every character, in all three ways. */
static void
test_all(void)
{
	int raw = 0;
	int invalid = 0;

	for (int32_t code_point = 0; code_point <= 0x10ffff; code_point++)
	{
		char bytes[4] = {(char) (0xf0 | code_point >> 18), (char) (0x80 | (code_point >> 12 & 63)),
						 (char) (0x80 | (code_point >> 6 & 63)), (char) (0x80 | (code_point & 63))};
		AtText text = code_point < 0x80      ? (AtText){(char[]){(char) code_point}, 1}
					  : code_point < 0x10000 ? (AtText){NULL, 0}
											 : (AtText){bytes, 4};
		char buffer[100];
		AtWriter writer = at_writer(buffer, sizeof(buffer));
		AtOutput output;

		if (text.len == 0)
			continue;
		at_output_start(&output, sample_take, &writer);
		at_out_json_string(&output, text);
		(void) at_output_end(&output);
		invalid += !at_json_text_check((AtText){buffer, writer.len});
		at_output_start(&output, sample_take, &writer);
		at_out_html(&output, text);
		(void) at_output_end(&output);
		for (size_t i = 0; i < writer.len; i++)
			raw += (uint8_t) buffer[i] < ' ' || buffer[i] == 0x7f;
	}
	check(invalid == 0, "every character makes a JSON string");
	check(raw == 0, "and no control character comes out");
}

static void
test_utf8(void)
{
	check(at_text_is_utf8(at_text("")) && at_text_is_utf8(at_text("a\xc3\xa4")), "UTF-8");
	check(!at_text_is_utf8(at_text("a\xc3")), "what is not");
}

int
main(void)
{
	test_json();
	test_json_value();
	test_html();
	test_all();
	test_utf8();
	return check_done();
}
