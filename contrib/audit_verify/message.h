/*-------------------------------------------------------------------------
 * message.h
 *		Ends the program when nothing can be said of what is to be verified.
 *
 * Exit code 2, which is neither "valid" nor "not valid", and a message in
 * the manner of PostgreSQL's own programs. Nothing has been printed by then.
 *-------------------------------------------------------------------------
 */
#ifndef AT_MESSAGE_H
#define AT_MESSAGE_H

#include <stddef.h>

#include "core/error.h"

/* audit_verify: error: ... */
extern void at_fatal(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* The same with a hint behind it. */
extern void at_fatal_hint(const char *hint, const char *format, ...)
	__attribute__((noreturn, format(printf, 2, 3)));

/* Ends the program if this is an error of the machine, which says nothing of a proof. */
extern void at_check_machine(AtError error);

/* Memory, all of it zero; at_fatal() if there is none. */
extern void *at_alloc(size_t size);

/* Grow an array that has room for *max elements of this size to at least count of them. */
extern void *at_grow(void *array, size_t *max, size_t count, size_t size);

#endif
