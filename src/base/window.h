/*-------------------------------------------------------------------------
 * window.h
 *		A time of day from which, and until which, something may be done.
 *-------------------------------------------------------------------------
 */
#ifndef AT_WINDOW_H
#define AT_WINDOW_H

/* Read "22:00-05:00" as minutes since midnight; false if it is no such. */
extern bool at_window_read(const char *text, int *from, int *until);

#endif
