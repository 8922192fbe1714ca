/*-------------------------------------------------------------------------
 * ustar.c
 *		Archives: POSIX ustar, and of each list of files one archive only.
 *
 * A header that is read is written anew for its name and size, and must
 * come out the same.
 *-------------------------------------------------------------------------
 */
#include "core/ustar.h"

/* Places in a header. */
#define MODE      100
#define UID       108
#define GID       116
#define SIZE      124
#define MTIME     136
#define CHECKSUM  148
#define TYPE      156
#define MAGIC     257
#define DEV_MAJOR 329
#define DEV_MINOR 337

static const char zeros[AT_USTAR_END];

static void put(uint8_t *block, size_t place, const char *text);
static void put_octal(uint8_t *place, int digits, uint64_t number);
static size_t padding(size_t size);
static bool read_size(const uint8_t *block, uint64_t *size);
static AtError read_end(AtText *archive, AtText *name, AtText *content);

AtError
at_ustar_header(uint8_t block[AT_USTAR_BLOCK], AtText name, uint64_t size)
{
	unsigned sum = 0;

	if (name.len == 0 || name.len > AT_USTAR_NAME_MAX ||
		memchr(name.data, '\0', name.len) != NULL || size > AT_USTAR_SIZE_MAX)
		return AT_ERR_USTAR;

	memset(block, 0, AT_USTAR_BLOCK);
	memcpy(block, name.data, name.len);
	put(block, MODE, "0000644");
	put(block, UID, "0000000");
	put(block, GID, "0000000");
	put_octal(block + SIZE, 11, size);
	put(block, MTIME, "00000000000");
	put(block, CHECKSUM, "        ");
	put(block, TYPE, "0");
	put(block, MAGIC, "ustar");
	put(block, MAGIC + 6, "00");
	put(block, DEV_MAJOR, "0000000");
	put(block, DEV_MINOR, "0000000");
	for (int i = 0; i < AT_USTAR_BLOCK; i++)
		sum += block[i];
	put_octal(block + CHECKSUM, 6, sum);
	block[CHECKSUM + 6] = 0;
	return AT_OK;
}

AtError
at_ustar_add(AtWriter *writer, AtText name, AtText content)
{
	uint8_t block[AT_USTAR_BLOCK];
	AtError error = at_ustar_header(block, name, content.len);

	if (error != AT_OK)
		return error;

	at_write(writer, (AtText){(const char *) block, sizeof(block)});
	at_write(writer, content);
	at_write(writer, (AtText){zeros, padding(content.len)});
	return at_writer_error(writer);
}

AtError
at_ustar_end(AtWriter *writer)
{
	at_write(writer, (AtText){zeros, AT_USTAR_END});
	return at_writer_error(writer);
}

AtError
at_ustar_next(AtText *archive, AtText *name, AtText *content)
{
	const uint8_t *block = (const uint8_t *) archive->data;
	uint8_t again[AT_USTAR_BLOCK];
	uint64_t size;

	if (archive->len < AT_USTAR_END)
		return AT_ERR_USTAR;
	if (block[0] == '\0')
		return read_end(archive, name, content);
	if (!read_size(block, &size) || size > archive->len - AT_USTAR_BLOCK ||
		AT_USTAR_LEN(size) > archive->len)
		return AT_ERR_USTAR;

	const char *end = memchr(archive->data, '\0', AT_USTAR_NAME_MAX);
	size_t len = end != NULL ? (size_t) (end - archive->data) : AT_USTAR_NAME_MAX;

	*name = (AtText){archive->data, len};
	*content = (AtText){archive->data + AT_USTAR_BLOCK, (size_t) size};
	*archive = (AtText){archive->data + AT_USTAR_LEN(size), archive->len - AT_USTAR_LEN(size)};
	if (at_ustar_header(again, *name, size) != AT_OK || memcmp(again, block, sizeof(again)) != 0 ||
		memcmp(content->data + size, zeros, padding(content->len)) != 0)
		return AT_ERR_USTAR;
	return AT_OK;
}

static void
put(uint8_t *block, size_t place, const char *text)
{
	memcpy(block + place, text, strlen(text));
}

static void
put_octal(uint8_t *place, int digits, uint64_t number)
{
	while (digits-- > 0)
	{
		place[digits] = (uint8_t) ('0' + (number & 7));
		number >>= 3;
	}
}

static size_t
padding(size_t size)
{
	return (AT_USTAR_BLOCK - size % AT_USTAR_BLOCK) % AT_USTAR_BLOCK;
}

static bool
read_size(const uint8_t *block, uint64_t *size)
{
	*size = 0;
	for (int i = 0; i < 11; i++)
	{
		if (block[SIZE + i] < '0' || block[SIZE + i] > '7')
			return false;
		*size = *size << 3 | (uint64_t) (block[SIZE + i] - '0');
	}
	return true;
}

static AtError
read_end(AtText *archive, AtText *name, AtText *content)
{
	if (archive->len != AT_USTAR_END || memcmp(archive->data, zeros, AT_USTAR_END) != 0)
		return AT_ERR_USTAR;

	*name = *content = (AtText){NULL, 0};
	archive->len = 0;
	return AT_OK;
}
