/*-------------------------------------------------------------------------
 * message.h
 *		What a program says on stderr, and its end.
 *
 * Shared by programs of contrib: see SHARED in program.mk.
 *-------------------------------------------------------------------------
 */
#ifndef AT_MESSAGE_H
#define AT_MESSAGE_H

#define AT_EXIT_FAILURE 1
#define AT_EXIT_USAGE   2

/* A line "PROGRAM: ...". Bytes that are no printable ASCII are shown as "?". */
extern void at_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same, and exit with this code. */
extern void at_die(int code, const char *format, ...)
	__attribute__((format(printf, 2, 3), noreturn));

#endif
