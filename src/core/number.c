/*-------------------------------------------------------------------------
 * number.c
 *		Calculating with decimal numbers of up to 36 digits, as numeric does.
 *
 * Sums, differences, products and remainders are exact. A quotient is rounded, away from zero at
 * the half, to the scale that numeric chooses (select_div_scale() in its numeric.c): 16
 * significant digits at least, counted in groups of four around the point.
 *-------------------------------------------------------------------------
 */
#include "core/number.h"

#define MAX_DIGITS  36
#define WORD_DIGITS 18 /* that fit 64 bits, which are faster */
#define MAX_SCALE   64 /* of a product of products; a longer one is left to others */

/* What numeric.c calls DEC_DIGITS and NUMERIC_MIN_SIG_DIGITS. */
#define GROUP_DIGITS           4
#define GROUP                  10000
#define MIN_SIGNIFICANT_DIGITS 16
#define WORD_GROUPS            4 /* that fit a word */

/* The first group of digits that is not 0, and the power of 10000 that it counts. */
typedef struct Lead
{
	int weight;
	int group;
} Lead;

static AtNumberResult divide(const AtNumber *a, const AtNumber *b, AtNumber *result);
static int quotient_scale(const AtNumber *a, const AtNumber *b);

/* Of 0 to 36. */
static inline AtUnits
power_of_ten(int exponent)
{
	static const uint64_t powers[] = {
		1,
		10,
		100,
		1000,
		10000,
		100000,
		1000000,
		10000000,
		100000000,
		1000000000,
		10000000000,
		100000000000,
		1000000000000,
		10000000000000,
		100000000000000,
		1000000000000000,
		10000000000000000,
		100000000000000000,
		1000000000000000000,
	};

	return exponent <= WORD_DIGITS ? powers[exponent]
								   : (AtUnits) powers[WORD_DIGITS] * powers[exponent - WORD_DIGITS];
}

static AtUnits
magnitude(AtUnits units)
{
	return units < 0 ? -units : units;
}

static bool
is_within(AtUnits units)
{
	return magnitude(units) < (AtUnits) 1000000000000000000 * 1000000000000000000;
}

/* Digits that are being read, the first of them in a word. */
typedef struct Digits
{
	const char *at;
	const char *end;
	int count;
	uint64_t word;
	AtUnits units; /* once a word is too short */
} Digits;

/* Take digits; returns how many, or -1 if there are too many of all. */
static int
take_digits(Digits *digits)
{
	int before = digits->count;

	for (; digits->at < digits->end && *digits->at >= '0' && *digits->at <= '9'; digits->at++)
	{
		int digit = *digits->at - '0';

		if (digits->count++ < WORD_DIGITS)
			digits->units = digits->word = digits->word * 10 + (uint64_t) digit;
		else
			digits->units = digits->units * 10 + digit;
		if (!is_within(digits->units))
			return -1;
	}
	return digits->count - before;
}

bool
at_number_read(AtSpan text, AtNumber *number)
{
	Digits digits = {.at = text.data, .end = (const char *) text.data + text.len};
	bool negative = digits.at < digits.end && *digits.at == '-';
	int scale = 0;

	if (negative)
		digits.at++;
	if (take_digits(&digits) <= 0)
		return false;
	if (digits.at < digits.end && *digits.at == '.')
	{
		digits.at++;
		scale = take_digits(&digits);
		if (scale <= 0)
			return false;
	}
	number->units = negative ? -digits.units : digits.units;
	number->scale = scale;
	return digits.at == digits.end && scale <= MAX_DIGITS;
}

static AtNumberResult
keep(AtUnits units, int scale, AtNumber *result)
{
	if (!is_within(units) || scale > MAX_SCALE)
		return AT_NUMBER_BEYOND;
	*result = (AtNumber){.units = units, .scale = scale};
	return AT_NUMBER_OK;
}

/* Append zeros behind the point. */
static bool
extend(AtUnits *units, int zeros)
{
	if (zeros <= 0 || *units == 0)
		return true;
	if (zeros <= WORD_DIGITS && *units == (int64_t) *units) /* no product of words is too long */
	{
		*units = (AtUnits) (int64_t) *units * (int64_t) power_of_ten(zeros);
		return is_within(*units);
	}
	return zeros <= MAX_DIGITS && !__builtin_mul_overflow(*units, power_of_ten(zeros), units) &&
		   is_within(*units);
}

