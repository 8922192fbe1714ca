/*-------------------------------------------------------------------------
 * segment.c
 *		A segment of an archive: what was sealed, compressed, in one file.
 *
 * The only file that knows libzstd.
 *
 * The frame is unpacked to its known length, so a forged one cannot make
 * anybody allocate more than the header says, nor write beyond.
 *-------------------------------------------------------------------------
 */
#include <zstd.h>

#include "core/bytes.h"
#include "core/segment.h"

#define MAGIC      "ATG1"
#define MAGIC_LEN  4
#define HEADER_LEN (MAGIC_LEN + AT_LOG_ID_LEN + 4 * 8 + 2 * 4 + 2 * 8 + 8 + 4)

#define LEVEL ZSTD_CLEVEL_DEFAULT

static void write_header(uint8_t *out, const AtSegment *segment);
static void read_header(AtSegment *segment, const uint8_t *in);

/* With zeros in front, so that they sort. */
static void
write_number(AtWriter *writer, uint64_t number)
{
	for (uint64_t bound = UINT64_C(100000000000); bound > 1 && number < bound; bound /= 10)
		at_write_string(writer, "0");
	at_write_decimal(writer, number);
}

void
at_segment_path_write(AtWriter *writer, AtSegmentPlace begin)
{
	at_write_string(writer, "segment/");
	write_number(writer, begin.log_index);
	at_write_string(writer, "-");
	write_number(writer, begin.leaf);
	at_write_string(writer, ".atg");
}

size_t
at_segment_room(size_t content_len)
{
	return HEADER_LEN + ZSTD_compressBound(content_len) + AT_HASH_LEN;
}

AtError
at_segment_write(AtWriter *writer, AtSegment *segment, AtText content)
{
	char *start = writer->data + writer->len;
	size_t room = at_segment_room(content.len);
	AtHash checksum;
	size_t len;

	if (content.len > AT_SEGMENT_CONTENT_MAX || writer->full || room > writer->max - writer->len)
		return AT_ERR_NO_ROOM;
	len = ZSTD_compress(start + HEADER_LEN, room - HEADER_LEN - AT_HASH_LEN, content.data,
						content.len, LEVEL);
	if (ZSTD_isError(len))
		return AT_ERR_FRAME; /* no test: there is room, so only memory can be short */
	segment->content_len = content.len;
	segment->frame = (AtText){start + HEADER_LEN, len};
	write_header((uint8_t *) start, segment);
	if (!at_hash(start, HEADER_LEN + len, &checksum))
		return AT_ERR_LIBCRYPTO;
	memcpy(start + HEADER_LEN + len, &checksum, sizeof(checksum));
	writer->len += HEADER_LEN + len + sizeof(checksum);
	return AT_OK;
}

static uint8_t *
put_place(uint8_t *out, AtSegmentPlace place)
{
	out = at_put_u64(out, place.log_index);
	return at_put_u64(out, place.leaf);
}

static void
write_header(uint8_t *out, const AtSegment *segment)
{
	memcpy(out, MAGIC, MAGIC_LEN);
	out += MAGIC_LEN;
	memcpy(out, segment->log_id, AT_LOG_ID_LEN);
	out += AT_LOG_ID_LEN;
	out = put_place(out, segment->begin);
	out = put_place(out, segment->end);
	out = at_put_u32(out, segment->events);
	out = at_put_u32(out, segment->transactions);
	out = at_put_u64(out, (uint64_t) segment->first_tx_at);
	out = at_put_u64(out, (uint64_t) segment->last_tx_at);
	out = at_put_u64(out, segment->content_len);
	at_put_u32(out, (uint32_t) segment->frame.len);
}

AtError
at_segment_read(AtSegment *segment, AtText file)
{
	size_t checked = file.len - AT_HASH_LEN;
	AtHash checksum;

	if (file.len < HEADER_LEN + AT_HASH_LEN || memcmp(file.data, MAGIC, MAGIC_LEN) != 0)
		return AT_ERR_SEGMENT;
	if (!at_hash(file.data, checked, &checksum))
		return AT_ERR_LIBCRYPTO;
	if (memcmp(file.data + checked, &checksum, sizeof(checksum)) != 0)
		return AT_ERR_CHECKSUM;
	read_header(segment, (const uint8_t *) file.data);
	if (segment->frame.len != checked - HEADER_LEN || segment->content_len > AT_SEGMENT_CONTENT_MAX)
		return AT_ERR_SEGMENT;
	return AT_OK;
}

static AtSegmentPlace
get_place(const uint8_t *in)
{
	return (AtSegmentPlace){.log_index = at_get_u64(in), .leaf = at_get_u64(in + 8)};
}

static void
read_header(AtSegment *segment, const uint8_t *in)
{
	const uint8_t *at = in + MAGIC_LEN;

	segment->log_id = at;
	at += AT_LOG_ID_LEN;
	segment->begin = get_place(at);
	segment->end = get_place(at + 16);
	at += 32;
	segment->events = at_get_u32(at);
	segment->transactions = at_get_u32(at + 4);
	segment->first_tx_at = (int64_t) at_get_u64(at + 8);
	segment->last_tx_at = (int64_t) at_get_u64(at + 16);
	segment->content_len = at_get_u64(at + 24);
	segment->frame = (AtText){(const char *) in + HEADER_LEN, at_get_u32(at + 32)};
}

AtError
at_segment_unpack(const AtSegment *segment, char *content)
{
	AtText frame = segment->frame;

	if (ZSTD_findFrameCompressedSize(frame.data, frame.len) != frame.len ||
		ZSTD_decompress(content, segment->content_len, frame.data, frame.len) !=
			segment->content_len)
		return AT_ERR_FRAME;
	return AT_OK;
}

void
at_segment_item_write(AtWriter *content, char kind, AtSpan bytes)
{
	uint8_t head[AT_SEGMENT_ITEM_LEN(0)];

	head[0] = (uint8_t) kind;
	at_put_u32(head + 1, bytes.len);
	at_write(content, (AtText){(const char *) head, sizeof(head)});
	at_write(content, (AtText){bytes.data, bytes.len});
}

AtError
at_segment_item_next(AtText *content, char *kind, AtSpan *bytes)
{
	uint32_t len;

	if (content->len < AT_SEGMENT_ITEM_LEN(0))
		return AT_ERR_ITEM;
	len = at_get_u32((const uint8_t *) content->data + 1);
	if (len > content->len - AT_SEGMENT_ITEM_LEN(0))
		return AT_ERR_ITEM;
	*kind = content->data[0];
	*bytes = (AtSpan){content->data + AT_SEGMENT_ITEM_LEN(0), len};
	content->data += AT_SEGMENT_ITEM_LEN(len);
	content->len -= AT_SEGMENT_ITEM_LEN(len);
	return AT_OK;
}
