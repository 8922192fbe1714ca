/*-------------------------------------------------------------------------
 * payload.h
 *		What an application gives with an event, as it is recorded.
 *
 * Not recorded are the values of members that the type masks, of those whose names
 * mention a secret (core/redact.h), at any depth, and texts that are connection strings with a
 * password: all of these become "***". A member of the object itself that is longer than
 * audit_trail.max_value_size becomes its prefix, length and SHA-256.
 *-------------------------------------------------------------------------
 */
#ifndef AT_PAYLOAD_H
#define AT_PAYLOAD_H

#include "lib/stringinfo.h"
#include "utils/jsonb.h"

#include "ledger/event_type.h"

/*
 * The value, which must be an object, as the text of type json; in the current memory context.
 * `what` is what messages call it. Names of members that were shortened are
 * appended to the list, as JSON strings with commas between.
 */
extern struct varlena *at_payload_render(Jsonb *value, const char *what, const AtEventType *type,
										 StringInfo shortened);

#endif
