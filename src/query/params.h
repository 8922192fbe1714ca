/*-------------------------------------------------------------------------
 * params.h
 *		Values of the parameters $1, $2, ... of a command that is put together; none is null.
 *-------------------------------------------------------------------------
 */
#ifndef AT_PARAMS_H
#define AT_PARAMS_H

#define AT_MAX_PARAMS 64

typedef struct AtParams
{
	int count;
	Oid type[AT_MAX_PARAMS];
	Datum value[AT_MAX_PARAMS];
} AtParams;

/* Add one; returns its number. */
extern int at_params_add(AtParams *params, Oid type, Datum value);

/* Run a SELECT with them, within SPI, in the active snapshot; 0 rows: all. */
extern void at_params_select(AtParams *params, const char *command, long max_rows);

#endif