bool
at_number_of_groups(const int16_t *groups, int count, int weight, int scale, bool negative,
					AtNumber *number)
{
	int behind = scale + (weight + 1 - count) * GROUP_DIGITS; /* digits that are not stored */
	uint64_t word = 0;
	AtUnits units;
	int i = 0;

	if (count > AT_NUMBER_GROUPS || scale > MAX_DIGITS || behind < -MAX_DIGITS)
		return false;
	for (; i < count && i < WORD_GROUPS; i++)
		word = word * GROUP + (uint64_t) groups[i];
	units = word;
	for (; i < count; i++)
		units = units * GROUP + groups[i];
	if (behind < 0 && count <= WORD_GROUPS)
		units = behind < -WORD_DIGITS ? 0 : word / (uint64_t) power_of_ten(-behind);
	else if (behind < 0)
		units /= power_of_ten(-behind);
	else if (!extend(&units, behind))
		return false;
	*number = (AtNumber){.units = negative ? -units : units, .scale = scale};
	return true;
}

/* Both in units of the finer of the two. */
static bool
align(const AtNumber *a, const AtNumber *b, AtUnits *left, AtUnits *right)
{
	*left = a->units;
	*right = b->units;
	return extend(left, b->scale - a->scale) && extend(right, a->scale - b->scale);
}

AtNumberResult
at_number_calculate(char op, const AtNumber *a, const AtNumber *b, AtNumber *result)
{
	int scale = a->scale > b->scale ? a->scale : b->scale;
	AtUnits left;
	AtUnits right;

	if (op == '*')
		return __builtin_mul_overflow(a->units, b->units, &left)
				   ? AT_NUMBER_BEYOND
				   : keep(left, a->scale + b->scale, result);
	if ((op == '/' || op == '%') && b->units == 0)
		return AT_NUMBER_BY_ZERO;
	if (op == '/')
		return divide(a, b, result);
	if (!align(a, b, &left, &right))
		return AT_NUMBER_BEYOND;
	if (op == '%')
		return keep(left % right, scale, result);
	return keep(op == '+' ? left + right : left - right, scale, result);
}

static AtNumberResult
divide(const AtNumber *a, const AtNumber *b, AtNumber *result)
{
	int scale = quotient_scale(a, b);
	AtUnits dividend = magnitude(a->units);
	AtUnits divisor = magnitude(b->units);
	AtUnits quotient;
	AtUnits rest;

	if (!extend(&dividend, scale - a->scale + b->scale))
		return AT_NUMBER_BEYOND;
	quotient = dividend / divisor;
	rest = dividend - quotient * divisor;
	if (rest >= divisor - rest)
		quotient++;
	return keep((a->units < 0) == (b->units < 0) ? quotient : -quotient, scale, result);
}

static Lead
lead_of(const AtNumber *number)
{
	AtUnits units = magnitude(number->units);
	AtUnits group = units;
	int digits = 1;
	int first;  /* the power of ten that the first digit counts */
	int behind; /* digits behind the first group */
	Lead lead = {0};

	if (units == 0)
		return lead;
	while (digits < MAX_DIGITS && units >= power_of_ten(digits))
		digits++;
	first = digits - 1 - number->scale;
	lead.weight = first >= 0 ? first / GROUP_DIGITS : -((GROUP_DIGITS - 1 - first) / GROUP_DIGITS);
	behind = lead.weight * GROUP_DIGITS + number->scale;
	if (behind < 0)
		group *= power_of_ten(-behind);
	else if (digits <= WORD_DIGITS) /* so are those behind */
		group = (uint64_t) units / (uint64_t) power_of_ten(behind);
	else
		group /= power_of_ten(behind);
	lead.group = (int) group;
	return lead;
}

static int
quotient_scale(const AtNumber *a, const AtNumber *b)
{
	Lead left = lead_of(a);
	Lead right = lead_of(b);
	int weight = left.weight - right.weight - (left.group <= right.group ? 1 : 0);
	int scale = MIN_SIGNIFICANT_DIGITS - weight * GROUP_DIGITS;

	if (scale < a->scale)
		scale = a->scale;
	return scale < b->scale ? b->scale : scale;
}

AtNumberResult
at_number_compare(const AtNumber *a, const AtNumber *b, int *order)
{
	AtUnits left;
	AtUnits right;

	if (!align(a, b, &left, &right))
		return AT_NUMBER_BEYOND;
	*order = (left > right) - (left < right);
	return AT_NUMBER_OK;
}

AtNumber
at_number_negate(AtNumber number)
{
	number.units = -number.units;
	return number;
}

AtNumber
at_number_abs(AtNumber number)
{
	number.units = magnitude(number.units);
	return number;
}

AtNumber
at_number_floor(AtNumber number)
{
	/* what is smaller than a unit of so many digits is a fraction of 1 */
	AtUnits one = number.scale <= MAX_DIGITS ? power_of_ten(number.scale) : 0;
	AtUnits whole = one != 0 ? number.units / one : 0;
	AtUnits rest = one != 0 ? number.units % one : number.units;

	return (AtNumber){.units = rest < 0 ? whole - 1 : whole};
}

AtNumber
at_number_ceiling(AtNumber number)
{
	return at_number_negate(at_number_floor(at_number_negate(number)));
}
