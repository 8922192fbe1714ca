/*-------------------------------------------------------------------------
 * test_segment.c
 *		Segments of archives: written and read back, and no changed bit passes.
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "core/bytes.h"
#include "core/segment.h"

#define CONTENT "items, items, items, items, items, items, items, items, items"
#define HEADER  88

static uint8_t log_id[AT_LOG_ID_LEN] = "0123456789abcde";
static char file[1024];

static AtSegment
some_segment(void)
{
	return (AtSegment){.log_id = log_id,
					   .begin = {7, 3},
					   .end = {9, UINT64_C(1) << 40},
					   .events = 5,
					   .transactions = 2,
					   .first_tx_at = -4,
					   .last_tx_at = INT64_MAX};
}

/* Write it; returns its length. */
static size_t
write_file(AtText content)
{
	AtWriter writer = at_writer(file, sizeof(file));
	AtSegment segment = some_segment();

	return at_segment_write(&writer, &segment, content) == AT_OK ? writer.len : 0;
}

/* Put the checksum right again. */
static void
seal(size_t len)
{
	AtHash checksum;

	at_hash(file, len - AT_HASH_LEN, &checksum);
	memcpy(file + len - AT_HASH_LEN, &checksum, AT_HASH_LEN);
}

static void
test_read_back(void)
{
	AtText content = at_text(CONTENT);
	AtSegment expected = some_segment();
	AtSegment segment;
	char unpacked[sizeof(CONTENT)] = {0};
	size_t len = write_file(content);

	check(len > 0 && len <= at_segment_room(content.len), "a segment is written into its room");
	check(at_segment_read(&segment, (AtText){file, len}) == AT_OK, "it is read");
	check(memcmp(segment.log_id, log_id, AT_LOG_ID_LEN) == 0 &&
			  memcmp(&segment.begin, &expected.begin, sizeof(AtSegmentPlace)) == 0 &&
			  memcmp(&segment.end, &expected.end, sizeof(AtSegmentPlace)) == 0 &&
			  segment.events == 5 && segment.transactions == 2 && segment.first_tx_at == -4 &&
			  segment.last_tx_at == INT64_MAX && segment.content_len == content.len,
		  "as it was written");
	check(at_segment_unpack(&segment, unpacked) == AT_OK && strcmp(unpacked, CONTENT) == 0,
		  "so is its content");
	check(memcmp(file, "ATG1", 4) == 0 && at_get_u64((uint8_t *) file + 4 + AT_LOG_ID_LEN) == 7 &&
			  segment.frame.data == file + HEADER,
		  "the bytes are where the format has them");
	check(memcmp(segment.frame.data, "\x28\xb5\x2f\xfd", 4) == 0, "the frame is one of zstd");
	len = write_file(at_text(""));
	check(len > 0 && at_segment_read(&segment, (AtText){file, len}) == AT_OK &&
			  segment.content_len == 0 && at_segment_unpack(&segment, unpacked) == AT_OK,
		  "nothing can be the content");
}

/* Behind something else, and where there is no room. */
static void
test_room(void)
{
	AtText content = at_text(CONTENT);
	AtSegment segment = some_segment();
	AtWriter writer = at_writer(file, 5 + at_segment_room(content.len));

	at_write_string(&writer, "12345");
	check(at_segment_write(&writer, &segment, content) == AT_OK &&
			  at_segment_read(&segment, (AtText){file + 5, writer.len - 5}) == AT_OK,
		  "it is written behind what is there");
	writer = at_writer(file, at_segment_room(content.len) - 1);
	check(at_segment_write(&writer, &segment, content) == AT_ERR_NO_ROOM && writer.len == 0,
		  "without room nothing is written");
	writer = at_writer(file, sizeof(file));
	writer.full = true;
	check(at_segment_write(&writer, &segment, content) == AT_ERR_NO_ROOM,
		  "nor behind what was too long");
	writer.full = false;
	check(at_segment_write(&writer, &segment, (AtText){"", AT_SEGMENT_CONTENT_MAX + 1}) ==
			  AT_ERR_NO_ROOM,
		  "nor more than the limit");
}

static void
test_changed_bits(void)
{
	size_t len = write_file(at_text(CONTENT));
	AtSegment segment;
	bool all = true;

	for (size_t i = 0; i < len * 8; i++)
	{
		file[i / 8] ^= (char) (1 << i % 8);
		all = all && at_segment_read(&segment, (AtText){file, len}) != AT_OK;
		file[i / 8] ^= (char) (1 << i % 8);
	}
	check(all, "no segment is read of which a bit was changed");
	for (size_t i = 0; i < len; i++)
		all = all && at_segment_read(&segment, (AtText){file, i}) != AT_OK;
	check(all, "nor one that was cut off");
	check(at_segment_read(&segment, (AtText){file, len + 1}) == AT_ERR_CHECKSUM,
		  "nor one with more behind it");
	file[0] = 'B';
	check(at_segment_read(&segment, (AtText){file, len}) == AT_ERR_SEGMENT,
		  "something else is not a segment");
}

