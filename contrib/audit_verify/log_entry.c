/*-------------------------------------------------------------------------
 * log_entry.c
 *		Entries of a log: each by itself, and as they follow one another.
 *-------------------------------------------------------------------------
 */
#include <inttypes.h>
#include <stdio.h>

#include "core/json_text.h"
#include "core/merkle.h"
#include "log_entry.h"
#include "message.h"
#include "show.h"

#define PART_MAX 40

#define KIND_BOOT   "boot"
#define KIND_EVENTS "events"
#define KIND_START  "start"

static const char *check_fields(const AtEntryBody *entry);
static const char *check_batch(const AtEntryBody *entry);
static const char *check_order(const AtLogWalk *walk, const AtEntryBody *entry);
static bool is_kind(const AtEntryBody *entry, const char *kind);
static void say_start(const AtEntryBody *entry, AtResult *result);
static void say_payload(const AtEntryBody *entry, const char *what, AtResult *result);

bool
at_log_entry_read(AtEntryBody *entry, AtText bytes, uint64_t log_index, const char *part,
				  AtResult *result)
{
	const char *problem = "the entry is malformed";

	if (at_entry_body_read(entry, (const uint8_t *) bytes.data, bytes.len))
		problem =
			entry->log_index != log_index ? "the entry says another place" : check_fields(entry);
	if (problem != NULL)
		at_result_fault(result, part, "%s", problem);
	return problem == NULL;
}

/* What does not fit; NULL if all does. */
static const char *
check_fields(const AtEntryBody *entry)
{
	bool is_first = entry->log_index == 0;
	static const AtHash zeros;

	if (is_first != is_kind(entry, KIND_BOOT))
		return is_first ? "a log begins with an entry of kind \"boot\""
						: "only the first entry of a log is of kind \"boot\"";
	if (is_first && memcmp(&entry->previous, &zeros, sizeof(zeros)) != 0)
		return "the first entry names one before it";
	if (entry->payload.data != NULL && entry->payload.len > AT_MAX_PAYLOAD)
		return "the payload is too long";
	if (entry->payload.data != NULL &&
		!at_json_text_check((AtText){entry->payload.data, entry->payload.len}))
		return "the payload is not JSON";
	return check_batch(entry);
}

/* A control record has no batch. */
static const char *
check_batch(const AtEntryBody *entry)
{
	AtHash empty;

	if (!at_hash(NULL, 0, &empty))
		at_check_machine(AT_ERR_LIBCRYPTO);
	if (entry->event_count > AT_MERKLE_MAX_SIZE || entry->tx_count > AT_MERKLE_MAX_SIZE ||
		entry->leaf_count != entry->event_count + entry->tx_count)
		return "its numbers of leaves, transactions and events do not add up";
	if (!is_kind(entry, KIND_EVENTS) && entry->leaf_count != 0)
		return "a control record has a batch";
	if (entry->leaf_count == 0 && memcmp(&entry->root, &empty, sizeof(empty)) != 0)
		return "it has no batch, but the root of one";
	if (entry->leaf_count == 0 && (entry->first_tx_at != 0 || entry->last_tx_at != 0))
		return "it has no batch, but the times of one";
	if (entry->first_tx_at > entry->last_tx_at)
		return "the batch ends before it begins";
	return NULL;
}

void
at_log_walk_entry(AtLogWalk *walk, AtText bytes)
{
	char part[PART_MAX];
	AtEntryBody entry;

	snprintf(part, sizeof(part), "entry %" PRIu64, walk->next);
	if (at_log_entry_read(&entry, bytes, walk->next, part, walk->result))
	{
		const char *problem = check_order(walk, &entry);

		if (problem != NULL)
			at_result_fault(walk->result, part, "%s", problem);
		if (is_kind(&entry, AT_KIND_KEY))
			at_key_chain_add(&walk->keys, &entry, walk->trust, part, walk->result);
		at_log_entry_say(&entry, walk->result);

		memcpy(walk->log_id, entry.log_id, AT_LOG_ID_LEN);
		walk->incarnation = entry.incarnation;
		walk->batch_count += is_kind(&entry, KIND_EVENTS);
		walk->tx_count += entry.tx_count;
		walk->event_count += entry.event_count;
		walk->last_sealed_at = entry.sealed_at;
		if (walk->next == 0)
			walk->first_sealed_at = entry.sealed_at;
	}
	if (!at_hash(bytes.data, bytes.len, &walk->previous))
		at_check_machine(AT_ERR_LIBCRYPTO);
	walk->next++;
}

/* How it does not follow the entry before; NULL if it does. */
static const char *
check_order(const AtLogWalk *walk, const AtEntryBody *entry)
{
	uint32_t begins = is_kind(entry, AT_KIND_INCARNATION) ? 1 : 0;

	if (walk->next == 0)
		return entry->incarnation == 1 ? NULL : "the first incarnation is not number 1";
	if (memcmp(&entry->previous, &walk->previous, AT_HASH_LEN) != 0)
		return "it does not have the hash of the entry before it";
	if (memcmp(entry->log_id, walk->log_id, AT_LOG_ID_LEN) != 0)
		return "it is of another ledger";
	if (entry->incarnation != walk->incarnation + begins)
		return "its incarnation does not follow that of the entry before it";
	return NULL;
}

void
at_log_entry_say(const AtEntryBody *entry, AtResult *result)
{
	if (is_kind(entry, KIND_BOOT) || is_kind(entry, AT_KIND_KEY))
		return;
	if (is_kind(entry, KIND_START))
		say_start(entry, result);
	else if (!is_kind(entry, KIND_EVENTS))
		say_payload(entry, at_said(result, (AtText){entry->kind.data, entry->kind.len}), result);
	else if (entry->payload.data != NULL)
		say_payload(entry, "transactions that contradicted themselves when they were sealed",
					result);
}

void
at_log_walk_say(const AtLogWalk *walk)
{
	char first[AT_SHOWN_TIME_MAX];
	char last[AT_SHOWN_TIME_MAX];

	at_result_add(walk->result, AT_PROVED,
				  "its %" PRIu64 " entries, sealed from %s to %s, are those that were signed; "
				  "each names the one before it",
				  walk->next, at_show_time(walk->first_sealed_at, first),
				  at_show_time(walk->last_sealed_at, last));
	at_result_add(walk->result, AT_PROVED,
				  "they hold %" PRIu64 " batches with the hashes of %" PRIu64
				  " transactions and %" PRIu64 " events",
				  walk->batch_count, walk->tx_count, walk->event_count);
}

/* Restarts are daily business, but not times that nobody has seen. */
static void
say_start(const AtEntryBody *entry, AtResult *result)
{
	AtText unseen;

	if (entry->payload.data != NULL &&
		at_json_text_find((AtText){entry->payload.data, entry->payload.len}, "unseen", &unseen))
		say_payload(entry, "the server was started, and had run unseen before", result);
}

static void
say_payload(const AtEntryBody *entry, const char *what, AtResult *result)
{
	char time[AT_SHOWN_TIME_MAX];

	at_result_add(result, AT_REMARKS, "entry %" PRIu64 ", %s: %s: %s", entry->log_index,
				  at_show_time(entry->sealed_at, time), what,
				  entry->payload.data == NULL
					  ? "no payload"
					  : at_said(result, (AtText){entry->payload.data, entry->payload.len}));
}

static bool
is_kind(const AtEntryBody *entry, const char *kind)
{
	return at_text_equal((AtText){entry->kind.data, entry->kind.len}, at_text(kind));
}
