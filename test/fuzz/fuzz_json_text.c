/*-------------------------------------------------------------------------
 * fuzz_json_text.c
 *		JSON from any bytes: what is accepted has members that are JSON too,
 *		and is written as JSON, in UTF-8, without characters that mislead.
 *-------------------------------------------------------------------------
 */
#include "core/escape.h"
#include "core/json_text.h"
#include "target.h"

/* An escape makes six bytes of one, and no byte more than that. */
#define GROWTH 6

static bool append(void *writer, AtText piece);
static void check_members(AtText text);
static void check_written(AtText text, void (*out)(AtOutput *, AtText));

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AtText text = copy_of(data, size);

	if (at_json_text_check(text))
	{
		check_members(text);
		check_written(text, at_out_json_value);
	}
	check_written(text, at_out_json_string);
	free((char *) text.data);
	return 0;
}

static void
check_members(AtText text)
{
	AtText members;
	AtText key;
	AtText value;

	if (!at_json_text_open(text, &members))
		return;
	while (at_json_text_next(&members, &key, &value))
	{
		expect(at_json_text_check(value));
		while (key.len > 0)
			expect(at_json_text_character(&key) <= 0x10ffff);
	}
	expect(members.len > 0 && members.data[0] == '}');
}

static bool
append(void *writer, AtText piece)
{
	at_write(writer, piece);
	return true;
}

static void
check_written(AtText text, void (*out)(AtOutput *, AtText))
{
	AtWriter writer = writer_of(GROWTH * text.len + 2);
	AtOutput output;

	at_output_start(&output, append, &writer);
	out(&output, text);
	expect(at_output_end(&output) == AT_OK && !writer.full);

	AtText written = {writer.data, writer.len};

	expect(at_json_text_check(written) && at_text_is_utf8(written));
	for (size_t i = 0; i < written.len; i++)
		expect((uint8_t) written.data[i] >= ' ' && written.data[i] != 0x7f);
	free(writer.data);
}
