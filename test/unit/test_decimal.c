/*-------------------------------------------------------------------------
 * test_decimal.c
 *		Decimal numbers are ordered as they are, and what is none is told apart.
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "core/decimal.h"

static AtSpan
span(const char *text)
{
	return (AtSpan){text, (uint32_t) strlen(text)};
}

/* Numbers in ascending order; those on one line are equal. */
static const char *const ascending[][4] = {
	{"-100000000000000000000000000000.01"},
	{"-100000000000000000000000000000", "-0100000000000000000000000000000.0"},
	{"-10", "-10.00", "-010"},
	{"-9.99"},
	{"-1.5", "-1.50"},
	{"-1"},
	{"-0.05", "-0.0500"},
	{"-0.005"},
	{"0", "-0", "0.00", "-00.0"},
	{"0.005"},
	{"0.05", "00.050"},
	{"0.1"},
	{"0.11", "0.110"},
	{"0.9"},
	{"1", "1.0", "01"},
	{"1.5"},
	{"9.99"},
	{"10", "10.000"},
	{"123.456"},
	{"123.4561"},
	{"123.457"},
	{"9007199254740993"},
	{"100000000000000000000000000000"},
	{"100000000000000000000000000000.000000000000000000000000000001"},
};

static void
test_order(void)
{
	bool right = true;

	for (size_t i = 0; i < lengthof(ascending); i++)
		for (size_t j = 0; j < lengthof(ascending); j++)
			for (int k = 0; k < 4 && ascending[i][k] != NULL; k++)
				for (int l = 0; l < 4 && ascending[j][l] != NULL; l++)
				{
					int order;

					right =
						right &&
						at_decimal_compare(span(ascending[i][k]), span(ascending[j][l]), &order) &&
						(order > 0) == (i > j) && (order < 0) == (i < j);
				}
	check(right, "numbers are ordered by their values");
}

static void
test_refused(void)
{
	static const char *const none[] = {"",   "-",  ".5",  "5.",  "1e3",  "1E-3", "+1",  "1.2.3",
									   " 1", "1 ", "--1", "NaN", "0x10", "-.5",  "1,5", "1.e1"};
	bool refused = true;
	int order;

	for (size_t i = 0; i < lengthof(none); i++)
		refused = refused && !at_decimal_compare(span(none[i]), span("1"), &order) &&
				  !at_decimal_compare(span("1"), span(none[i]), &order);
	check(refused, "what is written otherwise is no decimal number");
	check(!at_decimal_compare((AtSpan){"12", 0}, span("1"), &order), "nor is nothing");
	check(at_decimal_compare((AtSpan){"12", 1}, span("1"), &order) && order == 0,
		  "what stands behind a number is not read");
}

int
main(void)
{
	test_order();
	test_refused();
	return check_done();
}
