/*-------------------------------------------------------------------------
 * window.c
 *		A time of day from which, and until which, something may be done.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/window.h"

bool
at_window_read(const char *text, int *from, int *until)
{
	int hour[2];
	int minute[2];
	int end = 0;

	if (sscanf(text, "%2d:%2d-%2d:%2d%n", &hour[0], &minute[0], &hour[1], &minute[1], &end) != 4 ||
		text[end] != '\0')
		return false;
	for (int i = 0; i < 2; i++)
		if (hour[i] < 0 || hour[i] > 23 || minute[i] < 0 || minute[i] > 59)
			return false;
	*from = hour[0] * 60 + minute[0];
	*until = hour[1] * 60 + minute[1];
	return true;
}
