/*-------------------------------------------------------------------------
 * source.h
 *		Settings of others that tell who acts: audit.context_source.
 *
 * A row says: while the field is unset, read this setting, and if it is
 * JSON, this member of it. The lowest priority number is asked first.
 *-------------------------------------------------------------------------
 */
#ifndef AT_SOURCE_H
#define AT_SOURCE_H

#include "ledger/context.h"

/*
 * Fill the fields that are unset from the settings that have a value now;
 * allocates in the current context. What cannot be used counts as unset:
 * a setting that is not there, that only superusers may see, that is empty,
 * or in which the member is missing, or JSON that is malformed, or nested
 * deeper than AT_SOURCE_MAX_DEPTH, or longer than AT_SOURCE_MAX_JSON.
 */
extern void at_source_read(AtContextValue *field);

#define AT_SOURCE_MAX_DEPTH 64
#define AT_SOURCE_MAX_JSON  (1024 * 1024)

/* Register the invalidation callback. */
extern void at_source_init(void);

#endif
