/*-------------------------------------------------------------------------
 * cold.c
 *		A segment of cold rows: rows of one table, column by column, compressed.
 *
 * A column is checked once, when it is cut off: that its numbers are as many
 * as there are rows, and its values as long as they say. What walks through it
 * afterwards needs no checks.
 *-------------------------------------------------------------------------
 */
#include <zstd.h>

#include "core/bytes.h"
#include "core/cold.h"

#define MAGIC      "ATQ1"
#define MAGIC_LEN  4
#define HEADER_LEN (MAGIC_LEN + AT_LOG_ID_LEN + 1 + 2 + 4 + 5 * 8 + 4)

/* Higher ones win 3 % and take twice the time: doc/decisions.md. */
#define LEVEL 6

static void write_header(uint8_t *out, const AtCold *cold);
static void read_header(AtCold *cold, const uint8_t *in);

size_t
at_cold_room(size_t content_len)
{
	return HEADER_LEN + ZSTD_compressBound(content_len) + AT_HASH_LEN;
}

AtError
at_cold_write(AtWriter *writer, AtCold *cold, AtText content)
{
	char *start = writer->data + writer->len;
	size_t room = at_cold_room(content.len);
	size_t len;

	if (content.len > AT_COLD_CONTENT_MAX || writer->full || room > writer->max - writer->len)
		return AT_ERR_NO_ROOM;
	len = ZSTD_compress(start + HEADER_LEN, room - HEADER_LEN - AT_HASH_LEN, content.data,
						content.len, LEVEL);
	if (ZSTD_isError(len))
		return AT_ERR_FRAME; /* no test: there is room, so only memory can be short */
	cold->content_len = content.len;
	cold->frame = (AtText){start + HEADER_LEN, len};
	write_header((uint8_t *) start, cold);
	if (!at_hash(start, HEADER_LEN + len, &cold->checksum))
		return AT_ERR_LIBCRYPTO;
	memcpy(start + HEADER_LEN + len, &cold->checksum, AT_HASH_LEN);
	writer->len += HEADER_LEN + len + AT_HASH_LEN;
	return AT_OK;
}

static void
write_header(uint8_t *out, const AtCold *cold)
{
	memcpy(out, MAGIC, MAGIC_LEN);
	out += MAGIC_LEN;
	memcpy(out, cold->log_id, AT_LOG_ID_LEN);
	out += AT_LOG_ID_LEN;
	*out++ = (uint8_t) cold->kind;
	*out++ = (uint8_t) (cold->columns >> 8);
	*out++ = (uint8_t) cold->columns;
	out = at_put_u32(out, cold->rows);
	out = at_put_u64(out, cold->first_tx_id);
	out = at_put_u64(out, cold->last_tx_id);
	out = at_put_u64(out, (uint64_t) cold->first_tx_at);
	out = at_put_u64(out, (uint64_t) cold->last_tx_at);
	out = at_put_u64(out, cold->content_len);
	at_put_u32(out, (uint32_t) cold->frame.len);
}

static void
read_header(AtCold *cold, const uint8_t *in)
{
	const uint8_t *at = in + MAGIC_LEN + AT_LOG_ID_LEN;

	cold->log_id = in + MAGIC_LEN;
	cold->kind = (AtColdKind) at[0];
	cold->columns = (uint16_t) (at[1] << 8 | at[2]);
	cold->rows = at_get_u32(at + 3);
	at += 7;
	cold->first_tx_id = at_get_u64(at);
	cold->last_tx_id = at_get_u64(at + 8);
	cold->first_tx_at = (int64_t) at_get_u64(at + 16);
	cold->last_tx_at = (int64_t) at_get_u64(at + 24);
	cold->content_len = at_get_u64(at + 32);
	cold->frame = (AtText){(const char *) in + HEADER_LEN, at_get_u32(at + 40)};
}

AtError
at_cold_read(AtCold *cold, AtText bytes, size_t *len)
{
	size_t checked;

	if (bytes.len < HEADER_LEN + AT_HASH_LEN || memcmp(bytes.data, MAGIC, MAGIC_LEN) != 0)
		return AT_ERR_SEGMENT;
	read_header(cold, (const uint8_t *) bytes.data);
	if (cold->frame.len > bytes.len - HEADER_LEN - AT_HASH_LEN)
		return AT_ERR_SEGMENT;
	checked = HEADER_LEN + cold->frame.len;
	if (!at_hash(bytes.data, checked, &cold->checksum))
		return AT_ERR_LIBCRYPTO;
	if (memcmp(bytes.data + checked, &cold->checksum, AT_HASH_LEN) != 0)
		return AT_ERR_CHECKSUM;
	if ((cold->kind != AT_COLD_EVENTS && cold->kind != AT_COLD_TRANSACTIONS) ||
		cold->content_len > AT_COLD_CONTENT_MAX)
		return AT_ERR_SEGMENT;
	*len = checked + AT_HASH_LEN;
	return AT_OK;
}

