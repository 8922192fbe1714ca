/*-------------------------------------------------------------------------
 * wire.h
 *		Numbers and texts as bytes, from one process of this server to another.
 *
 * Reading never goes beyond the bytes: what is not there clears *valid and
 * reads as 0 or NULL.
 *-------------------------------------------------------------------------
 */
#ifndef AT_WIRE_H
#define AT_WIRE_H

#include "lib/stringinfo.h"

extern void at_wire_put_number(StringInfo out, int64 number);
extern void at_wire_put_text(StringInfo out, const char *text); /* may be NULL */

/* Bytes to be read: a StringInfo whose cursor moves. A text points into it. */
extern int64 at_wire_get_number(StringInfo in, bool *valid);
extern char *at_wire_get_text(StringInfo in, bool *valid);

#endif
