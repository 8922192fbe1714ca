/*-------------------------------------------------------------------------
 * attached_cold.c
 *		Files of cold segments of other servers, verified to be attached.
 *
 * Files of transactions come first, so that the filters of events know by whom they were.
 *
 * Memory: a file, 72 bytes for each of its rows, a segment unpacked, and 24 bytes for each
 *transaction of all files.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <sys/stat.h>

#include "common/string.h"
#include "miscadmin.h"
#include "storage/fd.h"
#include "utils/memutils.h"

#include "base/compat.h"
#include "core/bloom.h"
#include "core/cold_proof.h"
#include "ledger/cold_file.h"
#include "ledger/datum.h"
#include "query/attached.h"
#include "query/attached_cold.h"

/* By whom a transaction was; 0: nobody told. */
typedef struct Actor
{
	uint64 tx_id;
	uint64 actor;
	uint64 request_id;
} Actor;

typedef struct Verifying
{
	const char *directory;
	const AtPublicKey *key;
	AtAttachedCold *cold;
	AtAttachedIndex *index;
	uint64 nactors;
	uint64 actors_room;
	Actor *actor;

	/* the present file */
	const char *file;
	AtText bytes;
	AtColdProof proof;
	AtCheckpoint checkpoint;
	AtColdTarget *target;
	uint64 rows;
	uint64 room;
	AtColdLeaf *leaf;
} Verifying;

static const char *verify_files(Verifying *verifying, List *files, AtColdKind kind, AtHash *hashes);
static const char *verify_file(Verifying *verifying);
static const char *read_proof(Verifying *verifying);
static const char *open_checkpoint(Verifying *verifying);
static const char *verify_rows(Verifying *verifying, MemoryContext context);
static const char *verify_segment(Verifying *verifying, const AtCold *cold, int64 offset,
								  int64 bytes);
static const char *verify_batches(Verifying *verifying);
static void note_segment(Verifying *verifying, const AtCold *cold, AtText content, int64 offset,
						 int64 bytes);
static void note_events(Verifying *verifying, AtColdWalk *walk);
static void note_transactions(Verifying *verifying, AtColdWalk *walk);
static int compare_actors(const void *a, const void *b);

int
at_attached_compare_names(const ListCell *a, const ListCell *b)
{
	return strcmp(lfirst(a), lfirst(b));
}

List *
at_attached_cold_list(const char *directory)
{
	DIR *dir = AllocateDir(directory);
	struct dirent *entry;
	List *files = NIL;

	while ((entry = ReadDir(dir, directory)) != NULL)
		if (pg_str_endswith(entry->d_name, AT_COLD_FILE_END))
			files = lappend(files, pstrdup(entry->d_name));
	FreeDir(dir);
	list_sort(files, at_attached_compare_names);
	return files;
}

const char *
at_attached_cold_verify(const char *directory, List *files, const AtPublicKey *key,
						AtAttachedCold *cold, AtAttachedIndex *index)
{
	Verifying verifying = {.directory = directory, .key = key, .cold = cold, .index = index};
	AtHash *hashes = palloc0(sizeof(AtHash) * list_length(files));
	const char *why;

	why = verify_files(&verifying, files, AT_COLD_TRANSACTIONS, hashes);
	if (why == NULL && verifying.nactors > 1)
		qsort(verifying.actor, verifying.nactors, sizeof(Actor), compare_actors);
	if (why == NULL)
		why = verify_files(&verifying, files, AT_COLD_EVENTS, hashes);
	if (why == NULL && !at_hash(hashes, sizeof(AtHash) * list_length(files), &cold->digest))
		at_hash_failed();
	return why;
}

/* Those of one kind, which the proofs tell. */
static const char *
verify_files(Verifying *verifying, List *files, AtColdKind kind, AtHash *hashes)
{
	MemoryContext context =
		AllocSetContextCreate(CurrentMemoryContext, "audit attached file", ALLOCSET_DEFAULT_SIZES);
	const char *why = NULL;
	ListCell *cell;

	foreach (cell, files)
	{
		MemoryContext save = MemoryContextSwitchTo(context);

		CHECK_FOR_INTERRUPTS();
		verifying->file = lfirst(cell);
		why = read_proof(verifying);
		if (why == NULL && verifying->proof.kind == kind)
		{
			why = verify_file(verifying);
			hashes[foreach_current_index(cell)] = verifying->proof.file;
		}
		MemoryContextSwitchTo(save);
		if (why != NULL)
			return psprintf("Of file \"%s\": %s", verifying->file, why);
		MemoryContextReset(context);
	}
	MemoryContextDelete(context);
	return NULL;
}

/* In words, as the end of a sentence. */
static const char *
said(AtError error)
{
	return psprintf("%s.", at_error_text(error));
}

