/*-------------------------------------------------------------------------
 * bundle.c
 *		Entry bundles: the entries of a log as C2SP tlog-tiles has them.
 *-------------------------------------------------------------------------
 */
#include "core/bundle.h"

#define LENGTH_LEN 2

AtError
at_bundle_add(AtWriter *writer, const void *entry, size_t len)
{
	char length[LENGTH_LEN] = {(char) (uint8_t) (len >> 8), (char) (uint8_t) len};

	if (len > AT_BUNDLE_MAX_ENTRY)
		return AT_ERR_BUNDLE;

	at_write(writer, (AtText){length, sizeof(length)});
	at_write(writer, (AtText){entry, len});
	return at_writer_error(writer);
}

AtError
at_bundle_next(AtText *bundle, AtText *entry)
{
	const uint8_t *bytes = (const uint8_t *) bundle->data;

	if (bundle->len < LENGTH_LEN)
		return AT_ERR_BUNDLE;

	size_t len = (size_t) bytes[0] << 8 | bytes[1];

	if (bundle->len - LENGTH_LEN < len)
		return AT_ERR_BUNDLE;

	*entry = (AtText){bundle->data + LENGTH_LEN, len};
	*bundle = (AtText){entry->data + len, bundle->len - LENGTH_LEN - len};
	return AT_OK;
}
