/*-------------------------------------------------------------------------
 * cold_proof.c
 *		The proof that the rows of a file of cold segments were sealed.
 *
 * The tree of a batch is walked from left to right. Whoever writes and whoever verifies
 * divide it alike: a range without a row is one hash, a row is its leaf, and all else is
 * divided as RFC 6962 has it. So the number of hashes follows from the runs.
 *-------------------------------------------------------------------------
 */
#include "core/cold_proof.h"
#include "core/field.h"
#include "core/merkle.h"

#define MAGIC       "ATF1"
#define MAGIC_LEN   4
#define HEADER_LEN  (MAGIC_LEN + AT_LOG_ID_LEN + 1 + AT_HASH_LEN)
#define KIND_EVENTS "events"

AtError
at_cold_proof_read(AtColdProof *proof, AtText bytes)
{
	AtHash checksum;
	size_t len;

	if (bytes.len < HEADER_LEN + AT_HASH_LEN || memcmp(bytes.data, MAGIC, MAGIC_LEN) != 0)
		return AT_ERR_COLD_PROOF;
	len = bytes.len - AT_HASH_LEN;
	if (!at_hash(bytes.data, len, &checksum))
		return AT_ERR_LIBCRYPTO;
	if (memcmp(bytes.data + len, &checksum, AT_HASH_LEN) != 0)
		return AT_ERR_CHECKSUM;
	*proof = (AtColdProof){
		.log_id = (const uint8_t *) bytes.data + MAGIC_LEN,
		.kind = (AtColdKind) bytes.data[MAGIC_LEN + AT_LOG_ID_LEN],
		.rest = {bytes.data + HEADER_LEN, len - HEADER_LEN},
	};
	memcpy(&proof->file, bytes.data + HEADER_LEN - AT_HASH_LEN, AT_HASH_LEN);
	if ((proof->kind != AT_COLD_EVENTS && proof->kind != AT_COLD_TRANSACTIONS) ||
		!at_field_get_text(&proof->rest, &proof->checkpoint) ||
		!at_field_get_u32(&proof->rest, &proof->targets) || proof->targets > proof->rest.len)
		return AT_ERR_COLD_PROOF;
	return AT_OK;
}

AtError
at_cold_proof_targets(AtColdProof *proof, AtColdTarget *target)
{
	for (uint32_t i = 0; i < proof->targets; i++)
	{
		uint32_t target_id;

		if (!at_field_get_u32(&proof->rest, &target_id) ||
			!at_field_get_span(&proof->rest, &target[i].schema) ||
			!at_field_get_span(&proof->rest, &target[i].table) ||
			!at_field_get_span(&proof->rest, &target[i].resource_type) ||
			!at_field_get_span(&proof->rest, &target[i].context))
			return AT_ERR_COLD_PROOF;
		target[i].target_id = (int32_t) target_id;
		if (i > 0 && target[i].target_id <= target[i - 1].target_id)
			return AT_ERR_COLD_TARGET;
	}
	return at_field_get_u32(&proof->rest, &proof->batches) ? AT_OK : AT_ERR_COLD_PROOF;
}

AtError
at_cold_proof_batch(AtColdProof *proof, AtColdBatch *batch, bool *found)
{
	AtText log;

	*found = proof->batches > 0;
	if (!*found)
		return proof->rest.len == 0 ? AT_OK : AT_ERR_COLD_PROOF;
	proof->batches--;
	if (!at_field_get_text(&proof->rest, &batch->bytes) || !at_field_get_text(&proof->rest, &log) ||
		!at_field_get_text(&proof->rest, &batch->runs) ||
		!at_field_get_text(&proof->rest, &batch->hashes) || log.len % AT_HASH_LEN != 0 ||
		log.len > AT_PROOF_MAX * AT_HASH_LEN || batch->hashes.len % AT_HASH_LEN != 0)
		return AT_ERR_COLD_PROOF;
	batch->log.count = (int) (log.len / AT_HASH_LEN);
	memcpy(batch->log.hash, log.data, log.len);
	return at_entry_body_read(&batch->entry, (const uint8_t *) batch->bytes.data, batch->bytes.len)
			   ? AT_OK
			   : AT_ERR_ENTRY;
}

/* A walk through the tree of a batch. */
typedef struct Walk
{
	/* what is verified */
	AtColdLeaf *leaf; /* of all rows of the file */
	size_t count;
	uint64_t log_index;
	AtText runs;
	AtText hashes;

	/* what is written */
	AtWriter *writer;
	const AtHash *hash; /* of all leaves of the batch */
	const AtColdRun *next_run;
	size_t runs_left;

	/* the run that is next, or was begun */
	bool has_run;
	AtColdRun run;
	uint64_t end; /* behind the run before it */
	uint64_t tx_id;
	AtColdLeaf *row; /* its next one */
	AtError error;
} Walk;