static const char *
read_proof(Verifying *verifying)
{
	char *name =
		psprintf("%.*s" AT_COLD_PROOF_END,
				 (int) (strlen(verifying->file) - strlen(AT_COLD_FILE_END)), verifying->file);
	AtText bytes;
	const char *why = at_attached_file(verifying->directory, name, AT_ATTACHED_COLD_MAX, &bytes);
	AtError error;

	if (why != NULL)
		return psprintf("Its proof is missing, which audit.export_segments() writes there. %s",
						why);
	error = at_cold_proof_read(&verifying->proof, bytes);
	if (error == AT_OK)
	{
		verifying->target = palloc_extended(
			sizeof(AtColdTarget) * ((Size) verifying->proof.targets + 1), MCXT_ALLOC_HUGE);
		error = at_cold_proof_targets(&verifying->proof, verifying->target);
	}
	return error == AT_OK ? NULL : psprintf("Of its proof: %s.", at_error_text(error));
}

static const char *
verify_file(Verifying *verifying)
{
	AtAttachedCold *cold = verifying->cold;
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "audit attached segment",
												  ALLOCSET_DEFAULT_SIZES);
	AtHash hash;
	const char *why = open_checkpoint(verifying);

	if (why == NULL)
		why = at_attached_file(verifying->directory, verifying->file, AT_ATTACHED_COLD_MAX,
							   &verifying->bytes);
	if (why != NULL)
		return why;
	if (!at_hash(verifying->bytes.data, verifying->bytes.len, &hash))
		at_hash_failed();
	if (memcmp(&hash, &verifying->proof.file, AT_HASH_LEN) != 0)
		return said(AT_ERR_COLD_FILE);
	verifying->rows = 0;
	verifying->room = 0;
	verifying->leaf = NULL;
	why = verify_rows(verifying, context);
	if (why == NULL)
		why = verify_batches(verifying);
	if (why != NULL)
		return why;
	if (verifying->proof.kind == AT_COLD_EVENTS)
		cold->events += verifying->rows;
	else
		cold->transactions += verifying->rows;
	for (uint32 i = 0; verifying->index != NULL && i < verifying->proof.targets; i++)
		at_attached_index_target(verifying->index, &verifying->target[i], 0);
	return NULL;
}

/* Signed by the key, and of the same ledger as the files before it. */
static const char *
open_checkpoint(Verifying *verifying)
{
	AtAttachedCold *cold = verifying->cold;
	const AtCheckpoint *checkpoint = &verifying->checkpoint;
	AtError error = at_checkpoint_open(&verifying->checkpoint, verifying->proof.checkpoint,
									   &(AtTrust){.log_key = verifying->key});

	if (error != AT_OK)
		return psprintf("Of its checkpoint: %s.", at_error_text(error));
	if (cold->origin == NULL)
	{
		memcpy(cold->log_id, verifying->proof.log_id, AT_LOG_ID_LEN);
		cold->origin = MemoryContextStrdup(
			GetMemoryChunkContext(cold), pnstrdup(checkpoint->origin.data, checkpoint->origin.len));
	}
	if (memcmp(cold->log_id, verifying->proof.log_id, AT_LOG_ID_LEN) != 0)
		return "It is of another ledger than the others.";
	if (checkpoint->size >= cold->size)
	{
		cold->size = checkpoint->size;
		cold->root = checkpoint->root;
	}
	return NULL;
}

static const char *
verify_rows(Verifying *verifying, MemoryContext context)
{
	AtText rest = verifying->bytes;
	int number = 0;

	while (rest.len > 0)
	{
		MemoryContext save = MemoryContextSwitchTo(context);
		AtCold cold;
		size_t len;
		AtError error = at_cold_read(&cold, rest, &len);
		const char *why = error != AT_OK ? said(error)
										 : verify_segment(verifying, &cold,
														  rest.data - verifying->bytes.data, len);

		CHECK_FOR_INTERRUPTS();
		MemoryContextSwitchTo(save);
		number++;
		if (why != NULL)
			return psprintf("Segment %d: %s", number, why);
		MemoryContextReset(context);
		rest.data += len;
		rest.len -= len;
	}
	return number == 0 ? "It has no segment." : NULL;
}

static const char *
verify_segment(Verifying *verifying, const AtCold *cold, int64 offset, int64 bytes)
{
	AtColdTargets targets = {verifying->proof.targets, verifying->target};
	Size room = AT_COLD_SCRATCH(cold->content_len);
	AtText content = {NULL, cold->content_len};
	char *unpacked;
	AtError error;

	if (memcmp(cold->log_id, verifying->proof.log_id, AT_LOG_ID_LEN) != 0)
		return said(AT_ERR_LEDGER);
	if (cold->kind != verifying->proof.kind || cold->rows > cold->content_len)
		return said(AT_ERR_SEGMENT);
	if (cold->content_len > AT_ATTACHED_MAX)
		return psprintf("it would be longer than %d bytes.", AT_ATTACHED_MAX);
	unpacked = palloc_extended(content.len + 1, MCXT_ALLOC_HUGE);
	content.data = unpacked;
	if (verifying->rows + cold->rows > verifying->room)
	{
		verifying->room = Max(2 * verifying->room, verifying->rows + cold->rows);
		verifying->leaf =
			verifying->leaf == NULL
				? MemoryContextAllocHuge(MemoryContextGetParent(CurrentMemoryContext),
										 sizeof(AtColdLeaf) * verifying->room)
				: repalloc_huge(verifying->leaf, sizeof(AtColdLeaf) * verifying->room);
	}
	error = at_cold_unpack(cold, unpacked);
	if (error == AT_OK)
		error =
			at_cold_leaves(cold, content, &targets, palloc_extended(room, MCXT_ALLOC_HUGE), room,
						   verifying->rows > 0 ? &verifying->leaf[verifying->rows - 1] : NULL,
						   &verifying->leaf[verifying->rows]);
	if (error != AT_OK)
		return said(error);
	verifying->rows += cold->rows;
	note_segment(verifying, cold, content, offset, bytes);
	return NULL;
}

