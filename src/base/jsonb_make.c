/*-------------------------------------------------------------------------
 * jsonb_make.c
 *		A json text as jsonb, whatever it holds.
 *
 * Where jsonb has no counterpart for something, a readable string takes its
 * place:
 *
 *	\u0000, lone surrogates, ...	the escape as it is written
 *	a number out of numeric's range	its digits
 *	a value nested too deeply		its text
 *	what is too long				its beginning, and how long it is
 *
 * Containers are built on a list, not by recursion. The server's conversion
 * to the stored form does recurse, so before each further level that is
 * entered the stack is asked whether it would bear it.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"

#include "base/compat.h"
#include "base/json_scan.h"
#include "base/jsonb_make.h"

/* Limits of jsonb, less some room for what is added around the value. */
#define AT_JSON_MAX_STRING  (JENTRY_OFFLENMASK / 2)
#define AT_JSON_MAX_TOTAL   (JENTRY_OFFLENMASK - 1024)
#define AT_JSON_MAX_MEMBERS 8000000

/* Limits of numeric: decimal digits before the point, and behind it. */
#define AT_NUMERIC_MAX_WEIGHT 131072
#define AT_NUMERIC_MAX_SCALE  16383
#define AT_NUMERIC_MAX_EXP    999999999

/* Stack that a level of nesting takes in the server's conversion, amply. */
#define AT_JSON_LEVEL_STACK 1024
#define AT_JSON_FIRST_STEP  8
#define AT_JSON_LEVEL_STEP  64

#define AT_JSON_SHOWN 1000 /* bytes of a value that is too long */

typedef struct AtJsonBuild
{
	AtJsonScan in;
	JsonbParseState *state; /* innermost open container */
	int depth;
	int safe_depth; /* levels that the stack is known to bear */
	bool have_key;  /* in an object, between key and value */
	Size size;      /* of the jsonb so far, or somewhat less than this */
	bool bad;       /* too long, or not JSON at all */
	bool replaced;  /* a string took the place of something else */
	bool done;
	JsonbValue result;
} AtJsonBuild;

static void at_json_build(AtJsonBuild *b);
static void at_json_build_string(AtJsonBuild *b);
static void at_json_build_container(AtJsonBuild *b);
static void at_json_build_end(AtJsonBuild *b);
static void at_json_put(AtJsonBuild *b, JsonbValue *value);
static JsonbValue at_json_number(const AtJsonScan *in);
static bool at_json_stack_bears(int steps);
static AtJsonSlice at_json_shorten(const char *text, int len);

Jsonb *
at_jsonb_make(const char *json, int len, bool *exact)
{
	AtJsonBuild b = {0};
	bool whole;

	at_json_start(&b.in, json, len);
	at_json_build(&b);
	whole = b.done && !b.bad;
	if (!whole)
	{
		AtJsonSlice shown = at_json_shorten(json, len);

		b.result = (JsonbValue){.type = jbvString};
		b.result.val.string.val = unconstify(char *, shown.data);
		b.result.val.string.len = shown.len;
	}
	if (exact != NULL)
		*exact = whole && !b.replaced;
	return JsonbValueToJsonb(&b.result);
}

static void
at_json_build(AtJsonBuild *b)
{
	JsonbValue constant = {0};

	while (!b->bad && at_json_next(&b->in))
	{
		CHECK_FOR_INTERRUPTS();
		switch (b->in.kind)
		{
			case '{':
			case '[':
				at_json_build_container(b);
				break;
			case '}':
			case ']':
				at_json_build_end(b);
				break;
			case ',':
			case ':':
				break;
			case '"':
				at_json_build_string(b);
				break;
			case '0':
				constant = at_json_number(&b->in);
				b->replaced |= constant.type == jbvString;
				at_json_put(b, &constant);
				break;
			case 't':
			case 'f':
				constant.type = jbvBool;
				constant.val.boolean = b->in.kind == 't';
				at_json_put(b, &constant);
				break;
			case 'n':
				constant.type = jbvNull;
				at_json_put(b, &constant);
				break;
			default:
				b->bad = true;
		}
	}
}

/* Account for a value that is about to be added where we are; may it be? */
static bool
at_json_admit(AtJsonBuild *b, Size size)
{
	int members = 0;

	b->size += sizeof(JEntry) + size;
	if (b->state == NULL)
		b->bad |= b->done;
	else if (b->state->contVal.type == jbvObject)
	{
		b->bad |= !b->have_key;
		members = b->state->contVal.val.object.nPairs;
	}
	else
		members = b->state->contVal.val.array.nElems;
	b->bad |= b->size > AT_JSON_MAX_TOTAL || members > AT_JSON_MAX_MEMBERS;
	return !b->bad;
}

static void
at_json_put(AtJsonBuild *b, JsonbValue *value)
{
	Size size = 0;

	if (value->type == jbvString)
		size = value->val.string.len;
	else if (value->type == jbvNumeric)
		size = VARSIZE_ANY(value->val.numeric) + sizeof(int32);
	if (!at_json_admit(b, size))
		return;

	if (b->state == NULL)
	{
		b->result = *value;
		b->done = true;
	}
	else
		pushJsonbValue(&b->state, b->state->contVal.type == jbvObject ? WJB_VALUE : WJB_ELEM,
					   value);
	b->have_key = false;
}

