/*-------------------------------------------------------------------------
 * check.h
 *		The smallest harness that speaks TAP.
 *
 * A test program calls check*() once a test and returns check_done() from
 * main(). Nothing stops at a failure; a failed check says where it stands
 * and what it had and wanted.
 *
 * The functions of libcrypto that src/core calls are wrapped by the linker,
 * so that a test can see what happens when one fails.
 *-------------------------------------------------------------------------
 */
#ifndef AT_CHECK_H
#define AT_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The condition holds. */
#define check(condition, name) check_at(condition, name, __FILE__, __LINE__)
extern void check_at(bool condition, const char *name, const char *file, int line);

/* The bytes are those written in hexadecimal. */
#define check_hex(data, len, hex, name) check_hex_at(data, len, hex, name, __FILE__, __LINE__)
extern void check_hex_at(const void *data, size_t len, const char *hex, const char *name,
						 const char *file, int line);

/*
 * The function calls libcrypto so many times, and returns false whichever
 * of the calls fails.
 */
#define check_failures(function, calls, name)                                                      \
	check_failures_at(function, calls, name, __FILE__, __LINE__)
extern void check_failures_at(bool (*function)(void), int calls, const char *name, const char *file,
							  int line);

/* Print the plan; what main() returns. */
extern int check_done(void);

/* Bytes of a hexadecimal string, of which there are at most max; returns their number. */
extern size_t from_hex(const char *hex, uint8_t *out, size_t max);

/* The n-th next call of libcrypto fails (from 0); -1 is never. */
extern void fail_libcrypto(int n);

/* While set, libcrypto computes something else. */
extern void corrupt_libcrypto(bool corrupt);

#define lengthof(array) (sizeof(array) / sizeof((array)[0]))

#endif
