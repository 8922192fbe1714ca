/*-------------------------------------------------------------------------
 * base64.h
 *		Base64 of RFC 4648, section 4, and of each byte string one text only.
 *
 * Padding is demanded, and bits that it makes meaningless must be zero
 * (section 3.5). Line breaks and any other characters are refused. So who
 * changes a character changes the bytes, or is found out.
 *-------------------------------------------------------------------------
 */
#ifndef AT_BASE64_H
#define AT_BASE64_H

#include "core/text.h"

#define AT_BASE64_LEN(bytes) (((bytes) + 2) / 3 * 4)

extern void at_write_base64(AtWriter *writer, const void *data, size_t len);

/* Is the whole text base64? Tells how many bytes it stands for. */
extern bool at_base64_check(AtText text, size_t *len);

/* Decode a text that stands for exactly len bytes; false, and out undefined, if it does not. */
extern bool at_base64_decode(AtText text, void *out, size_t len);

/* Decode the first len bytes of a text that stands for so many or more, all of which is checked. */
extern bool at_base64_decode_start(AtText text, void *out, size_t len);

#endif
