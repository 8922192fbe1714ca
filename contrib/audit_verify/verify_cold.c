/*-------------------------------------------------------------------------
 * verify_cold.c
 *		Verifies a file of cold segments by the proof beside it.
 *
 * A row is believed when its leaf stands in a batch whose root the log of the checkpoint has.
 * Memory: the file, the proof, a segment unpacked, and 72 bytes a row.
 *-------------------------------------------------------------------------
 */
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/cold_proof.h"
#include "describe.h"
#include "file.h"
#include "message.h"
#include "verify_cold.h"

#define PART       "file"
#define PART_PROOF "proof"
#define PART_EVENT "event"
#define FILE_END   ".atq"

/* Longest content that is unpacked, in bytes. */
#define CONTENT_MAX ((uint64_t) 256 * 1024 * 1024)

typedef struct ColdCheck
{
	AtResult *result;
	AtText file;
	AtColdProof proof;
	AtCheckpoint checkpoint;
	AtColdTarget *target;

	size_t rows;
	size_t room;
	AtColdLeaf *leaf;
	uint64_t segments;
	uint64_t batches;
	uint64_t first_batch;
	uint64_t last_batch;

	/* the row that is told besides */
	bool wants_event;
	uint64_t tx_id;
	uint32_t ordinal;
} ColdCheck;

static AtText read_proof(const char *path);
static void read_name(ColdCheck *check, const char *event);
static bool check_proof(ColdCheck *check);
static bool check_segments(ColdCheck *check);
static AtError check_segment(ColdCheck *check, const AtCold *cold);
static bool check_batches(ColdCheck *check);
static void describe_row(ColdCheck *check, const AtCold *cold, AtText content);
static void say(ColdCheck *check, const AtKept *kept, const AtTrust *trust);

void
at_verify_cold(AtResult *result, const char *path, AtText bytes, const char *event,
			   const AtUserTrust *trust, const AtKept *kept)
{
	ColdCheck *check = at_alloc(sizeof(ColdCheck));
	AtText text = read_proof(path);

	result->kind = "file of cold segments";
	check->result = result;
	check->file = bytes;
	if (event != NULL)
		read_name(check, event);
	if (at_result_error(result, PART_PROOF, at_cold_proof_read(&check->proof, text)) &&
		at_trust_open(trust, check->proof.checkpoint, PART_PROOF, &check->checkpoint, result) &&
		check_proof(check) && check_segments(check) && check_batches(check))
	{
		AtTrust counts = at_trust_for(trust, check->proof.checkpoint);

		at_kept_compare(result, kept, &check->checkpoint, PART_PROOF, false);
		say(check, kept, &counts);
	}
	free(check->leaf);
	free(check->target);
	free(check);
	free((char *) text.data);
}

/* False if it is not there. */
static bool
read_file(const char *path, AtText *text)
{
	bool is_there = access(path, F_OK) == 0;

	if (is_there)
		*text = at_file_read(path);
	return is_there;
}

/* FILE.atq has FILE.proof; at_fatal() without it, since nothing can be said then. */
static AtText
read_proof(const char *path)
{
	size_t len = strlen(path);
	size_t end = strlen(FILE_END);
	char *name = at_alloc(len + sizeof(AT_COLD_PROOF_END));
	AtText text;

	memcpy(name, path, len);
	if (len > end && strcmp(path + len - end, FILE_END) == 0)
		len -= end;
	memcpy(name + len, AT_COLD_PROOF_END, sizeof(AT_COLD_PROOF_END));
	if (!read_file(name, &text))
		at_fatal_hint("It is what audit.export_segments() writes beside the file. Without it "
					  "audit_segment tells whether the file is whole.",
					  "there is no proof \"%s\"", name);
	free(name);
	return text;
}

/* 1042.3 is an event, 1042 a transaction. */
static void
read_name(ColdCheck *check, const char *event)
{
	AtText text = at_text(event);
	AtText tx_id = text;
	uint64_t ordinal = 0;
	bool is_event = at_text_until(&text, '.', &tx_id);

	if (!at_text_decimal(tx_id, &check->tx_id) ||
		(is_event && (!at_text_decimal(text, &ordinal) || ordinal == 0 || ordinal > INT32_MAX)))
		at_fatal("\"%s\" is not the name of an event", event);
	check->ordinal = (uint32_t) ordinal;
	check->wants_event = true;
}

/* Of this file, and with names that can be asked for. */
static bool
check_proof(ColdCheck *check)
{
	AtHash hash;

	if (!at_hash(check->file.data, check->file.len, &hash))
		at_check_machine(AT_ERR_LIBCRYPTO);
	if (memcmp(&hash, &check->proof.file, AT_HASH_LEN) != 0)
		return at_result_error(check->result, PART_PROOF, AT_ERR_COLD_FILE);
	check->target = at_alloc(sizeof(AtColdTarget) * ((size_t) check->proof.targets + 1));
	return at_result_error(check->result, PART_PROOF,
						   at_cold_proof_targets(&check->proof, check->target));
}

static bool
check_segments(ColdCheck *check)
{
	AtText rest = check->file;

	while (rest.len > 0)
	{
		AtCold cold;
		size_t len;
		AtError error = at_cold_read(&cold, rest, &len);

		if (error == AT_OK)
			error = check_segment(check, &cold);
		if (error != AT_OK)
		{
			at_check_machine(error);
			at_result_fault(check->result, PART, "segment %" PRIu64 ": %s", check->segments + 1,
							at_error_text(error));
			return false;
		}
		check->segments++;
		rest.data += len;
		rest.len -= len;
	}
	if (check->segments == 0)
		at_result_fault(check->result, PART, "it has no segment");
	return check->segments > 0;
}

