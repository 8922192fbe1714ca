/*-------------------------------------------------------------------------
 * decimal.c
 *		Comparing decimal numbers as they are written.
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "core/decimal.h"

/* The digits that count: no zeros before the whole number or behind the fraction. */
typedef struct Decimal
{
	bool negative; /* zero is not */
	const char *whole;
	uint32_t nwhole;
	const char *fraction;
	uint32_t nfraction;
} Decimal;

/* Take digits; returns how many. */
static uint32_t
take_digits(const char **at, const char *end)
{
	const char *start = *at;

	while (*at < end && **at >= '0' && **at <= '9')
		(*at)++;
	return (uint32_t) (*at - start);
}

static bool
read_decimal(AtSpan text, Decimal *decimal)
{
	const char *at = text.data;
	const char *end = at + text.len;

	*decimal = (Decimal){.negative = at < end && *at == '-'};
	if (decimal->negative)
		at++;
	decimal->whole = at;
	decimal->nwhole = take_digits(&at, end);
	if (decimal->nwhole == 0)
		return false;
	if (at < end && *at == '.')
	{
		decimal->fraction = ++at;
		decimal->nfraction = take_digits(&at, end);
		if (decimal->nfraction == 0)
			return false;
	}
	for (; decimal->nwhole > 0 && *decimal->whole == '0'; decimal->nwhole--)
		decimal->whole++;
	while (decimal->nfraction > 0 && decimal->fraction[decimal->nfraction - 1] == '0')
		decimal->nfraction--;
	if (decimal->nwhole == 0 && decimal->nfraction == 0)
		decimal->negative = false;
	return at == end;
}

static int
order_of(uint32_t a, uint32_t b)
{
	return (a > b) - (a < b);
}

/* By how far they are from zero. */
static int
compare_digits(const Decimal *a, const Decimal *b)
{
	uint32_t shorter = a->nfraction < b->nfraction ? a->nfraction : b->nfraction;
	int order = order_of(a->nwhole, b->nwhole);

	if (order == 0 && a->nwhole > 0)
		order = memcmp(a->whole, b->whole, a->nwhole);
	if (order == 0 && shorter > 0)
		order = memcmp(a->fraction, b->fraction, shorter);
	return order != 0 ? order : order_of(a->nfraction, b->nfraction);
}

bool
at_decimal_compare(AtSpan a, AtSpan b, int *order)
{
	Decimal left;
	Decimal right;

	if (!read_decimal(a, &left) || !read_decimal(b, &right))
		return false;
	if (left.negative != right.negative)
		*order = left.negative ? -1 : 1;
	else
		*order = left.negative ? compare_digits(&right, &left) : compare_digits(&left, &right);
	return true;
}
