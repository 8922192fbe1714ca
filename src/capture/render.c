/*-------------------------------------------------------------------------
 * render.c
 *		A column's value as JSON text, the same in every session.
 *
 * A renderer yields the bare text of a value and says whether it has to be
 * quoted. Types whose output depends on settings are rendered under pinned
 * ones, which are set and restored around the call of the output function.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "common/shortest_dec.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "pgtime.h"
#include "utils/builtins.h"
#include "utils/bytea.h"
#include "utils/datetime.h"
#include "utils/float.h"
#include "utils/guc.h"
#include "utils/json.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/numeric.h"
#include "utils/typcache.h"

#include "base/compat.h"
#include "base/guc.h"
#include "base/json_scan.h"
#include "base/numeric_read.h"
#include "capture/render.h"
#include "core/hash.h"
#include "ledger/datum.h"
#include "ledger/shorten.h"

#define SMALL       (MAXDATELEN + 1) /* enough for a number, a date or a time */
#define SHORT_BYTES 1024             /* not worth shortening, whatever else is in the row */
#define PIECE_BYTES 4096             /* of a bytea, whose digits are hashed together */

/*
 * A value's bare text: in small, in the value itself or palloc'd. The digits of
 * a bytea are made when they are wanted: they may be too many for one string.
 */
typedef struct ValueText
{
	const char *data; /* NULL: of a bytea, not made */
	int len;
	bool quote;
	const struct varlena *bytea;
	char small[SMALL];
} ValueText;

struct AtRenderer
{
	Oid type; /* InvalidOid: chosen by rule */
	void (*text)(AtColumn *column, Datum value, ValueText *out);
	bool (*number)(Datum value, AtNumber *number); /* NULL: from the text, if at all */
};

static bool number_of_int2(Datum value, AtNumber *number);
static bool number_of_int4(Datum value, AtNumber *number);
static bool number_of_int8(Datum value, AtNumber *number);
static void put_bool(AtColumn *column, Datum value, ValueText *out);
static void put_int2(AtColumn *column, Datum value, ValueText *out);
static void put_int4(AtColumn *column, Datum value, ValueText *out);
static void put_int8(AtColumn *column, Datum value, ValueText *out);
static void put_float4(AtColumn *column, Datum value, ValueText *out);
static void put_float8(AtColumn *column, Datum value, ValueText *out);
static void put_numeric(AtColumn *column, Datum value, ValueText *out);
static void put_varlena(AtColumn *column, Datum value, ValueText *out);
static void put_bytea(AtColumn *column, Datum value, ValueText *out);
static void put_json(AtColumn *column, Datum value, ValueText *out);
static void put_jsonb(AtColumn *column, Datum value, ValueText *out);
static void put_date(AtColumn *column, Datum value, ValueText *out);
static void put_time(AtColumn *column, Datum value, ValueText *out);
static void put_timetz(AtColumn *column, Datum value, ValueText *out);
static void put_timestamp(AtColumn *column, Datum value, ValueText *out);
static void put_timestamptz(AtColumn *column, Datum value, ValueText *out);
static void put_regclass(AtColumn *column, Datum value, ValueText *out);
static void put_money(AtColumn *column, Datum value, ValueText *out);
static void put_output(AtColumn *column, Datum value, ValueText *out);
static void put_pinned_output(AtColumn *column, Datum value, ValueText *out);
static void put_deep_output(AtColumn *column, Datum value, ValueText *out);

/* Types whose output depends on no setting are called as they are. */
static const AtRenderer renderers[] = {
	{BOOLOID, put_bool},
	{INT2OID, put_int2, number_of_int2},
	{INT4OID, put_int4, number_of_int4},
	{INT8OID, put_int8, number_of_int8},
	{FLOAT4OID, put_float4},
	{FLOAT8OID, put_float8},
	{NUMERICOID, put_numeric, at_numeric_read},
	{TEXTOID, put_varlena},
	{VARCHAROID, put_varlena},
	{BPCHAROID, put_varlena},
	{BYTEAOID, put_bytea},
	{JSONOID, put_json},
	{JSONBOID, put_jsonb},
	{DATEOID, put_date},
	{TIMEOID, put_time},
	{TIMETZOID, put_timetz},
	{TIMESTAMPOID, put_timestamp},
	{TIMESTAMPTZOID, put_timestamptz},
	{MONEYOID, put_money},
	{REGCLASSOID, put_regclass},
	{UUIDOID, put_output},
	{CHAROID, put_output},
	{NAMEOID, put_output},
	{OIDOID, put_output},
	{INETOID, put_output},
	{CIDROID, put_output},
	{MACADDROID, put_output},
	{MACADDR8OID, put_output},
	{BITOID, put_output},
	{VARBITOID, put_output},
};
static const AtRenderer enum_renderer = {InvalidOid, put_output};
static const AtRenderer other_renderer = {InvalidOid, put_pinned_output};
static const AtRenderer deep_renderer = {InvalidOid, put_deep_output};

