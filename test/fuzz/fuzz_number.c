/*-------------------------------------------------------------------------
 * fuzz_number.c
 *		Two numbers and an operation, from any bytes: what is calculated
 *		holds when it is calculated back.
 *
 * The first byte is the operation; a line break is between the numbers.
 *-------------------------------------------------------------------------
 */
#include "core/decimal.h"
#include "core/number.h"
#include "target.h"

static void check_pair(char op, AtNumber a, AtNumber b);
static void check_order(AtSpan left, AtSpan right, AtNumber a, AtNumber b);
static void check_whole(AtNumber number);
static void check_groups(AtNumber number);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AtText text = copy_of(data, size);
	const char *line = size > 1 ? memchr(text.data + 1, '\n', size - 1) : NULL;

	if (line != NULL)
	{
		AtSpan left = {text.data + 1, (uint32_t) (line - text.data - 1)};
		AtSpan right = {line + 1, (uint32_t) (text.data + size - line - 1)};
		AtNumber a;
		AtNumber b;

		if (at_number_read(left, &a) && at_number_read(right, &b))
		{
			check_order(left, right, a, b);
			check_whole(a);
			check_groups(a);
			check_pair("+-*/%"[(uint8_t) text.data[0] % 5], a, b);
		}
	}
	free((char *) text.data);
	return 0;
}

/* The order of the numbers is that of their texts. */
static void
check_order(AtSpan left, AtSpan right, AtNumber a, AtNumber b)
{
	int order;
	int of_texts;

	expect(at_decimal_compare(left, right, &of_texts));
	if (at_number_compare(&a, &b, &order) == AT_NUMBER_OK)
		expect((order > 0) == (of_texts > 0) && (order < 0) == (of_texts < 0));
}

static void
check_whole(AtNumber number)
{
	AtNumber floor = at_number_floor(number);
	AtNumber ceiling = at_number_ceiling(number);

	expect(floor.scale == 0 && ceiling.scale == 0);
	expect(ceiling.units - floor.units == 0 || ceiling.units - floor.units == 1);
	expect(at_number_abs(number).units >= 0);
}

/* It is found again in groups of four digits around the point. */
static void
check_groups(AtNumber number)
{
	AtUnits units = at_number_abs(number).units;
	int behind = (number.scale + 3) / 4;
	int16_t groups[12];
	int count = 0;
	AtNumber again;

	if (number.units != units || units >= (AtUnits) 1000000000000000000 * 100000000000000)
		return;
	for (int i = number.scale; i < behind * 4; i++)
		units *= 10;
	for (AtUnits rest = units; rest != 0; rest /= 10000)
		count++;
	for (int i = count - 1; i >= 0; i--, units /= 10000)
		groups[i] = (int16_t) (units % 10000);
	expect(at_number_of_groups(groups, count, count - 1 - behind, number.scale, false, &again));
	expect(again.units == number.units && again.scale == number.scale);
}

static void
check_pair(char op, AtNumber a, AtNumber b)
{
	AtNumber result;
	AtNumber back;
	int order;

	switch (at_number_calculate(op, &a, &b, &result))
	{
		case AT_NUMBER_BY_ZERO:
			expect(b.units == 0 && (op == '/' || op == '%'));
			return;
		case AT_NUMBER_BEYOND:
			return;
		case AT_NUMBER_OK:
			break;
	}
	if (op == '%')
		expect(result.units == 0 || (result.units < 0) == (a.units < 0));
	if ((op == '+' || op == '-') &&
		at_number_calculate(op == '+' ? '-' : '+', &result, &b, &back) == AT_NUMBER_OK &&
		at_number_compare(&back, &a, &order) == AT_NUMBER_OK)
		expect(order == 0);
	if (op == '*' && b.units != 0 && at_number_calculate('/', &result, &b, &back) == AT_NUMBER_OK &&
		at_number_compare(&back, &a, &order) == AT_NUMBER_OK)
		expect(order == 0);
}
