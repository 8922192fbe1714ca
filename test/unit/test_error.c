/*-------------------------------------------------------------------------
 * test_error.c
 *		Each error has a text of its own.
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "check.h"
#include "core/error.h"

int
main(void)
{
	int distinct = 0;

	for (int i = 0; i < AT_ERR_COUNT; i++)
	{
		const char *text = at_error_text((AtError) i);
		bool seen = strlen(text) == 0 || strcmp(text, at_error_text(AT_ERR_COUNT)) == 0;

		for (int j = 0; j < i; j++)
			seen = seen || strcmp(text, at_error_text((AtError) j)) == 0;
		distinct += !seen;
	}
	check(distinct == AT_ERR_COUNT, "every error has a text that no other has");
	check(strcmp(at_error_text(AT_ERR_COUNT), "unknown error") == 0, "what is none is unknown");
	check(strcmp(at_error_text((AtError) -1), "unknown error") == 0, "and so is what is below");
	return check_done();
}
