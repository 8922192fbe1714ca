/*-------------------------------------------------------------------------
 * decimal.h
 *		Comparing decimal numbers as they are written.
 *
 * "1.5", "-20.00": an optional minus, digits, and a fraction if need be. They
 * are compared digit by digit, exactly and however many there are.
 *
 * Functions allocate nothing.
 *-------------------------------------------------------------------------
 */
#ifndef AT_DECIMAL_H
#define AT_DECIMAL_H

#include <stdbool.h>

#include "core/body.h"

/*
 * Compare two numbers: *order is less than, equal to or greater than 0 as a is to b. False if
 * one is not written like that, as with an exponent.
 */
extern bool at_decimal_compare(AtSpan a, AtSpan b, int *order);

#endif
