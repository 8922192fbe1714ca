/*-------------------------------------------------------------------------
 * log_entry.h
 *		Entries of a log: each by itself, and as they follow one another.
 *-------------------------------------------------------------------------
 */
#ifndef AT_LOG_ENTRY_H
#define AT_LOG_ENTRY_H

#include "key_chain.h"

#define AT_KIND_INCARNATION "incarnation"

/* What was learned from the entries so far. */
typedef struct AtLogWalk
{
	const AtUserTrust *trust;
	AtResult *result;

	uint64_t next; /* log_index of the next entry */
	uint8_t log_id[AT_LOG_ID_LEN];
	AtHash previous;
	uint32_t incarnation;
	AtKeyChain keys;

	uint64_t batch_count;
	uint64_t tx_count;
	uint64_t event_count;
	int64_t first_sealed_at;
	int64_t last_sealed_at;
} AtLogWalk;

/*
 * Read entry number log_index, this part of what was given, and look whether
 * its fields fit together. False, with a fault said, if not.
 */
extern bool at_log_entry_read(AtEntryBody *entry, AtText bytes, uint64_t log_index,
							  const char *part, AtResult *result);

/* Remarks on an entry that people should know of. */
extern void at_log_entry_say(const AtEntryBody *entry, AtResult *result);

/* The next entry of a log of which all are at hand; trust and result are set, the rest is zero. */
extern void at_log_walk_entry(AtLogWalk *walk, AtText bytes);

/* What a log that is valid has proved by its entries. */
extern void at_log_walk_say(const AtLogWalk *walk);

#endif