/* With a checksum that is right. */
static void
test_forged(void)
{
	size_t len = write_file(at_text(CONTENT));
	AtSegment segment;
	char *room = malloc(2 * sizeof(CONTENT));

	file[HEADER - 1]++;
	seal(len);
	check(at_segment_read(&segment, (AtText){file, len}) == AT_ERR_SEGMENT,
		  "the frame must be all that follows the header");
	len = write_file(at_text(CONTENT));
	at_put_u64((uint8_t *) file + HEADER - 12, AT_SEGMENT_CONTENT_MAX + 1);
	seal(len);
	check(at_segment_read(&segment, (AtText){file, len}) == AT_ERR_SEGMENT,
		  "the content may not be longer than the limit");

	for (int delta = -1; delta <= 1; delta += 2)
	{
		len = write_file(at_text(CONTENT));
		file[HEADER - 5] += delta;
		seal(len);
		check(at_segment_read(&segment, (AtText){file, len}) == AT_OK &&
				  at_segment_unpack(&segment, room) == AT_ERR_FRAME,
			  "the content must have the length that the header says");
	}
	len = write_file(at_text(CONTENT));
	file[HEADER + 1]++;
	seal(len);
	check(at_segment_read(&segment, (AtText){file, len}) == AT_OK &&
			  at_segment_unpack(&segment, room) == AT_ERR_FRAME,
		  "a frame must be one");

	/* two frames, of which the second is empty */
	AtSegment small = some_segment();
	AtWriter writer = at_writer(file + 512, 512);
	AtSegment first;

	len = write_file(at_text(CONTENT));
	check(at_segment_write(&writer, &small, at_text("")) == AT_OK, "a second one is made");
	check(at_segment_read(&first, (AtText){file, len}) == AT_OK, "beside the first");
	memmove(file + HEADER + first.frame.len, small.frame.data, small.frame.len);
	len += small.frame.len;
	at_put_u32((uint8_t *) file + HEADER - 4, (uint32_t) (len - HEADER - AT_HASH_LEN));
	seal(len);
	check(at_segment_read(&segment, (AtText){file, len}) == AT_OK &&
			  at_segment_unpack(&segment, room) == AT_ERR_FRAME,
		  "there is one frame");
	free(room);
}

static void
test_items(void)
{
	char buffer[64];
	AtWriter writer = at_writer(buffer, sizeof(buffer));
	AtText content;
	AtSpan bytes;
	char kind;

	at_segment_item_write(&writer, 'E', (AtSpan){"abc", 3});
	at_segment_item_write(&writer, 'T', (AtSpan){"", 0});
	check(writer.len == AT_SEGMENT_ITEM_LEN(3) + AT_SEGMENT_ITEM_LEN(0), "items have their length");
	check_hex(buffer, writer.len, "45000000036162635400000000", "a kind, a length, and the bytes");
	content = (AtText){buffer, writer.len};
	check(at_segment_item_next(&content, &kind, &bytes) == AT_OK && kind == 'E' && bytes.len == 3 &&
			  memcmp(bytes.data, "abc", 3) == 0,
		  "the first is read");
	check(at_segment_item_next(&content, &kind, &bytes) == AT_OK && kind == 'T' && bytes.len == 0 &&
			  content.len == 0,
		  "and the second");
	check(at_segment_item_next(&content, &kind, &bytes) == AT_ERR_ITEM, "and no third");
	content = (AtText){buffer, AT_SEGMENT_ITEM_LEN(3) - 1};
	check(at_segment_item_next(&content, &kind, &bytes) == AT_ERR_ITEM,
		  "an item that is cut off is none");
}

static bool
path_is(AtSegmentPlace begin, const char *expected)
{
	char path[AT_SEGMENT_PATH_MAX];
	AtWriter writer = at_writer(path, sizeof(path));

	at_segment_path_write(&writer, begin);
	return !writer.full && writer.len == strlen(expected) &&
		   memcmp(path, expected, writer.len) == 0;
}

static void
test_paths(void)
{
	check(path_is((AtSegmentPlace){0, 0}, "segment/000000000000-000000000000.atg") &&
			  path_is((AtSegmentPlace){12, 1000}, "segment/000000000012-000000001000.atg") &&
			  path_is((AtSegmentPlace){UINT64_C(123456789012), UINT64_MAX},
					  "segment/123456789012-18446744073709551615.atg") &&
			  path_is((AtSegmentPlace){UINT64_MAX, UINT64_MAX},
					  "segment/18446744073709551615-18446744073709551615.atg"),
		  "segments are named by the place where they begin");
}

static bool
writes(void)
{
	return write_file(at_text(CONTENT)) > 0;
}

static bool
reads(void)
{
	AtSegment segment;

	return at_segment_read(&segment, (AtText){file, at_segment_room(0)}) == AT_ERR_CHECKSUM;
}

static void
test_failures(void)
{
	check_failures(writes, 4, "to write one fails with libcrypto");
	check(writes(), "a segment is there");
	check_failures(reads, 4, "to read one fails with libcrypto");
}

int
main(void)
{
	test_read_back();
	test_room();
	test_changed_bits();
	test_forged();
	test_paths();
	test_items();
	test_failures();
	return check_done();
}
