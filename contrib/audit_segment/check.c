/*-------------------------------------------------------------------------
 * check.c
 *		Is a file of archived segments whole?
 *
 * A segment's rows are checked before one of them is printed. Columns are read side by
 * side, row by row; each is known to have a value for each row once it was cut off.
 *-------------------------------------------------------------------------
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "core/cold.h"
#include "rows.h"

/* Longest content that is unpacked, in bytes. */
#define CONTENT_MAX ((uint64_t) 256 * 1024 * 1024)

#define SUFFIX ".atq"

typedef struct Check
{
	uint64_t segments;
	uint64_t rows;
	AtCold first;
	AtCold last; /* the one before */
	bool prints;
	const char *why; /* what is wrong */
} Check;

static bool has_its_name(const char *path, AtText bytes);
static const char *check_segment(Check *check, const AtCold *cold);
static const char *check_rows(Check *check, const AtCold *cold, AtText content);
static void print_summary(const char *path, const Check *check);

static int
broken(const char *path, uint64_t segment, const char *why)
{
	printf("%s: NOT WHOLE\n", path);
	if (segment > 0)
		printf("  segment %" PRIu64 ": %s\n", segment, why);
	else
		printf("  %s\n", why);
	return AT_BROKEN;
}

int
at_check_file(const char *path, AtText bytes, bool prints)
{
	Check check = {.prints = prints};
	AtText rest = bytes;

	if (!has_its_name(path, bytes))
		return broken(path, 0, "its name does not have its SHA-256");
	while (rest.len > 0)
	{
		AtCold cold;
		size_t len;
		AtError error = at_cold_read(&cold, rest, &len);
		const char *why = error != AT_OK ? at_error_text(error) : check_segment(&check, &cold);

		if (why != NULL)
			return broken(path, check.segments + 1, why);
		if (check.segments++ == 0)
			check.first = cold;
		check.last = cold;
		check.rows += cold.rows;
		rest.data += len;
		rest.len -= len;
	}
	if (check.segments == 0)
		return broken(path, 0, "it has no segment");
	if (!prints)
		print_summary(path, &check);
	return AT_WHOLE;
}

static bool
has_its_name(const char *path, AtText bytes)
{
	size_t digits = 2 * AT_HASH_LEN;
	size_t end = strlen(SUFFIX);
	size_t len = strlen(path);
	char hex[2 * AT_HASH_LEN + 1];
	AtHash hash;

	if (!at_hash(bytes.data, bytes.len, &hash))
		return false;
	for (int i = 0; i < AT_HASH_LEN; i++)
		snprintf(hex + 2 * i, 3, "%02x", hash.bytes[i]);
	return len > digits + end && strcmp(path + len - end, SUFFIX) == 0 &&
		   memcmp(path + len - end - digits, hex, digits) == 0;
}

/* What is wrong with it; NULL for nothing. */
static const char *
check_segment(Check *check, const AtCold *cold)
{
	const char *why;
	char *content;

	if (check->segments > 0)
	{
		if (memcmp(cold->log_id, check->first.log_id, AT_LOG_ID_LEN) != 0)
			return "it is of another ledger than the first";
		if (cold->kind != check->first.kind)
			return "it has rows of another table than the first";
		if (cold->first_tx_id < check->last.last_tx_id)
			return "it begins before the one before it ends";
	}
	if (cold->content_len > CONTENT_MAX)
		return "it would unpack to more than 256 MB";
	content = malloc(cold->content_len + 1);
	if (content == NULL)
		return "there is no memory for it";
	why = at_cold_unpack(cold, content) != AT_OK
			  ? "its frame cannot be unpacked"
			  : check_rows(check, cold, (AtText){content, cold->content_len});
	free(content);
	return why;
}

static const char *
check_rows(Check *check, const AtCold *cold, AtText content)
{
	AtRows rows;
	AtRowsSpan span;
	const char *why = at_rows_read(&rows, cold, content);

	if (why != NULL)
		return why;
	if (!at_rows_span(&rows, &span))
		return "its rows are not in their order";
	if (span.first_tx_id != (int64_t) cold->first_tx_id ||
		span.last_tx_id != (int64_t) cold->last_tx_id || span.first_tx_at != cold->first_tx_at ||
		span.last_tx_at != cold->last_tx_at)
		return "its ranges are not those of its rows";
	if (check->prints)
		at_rows_print(&rows, stdout);
	return NULL;
}

static void
print_summary(const char *path, const Check *check)
{
	printf("%s: whole\n\n  ledger             ", path);
	for (int i = 0; i < AT_LOG_ID_LEN; i++)
		printf("%02x", check->first.log_id[i]);
	printf("\n  rows               %" PRIu64 " %s in %" PRIu64 " segments\n", check->rows,
		   check->first.kind == AT_COLD_EVENTS ? "events" : "transactions", check->segments);
	printf("  tx_id              %" PRIu64 " to %" PRIu64 "\n", check->first.first_tx_id,
		   check->last.last_tx_id);
	puts("\nNot proved:\n  that these rows were sealed: see audit_verify");
}
