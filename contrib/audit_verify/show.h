/*-------------------------------------------------------------------------
 * show.h
 *		Foreign bytes in the form in which a terminal and JSON can have them.
 *
 * Printable characters of UTF-8 stay. Whatever could steer a terminal, hide
 * or reorder text (control and format characters, invalid UTF-8) is shown
 * byte by byte as \xNN, and a backslash as two; so what is shown stands for
 * one byte string only.
 *-------------------------------------------------------------------------
 */
#ifndef AT_SHOW_H
#define AT_SHOW_H

#include <stdint.h>

#include "core/text.h"

/* The text, shown; the caller frees it. */
extern char *at_show(AtText text);

/* Microseconds since 1970 as "2026-11-21T07:00:00.000100Z". */
#define AT_SHOWN_TIME_MAX 48
extern const char *at_show_time(int64_t time, char buffer[AT_SHOWN_TIME_MAX]);

#endif
