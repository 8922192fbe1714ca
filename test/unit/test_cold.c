/*-------------------------------------------------------------------------
 * test_cold.c
 *		Segments of cold rows: written and read back, and nothing that was changed passes.
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "core/bytes.h"
#include "core/cold.h"

#define HEADER  71
#define CONTENT "columns, columns, columns, columns, columns, columns, columns"

static uint8_t log_id[AT_LOG_ID_LEN] = "0123456789abcde";
static char file[1024];

static AtCold
some_segment(void)
{
	return (AtCold){.log_id = log_id,
					.kind = AT_COLD_TRANSACTIONS,
					.columns = 0x1234,
					.rows = 7,
					.first_tx_id = 5,
					.last_tx_id = UINT64_C(1) << 60,
					.first_tx_at = -4,
					.last_tx_at = INT64_MAX};
}

/* Write it; returns its length. */
static size_t
write_file(AtText content)
{
	AtWriter writer = at_writer(file, sizeof(file));
	AtCold cold = some_segment();

	return at_cold_write(&writer, &cold, content) == AT_OK ? writer.len : 0;
}

static AtError
read_file(size_t len, AtCold *cold)
{
	size_t used = 0;
	AtError error = at_cold_read(cold, (AtText){file, len}, &used);

	return error == AT_OK && used != len ? AT_ERR_COUNTS : error;
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
	char unpacked[sizeof(CONTENT)] = {0};
	size_t len = write_file(content);
	AtCold cold;

	check(len > 0 && len <= at_cold_room(content.len), "a segment is written into its room");
	check(read_file(len, &cold) == AT_OK, "it is read");
	check(memcmp(cold.log_id, log_id, AT_LOG_ID_LEN) == 0 && cold.kind == AT_COLD_TRANSACTIONS &&
			  cold.columns == 0x1234 && cold.rows == 7 && cold.first_tx_id == 5 &&
			  cold.last_tx_id == UINT64_C(1) << 60 && cold.first_tx_at == -4 &&
			  cold.last_tx_at == INT64_MAX && cold.content_len == content.len,
		  "as it was written");
	check(at_cold_unpack(&cold, unpacked) == AT_OK && strcmp(unpacked, CONTENT) == 0,
		  "so is its content");
	check(memcmp(file, "ATQ1", 4) == 0 && file[20] == 'T' && cold.frame.data == file + HEADER &&
			  memcmp(cold.frame.data, "\x28\xb5\x2f\xfd", 4) == 0 &&
			  memcmp(&cold.checksum, file + len - AT_HASH_LEN, AT_HASH_LEN) == 0,
		  "the bytes are where the format has them");
	file[len] = 'x';
	check(read_file(len + 1, &cold) == AT_ERR_COUNTS, "it tells how long it is");
}

static void
test_room(void)
{
	AtText content = at_text(CONTENT);
	AtCold cold = some_segment();
	AtWriter writer = at_writer(file, 5 + at_cold_room(content.len));
	size_t len;

	at_write_string(&writer, "12345");
	check(at_cold_write(&writer, &cold, content) == AT_OK &&
			  at_cold_read(&cold, (AtText){file + 5, writer.len - 5}, &len) == AT_OK,
		  "it is written behind what is there");
	writer = at_writer(file, at_cold_room(content.len) - 1);
	check(at_cold_write(&writer, &cold, content) == AT_ERR_NO_ROOM && writer.len == 0,
		  "without room nothing is written");
	writer = at_writer(file, sizeof(file));
	writer.full = true;
	check(at_cold_write(&writer, &cold, content) == AT_ERR_NO_ROOM, "nor behind what was too long");
	writer.full = false;
	check(at_cold_write(&writer, &cold, (AtText){"", AT_COLD_CONTENT_MAX + 1}) == AT_ERR_NO_ROOM,
		  "nor more than the limit");
}

static void
test_changed_bits(void)
{
	size_t len = write_file(at_text(CONTENT));
	AtCold cold;
	bool all = true;

	for (size_t i = 0; i < len * 8; i++)
	{
		file[i / 8] ^= (char) (1 << i % 8);
		all = all && read_file(len, &cold) != AT_OK;
		file[i / 8] ^= (char) (1 << i % 8);
	}
	check(all, "no segment is read of which a bit was changed");
	for (size_t i = 0; i < len; i++)
		all = all && read_file(i, &cold) != AT_OK;
	check(all, "nor one that was cut off");
}

/* With a checksum that is right. */
static void
test_forged(void)
{
	size_t len = write_file(at_text(CONTENT));
	char *room = malloc(2 * sizeof(CONTENT));
	AtCold cold;

	file[20] = 'X';
	seal(len);
	check(read_file(len, &cold) == AT_ERR_SEGMENT, "the rows must be of a kind that is known");
	len = write_file(at_text(CONTENT));
	at_put_u64((uint8_t *) file + HEADER - 12, AT_COLD_CONTENT_MAX + 1);
	seal(len);
	check(read_file(len, &cold) == AT_ERR_SEGMENT, "the content may not be longer than the limit");
	for (int delta = -1; delta <= 1; delta += 2)
	{
		len = write_file(at_text(CONTENT));
		file[HEADER - 5] += delta;
		seal(len);
		check(read_file(len, &cold) == AT_OK && at_cold_unpack(&cold, room) == AT_ERR_FRAME,
			  "the content must have the length that the header says");
	}
	len = write_file(at_text(CONTENT));
	file[HEADER + 1]++;
	seal(len);
	check(read_file(len, &cold) == AT_OK && at_cold_unpack(&cold, room) == AT_ERR_FRAME,
		  "a frame must be one");
	free(room);
}