AtError
at_cold_unpack(const AtCold *cold, char *content)
{
	AtText frame = cold->frame;

	if (ZSTD_findFrameCompressedSize(frame.data, frame.len) != frame.len ||
		ZSTD_decompress(content, cold->content_len, frame.data, frame.len) != cold->content_len)
		return AT_ERR_FRAME;
	return AT_OK;
}

void
at_cold_put_number(AtWriter *writer, uint64_t number)
{
	char bytes[AT_COLD_VARINT_MAX];
	size_t len = 0;

	while (number >= 0x80)
	{
		bytes[len++] = (char) (number | 0x80);
		number >>= 7;
	}
	bytes[len++] = (char) number;
	at_write(writer, (AtText){bytes, len});
}

bool
at_cold_get_number(AtText *text, uint64_t *number)
{
	*number = 0;
	for (size_t i = 0; i < text->len && i < AT_COLD_VARINT_MAX; i++)
	{
		uint64_t byte = (uint8_t) text->data[i];

		if (i == AT_COLD_VARINT_MAX - 1 && byte > 1)
			return false;
		*number |= (byte & 0x7f) << 7 * i;
		if (byte < 0x80)
		{
			text->data += i + 1;
			text->len -= i + 1;
			return true;
		}
	}
	return false;
}

void
at_cold_put_int(AtWriter *numbers, int64_t value, int64_t *last)
{
	uint64_t difference = (uint64_t) value - (uint64_t) *last;

	*last = value;
	at_cold_put_number(numbers, difference << 1 ^ (difference >> 63 ? UINT64_MAX : 0));
}

void
at_cold_put_length(AtWriter *numbers, AtSpan value)
{
	at_cold_put_number(numbers, value.data == NULL ? 0 : (uint64_t) value.len + 1);
}

void
at_cold_put_column(AtWriter *content, AtColdType type, size_t numbers, size_t values)
{
	uint8_t head[AT_COLD_COLUMN_HEAD];

	head[0] = (uint8_t) type;
	at_put_u32(head + 1, (uint32_t) (numbers + values));
	at_write(content, (AtText){(const char *) head, sizeof(head)});
}

/* Do the numbers of a column fit its rows and its length? Finds the values of texts. */
static bool
fits(AtColdColumn *column, uint32_t rows)
{
	AtText rest = column->numbers;
	uint64_t values = 0;
	uint64_t number;

	for (uint32_t i = 0; i < rows; i++)
	{
		if (!at_cold_get_number(&rest, &number))
			return false;
		if (column->type == AT_COLD_TEXTS && number > 0)
			values += number - 1;
		if (values > rest.len)
			return false;
	}
	column->numbers.len -= rest.len;
	column->values = rest;
	return rest.len == values;
}

AtError
at_cold_column_next(AtText *content, uint32_t rows, AtColdColumn *column)
{
	uint32_t len;

	if (content->len < AT_COLD_COLUMN_HEAD)
		return AT_ERR_ITEM;
	len = at_get_u32((const uint8_t *) content->data + 1);
	if (len > content->len - AT_COLD_COLUMN_HEAD)
		return AT_ERR_ITEM;
	*column = (AtColdColumn){
		.type = (AtColdType) content->data[0],
		.numbers = {content->data + AT_COLD_COLUMN_HEAD, len},
	};
	content->data += AT_COLD_COLUMN_HEAD + len;
	content->len -= AT_COLD_COLUMN_HEAD + len;
	if ((column->type != AT_COLD_INTS && column->type != AT_COLD_TEXTS) || !fits(column, rows))
		return AT_ERR_ITEM;
	return AT_OK;
}

int64_t
at_cold_int(AtColdColumn *column)
{
	uint64_t number;

	(void) at_cold_get_number(&column->numbers, &number);
	column->last =
		(int64_t) ((uint64_t) column->last + (number >> 1 ^ (number & 1 ? UINT64_MAX : 0)));
	return column->last;
}

AtSpan
at_cold_text(AtColdColumn *column)
{
	uint64_t number;
	AtSpan value;

	(void) at_cold_get_number(&column->numbers, &number);
	if (number == 0)
		return (AtSpan){NULL, 0};
	value = (AtSpan){column->values.data, (uint32_t) (number - 1)};
	column->values.data += value.len;
	column->values.len -= value.len;
	return value;
}
