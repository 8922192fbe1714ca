/*-------------------------------------------------------------------------
 * datum.h
 *		Between PostgreSQL's values and the spans that src/core hashes.
 *-------------------------------------------------------------------------
 */
#ifndef AT_DATUM_H
#define AT_DATUM_H

#include "datatype/timestamp.h"

#include "base/compat.h"
#include "core/body.h"

/* A string; NULL is missing. The span points to it. */
static inline AtSpan
at_span_of(const char *string)
{
	return (AtSpan){string, string ? (uint32) strlen(string) : 0};
}

/* A text, json or bytea that is not toasted; NULL is missing. The span points into it. */
static inline AtSpan
at_span_of_varlena(const struct varlena *value)
{
	if (value == NULL)
		return (AtSpan){NULL, 0};
	return (AtSpan){VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value)};
}

/* Microseconds since 1970, UTC, as bodies have them. */
static inline int64
at_unix_microseconds(TimestampTz at)
{
	return at + (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY;
}

/* The reverse. */
static inline TimestampTz
at_pg_timestamp(int64 unix_microseconds)
{
	return unix_microseconds - (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY;
}

/* Set a column of type text, or null for NULL. The datum is in the current context. */
extern void at_set_text(Datum *values, bool *nulls, int column, const char *string);

/* A text or json, or null for NULL. */
static inline void
at_set_varlena(Datum *values, bool *nulls, int column, struct varlena *value)
{
	nulls[column - 1] = value == NULL;
	values[column - 1] = PointerGetDatum(value);
}

/* A bytea of these bytes, in the current context. */
extern Datum at_bytea_datum(const void *data, size_t len);

/* libcrypto did not hash: raises an error. */
pg_noreturn extern void at_hash_failed(void);

#endif