/*
 * Does the output of a type, or of what it is made of, depend on more than
 * variables: names of objects (search_path), amounts (lc_monetary)?
 */
static bool
is_deep(Oid type)
{
	Oid base = getBaseType(type);
	Oid part = get_base_element_type(base);

	check_stack_depth();
	if (base == MONEYOID || base == REGCLASSOID || base == REGPROCOID || base == REGPROCEDUREOID ||
		base == REGOPEROID || base == REGOPERATOROID || base == REGTYPEOID || base == REGROLEOID ||
		base == REGNAMESPACEOID || base == REGCONFIGOID || base == REGDICTIONARYOID ||
		base == REGCOLLATIONOID)
		return true;
	if (!OidIsValid(part))
		part = get_range_subtype(base);
	if (!OidIsValid(part))
		part = get_multirange_range(base);
	if (OidIsValid(part))
		return is_deep(part);
	if (get_typtype(base) != TYPTYPE_COMPOSITE)
		return false;

	TupleDesc desc = lookup_rowtype_tupdesc_copy(base, -1);
	bool deep = false;

	for (int i = 0; i < desc->natts && !deep; i++)
		deep = !TupleDescAttr(desc, i)->attisdropped && is_deep(TupleDescAttr(desc, i)->atttypid);
	return deep;
}

/* Choose how values of the type are rendered. */
static void
choose(AtColumn *column, Oid type)
{
	Oid base = getBaseType(type);
	Oid output;
	bool varlena;

	column->renderer = type_is_enum(base) ? &enum_renderer
					   : is_deep(base)    ? &deep_renderer
										  : &other_renderer;
	for (int i = 0; i < lengthof(renderers); i++)
		if (renderers[i].type == base)
			column->renderer = &renderers[i];
	getTypeOutputInfo(type, &output, &varlena);
	fmgr_info(output, &column->output);
}

void
at_render_prepare(AtColumn *column, Form_pg_attribute attribute)
{
	StringInfoData json;

	initStringInfo(&json);
	at_json_quote(NameStr(attribute->attname), strlen(NameStr(attribute->attname)), &json);
	appendStringInfoChar(&json, ':');

	column->attnum = attribute->attnum;
	column->typlen = attribute->attlen;
	column->typbyval = attribute->attbyval;
	column->name = pstrdup(NameStr(attribute->attname));
	column->json_name = json.data;
	column->json_name_len = json.len;
	choose(column, attribute->atttypid);
}

static void
add_context(void *arg)
{
	errcontext("rendering column \"%s\"", ((AtColumn *) arg)->name);
}

/* The first digits of a bytea, as many as make up so many bytes of text; returns their end. */
static char *
write_digits(const struct varlena *bytea, int len, char *out)
{
	*out++ = '\\';
	*out++ = 'x';
	return out + hex_encode(VARDATA_ANY(bytea), (len - 2) / 2, out);
}

/* The text as one string, which may be longer than others can be. */
static const char *
get_text(const ValueText *text)
{
	char *digits;

	if (text->data != NULL)
		return text->data;
	digits = MemoryContextAllocHuge(CurrentMemoryContext, text->len);
	(void) write_digits(text->bytea, text->len, digits);
	return digits;
}

/* What is left of a bytea whose digits are hashed. */
typedef struct DigitPieces
{
	const char *at;
	const char *end;
	bool begun;
	char digits[2 * PIECE_BYTES];
} DigitPieces;

static bool
next_digits(void *arg, const void **piece, size_t *len)
{
	DigitPieces *pieces = arg;
	size_t bytes = Min(PIECE_BYTES, pieces->end - pieces->at);

	CHECK_FOR_INTERRUPTS();
	if (!pieces->begun)
	{
		pieces->begun = true;
		*piece = "\\x";
		*len = 2;
		return true;
	}
	*len = hex_encode(pieces->at, bytes, pieces->digits);
	*piece = pieces->digits;
	pieces->at += bytes;
	return bytes > 0;
}

static void
hash_text(const ValueText *text, AtHash *hash)
{
	DigitPieces pieces;
	bool ok;

	if (text->data != NULL)
		ok = at_hash(text->data, text->len, hash);
	else
	{
		pieces.begun = false;
		pieces.at = VARDATA_ANY(text->bytea);
		pieces.end = pieces.at + VARSIZE_ANY_EXHDR(text->bytea);
		ok = at_hash_pieces(next_digits, &pieces, hash);
	}
	if (!ok)
		at_hash_failed();
}

