/*-------------------------------------------------------------------------
 * datum.c
 *		Between PostgreSQL's values and the spans that src/core hashes.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/builtins.h"

#include "base/errors.h"
#include "ledger/datum.h"

void
at_set_text(Datum *values, bool *nulls, int column, const char *string)
{
	nulls[column - 1] = string == NULL;
	values[column - 1] = string ? CStringGetTextDatum(string) : (Datum) 0;
}

Datum
at_bytea_datum(const void *data, size_t len)
{
	return PointerGetDatum(cstring_to_text_with_len(data, len));
}

void
at_hash_failed(void)
{
	ereport(ERROR, (errcode(ERRCODE_AT_CAPTURE_FAILED), errmsg("SHA-256 failed"),
					errdetail("libcrypto did not compute a digest."),
					errhint("Check the OpenSSL configuration of the server.")));
}
