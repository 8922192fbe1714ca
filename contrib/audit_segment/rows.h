/*-------------------------------------------------------------------------
 * rows.h
 *		Rows of a segment, as the tables of the ledger have them.
 *-------------------------------------------------------------------------
 */
#ifndef AT_ROWS_H
#define AT_ROWS_H

#include <stdbool.h>
#include <stdio.h>

#include "core/cold.h"

#define AT_ROWS_COLUMNS_MAX 64

/* They point into the content. */
typedef struct AtRows
{
	AtColdKind kind;
	uint32_t rows;
	uint16_t columns;
	AtColdColumn column[AT_ROWS_COLUMNS_MAX]; /* before the first row */
} AtRows;

typedef struct AtRowsSpan
{
	int64_t first_tx_id;
	int64_t last_tx_id;
	int64_t first_tx_at; /* least and greatest */
	int64_t last_tx_at;
} AtRowsSpan;

/* Read the columns of a content. What is wrong with them; NULL for nothing. */
extern const char *at_rows_read(AtRows *rows, const AtCold *cold, AtText content);

/* From where to where they go; false where they are not in the order of tx_id, then ordinal. */
extern bool at_rows_span(const AtRows *rows, AtRowsSpan *span);

/* Print them, a JSON object a line. */
extern void at_rows_print(const AtRows *rows, FILE *file);

#endif
