/*-------------------------------------------------------------------------
 * make_file.c
 *		Writes a file of archived segments for the tests: make_file KIND SEGMENTS ROWS.
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/cold.h"

#define ROOM (1 << 20)

/* A column of integers: start + row * step, of texts: "text N", or missing in each third row. */
static void
put_column(AtWriter *content, char type, uint32_t rows, int64_t start, int64_t step)
{
	char numbers[ROOM / 16];
	char values[ROOM / 16];
	AtWriter first = at_writer(numbers, sizeof(numbers));
	AtWriter second = at_writer(values, sizeof(values));
	int64_t last = 0;

	for (uint32_t i = 0; i < rows; i++)
	{
		char text[64];
		int len = snprintf(text, sizeof(text), type == 'j' ? "{\"n\":%d}" : "text \"%d\"", (int) i);

		if (type == 'i')
			at_cold_put_int(&first, start + i * step, &last);
		else if (i % 3 == 2)
			at_cold_put_length(&first, (AtSpan){NULL, 0});
		else
		{
			at_cold_put_length(&first, (AtSpan){text, (uint32_t) len});
			at_write(&second, (AtText){text, (size_t) len});
		}
	}
	at_cold_put_column(content, type == 'i' ? AT_COLD_INTS : AT_COLD_TEXTS, first.len, second.len);
	at_write(content, (AtText){numbers, first.len});
	at_write(content, (AtText){values, second.len});
}

int
main(int argc, char **argv)
{
	static const char events[] = "iiiiiiittjjj";
	static const char transactions[] = "iiiiiiiiittttttttttttjjt";
	char kind = argc > 1 ? argv[1][0] : 'E';
	int segments = argc > 2 ? atoi(argv[2]) : 1;
	uint32_t rows = argc > 3 ? (uint32_t) atoi(argv[3]) : 1;
	const char *types = kind == 'E' ? events : transactions;
	uint8_t log_id[AT_LOG_ID_LEN] = {1, 2, 3};

	for (int i = 0; i < segments; i++)
	{
		char *bytes = malloc(ROOM);
		char *room = malloc(2 * ROOM);
		AtWriter content = at_writer(bytes, ROOM);
		AtWriter file = at_writer(room, 2 * ROOM);
		int64_t tx_id = 1000 + (int64_t) i * rows;
		int64_t at = INT64_C(1767225600000000) + tx_id;
		AtCold cold = {.log_id = log_id,
					   .kind = (AtColdKind) kind,
					   .columns = (uint16_t) strlen(types),
					   .rows = rows,
					   .first_tx_id = (uint64_t) tx_id,
					   .last_tx_id = (uint64_t) (tx_id + rows - 1),
					   .first_tx_at = at,
					   .last_tx_at = at + rows - 1};

		put_column(&content, 'i', rows, tx_id, 1);
		put_column(&content, 'i', rows, at, 1);
		for (const char *type = types + 2; *type != '\0'; type++)
			put_column(&content, *type, rows, 'I', 0);
		if (at_cold_write(&file, &cold, (AtText){bytes, content.len}) != AT_OK ||
			fwrite(room, 1, file.len, stdout) != file.len)
			return 1;
		free(bytes);
		free(room);
	}
	return 0;
}
