/*-------------------------------------------------------------------------
 * number.h
 *		Calculating with decimal numbers of up to 36 digits, as numeric does.
 *
 * A number has a scale, the digits behind its point that are shown: 1.50 has 2. It takes part in
 * the result, for a quotient has as many digits as those of its operands and their sizes
 * make of it. The rules are PostgreSQL's (numeric.c); what does not fit is told, and not rounded.
 *
 * Functions allocate nothing.
 *-------------------------------------------------------------------------
 */
#ifndef AT_NUMBER_H
#define AT_NUMBER_H

#include <stdbool.h>
#include <stdint.h>

#include "core/body.h"

/* Aligned as what palloc() returns, which is less than the compiler takes for granted. */
__extension__ typedef __int128 AtUnits __attribute__((aligned(8)));

/* units / 10^scale; made by the functions below only, within their limits. */
typedef struct AtNumber
{
	AtUnits units;
	int scale;
} AtNumber;

typedef enum AtNumberResult
{
	AT_NUMBER_OK,
	AT_NUMBER_BEYOND, /* has too many digits, here */
	AT_NUMBER_BY_ZERO
} AtNumberResult;

/* Read "-20.00", as decimal.h has it; false if it is not written like that, or has too many digits.
 */
extern bool at_number_read(AtSpan text, AtNumber *number);

/* Groups of four digits that fit, whatever they are. */
#define AT_NUMBER_GROUPS 9

/*
 * Make one of groups of four digits, as numeric stores them: the first one counts
 * 10000^weight. Digits behind the scale are cut off. False if there are more groups than
 * AT_NUMBER_GROUPS, or too many digits.
 */
extern bool at_number_of_groups(const int16_t *groups, int count, int weight, int scale,
								bool negative, AtNumber *number);

static inline AtNumber
at_number_of(int64_t integer)
{
	return (AtNumber){.units = integer};
}

/* a + b, a - b, a * b, a / b, a % b by '+', '-', '*', '/', '%'; the result may be one of the two.
 */
extern AtNumberResult at_number_calculate(char op, const AtNumber *a, const AtNumber *b,
										  AtNumber *result);

/* Compare: *order is less than, equal to or greater than 0 as a is to b; never by zero. */
extern AtNumberResult at_number_compare(const AtNumber *a, const AtNumber *b, int *order);

extern AtNumber at_number_negate(AtNumber number);
extern AtNumber at_number_abs(AtNumber number);

/* The nearest whole number that is not greater; not less. */
extern AtNumber at_number_floor(AtNumber number);
extern AtNumber at_number_ceiling(AtNumber number);

#endif