static AtError
check_segment(ColdCheck *check, const AtCold *cold)
{
	AtColdTargets targets = {check->proof.targets, check->target};
	AtText content = {NULL, cold->content_len};
	size_t room = AT_COLD_SCRATCH(cold->content_len);
	char *bytes;
	char *scratch;
	AtError error;

	if (memcmp(cold->log_id, check->proof.log_id, AT_LOG_ID_LEN) != 0)
		return AT_ERR_LEDGER;
	if (cold->kind != check->proof.kind || cold->content_len > CONTENT_MAX ||
		cold->rows > cold->content_len)
		return AT_ERR_SEGMENT;
	bytes = at_alloc(content.len + 1);
	scratch = at_alloc(room);
	content.data = bytes;
	check->leaf = at_grow(check->leaf, &check->room, check->rows + cold->rows, sizeof(AtColdLeaf));
	error = at_cold_unpack(cold, bytes);
	if (error == AT_OK)
		error = at_cold_leaves(cold, content, &targets, scratch, room,
							   check->rows > 0 ? &check->leaf[check->rows - 1] : NULL,
							   &check->leaf[check->rows]);
	if (error == AT_OK)
	{
		check->rows += cold->rows;
		describe_row(check, cold, content);
	}
	free(scratch);
	free(bytes);
	return error;
}

/* If it is in this segment. */
static void
describe_row(ColdCheck *check, const AtCold *cold, AtText content)
{
	AtColdTargets targets = {check->proof.targets, check->target};
	AtTransactionBody transaction;
	AtEventBody event;
	AtColdWalk walk;
	int32_t target_id;

	if (!check->wants_event || check->tx_id < cold->first_tx_id ||
		check->tx_id > cold->last_tx_id || at_cold_walk_open(&walk, cold, content) != AT_OK)
		return;
	if (cold->kind == AT_COLD_TRANSACTIONS)
	{
		while (at_cold_walk_transaction(&walk, &transaction))
			if (transaction.tx_id == check->tx_id && check->ordinal == 0)
				at_describe_transaction(check->result, &transaction);
		return;
	}
	while (at_cold_walk_event(&walk, &event, &target_id))
		if (event.tx_id == check->tx_id && event.ordinal == check->ordinal)
		{
			at_cold_target_name(at_cold_target_find(&targets, target_id), &event);
			at_describe_event(check->result, &event);
		}
}

static bool
check_batches(ColdCheck *check)
{
	const AtColdLeaf *left;
	AtColdBatch batch;
	bool found = true;

	while (found)
	{
		AtError error = at_cold_proof_batch(&check->proof, &batch, &found);

		if (error == AT_OK && found)
			error = at_cold_batch_check(&batch, &check->proof, &check->checkpoint, check->leaf,
										check->rows);
		if (error != AT_OK)
		{
			at_check_machine(error);
			at_result_fault(check->result, PART_PROOF, "batch %" PRIu64 ": %s", check->batches + 1,
							at_error_text(error));
			return false;
		}
		if (!found)
			break;
		if (check->batches++ == 0)
			check->first_batch = batch.entry.log_index;
		check->last_batch = batch.entry.log_index;
	}
	left = at_cold_unproved(check->leaf, check->rows);
	if (left != NULL)
		at_result_fault(check->result, PART_PROOF,
						"row %" PRIu64 ".%" PRIu32 " of the file is in no batch of the proof",
						left->tx_id, left->ordinal);
	return left == NULL;
}

static void
say_row(ColdCheck *check)
{
	const AtColdLeaf *leaf =
		at_cold_leaf_find(check->leaf, check->rows, check->tx_id, check->ordinal);

	if (leaf == NULL)
	{
		at_result_fault(check->result, PART_EVENT, "the file does not have it");
		return;
	}
	at_result_add(check->result, AT_PROVED,
				  "the one that was asked for is leaf %" PRIu64 " of the batch of entry %" PRIu64,
				  leaf->number, leaf->log_index);
}

static void
say(ColdCheck *check, const AtKept *kept, const AtTrust *trust)
{
	AtResult *result = check->result;
	bool is_event = check->proof.kind == AT_COLD_EVENTS;

	if (check->wants_event)
		say_row(check);
	at_describe_number(result, is_event ? "events" : "transactions", check->rows);
	at_describe_number(result, "segments", check->segments);
	at_describe_checkpoint(result, &check->checkpoint);
	at_result_add(
		result, AT_PROVED,
		"each of these %zu %s is, byte for byte, a leaf of one of %" PRIu64
		" batches, which are entries %" PRIu64 " to %" PRIu64 " of the log \"%s\" of size %" PRIu64,
		check->rows, is_event ? "events" : "transactions", check->batches, check->first_batch,
		check->last_batch, at_said(result, check->checkpoint.origin), check->checkpoint.size);
	at_result_add(result, AT_NOT_PROVED,
				  "that nothing else happened: what other files have, or was purged, is not here");
	at_result_add(result, AT_NOT_PROVED,
				  "what the times say: they are those of the database server's clock");
	if (trust->quorum == 0 && kept->path == NULL)
		at_result_add(result, AT_NOT_PROVED,
					  "that others were shown the same log: no witness had to cosign, and no other "
					  "checkpoint was compared");
}
