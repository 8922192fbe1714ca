/*-------------------------------------------------------------------------
 * test_number.c
 *		Numbers are calculated with as numeric does; what does not fit is told.
 *
 * Expected results, with their scales, are what PostgreSQL 15 answers to SELECT a op b.
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "core/number.h"

static AtNumber
number(const char *text)
{
	AtNumber number;

	check(at_number_read((AtSpan){text, (uint32_t) strlen(text)}, &number), text);
	return number;
}

static bool
is(AtNumber a, const char *text)
{
	AtNumber b = number(text);

	return a.units == b.units && a.scale == b.scale;
}

static void
test_read(void)
{
	static const char *const none[] = {
		"",
		"-",
		".5",
		"5.",
		"1e3",
		"+1",
		"1.2.3",
		" 1",
		"1 ",
		"--1",
		"NaN",
		"1000000000000000000000000000000000000",
		"0.0000000000000000000000000000000000000",
	};
	AtNumber out;

	for (size_t i = 0; i < lengthof(none); i++)
		check(!at_number_read((AtSpan){none[i], (uint32_t) strlen(none[i])}, &out), none[i]);
	out = number("-20.00");
	check(out.units == -2000 && out.scale == 2, "zeros behind the point count");
	check(number("-0").units == 0, "there is one zero");
	check(number("999999999999999999999999999999999999").scale == 0, "36 digits fit");
}

static const struct
{
	int16_t groups[10];
	int count;
	int weight;
	int scale;
	bool negative;
	const char *text; /* NULL: it does not fit */
} grouped[] = {
	{{0}, 0, 0, 0, false, "0"},
	{{0}, 0, 0, 2, false, "0.00"},
	{{1234, 5600}, 2, 0, 2, false, "1234.56"},
	{{1}, 1, 2, 0, true, "-100000000"},
	{{1}, 1, 2, 1, true, "-100000000.0"},
	{{1}, 1, -3, 12, false, "0.000000000001"},
	{{12, 3456}, 2, -1, 6, false, "0.001234"},
	{{1}, 1, -10, 8, true, "0.00000000"},
	{{1}, 1, -30, 8, false, NULL},
	{{1}, 1, 9, 0, false, NULL},
	{{1}, 1, 5, 0, false, "100000000000000000000"},
	{{9999, 9999, 9999, 9999, 9999, 9999, 9999, 9999, 9999},
	 9,
	 8,
	 0,
	 true,
	 "-999999999999999999999999999999999999"},
	{{9999, 9999, 9999, 9999, 9999, 9999, 9999, 9999, 9999}, 9, 8, 1, false, NULL},
	{{9999, 9999, 9999, 9999, 9999, 9999, 9999, 9999, 9900},
	 9,
	 0,
	 30,
	 false,
	 "9999.999999999999999999999999999999"},
	{{1, 0, 0, 0, 0, 0, 0, 0, 0, 1}, 10, 9, 0, false, NULL},
	{{1}, 1, 0, 37, false, NULL},
};

static void
test_grouped(void)
{
	for (size_t i = 0; i < lengthof(grouped); i++)
	{
		AtNumber out = {0};
		bool got = at_number_of_groups(grouped[i].groups, grouped[i].count, grouped[i].weight,
									   grouped[i].scale, grouped[i].negative, &out);

		check(got == (grouped[i].text != NULL) && (!got || is(out, grouped[i].text)),
			  grouped[i].text != NULL ? grouped[i].text : "too many digits in groups");
	}
	check(is(at_number_of(INT64_MIN), "-9223372036854775808"), "of an integer");
}

