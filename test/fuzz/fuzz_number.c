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
