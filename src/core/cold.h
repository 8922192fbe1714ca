/*-------------------------------------------------------------------------
 * cold.h
 *		A segment of cold rows: rows of one table, column by column, compressed.
 *
 * ATQ1, with integers and texts as in core/body.h:
 *
 *		"ATQ1" | log_id[16] | u8 kind | u16 columns | u32 rows
 *		| u64 first_tx_id | u64 last_tx_id
 *		| i64 first_tx_at | i64 last_tx_at
 *		| u64 length of the content | text frame
 *		| SHA-256 of all before
 *
 * The frame is one of zstd and holds the columns in their order, each a u8
 * type and a text:
 *
 *		'i'		for each row the difference to the one before, the first to 0
 *		't'		for each row 0 for a missing value, or 1 and the length; then,
 *				without lengths, all values
 *
 * Numbers in columns are varints (LEB128); differences are wrapped at 64
 * bits and zigzag-coded.
 *
 * Functions allocate nothing but what libzstd needs. A segment that was
 * read, and its columns, point into what they were read from. A column is
 * checked when it is cut off: then there is a value for each of its rows.
 *-------------------------------------------------------------------------
 */
#ifndef AT_COLD_H
#define AT_COLD_H

#include "core/body.h"
#include "core/text.h"

/* Longest content that is read or written, in bytes. */
#define AT_COLD_CONTENT_MAX (UINT64_C(1) << 31)

/* Longest number in a column. */
#define AT_COLD_VARINT_MAX 10

typedef enum AtColdKind
{
	AT_COLD_EVENTS = 'E',
	AT_COLD_TRANSACTIONS = 'T'
} AtColdKind;

typedef enum AtColdType
{
	AT_COLD_INTS = 'i',
	AT_COLD_TEXTS = 't'
} AtColdType;

typedef struct AtCold
{
	const uint8_t *log_id; /* AT_LOG_ID_LEN bytes */
	AtColdKind kind;
	uint16_t columns;
	uint32_t rows;
	uint64_t first_tx_id;
	uint64_t last_tx_id;
	int64_t first_tx_at; /* microseconds since 1970; least and greatest, */
	int64_t last_tx_at;  /* where ids are those of the first and the last row */
	uint64_t content_len;
	AtText frame;
	AtHash checksum;
} AtCold;

/* A column being read. */
typedef struct AtColdColumn
{
	AtColdType type;
	AtText numbers; /* what is left of them */
	AtText values;  /* of texts */
	int64_t last;
} AtColdColumn;

/* Room for the segment of a content of this length, in bytes. */
extern size_t at_cold_room(size_t content_len);

/* Write the segment of a content, whose length, frame and checksum are set on the way. */
extern AtError at_cold_write(AtWriter *writer, AtCold *cold, AtText content);

/*
 * Read the segment at the start of some bytes, and how long it is: form and
 * checksum, but not its content. AT_ERR_SEGMENT, AT_ERR_CHECKSUM.
 */
extern AtError at_cold_read(AtCold *cold, AtText bytes, size_t *len);

/* Unpack the content to a buffer of content_len bytes. AT_ERR_FRAME if it is anything else. */
extern AtError at_cold_unpack(const AtCold *cold, char *content);

/* Append a number; cut one off, false if there is none of at most 64 bits. */
extern void at_cold_put_number(AtWriter *writer, uint64_t number);
extern bool at_cold_get_number(AtText *text, uint64_t *number);

/* Append to what will be a column's numbers; *last is 0 before the first. */
extern void at_cold_put_int(AtWriter *numbers, int64_t value, int64_t *last);
extern void at_cold_put_length(AtWriter *numbers, AtSpan value);

/* Append the head of a column whose numbers, and values, have these lengths; they follow. */
#define AT_COLD_COLUMN_HEAD 5
extern void at_cold_put_column(AtWriter *content, AtColdType type, size_t numbers, size_t values);

/*
 * Cut off the first column of what is left of a content. The lengths of
 * texts are added up to find their values. AT_ERR_ITEM if it is not one of so many rows.
 */
extern AtError at_cold_column_next(AtText *content, uint32_t rows, AtColdColumn *column);

/* The next value of a column. */
extern int64_t at_cold_int(AtColdColumn *column);
extern AtSpan at_cold_text(AtColdColumn *column);

#endif
