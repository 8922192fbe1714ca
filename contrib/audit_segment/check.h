/*-------------------------------------------------------------------------
 * check.h
 *		Is a file of archived segments whole?
 *-------------------------------------------------------------------------
 */
#ifndef AT_CHECK_H
#define AT_CHECK_H

#include <stdbool.h>

#include "core/text.h"

/* Exit codes. */
enum
{
	AT_WHOLE = 0,
	AT_BROKEN = 1,
	AT_UNKNOWN = 2
};

/* Check the file that was read from a path, print its rows or what there is, and what is wrong. */
extern int at_check_file(const char *path, AtText bytes, bool prints);

#endif
