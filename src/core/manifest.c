/*-------------------------------------------------------------------------
 * manifest.c
 *		The list of the files of a bundle of evidence, which sha256sum reads.
 *-------------------------------------------------------------------------
 */
#include "core/manifest.h"

static bool read_hash(AtHash *hash, AtText *line);
static int read_digit(char digit);

void
at_manifest_write_line(AtWriter *writer, const AtHash *hash, AtText path)
{
	static const char digit[] = "0123456789abcdef";
	char digits[2 * AT_HASH_LEN];

	for (int i = 0; i < AT_HASH_LEN; i++)
	{
		digits[2 * i] = digit[hash->bytes[i] >> 4];
		digits[2 * i + 1] = digit[hash->bytes[i] & 15];
	}
	at_write(writer, (AtText){digits, sizeof(digits)});
	at_write_string(writer, "  ");
	at_write(writer, path);
	at_write_string(writer, "\n");
}

AtError
at_manifest_next(AtText *manifest, AtText last, AtHash *hash, AtText *path)
{
	AtEvidencePath parts;
	AtText line;

	if (!at_text_line(manifest, &line) || !read_hash(hash, &line) || !at_text_skip(&line, "  ") ||
		at_evidence_path_read(&parts, line) != AT_OK || parts.part == AT_EVIDENCE_MANIFEST ||
		at_text_compare(last, line) >= 0)
		return AT_ERR_MANIFEST;

	*path = line;
	return AT_OK;
}

static bool
read_hash(AtHash *hash, AtText *line)
{
	if (line->len < 2 * AT_HASH_LEN)
		return false;

	for (int i = 0; i < AT_HASH_LEN; i++)
	{
		int high = read_digit(line->data[2 * i]);
		int low = read_digit(line->data[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		hash->bytes[i] = (uint8_t) (high << 4 | low);
	}
	*line = (AtText){line->data + 2 * AT_HASH_LEN, line->len - 2 * AT_HASH_LEN};
	return true;
}

static int
read_digit(char digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}
