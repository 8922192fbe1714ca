/*-------------------------------------------------------------------------
 * shorten.c
 *		What stands in the trail for what is too long for it.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "mb/pg_wchar.h"

#include "base/json_scan.h"
#include "ledger/datum.h"
#include "ledger/shorten.h"

static void append_hex(const AtHash *hash, StringInfo out);

void
at_shorten_append(const char *prefix, int prefix_len, int bytes, const AtHash *hash, StringInfo out)
{
	appendStringInfoString(out, "{\"prefix\":");
	at_json_quote(prefix, prefix_len, out);
	appendStringInfo(out, ",\"bytes\":%d,\"sha256\":\"", bytes);
	append_hex(hash, out);
	appendStringInfoString(out, "\"}");
}

void
at_shorten_text(const char *text, int len, StringInfo out)
{
	AtHash hash;

	if (!at_hash(text, len, &hash))
		at_hash_failed();
	at_shorten_append(text, pg_mbcliplen(text, len, AT_PREFIX_BYTES), len, &hash, out);
}

void
at_shorten_key(const char *text, int len, StringInfo out)
{
	AtHash hash;

	if (!at_hash(text, len, &hash))
		at_hash_failed();
	appendStringInfoString(out, "sha256:");
	append_hex(&hash, out);
}

static void
append_hex(const AtHash *hash, StringInfo out)
{
	for (int i = 0; i < AT_HASH_LEN; i++)
		appendStringInfo(out, "%02x", hash->bytes[i]);
}