/* The rows of the run must be in the file, side by side. */
static AtError
find_rows(Walk *walk)
{
	const AtColdRun *run = &walk->run;

	walk->row = at_cold_leaf_find(walk->leaf, walk->count, run->tx_id, run->ordinal);
	if (walk->row == NULL || run->count == 0 ||
		run->count > walk->count - (size_t) (walk->row - walk->leaf))
		return AT_ERR_COLD_RUN;
	for (uint32_t i = 0; i < run->count; i++)
		if (walk->row[i].is_proved || walk->row[i].tx_id != run->tx_id ||
			walk->row[i].ordinal != run->ordinal + i)
			return AT_ERR_COLD_RUN;
	return AT_OK;
}

static AtError
read_run(Walk *walk)
{
	uint64_t number[4];

	walk->has_run = walk->runs.len > 0;
	if (!walk->has_run)
		return AT_OK;
	for (int i = 0; i < 4; i++)
		if (!at_cold_get_number(&walk->runs, &number[i]))
			return AT_ERR_COLD_PROOF;
	if (number[2] > UINT32_MAX || number[3] > UINT32_MAX || number[0] > AT_MERKLE_MAX_SIZE)
		return AT_ERR_COLD_PROOF;
	walk->tx_id += number[1] >> 1 ^ (number[1] & 1 ? UINT64_MAX : 0);
	walk->run =
		(AtColdRun){walk->end + number[0], walk->tx_id, (uint32_t) number[2], (uint32_t) number[3]};
	walk->end = walk->run.number + walk->run.count;
	if (walk->end > AT_MERKLE_MAX_SIZE)
		return AT_ERR_COLD_PROOF;
	return find_rows(walk);
}

/* Go on with the next run. */
static void
next_run(Walk *walk)
{
	if (walk->writer == NULL)
	{
		walk->error = read_run(walk);
		return;
	}
	walk->has_run = walk->runs_left > 0;
	if (!walk->has_run)
		return;
	walk->runs_left--;
	walk->run = *walk->next_run++;
}

/* One row of the run is behind us. */
static void
step(Walk *walk)
{
	walk->run.number++;
	walk->row += walk->writer == NULL;
	if (--walk->run.count == 0)
		next_run(walk);
}

static uint64_t
split_width(uint64_t width)
{
	uint64_t split = 1;

	while (split < width - split)
		split *= 2;
	return split;
}

/* Root of a range that has no row: taken from the hashes, or written to them. */
static void
take_hash(Walk *walk, uint64_t begin, uint64_t end, AtHash *root)
{
	AtMerkle tree;

	if (walk->writer == NULL)
	{
		if (walk->hashes.len == 0)
		{
			walk->error = AT_ERR_MISSING_HASHES;
			return;
		}
		memcpy(root, walk->hashes.data, AT_HASH_LEN);
		walk->hashes.data += AT_HASH_LEN;
		walk->hashes.len -= AT_HASH_LEN;
		return;
	}
	at_merkle_init(&tree);
	for (uint64_t i = begin; i < end; i++)
		if (!at_merkle_add(&tree, &walk->hash[i]))
			walk->error = AT_ERR_LIBCRYPTO;
	if (!at_merkle_root(&tree, root))
		walk->error = AT_ERR_LIBCRYPTO;
	at_write(walk->writer, (AtText){(const char *) root, AT_HASH_LEN});
}

/* Root of a range, of at most 2^63 leaves: so no deeper than 63. */
static void
range_root(Walk *walk, uint64_t begin, uint64_t end, AtHash *root)
{
	AtHash right;
	uint64_t middle;

	if (walk->error != AT_OK)
		return;
	if (!walk->has_run || walk->run.number >= end)
	{
		take_hash(walk, begin, end, root);
		return;
	}
	if (end - begin == 1)
	{
		if (walk->writer == NULL)
		{
			walk->row->is_proved = true;
			walk->row->log_index = walk->log_index;
			walk->row->number = begin;
			*root = walk->row->hash;
		}
		step(walk);
		return;
	}
	middle = begin + split_width(end - begin);
	range_root(walk, begin, middle, root);
	range_root(walk, middle, end, &right);
	if (walk->error == AT_OK && walk->writer == NULL && !at_hash_node(root, &right, root))
		walk->error = AT_ERR_LIBCRYPTO;
}