static const struct
{
	const char *a;
	char op;
	const char *b;
	const char *result; /* NULL: too many digits; "": by zero */
} calculated[] = {
	{"1.50", '+', "2.5", "4.00"},
	{"1.50", '-', "2.505", "-1.005"},
	{"-1.50", '*', "0.10", "-0.1500"},
	{"0.00", '*', "999999999999999999999999999999999999", "0.00"},
	{"7", '%', "-3", "1"},
	{"-7.5", '%', "2", "-1.5"},
	{"7", '%', "0.40", "0.20"},
	{"7", '%', "0.00", ""},
	{"0", '/', "0", ""},
	{"10", '/', "3", "3.3333333333333333"},
	{"2", '/', "3", "0.66666666666666666667"},
	{"-2", '/', "3", "-0.66666666666666666667"},
	{"1", '/', "7", "0.14285714285714285714"},
	{"1", '/', "-8", "-0.12500000000000000000"},
	{"0.0001", '/', "3", "0.000033333333333333333333"},
	{"0.00001", '/', "3", "0.000003333333333333333333"},
	{"10000", '/', "9999", "1.0001000100010001"},
	{"9999", '/', "10000", "0.99990000000000000000"},
	{"123456789.12", '/', "0.07", "1763668416.00000000"},
	{"100000000", '/', "7", "14285714.285714285714"},
	{"0.00", '/', "5", "0.00000000000000000000"},
	{"0.00000000000000000000000000", '/', "5", "0.00000000000000000000000000"},
	{"999999999999999999999999999999999999", '+', "1", NULL},
	{"999999999999999999999999999999999999", '+', "0.1", NULL},
	{"-999999999999999999999999999999999999", '-', "1", NULL},
	{"999999999999999999999999999999999999", '*', "10", NULL},
	{"999999999999999999999999999999999999", '*', "999999999999999999999999999999999999", NULL},
	{"100000000000000000000", '/', "0.00000000000000000003", NULL},
	{"1", '%', "0.000000000000000000000000000000000001", NULL},
};

static void
test_calculated(void)
{
	for (size_t i = 0; i < lengthof(calculated); i++)
	{
		AtNumber a = number(calculated[i].a);
		AtNumber b = number(calculated[i].b);
		AtNumber out = {0};
		AtNumberResult got = at_number_calculate(calculated[i].op, &a, &b, &out);
		const char *wanted = calculated[i].result;
		char text[128];

		snprintf(text, sizeof(text), "%s %c %s", calculated[i].a, calculated[i].op,
				 calculated[i].b);
		if (wanted == NULL || wanted[0] == '\0')
			check(got == (wanted == NULL ? AT_NUMBER_BEYOND : AT_NUMBER_BY_ZERO), text);
		else
			check(got == AT_NUMBER_OK && is(out, wanted), text);
	}
}

static void
test_scale(void)
{
	AtNumber small = number("0.000000000000000000000000000000000001");
	AtNumber out;
	int order;

	check(at_number_calculate('*', &small, &small, &out) == AT_NUMBER_BEYOND,
		  "a scale has a limit");
	small = number("0.00000000000000000000000000000001");
	check(at_number_calculate('*', &small, &small, &out) == AT_NUMBER_OK && out.scale == 64,
		  "it is 64");
	check(at_number_floor(out).units == 0 && at_number_floor(at_number_negate(out)).units == -1,
		  "and then there is no whole part");
	small = number("1");
	check(at_number_compare(&small, &out, &order) == AT_NUMBER_BEYOND &&
			  at_number_compare(&out, &small, &order) == AT_NUMBER_BEYOND,
		  "what is too far apart is not compared");
}

static void
test_changed(void)
{
	check(is(at_number_negate(number("1.50")), "-1.50"), "the sign");
	check(is(at_number_abs(number("-1.50")), "1.50"), "the absolute value");
	check(is(at_number_floor(number("1.50")), "1"), "floor");
	check(is(at_number_floor(number("-1.50")), "-2"), "floor of a negative number");
	check(is(at_number_floor(number("-2.00")), "-2"), "floor of a whole number");
	check(is(at_number_ceiling(number("1.50")), "2"), "ceiling");
	check(is(at_number_ceiling(number("-1.50")), "-1"), "ceiling of a negative number");
}

static void
test_order(void)
{
	AtNumber a = number("1.50");
	AtNumber b = number("1.5");
	AtNumber c = number("-200");
	int order;

	check(at_number_compare(&a, &b, &order) == AT_NUMBER_OK && order == 0, "1.50 is 1.5");
	check(at_number_compare(&a, &c, &order) == AT_NUMBER_OK && order > 0, "1.50 is more than -200");
	check(at_number_compare(&c, &a, &order) == AT_NUMBER_OK && order < 0, "-200 is less than 1.50");
}

int
main(void)
{
	test_read();
	test_grouped();
	test_calculated();
	test_scale();
	test_changed();
	test_order();
	return check_done();
}
