/*-------------------------------------------------------------------------
 * fuzz_archive.c
 *		Archives from any bytes: as a segment, as its frame, and as its content.
 *
 * Nobody finds the checksum of a segment by trying, so what is behind it gets the bytes
 * by itself. What is read as a segment is written as one again, with the same content.
 *-------------------------------------------------------------------------
 */
#include "core/archive.h"
#include "target.h"

#define CONTENT_MAX 65536

static uint8_t log_id[AT_LOG_ID_LEN];

static void
as_segment(AtText bytes)
{
	AtSegment segment;

	if (at_segment_read(&segment, bytes) == AT_OK && segment.content_len <= CONTENT_MAX)
	{
		char *content = malloc(segment.content_len + 1);

		expect(content != NULL);
		if (at_segment_unpack(&segment, content) == AT_OK)
		{
			AtText unpacked = {content, segment.content_len};
			AtWriter writer = writer_of(at_segment_room(unpacked.len));

			expect(at_segment_write(&writer, &segment, unpacked) == AT_OK);
			free(writer.data);
		}
		free(content);
	}
}

static void
as_frame(AtText bytes)
{
	AtSegment segment = {.content_len = 64, .frame = bytes};
	char content[64];

	(void) at_segment_unpack(&segment, content);
}

static void
as_content(AtText bytes)
{
	AtSegment segment = {.log_id = log_id};
	AtArchive *archive = malloc(sizeof(AtArchive));

	expect(archive != NULL);
	at_archive_init(archive);
	(void) at_archive_read(archive, &segment, bytes);
	expect(archive->batch.size == archive->place.leaf || archive->place.leaf == 0);
	expect(archive->log.size <= bytes.len);
	free(archive);
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