AtError
at_cold_batch_check(const AtColdBatch *batch, const AtColdProof *proof,
					const AtCheckpoint *checkpoint, AtColdLeaf *leaf, size_t count)
{
	const AtEntryBody *entry = &batch->entry;
	Walk walk = {
		.leaf = leaf,
		.count = count,
		.log_index = entry->log_index,
		.runs = batch->runs,
		.hashes = batch->hashes,
	};
	AtHash hash;
	AtHash root;

	if (memcmp(entry->log_id, proof->log_id, AT_LOG_ID_LEN) != 0)
		return AT_ERR_LEDGER;
	if (!at_text_equal((AtText){entry->kind.data, entry->kind.len}, at_text(KIND_EVENTS)) ||
		entry->leaf_count == 0 || entry->leaf_count > AT_MERKLE_MAX_SIZE)
		return AT_ERR_ENTRY;
	if (!at_hash_leaf(batch->bytes.data, batch->bytes.len, &hash))
		return AT_ERR_LIBCRYPTO;
	walk.error = at_proof_verify_inclusion(&batch->log, entry->log_index, checkpoint->size, &hash,
										   &checkpoint->root);
	if (walk.error == AT_OK)
		next_run(&walk);
	range_root(&walk, 0, entry->leaf_count, &root);
	if (walk.error != AT_OK)
		return walk.error;
	if (walk.has_run)
		return AT_ERR_COLD_RUN;
	if (walk.hashes.len > 0)
		return AT_ERR_SURPLUS_HASHES;
	return memcmp(&root, &entry->root, AT_HASH_LEN) == 0 ? AT_OK : AT_ERR_BATCH_ROOT;
}

const AtColdLeaf *
at_cold_unproved(const AtColdLeaf *leaf, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!leaf[i].is_proved)
			return &leaf[i];
	return NULL;
}

AtColdLeaf *
at_cold_leaf_find(AtColdLeaf *leaf, size_t count, uint64_t tx_id, uint32_t ordinal)
{
	size_t low = 0;
	size_t high = count;

	while (low < high)
	{
		size_t middle = low + (high - low) / 2;

		if (leaf[middle].tx_id < tx_id ||
			(leaf[middle].tx_id == tx_id && leaf[middle].ordinal < ordinal))
			low = middle + 1;
		else
			high = middle;
	}
	return low < count && leaf[low].tx_id == tx_id && leaf[low].ordinal == ordinal ? &leaf[low]
																				   : NULL;
}

void
at_cold_proof_write_head(AtWriter *writer, const AtColdProof *proof)
{
	char kind = (char) proof->kind;

	at_write_string(writer, MAGIC);
	at_write(writer, (AtText){(const char *) proof->log_id, AT_LOG_ID_LEN});
	at_write(writer, (AtText){&kind, 1});
	at_write(writer, (AtText){(const char *) &proof->file, AT_HASH_LEN});
	at_field_put_span(writer, (AtSpan){proof->checkpoint.data, (uint32_t) proof->checkpoint.len});
	at_field_put_u32(writer, proof->targets);
}

void
at_cold_proof_write_target(AtWriter *writer, const AtColdTarget *target)
{
	at_field_put_u32(writer, (uint32_t) target->target_id);
	at_field_put_span(writer, target->schema);
	at_field_put_span(writer, target->table);
	at_field_put_span(writer, target->resource_type);
	at_field_put_span(writer, target->context);
}

void
at_cold_proof_write_count(AtWriter *writer, uint32_t batches)
{
	at_field_put_u32(writer, batches);
}

void
at_cold_proof_write_batch(AtWriter *writer, const AtColdBatch *batch)
{
	at_field_put_span(writer, (AtSpan){batch->bytes.data, (uint32_t) batch->bytes.len});
	at_field_put_span(writer, (AtSpan){batch->log.hash, (uint32_t) batch->log.count * AT_HASH_LEN});
	at_field_put_span(writer, (AtSpan){batch->runs.data, (uint32_t) batch->runs.len});
	at_field_put_span(writer, (AtSpan){batch->hashes.data, (uint32_t) batch->hashes.len});
}

void
at_cold_run_write(AtWriter *writer, const AtColdRun *run, const AtColdRun *before)
{
	uint64_t difference = run->tx_id - before->tx_id;

	at_cold_put_number(writer, run->number - before->number - before->count);
	at_cold_put_number(writer, difference << 1 ^ (difference >> 63 ? UINT64_MAX : 0));
	at_cold_put_number(writer, run->ordinal);
	at_cold_put_number(writer, run->count);
}

AtError
at_cold_hashes_write(AtWriter *writer, const AtHash *leaf, uint64_t count, const AtColdRun *run,
					 size_t runs)
{
	Walk walk = {.writer = writer, .hash = leaf, .next_run = run, .runs_left = runs};
	AtHash root;

	next_run(&walk);
	range_root(&walk, 0, count, &root);
	return walk.error != AT_OK ? walk.error : at_writer_error(writer);
}