/* A value over the limit: its beginning, length and digest. */
static void
append_shortened(const ValueText *text, StringInfo out)
{
	char digits[AT_PREFIX_BYTES];
	const char *prefix = text->data;
	int len = AT_PREFIX_BYTES;
	AtHash hash;

	hash_text(text, &hash);
	if (prefix != NULL)
		len = pg_mbcliplen(prefix, text->len, AT_PREFIX_BYTES);
	else
	{
		(void) write_digits(text->bytea, AT_PREFIX_BYTES, digits);
		prefix = digits;
	}
	at_shorten_append(prefix, len, text->len, &hash, out);
}

bool
at_render_json(AtColumn *column, Datum value, StringInfo out)
{
	ErrorContextCallback context = {
		.callback = add_context, .arg = column, .previous = error_context_stack};
	int start = out->len;
	ValueText text;
	bool shortened;

	error_context_stack = &context;
	column->renderer->text(column, value, &text);
	shortened = text.len > (int64) at_guc_max_value_size * 1024;
	if (!shortened)
	{
		if (text.quote)
			at_json_quote(get_text(&text), text.len, out);
		else
			appendBinaryStringInfo(out, text.data, text.len);
		shortened = out->len > AT_RENDER_MAX && text.len > SHORT_BYTES;
		if (shortened)
			out->len = start;
	}
	if (shortened)
		append_shortened(&text, out);
	error_context_stack = context.previous;
	return shortened;
}

bool
at_render_number(const AtColumn *column, Datum value, AtNumber *number)
{
	return column->renderer->number != NULL && column->renderer->number(value, number);
}

void
at_render_text(AtColumn *column, Datum value, StringInfo out)
{
	ErrorContextCallback context = {
		.callback = add_context, .arg = column, .previous = error_context_stack};
	ValueText text;

	error_context_stack = &context;
	column->renderer->text(column, value, &text);
	appendBinaryStringInfo(out, get_text(&text), text.len);
	error_context_stack = context.previous;
}

void
at_render_whole(AtColumn *column, Datum value, AtRendered callback, void *arg)
{
	ErrorContextCallback context = {
		.callback = add_context, .arg = column, .previous = error_context_stack};
	ValueText text;

	error_context_stack = &context;
	column->renderer->text(column, value, &text);
	error_context_stack = context.previous;
	callback(get_text(&text), text.len, text.quote, arg);
}

/* The text lies in the small buffer. */
static inline void
set_small(ValueText *out, int len, bool quote)
{
	out->data = out->small;
	out->len = len;
	out->quote = quote;
}

/* The text is a C string. */
static inline void
set_cstring(ValueText *out, char *string, bool quote)
{
	out->data = string;
	out->len = strlen(string);
	out->quote = quote;
}

static void
put_bool(AtColumn *column, Datum value, ValueText *out)
{
	set_cstring(out, DatumGetBool(value) ? "true" : "false", false);
}

static void
put_int2(AtColumn *column, Datum value, ValueText *out)
{
	set_small(out, pg_itoa(DatumGetInt16(value), out->small), false);
}

static void
put_int4(AtColumn *column, Datum value, ValueText *out)
{
	set_small(out, pg_ltoa(DatumGetInt32(value), out->small), false);
}

static void
put_int8(AtColumn *column, Datum value, ValueText *out)
{
	set_small(out, pg_lltoa(DatumGetInt64(value), out->small), false);
}

static bool
number_of_int2(Datum value, AtNumber *number)
{
	*number = at_number_of(DatumGetInt16(value));
	return true;
}

static bool
number_of_int4(Datum value, AtNumber *number)
{
	*number = at_number_of(DatumGetInt32(value));
	return true;
}

static bool
number_of_int8(Datum value, AtNumber *number)
{
	*number = at_number_of(DatumGetInt64(value));
	return true;
}

/* JSON has no literal for what is not finite. */
static void
put_special_float(double number, ValueText *out)
{
	set_cstring(out, isnan(number) ? "NaN" : number < 0 ? "-Infinity" : "Infinity", true);
}

static void
put_float4(AtColumn *column, Datum value, ValueText *out)
{
	float number = DatumGetFloat4(value);

	if (isnan(number) || isinf(number))
		put_special_float(number, out);
	else
		set_small(out, float_to_shortest_decimal_buf(number, out->small), false);
}

static void
put_float8(AtColumn *column, Datum value, ValueText *out)
{
	double number = DatumGetFloat8(value);

	if (isnan(number) || isinf(number))
		put_special_float(number, out);
	else
		set_small(out, double_to_shortest_decimal_buf(number, out->small), false);
}

static void
put_numeric(AtColumn *column, Datum value, ValueText *out)
{
	Numeric number = DatumGetNumeric(value);

	set_cstring(out, DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(number))),
				numeric_is_nan(number) || numeric_is_inf(number));
}