static const char *
verify_batches(Verifying *verifying)
{
	const AtColdLeaf *left;
	AtColdBatch batch;
	AtError error;
	bool found;

	while ((error = at_cold_proof_batch(&verifying->proof, &batch, &found)) == AT_OK && found)
	{
		CHECK_FOR_INTERRUPTS();
		error = at_cold_batch_check(&batch, &verifying->proof, &verifying->checkpoint,
									verifying->leaf, verifying->rows);
		if (error != AT_OK)
			break;
	}
	if (error != AT_OK)
		return psprintf("By its proof: %s.", at_error_text(error));
	left = at_cold_unproved(verifying->leaf, verifying->rows);
	return left == NULL ? NULL
						: psprintf("Its row " UINT64_FORMAT ".%u is not proved.",
								   (uint64) left->tx_id, left->ordinal);
}

/* Nobody believes it before all of the file is verified: an error undoes it. */
static void
note_segment(Verifying *verifying, const AtCold *cold, AtText content, int64 offset, int64 bytes)
{
	AtAttachedCold *all = verifying->cold;
	bool is_event = cold->kind == AT_COLD_EVENTS;
	AtColdWalk walk;

	if (all->segments++ == 0)
	{
		all->first_tx_at = cold->first_tx_at;
		all->last_tx_at = cold->last_tx_at;
	}
	all->first_tx_at = Min(all->first_tx_at, cold->first_tx_at);
	all->last_tx_at = Max(all->last_tx_at, cold->last_tx_at);
	if (verifying->index == NULL || at_cold_walk_open(&walk, cold, content) != AT_OK)
		return;
	at_attached_index_segment(verifying->index,
							  &(AtAttachedPlace){
								  .kind = is_event ? AT_ATTACHED_EVENTS : AT_ATTACHED_TRANSACTIONS,
								  .file = verifying->file,
								  .offset = offset,
								  .bytes = bytes,
								  .checksum = &cold->checksum,
							  });
	if (is_event)
		note_events(verifying, &walk);
	else
		note_transactions(verifying, &walk);
}

static void
note_events(Verifying *verifying, AtColdWalk *walk)
{
	AtColdTargets targets = {verifying->proof.targets, verifying->target};
	uint64 noted = 0;
	AtEventBody event;
	int32_t target_id;

	while (at_cold_walk_event(walk, &event, &target_id))
	{
		Actor wanted = {.tx_id = event.tx_id};
		const Actor *actor;

		at_cold_target_name(at_cold_target_find(&targets, target_id), &event);
		at_attached_index_event(verifying->index, &event);
		if (event.tx_id == noted || verifying->nactors == 0)
			continue;
		noted = event.tx_id;
		actor =
			bsearch(&wanted, verifying->actor, verifying->nactors, sizeof(Actor), compare_actors);
		if (actor != NULL && actor->actor != 0)
			at_attached_index_about(verifying->index, actor->actor);
		if (actor != NULL && actor->request_id != 0)
			at_attached_index_about(verifying->index, actor->request_id);
	}
}

static void
note_transactions(Verifying *verifying, AtColdWalk *walk)
{
	AtTransactionBody transaction;

	while (at_cold_walk_transaction(walk, &transaction))
	{
		at_attached_index_transaction(verifying->index, &transaction);
		if (verifying->nactors == verifying->actors_room)
		{
			verifying->actors_room = Max(1024, 2 * verifying->actors_room);
			verifying->actor =
				verifying->actor == NULL
					? MemoryContextAllocHuge(GetMemoryChunkContext(verifying->cold),
											 sizeof(Actor) * verifying->actors_room)
					: repalloc_huge(verifying->actor, sizeof(Actor) * verifying->actors_room);
		}
		verifying->actor[verifying->nactors++] = (Actor){
			.tx_id = transaction.tx_id,
			.actor = transaction.actor.data == NULL
						 ? 0
						 : at_bloom_hash(AT_ABOUT_ACTOR, transaction.actor),
			.request_id = transaction.request_id.data == NULL
							  ? 0
							  : at_bloom_hash(AT_ABOUT_REQUEST_ID, transaction.request_id),
		};
	}
}

static int
compare_actors(const void *a, const void *b)
{
	uint64 left = ((const Actor *) a)->tx_id;
	uint64 right = ((const Actor *) b)->tx_id;

	return left < right ? -1 : left > right;
}
