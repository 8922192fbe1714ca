/*-------------------------------------------------------------------------
 * rows.c
 *		Rows of a segment, as the tables of the ledger have them.
 *-------------------------------------------------------------------------
 */
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "rows.h"

#define MICROSECONDS INT64_C(1000000)

/* How a column is printed. */
typedef enum Print
{
	INT,
	TIME,
	LETTER,
	TEXT,
	JSON, /* as it is */
	BYTES
} Print;

typedef struct Column
{
	const char *name;
	Print print;
} Column;

/* The first columns of audit.event and audit.transaction, which those never lose. */
static const Column event_columns[] = {
	{"tx_id", INT},       {"tx_at", TIME},          {"occurred_at", TIME}, {"ordinal", INT},
	{"target_id", INT},   {"retention_class", INT}, {"op", LETTER},        {"record_key", TEXT},
	{"event_type", TEXT}, {"old_values", JSON},     {"new_values", JSON},  {"extra", JSON},
};
static const Column transaction_columns[] = {
	{"tx_id", INT},
	{"tx_at", TIME},
	{"committed_at", TIME},
	{"xid", INT},
	{"session_id", INT},
	{"system_identifier", INT},
	{"database_oid", INT},
	{"event_count", INT},
	{"retention_class", INT},
	{"digest", BYTES},
	{"actor", TEXT},
	{"actor_type", TEXT},
	{"actor_source", TEXT},
	{"db_user", TEXT},
	{"db_role", TEXT},
	{"application_name", TEXT},
	{"request_id", TEXT},
	{"reason", TEXT},
	{"claimed_session", TEXT},
	{"claimed_client_ip", TEXT},
	{"trace_parent", TEXT},
	{"extra", JSON},
	{"context_sources", JSON},
	{"session_digest", BYTES},
	{"event_places", BYTES},
};

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

/* Places of columns. */
enum
{
	TX_ID = 0,
	TX_AT = 1,
	ORDINAL = 3
};

static void print_value(const Column *column, AtColdColumn *values, FILE *file);

/* What is known of a column; NULL for one of a later version. */
static const Column *
column_at(const AtRows *rows, int at)
{
	if (rows->kind == AT_COLD_EVENTS)
		return at < (int) LENGTH(event_columns) ? &event_columns[at] : NULL;
	return at < (int) LENGTH(transaction_columns) ? &transaction_columns[at] : NULL;
}

const char *
at_rows_read(AtRows *rows, const AtCold *cold, AtText content)
{
	rows->kind = cold->kind;
	rows->rows = cold->rows;
	rows->columns = cold->columns;
	if (cold->rows == 0)
		return "it has no rows";
	if (cold->columns > AT_ROWS_COLUMNS_MAX || cold->columns <= ORDINAL)
		return "it has not the columns of a table of the ledger";
	for (int i = 0; i < cold->columns; i++)
	{
		const Column *column = column_at(rows, i);

		if (at_cold_column_next(&content, cold->rows, &rows->column[i]) != AT_OK)
			return "one of its columns is damaged";
		if (column != NULL && (rows->column[i].type == AT_COLD_INTS) != (column->print <= LETTER))
			return "one of its columns has another type than in the ledger";
	}
	return content.len > 0 ? "there is something behind its columns" : NULL;
}

bool
at_rows_span(const AtRows *rows, AtRowsSpan *span)
{
	AtColdColumn tx_ids = rows->column[TX_ID];
	AtColdColumn times = rows->column[TX_AT];
	AtColdColumn ordinals = rows->column[ORDINAL];
	bool has_ordinals = rows->kind == AT_COLD_EVENTS;
	int64_t before = 0;

	for (uint32_t i = 0; i < rows->rows; i++)
	{
		int64_t tx_id = at_cold_int(&tx_ids);
		int64_t at = at_cold_int(&times);
		int64_t ordinal = at_cold_int(&ordinals);

		if (i == 0)
			*span = (AtRowsSpan){tx_id, tx_id, at, at};
		else if (tx_id < span->last_tx_id ||
				 (tx_id == span->last_tx_id && has_ordinals && ordinal <= before))
			return false;
		span->last_tx_id = tx_id;
		span->first_tx_at = at < span->first_tx_at ? at : span->first_tx_at;
		span->last_tx_at = at > span->last_tx_at ? at : span->last_tx_at;
		before = ordinal;
	}
	return true;
}

void
at_rows_print(const AtRows *rows, FILE *file)
{
	AtRows walk = *rows;

	for (uint32_t i = 0; i < rows->rows; i++)
	{
		for (int j = 0; j < rows->columns; j++)
		{
			const Column *column = column_at(rows, j);

			if (column == NULL)
				continue;
			fprintf(file, "%s\"%s\":", j == 0 ? "{" : ",", column->name);
			print_value(column, &walk.column[j], file);
		}
		fputs("}\n", file);
	}
}

static void
print_time(int64_t microseconds, FILE *file)
{
	int64_t rest = (microseconds % MICROSECONDS + MICROSECONDS) % MICROSECONDS;
	time_t seconds = (time_t) ((microseconds - rest) / MICROSECONDS);
	struct tm tm;

	if (gmtime_r(&seconds, &tm) == NULL)
		fprintf(file, "%" PRId64, microseconds);
	else
		fprintf(file, "\"%04d-%02d-%02dT%02d:%02d:%02d.%06" PRId64 "Z\"", tm.tm_year + 1900,
				tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, rest);
}

static void
print_string(AtSpan text, FILE *file)
{
	const unsigned char *bytes = text.data;

	fputc('"', file);
	for (uint32_t i = 0; i < text.len; i++)
	{
		if (bytes[i] < 0x20 || bytes[i] == 0x7f)
			fprintf(file, "\\u%04x", bytes[i]);
		else if (bytes[i] == '"' || bytes[i] == '\\')
			fprintf(file, "\\%c", bytes[i]);
		else
			fputc(bytes[i], file);
	}
	fputc('"', file);
}

/* JSON that has line breaks would be more than a line: it is printed as a string then. */
static void
print_json(AtSpan text, FILE *file)
{
	if (memchr(text.data, '\n', text.len) == NULL && memchr(text.data, '\r', text.len) == NULL &&
		text.len > 0)
		fwrite(text.data, 1, text.len, file);
	else
		print_string(text, file);
}

static void
print_value(const Column *column, AtColdColumn *values, FILE *file)
{
	int64_t number = 0;
	AtSpan text = {"", 0};

	if (column->print <= LETTER)
		number = at_cold_int(values);
	else
		text = at_cold_text(values);
	if (text.data == NULL)
	{
		fputs("null", file);
		return;
	}
	switch (column->print)
	{
		case INT:
			fprintf(file, "%" PRId64, number);
			break;
		case TIME:
			print_time(number, file);
			break;
		case LETTER:
			print_string((AtSpan){&(char){(char) number}, 1}, file);
			break;
		case TEXT:
			print_string(text, file);
			break;
		case JSON:
			print_json(text, file);
			break;
		case BYTES:
			fputc('"', file);
			for (uint32_t i = 0; i < text.len; i++)
				fprintf(file, "%02x", ((const unsigned char *) text.data)[i]);
			fputc('"', file);
			break;
	}
}