static void
put_varlena(AtColumn *column, Datum value, ValueText *out)
{
	text *string = DatumGetTextPP(value);

	out->data = VARDATA_ANY(string);
	out->len = VARSIZE_ANY_EXHDR(string);
	out->quote = true;
}

/* Always in hex; at most INT_MAX digits, since a value has less than a gigabyte. */
static void
put_bytea(AtColumn *column, Datum value, ValueText *out)
{
	out->bytea = (struct varlena *) DatumGetByteaPP(value);
	out->data = NULL;
	out->len = 2 + 2 * VARSIZE_ANY_EXHDR(out->bytea);
	out->quote = true;
}

static void
put_json(AtColumn *column, Datum value, ValueText *out)
{
	put_varlena(column, value, out);
	out->quote = false;
}

static void
put_jsonb(AtColumn *column, Datum value, ValueText *out)
{
	Jsonb *document = DatumGetJsonbP(value);

	set_cstring(out, JsonbToCString(NULL, &document->root, VARSIZE(document)), false);
}

/* Date and time types, by PostgreSQL's own encoder for JSON. */
static inline void
encode_time(Datum value, Oid type, const int *zone, ValueText *out)
{
	(void) JsonEncodeDateTime(out->small, value, type, zone);
	set_small(out, strlen(out->small), true);
}

static void
put_date(AtColumn *column, Datum value, ValueText *out)
{
	encode_time(value, DATEOID, NULL, out);
}

static void
put_time(AtColumn *column, Datum value, ValueText *out)
{
	encode_time(value, TIMEOID, NULL, out);
}

static void
put_timetz(AtColumn *column, Datum value, ValueText *out)
{
	encode_time(value, TIMETZOID, NULL, out);
}

static void
put_timestamp(AtColumn *column, Datum value, ValueText *out)
{
	encode_time(value, TIMESTAMPOID, NULL, out);
}

static void
put_timestamptz(AtColumn *column, Datum value, ValueText *out)
{
	static const int utc = 0;

	encode_time(value, TIMESTAMPTZOID, &utc, out);
}

/* Always with its schema, whatever the search path is; a relation that is gone is a number. */
static void
put_regclass(AtColumn *column, Datum value, ValueText *out)
{
	Oid relid = DatumGetObjectId(value);
	char *name = get_rel_name(relid);
	char *schema = name != NULL ? get_namespace_name(get_rel_namespace(relid)) : NULL;
	bool quote_all = quote_all_identifiers;

	if (schema != NULL)
	{
		quote_all_identifiers = false;
		set_cstring(out, quote_qualified_identifier(schema, name), true);
		quote_all_identifiers = quote_all;
	}
	else
		set_cstring(out, psprintf("%u", relid), true);
}

/* An amount looks as lc_monetary says; that setting is more than a variable. */
static void
put_money(AtColumn *column, Datum value, ValueText *out)
{
	int level = NewGUCNestLevel();

	(void) set_config_option("lc_monetary", "C", PGC_SUSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0,
							 false);
	put_output(column, value, out);
	AtEOXact_GUC(false, level);
}

static void
put_output(AtColumn *column, Datum value, ValueText *out)
{
	set_cstring(out, OutputFunctionCall(&column->output, value), true);
}

/*
 * Everything else: arrays, composites, ranges, intervals, foreign types. The
 * variables behind the settings are set directly, since set_config_option()
 * costs more than all the rest of a row.
 */
static void
put_pinned_output(AtColumn *column, Datum value, ValueText *out)
{
	int date_style = DateStyle;
	int date_order = DateOrder;
	int interval_style = IntervalStyle;
	int float_digits = extra_float_digits;
	int bytea_style = bytea_output;
	pg_tz *zone = session_timezone;

	PG_TRY();
	{
		DateStyle = USE_ISO_DATES;
		DateOrder = DATEORDER_YMD;
		IntervalStyle = INTSTYLE_POSTGRES;
		extra_float_digits = 1;
		bytea_output = BYTEA_OUTPUT_HEX;
		session_timezone = pg_tzset("GMT");
		set_cstring(out, OutputFunctionCall(&column->output, value), true);
	}
	PG_FINALLY();
	{
		DateStyle = date_style;
		DateOrder = date_order;
		IntervalStyle = interval_style;
		extra_float_digits = float_digits;
		bytea_output = bytea_style;
		session_timezone = zone;
	}
	PG_END_TRY();
}

/* With names of objects or amounts in it; an error restores settings and path with the rest. */
static void
put_deep_output(AtColumn *column, Datum value, ValueText *out)
{
	int level = NewGUCNestLevel();

	(void) set_config_option("lc_monetary", "C", PGC_SUSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0,
							 false);
	(void) set_config_option("quote_all_identifiers", "off", PGC_SUSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	at_catalog_path_push();
	put_pinned_output(column, value, out);
	at_catalog_path_pop();
	AtEOXact_GUC(false, level);
}
