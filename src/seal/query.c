/*-------------------------------------------------------------------------
 * query.c
 *		One value of a query.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "executor/spi.h"
#include "utils/memutils.h"

#include "seal/query.h"

char *
at_query_value(const char *sql)
{
	MemoryContext context = CurrentMemoryContext;
	char *value = NULL;

	SPI_connect();
	if (SPI_execute(sql, true, 1) != SPI_OK_SELECT)
		elog(ERROR, "unexpected result of: %s", sql);
	if (SPI_processed > 0)
		value = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
	if (value != NULL)
		value = MemoryContextStrdup(context, value);
	SPI_finish();
	return value;
}
