/*-------------------------------------------------------------------------
 * shorten.h
 *		What stands in the trail for what is too long for it.
 *-------------------------------------------------------------------------
 */
#ifndef AT_SHORTEN_H
#define AT_SHORTEN_H

#include "lib/stringinfo.h"

#include "core/hash.h"

/* How much of the beginning of a long value is kept, in bytes. */
#define AT_PREFIX_BYTES 256

/* Keys longer than this are stored as a digest, to fit into an index. */
#define AT_MAX_KEY_BYTES 1024

/* Append {"prefix":..., "bytes":n, "sha256":"..."}: of a text of so many bytes with this hash. */
extern void at_shorten_append(const char *prefix, int prefix_len, int bytes, const AtHash *hash,
							  StringInfo out);

/* The same of a text in the database's encoding. */
extern void at_shorten_text(const char *text, int len, StringInfo out);

/* Append what stands for a key: sha256:HEX. */
extern void at_shorten_key(const char *text, int len, StringInfo out);

#endif