static void
test_columns(void)
{
	static const int64_t ints[] = {0, 1, -1, INT64_MAX, INT64_MIN, 5, 5};
	static const AtSpan texts[] = {{"abc", 3}, {NULL, 0}, {"", 0}, {"de", 2},
								   {NULL, 0},  {"f", 1},  {"", 0}};
	char numbers[128];
	char buffer[256];
	AtWriter of_numbers = at_writer(numbers, sizeof(numbers));
	AtWriter writer = at_writer(buffer, sizeof(buffer));
	AtColdColumn column;
	AtText content;
	int64_t last = 0;
	bool all = true;

	for (int i = 0; i < 7; i++)
		at_cold_put_int(&of_numbers, ints[i], &last);
	at_cold_put_column(&writer, AT_COLD_INTS, of_numbers.len, 0);
	at_write(&writer, (AtText){numbers, of_numbers.len});
	of_numbers.len = 0;
	for (int i = 0; i < 7; i++)
		at_cold_put_length(&of_numbers, texts[i]);
	at_cold_put_column(&writer, AT_COLD_TEXTS, of_numbers.len, 6);
	at_write(&writer, (AtText){numbers, of_numbers.len});
	at_write(&writer, (AtText){"abcdef", 6});
	check_hex(buffer, writer.len,
			  "6900000019"
			  "00"
			  "02"
			  "03"
			  "ffffffffffffffffff01"
			  "02"
			  "f5ffffffffffffffff01"
			  "00"
			  "740000000d"
			  "04000103000201"
			  "616263646566",
			  "columns have the bytes of the format");

	content = (AtText){buffer, writer.len};
	check(at_cold_column_next(&content, 7, &column) == AT_OK && column.type == AT_COLD_INTS,
		  "a column of integers is cut off");
	for (int i = 0; i < 7; i++)
		all = all && at_cold_int(&column) == ints[i];
	check(all, "with all of them, to the ends of 64 bits");
	check(at_cold_column_next(&content, 7, &column) == AT_OK && column.type == AT_COLD_TEXTS &&
			  content.len == 0,
		  "and one of texts");
	for (int i = 0; i < 7; i++)
	{
		AtSpan text = at_cold_text(&column);

		all = all && text.len == texts[i].len && (text.data == NULL) == (texts[i].data == NULL) &&
			  (text.len == 0 || memcmp(text.data, texts[i].data, text.len) == 0);
	}
	check(all, "where an empty one is another than a missing one");
}

/* Cut a column of so many rows off. */
static AtError
cut(const char *bytes, size_t len, uint32_t rows)
{
	char *copy = malloc(len + 1);
	AtText content = {copy, len};
	AtColdColumn column;
	AtError error;

	memcpy(copy, bytes, len);
	error = at_cold_column_next(&content, rows, &column);
	free(copy);
	return error;
}

static void
test_bad_columns(void)
{
	check(cut("i\0\0\0\1\2", 6, 1) == AT_OK, "a column of one row");
	check(cut("i\0\0\0", 4, 0) == AT_ERR_ITEM, "without its head it is none");
	check(cut("i\0\0\0\2\2", 6, 1) == AT_ERR_ITEM, "nor one that is cut off");
	check(cut("x\0\0\0\1\2", 6, 1) == AT_ERR_ITEM, "nor one of another type");
	check(cut("i\0\0\0\1\2", 6, 2) == AT_ERR_ITEM, "it has a number for each row");
	check(cut("i\0\0\0\2\2\2", 7, 1) == AT_ERR_ITEM, "and none besides");
	check(cut("i\0\0\0\1\x80", 6, 1) == AT_ERR_ITEM, "a number ends");
	check(cut("i\0\0\0\xa\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 15, 1) == AT_OK &&
			  cut("i\0\0\0\xa\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 15, 1) == AT_ERR_ITEM &&
			  cut("i\0\0\0\xb\xff\xff\xff\xff\xff\xff\xff\xff\xff\x81\x00", 16, 1) == AT_ERR_ITEM,
		  "and is one of 64 bits");
	check(cut("t\0\0\0\2\2a", 7, 1) == AT_OK, "a text");
	check(cut("t\0\0\0\2\3a", 7, 1) == AT_ERR_ITEM, "that is shorter than its length is none");
	check(cut("t\0\0\0\3\2ab", 8, 1) == AT_ERR_ITEM, "nor one that is longer");
	check(cut("t\0\0\0\xb\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01g", 16, 1) == AT_ERR_ITEM,
		  "nor one without end");
}

static bool
writes(void)
{
	return write_file(at_text(CONTENT)) > 0;
}

static bool
reads(void)
{
	AtCold cold;

	return read_file(sizeof(file), &cold) != AT_ERR_LIBCRYPTO;
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
	test_columns();
	test_bad_columns();
	test_failures();
	return check_done();
}
