/*-------------------------------------------------------------------------
 * segment.h
 *		A segment of an archive: what was sealed, compressed, in one file.
 *
 * ATG1, with integers and texts as in core/body.h:
 *
 *		"ATG1" | log_id[16]
 *		| u64 log_index | u64 leaf		where it begins
 *		| u64 log_index | u64 leaf		where it ends, and the next one begins
 *		| u32 events | u32 transactions
 *		| i64 first_tx_at | i64 last_tx_at	of its events and transactions; 0 without any
 *		| u64 length of the content | text frame
 *		| SHA-256 of all before
 *
 * The frame is one of zstd (RFC 8878) and holds the content: items, each a
 * u8 kind and a text. core/archive.h says what they mean.
 *
 * Functions allocate nothing but what libzstd needs. A segment that was read
 * points into what it was read from.
 *-------------------------------------------------------------------------
 */
#ifndef AT_SEGMENT_H
#define AT_SEGMENT_H

#include "core/body.h"
#include "core/text.h"

/* Longest content that is read or written, in bytes. */
#define AT_SEGMENT_CONTENT_MAX (UINT64_C(1) << 31)

/* A place among all that was sealed: before a leaf of a batch; before the entry itself for leaf 0.
 */
typedef struct AtSegmentPlace
{
	uint64_t log_index;
	uint64_t leaf;
} AtSegmentPlace;

typedef struct AtSegment
{
	const uint8_t *log_id; /* AT_LOG_ID_LEN bytes */
	AtSegmentPlace begin;
	AtSegmentPlace end;
	uint32_t events;
	uint32_t transactions;
	int64_t first_tx_at;
	int64_t last_tx_at;
	uint64_t content_len; /* at most AT_SEGMENT_CONTENT_MAX */
	AtText frame;
} AtSegment;

/*
 * Write the path of the segment that begins at a place, below the archive's directory:
 * segment/000000000012-000000000000.atg is that of entry 12.
 */
#define AT_SEGMENT_PATH_MAX (12 + 2 * AT_DECIMAL_MAX + 1)
extern void at_segment_path_write(AtWriter *writer, AtSegmentPlace begin);

/* Room for the segment of a content of this length, in bytes. */
extern size_t at_segment_room(size_t content_len);

/*
 * Write the segment of a content, whose length and frame are set on the way.
 * Nothing of the rest of *segment is checked.
 */
extern AtError at_segment_write(AtWriter *writer, AtSegment *segment, AtText content);

/* Read a segment: form and checksum, but not its content. AT_ERR_SEGMENT, AT_ERR_CHECKSUM. */
extern AtError at_segment_read(AtSegment *segment, AtText file);

/* Unpack the content to a buffer of content_len bytes. AT_ERR_FRAME if it is anything else. */
extern AtError at_segment_unpack(const AtSegment *segment, char *content);

/* Append an item, which needs AT_SEGMENT_ITEM_LEN bytes. */
#define AT_SEGMENT_ITEM_LEN(len) (1 + 4 + (size_t) (len))
extern void at_segment_item_write(AtWriter *content, char kind, AtSpan bytes);

/* Cut off the first item of what is left of a content; AT_ERR_ITEM. */
extern AtError at_segment_item_next(AtText *content, char *kind, AtSpan *bytes);

#endif
