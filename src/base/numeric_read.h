/*-------------------------------------------------------------------------
 * numeric_read.h
 *		A stored numeric as a number to calculate with, without its text.
 *-------------------------------------------------------------------------
 */
#ifndef AT_NUMERIC_READ_H
#define AT_NUMERIC_READ_H

#include "core/number.h"

/*
 * Read a value of type numeric as it stands in a row. False where AtNumber does not hold it, or
 * it is compressed or stored elsewhere: read its text then. Allocates nothing.
 */
extern bool at_numeric_read(Datum value, AtNumber *number);

#endif
