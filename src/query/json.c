/*-------------------------------------------------------------------------
 * json.c
 *		audit.to_jsonb() and its kin: recorded values, whatever they hold.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "base/compat.h"
#include "base/json_scan.h"
#include "base/jsonb_make.h"

PG_FUNCTION_INFO_V1(at_to_jsonb);
PG_FUNCTION_INFO_V1(at_json_keys);
PG_FUNCTION_INFO_V1(at_former_key);

/*
 * audit.to_jsonb(json): convert, whatever the value holds.
 */
Datum
at_to_jsonb(PG_FUNCTION_ARGS)
{
	text *json = PG_GETARG_TEXT_PP(0);

	PG_RETURN_JSONB_P(at_jsonb_make(VARDATA_ANY(json), VARSIZE_ANY_EXHDR(json), NULL));
}

/*
 * audit.json_keys(json): the keys of an object in their order; of anything
 * else, none.
 */
Datum
at_json_keys(PG_FUNCTION_ARGS)
{
	text *json = PG_GETARG_TEXT_PP(0);
	ArrayBuildState *keys = initArrayResult(TEXTOID, CurrentMemoryContext, false);
	AtJsonScan in;

	at_json_start(&in, VARDATA_ANY(json), VARSIZE_ANY_EXHDR(json));
	if (at_json_next(&in) && in.kind == '{')
	{
		while (at_json_next(&in) && in.kind != '}')
		{
			AtJsonSlice key;

			CHECK_FOR_INTERRUPTS();
			if (in.kind != '"')
				continue; /* the comma */
			key = at_json_string(&in);
			accumArrayResult(keys, PointerGetDatum(cstring_to_text_with_len(key.data, key.len)),
							 false, TEXTOID, CurrentMemoryContext);
			at_json_next(&in); /* the colon */
			at_json_next(&in);
			at_json_value(&in);
		}
	}
	PG_RETURN_DATUM(makeArrayResult(keys, CurrentMemoryContext));
}

/* Text of a scalar as its type writes it: a string without quotes and escapes. */
static text *
at_json_scalar_text(AtJsonSlice value)
{
	AtJsonScan in;
	AtJsonSlice plain = value;

	at_json_start(&in, value.data, value.len);
	if (at_json_next(&in) && in.kind == '"')
		plain = at_json_string(&in);
	return cstring_to_text_with_len(plain.data, plain.len);
}

/*
 * audit.former_key(record_key, key_columns, old_values): the key that a row
 * had before the update that is recorded with these; NULL if the update did
 * not change it.
 *
 * The key of several columns is a JSON array: the elements whose columns
 * changed are replaced by the old values.
 */
Datum
at_former_key(PG_FUNCTION_ARGS)
{
	text *record_key = PG_GETARG_TEXT_PP(0);
	text *key_columns = PG_GETARG_TEXT_PP(1);
	text *old_values = PG_GETARG_TEXT_PP(2);
	AtJsonScan columns;
	AtJsonScan parts;
	AtJsonSlice before = {VARDATA_ANY(old_values), VARSIZE_ANY_EXHDR(old_values)};
	AtJsonSlice old = {0};
	StringInfoData key;
	bool changed = false;
	int n = 0;

	initStringInfo(&key);
	at_json_start(&columns, VARDATA_ANY(key_columns), VARSIZE_ANY_EXHDR(key_columns));
	at_json_start(&parts, VARDATA_ANY(record_key), VARSIZE_ANY_EXHDR(record_key));
	while (at_json_next(&columns))
	{
		AtJsonSlice part;

		if (columns.kind != '"')
			continue;
		at_json_next(&parts); /* the bracket or comma before the element */
		at_json_next(&parts);
		part = at_json_value(&parts);
		old = at_json_member(before, at_json_string(&columns));
		changed |= old.data != NULL;
		if (old.data != NULL)
			part = old;
		appendStringInfoChar(&key, n++ == 0 ? '[' : ',');
		appendBinaryStringInfo(&key, part.data, part.len);
	}
	appendStringInfoChar(&key, ']');

	if (!changed)
		PG_RETURN_NULL();
	if (n == 1)
		PG_RETURN_TEXT_P(at_json_scalar_text(old));
	PG_RETURN_TEXT_P(cstring_to_text_with_len(key.data, key.len));
}
