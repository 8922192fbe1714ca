/*-------------------------------------------------------------------------
 * bundle_log.c
 *		The entries of a bundle are in the log of its checkpoint, which is
 *		signed.
 *
 * A bundle has some entries of the log only. Between two that are next to each
 * other the hash of the first in the second must fit, and an incarnation
 * that an entry speaks of must have its entry.
 *-------------------------------------------------------------------------
 */
#include <inttypes.h>
#include <stdio.h>

#include "bundle.h"
#include "core/tlog_proof.h"
#include "log_entry.h"
#include "message.h"

#define CHECKPOINT "checkpoint"
#define KEYS       "keys"

/* The entry before. */
typedef struct Walk
{
	uint64_t next; /* log_index behind it; 0: there is none */
	AtHash hash;
	uint32_t incarnation;
} Walk;

static bool read_checkpoint(AtBundle *bundle);
static bool prove_entry(AtBundle *bundle, const AtEvidenceEntry *entry);
static bool check_entry(AtBundle *bundle, const AtEvidenceEntry *entry, Walk *walk);
static const char *check_order(const AtEntryBody *body, const Walk *walk);
static bool check_keys(AtBundle *bundle);

bool
at_bundle_prove_log(AtBundle *bundle)
{
	const AtEvidence *evidence = &bundle->evidence;
	Walk walk = {.incarnation = 1};
	bool holds = true;

	if (!read_checkpoint(bundle))
		return false;
	for (size_t i = 0; i < evidence->entry_count; i++)
		holds &= prove_entry(bundle, &evidence->entry[i]) &&
				 check_entry(bundle, &evidence->entry[i], &walk);

	return holds &&
		   at_key_chain_open(&bundle->keys, bundle->trust, evidence->checkpoint, CHECKPOINT,
							 &bundle->checkpoint, bundle->result) &&
		   check_keys(bundle);
}

/* As yet nobody has signed what is read here. */
static bool
read_checkpoint(AtBundle *bundle)
{
	AtNote note;

	return at_result_error(bundle->result, CHECKPOINT,
						   at_note_read(&note, bundle->evidence.checkpoint)) &&
		   at_result_error(bundle->result, CHECKPOINT,
						   at_trust_verify_given(bundle->trust, &note)) &&
		   at_result_error(bundle->result, CHECKPOINT,
						   at_checkpoint_read(&bundle->checkpoint, note.text));
}

static bool
prove_entry(AtBundle *bundle, const AtEvidenceEntry *entry)
{
	AtBundleFile *file = at_bundle_load(bundle, AT_EVIDENCE_ENTRY_PROOF, entry->log_index, 0);
	AtTlogProof proof;
	AtHash leaf;
	bool holds;

	if (file == NULL)
		return false;
	if (!at_hash_leaf(entry->body.data, entry->body.len, &leaf))
		at_check_machine(AT_ERR_LIBCRYPTO);

	holds =
		at_result_error(bundle->result, file->path, at_tlog_proof_read(&proof, file->content)) &&
		at_bundle_check_proof(bundle, file->path, &proof, entry->log_index) &&
		at_result_error(bundle->result, file->path,
						at_tlog_proof_verify_in(&proof, &leaf, &bundle->checkpoint));
	if (holds && proof.extra.data != NULL)
	{
		at_result_fault(bundle->result, file->path,
						"there is more in it than the proof of an entry");
		holds = false;
	}
	at_bundle_file_drop(&bundle->files, file);
	return holds;
}

bool
at_bundle_check_proof(AtBundle *bundle, const char *path, const AtTlogProof *proof, uint64_t index)
{
	const char *problem = NULL;

	if (proof->index != index)
		problem = "it is the proof of another entry";
	else if (!at_text_equal(proof->checkpoint, bundle->evidence.checkpoint))
		problem = "its checkpoint is not that of the bundle";
	if (problem != NULL)
		at_result_fault(bundle->result, path, "%s", problem);
	return problem == NULL;
}

static bool
check_entry(AtBundle *bundle, const AtEvidenceEntry *entry, Walk *walk)
{
	char part[40];
	AtEntryBody body;
	const char *problem;

	snprintf(part, sizeof(part), "log/%" PRIu64 ".entry", entry->log_index);
	if (!at_log_entry_read(&body, entry->body, entry->log_index, part, bundle->result))
		return false;
	problem = check_order(&body, walk);
	if (problem != NULL)
		at_result_fault(bundle->result, part, "%s", problem);

	walk->next = entry->log_index + 1;
	walk->incarnation = body.incarnation;
	if (!at_hash(entry->body.data, entry->body.len, &walk->hash))
		at_check_machine(AT_ERR_LIBCRYPTO);
	at_log_entry_say(&body, bundle->result);
	return problem == NULL &&
		   (!at_text_equal((AtText){body.kind.data, body.kind.len}, at_text(AT_KIND_KEY)) ||
			at_key_chain_add(&bundle->keys, &body, bundle->trust, part, bundle->result));
}

/* How it does not follow those before; NULL if it does. */
static const char *
check_order(const AtEntryBody *body, const Walk *walk)
{
	bool begins =
		at_text_equal((AtText){body->kind.data, body->kind.len}, at_text(AT_KIND_INCARNATION));

	if (walk->next == 0 && body->log_index != 0)
		return "the first entry of the log is missing before it";
	if (walk->next > 0 && walk->next == body->log_index &&
		memcmp(&body->previous, &walk->hash, AT_HASH_LEN) != 0)
		return "it does not have the hash of the entry before it";
	if (body->incarnation != walk->incarnation + (begins ? 1 : 0))
		return "an entry in which its incarnation begins is missing before it";
	return NULL;
}

/* Those of the log, in their order, and then those of witnesses. */
static bool
check_keys(AtBundle *bundle)
{
	AtText rest = bundle->evidence.keys;
	size_t count = 0;

	while (rest.len > 0)
	{
		AtText line;
		AtPublicKey key;
		const AtKeyChain *chain = &bundle->keys;

		if (!at_text_line(&rest, &line) || at_key_read_public(&key, line) != AT_OK)
		{
			at_result_fault(bundle->result, KEYS, "line %zu is no key", count + 1);
			return false;
		}
		if (count < chain->count ? !at_public_key_equal(&key, &chain->key[count].key)
								 : key.type != AT_KEY_COSIGNATURE)
		{
			at_result_fault(bundle->result, KEYS,
							"line %zu is not the key that the entries of the log name there",
							count + 1);
			return false;
		}
		count++;
	}
	if (count >= bundle->keys.count)
		return true;

	at_result_fault(bundle->result, KEYS, "keys of the log are missing");
	return false;
}
