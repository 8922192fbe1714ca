/*-------------------------------------------------------------------------
 * bundle.h
 *		Entry bundles: the entries of a log as C2SP tlog-tiles has them.
 *
 * A bundle is up to 256 entries, each behind its length (u16, big-endian).
 *-------------------------------------------------------------------------
 */
#ifndef AT_BUNDLE_H
#define AT_BUNDLE_H

#include "core/text.h"

#define AT_BUNDLE_MAX_ENTRY 65535

/* Append an entry, of at most AT_BUNDLE_MAX_ENTRY bytes; a longer one is AT_ERR_BUNDLE. */
extern AtError at_bundle_add(AtWriter *writer, const void *entry, size_t len);

/*
 * Cut off the first entry of what is left of a bundle. Whoever has read as
 * many as the bundle's width says must find that nothing is left.
 */
extern AtError at_bundle_next(AtText *bundle, AtText *entry);

#endif
