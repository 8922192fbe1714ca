/*-------------------------------------------------------------------------
 * numeric_read.c
 *		A stored numeric as a number to calculate with, without its text.
 *
 * The layout is that of PostgreSQL's numeric.c, where it is private. It is that of values
 * on disk, so it cannot change without breaking pg_upgrade: a header of 16 bits with sign,
 * scale and weight, or one of 32 where these are large, and groups of four digits.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/compat.h"
#include "base/numeric_read.h"

/* The header's first 16 bits. */
#define KIND_BITS    0xC000
#define KIND_SPECIAL 0xC000 /* NaN, infinities */
#define KIND_SHORT   0x8000
#define KIND_MINUS   0x4000 /* of the long form */
#define LONG_SCALE   0x3FFF
#define SHORT_MINUS  0x2000
#define SHORT_SCALE  0x1F80
#define SHORT_SHIFT  7
#define SHORT_WEIGHT 0x007F /* with a sign of its own */
#define WEIGHT_SIGN  0x0040

bool
at_numeric_read(Datum value, AtNumber *number)
{
	const struct varlena *numeric = (const struct varlena *) DatumGetPointer(value);
	const char *data = VARDATA_ANY(numeric);
	int count;
	int16 groups[AT_NUMBER_GROUPS];
	uint16 header;
	int16 weight;

	if (VARATT_IS_EXTENDED(numeric) && !VARATT_IS_SHORT(numeric))
		return false;
	count = VARSIZE_ANY_EXHDR(numeric) / sizeof(int16) - 1;
	memcpy(&header, data, sizeof(header)); /* not aligned */
	data += sizeof(header);
	if ((header & KIND_BITS) == KIND_SPECIAL)
		return false;
	if (header & KIND_SHORT)
		weight = (header & SHORT_WEIGHT) - 2 * (header & WEIGHT_SIGN);
	else
	{
		memcpy(&weight, data, sizeof(weight));
		data += sizeof(weight);
		count--;
	}
	if (count > AT_NUMBER_GROUPS)
		return false;
	memcpy(groups, data, sizeof(int16) * count);
	if (header & KIND_SHORT)
		return at_number_of_groups(groups, count, weight, (header & SHORT_SCALE) >> SHORT_SHIFT,
								   (header & SHORT_MINUS) != 0, number);
	return at_number_of_groups(groups, count, weight, header & LONG_SCALE,
							   (header & KIND_BITS) == KIND_MINUS, number);
}
