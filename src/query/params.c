/*-------------------------------------------------------------------------
 * params.c
 *		Values of the parameters of a command that is put together.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "executor/spi.h"

#include "query/params.h"

int
at_params_add(AtParams *params, Oid type, Datum value)
{
	if (params->count == AT_MAX_PARAMS)
		elog(ERROR, "too many parameters");
	params->type[params->count] = type;
	params->value[params->count] = value;
	return ++params->count;
}

void
at_params_select(AtParams *params, const char *command, long max_rows)
{
	int code = SPI_execute_with_args(command, params->count, params->type, params->value, NULL,
									 true, max_rows);

	if (code != SPI_OK_SELECT)
		elog(ERROR, "could not search the trail: %s", SPI_result_code_string(code));
}
