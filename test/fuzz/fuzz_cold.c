/*-------------------------------------------------------------------------
 * fuzz_cold.c
 *		Segments of cold rows from any bytes: as a segment, as its frame, and as its content.
 *
 * Nobody finds the checksum of a segment by trying, so what is behind it gets the bytes
 * by itself. A column that is accepted can be walked through.
 *-------------------------------------------------------------------------
 */
#include "core/cold.h"
#include "target.h"

#define CONTENT_MAX 65536

static void
as_segment(AtText bytes)
{
	AtCold cold;
	size_t len;

	if (at_cold_read(&cold, bytes, &len) == AT_OK && cold.content_len <= CONTENT_MAX)
	{
		char *content = malloc(cold.content_len + 1);

		expect(content != NULL && len <= bytes.len);
		if (at_cold_unpack(&cold, content) == AT_OK)
		{
			AtText unpacked = {content, cold.content_len};
			AtWriter writer = writer_of(at_cold_room(unpacked.len));

			expect(at_cold_write(&writer, &cold, unpacked) == AT_OK);
			free(writer.data);
		}
		free(content);
	}
}

static void
as_frame(AtText bytes)
{
	AtCold cold = {.content_len = 64, .frame = bytes};
	char content[64];

	(void) at_cold_unpack(&cold, content);
}

static void
as_content(AtText bytes)
{
	uint32_t rows = bytes.len > 0 ? (uint8_t) bytes.data[bytes.len - 1] : 0;
	AtColdColumn column;

	while (at_cold_column_next(&bytes, rows, &column) == AT_OK)
	{
		for (uint32_t i = 0; i < rows; i++)
		{
			if (column.type == AT_COLD_INTS)
				(void) at_cold_int(&column);
			else
				(void) at_cold_text(&column);
		}
		expect(column.numbers.len == 0);
		expect(column.type == AT_COLD_INTS || column.values.len == 0);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AtText bytes = copy_of(data, size);

	as_segment(bytes);
	as_frame(bytes);
	as_content(bytes);
	free((char *) bytes.data);
	return 0;
}