/* A string as a value, or as the key of the value that follows. */
static void
at_json_put_string(AtJsonBuild *b, AtJsonSlice string)
{
	bool is_key = b->state != NULL && b->state->contVal.type == jbvObject && !b->have_key;
	JsonbValue value = {.type = jbvString};

	if (string.len > AT_JSON_MAX_STRING)
	{
		string = at_json_shorten(string.data, string.len);
		b->replaced = true;
	}
	value.val.string.val = unconstify(char *, string.data);
	value.val.string.len = string.len;
	if (!is_key)
		at_json_put(b, &value);
	else
	{
		b->have_key = true;
		if (at_json_admit(b, string.len))
			pushJsonbValue(&b->state, WJB_KEY, &value);
	}
}

static void
at_json_build_string(AtJsonBuild *b)
{
	at_json_put_string(b, at_json_string(&b->in));
}

static void
at_json_build_container(AtJsonBuild *b)
{
	bool is_object = b->in.kind == '{';

	if (!at_json_admit(b, sizeof(JsonbContainer) + sizeof(int32)))
		return;
	if (b->depth >= b->safe_depth)
	{
		int wanted = b->safe_depth + (b->safe_depth == 0 ? AT_JSON_FIRST_STEP : AT_JSON_LEVEL_STEP);

		if (!at_json_stack_bears(wanted))
		{
			at_json_put_string(b, at_json_value(&b->in));
			b->replaced = true;
			return;
		}
		b->safe_depth = wanted;
	}
	b->depth++;
	b->have_key = false;
	pushJsonbValue(&b->state, is_object ? WJB_BEGIN_OBJECT : WJB_BEGIN_ARRAY, NULL);
}

static void
at_json_build_end(AtJsonBuild *b)
{
	bool is_object = b->in.kind == '}';
	JsonbValue *whole;

	if (b->state == NULL || is_object != (b->state->contVal.type == jbvObject) || b->have_key)
	{
		b->bad = true;
		return;
	}
	b->depth--;
	whole = pushJsonbValue(&b->state, is_object ? WJB_END_OBJECT : WJB_END_ARRAY, NULL);
	if (b->state == NULL)
	{
		b->result = *whole;
		b->done = true;
	}
}

/*
 * Would numeric take it? Its limits are a power of ten for the first digit
 * that is not zero, and a number of digits behind the point.
 */
static bool
at_json_number_fits(const char *number)
{
	const char *pos = number;
	int whole = 0;
	int fraction = 0;
	int leading = -1; /* digits before the first that is not zero */
	bool behind_point = false;
	long exponent = 0;

	for (pos += *pos == '-'; isdigit((unsigned char) *pos) || (*pos == '.' && !behind_point); pos++)
	{
		if (*pos == '.')
		{
			behind_point = true;
			continue;
		}
		if (*pos != '0' && leading < 0)
			leading = whole + fraction;
		whole += behind_point ? 0 : 1;
		fraction += behind_point ? 1 : 0;
	}
	if (*pos == 'e' || *pos == 'E')
	{
		char *end;

		exponent = strtol(pos + 1, &end, 10);
		pos = end > pos + 1 ? end : pos;
	}
	if (whole == 0 || *pos != '\0' || exponent > AT_NUMERIC_MAX_EXP ||
		exponent < -AT_NUMERIC_MAX_EXP)
		return false;
	if (leading >= 0 && whole - 1 - leading + exponent >= AT_NUMERIC_MAX_WEIGHT)
		return false;
	return fraction - exponent <= AT_NUMERIC_MAX_SCALE;
}

static JsonbValue
at_json_number(const AtJsonScan *in)
{
	char *number = pnstrdup(in->start, in->len);
	JsonbValue value = {.type = jbvNumeric};

	if (at_json_number_fits(number))
		value.val.numeric = DatumGetNumeric(DirectFunctionCall3(
			numeric_in, CStringGetDatum(number), ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
	else
	{
		AtJsonSlice digits = {.data = number, .len = in->len};

		if (digits.len > AT_JSON_MAX_STRING)
			digits = at_json_shorten(number, in->len);
		value.type = jbvString;
		value.val.string.val = unconstify(char *, digits.data);
		value.val.string.len = digits.len;
	}
	return value;
}

/* Is there stack for so many levels more than where we are? */
static pg_noinline bool
at_json_stack_bears(int steps)
{
	volatile char level[AT_JSON_LEVEL_STACK];

	level[0] = (char) steps;
	if (stack_is_too_deep())
		return false;
	return steps <= 0 || (at_json_stack_bears(steps - 1) && level[0] == (char) steps);
}

static AtJsonSlice
at_json_shorten(const char *text, int len)
{
	if (len > AT_JSON_SHOWN)
	{
		char *shown = psprintf("%.*s... (%d bytes, too long for jsonb)",
							   pg_mbcliplen(text, len, AT_JSON_SHOWN), text, len);

		return (AtJsonSlice){.data = shown, .len = strlen(shown)};
	}
	return (AtJsonSlice){.data = text, .len = len};
}
