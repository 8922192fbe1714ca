/*-------------------------------------------------------------------------
 * test_cold_proof.c
 *		Rows of cold segments and the proof that they were sealed: what was written verifies, and
 *		nothing that was changed does.
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "core/bytes.h"
#include "core/cold_proof.h"
#include "core/merkle.h"

#define ROOM    65536
#define ROWS    5
#define LEAVES  11
#define ENTRIES 3

static uint8_t log_id[AT_LOG_ID_LEN] = "0123456789abcde";
static char segment[ROOM];
static char content_bytes[ROOM];
static char scratch[AT_COLD_SCRATCH(ROOM)];
static char bytes[ROOM];
static char entry_bytes[4096];
static size_t bytes_len;
static AtCheckpoint checkpoint = {.size = ENTRIES};

/* Tables 3 and 9. */
static AtColdTarget targets[2];

/* Transactions 10 (two events), 12 and 15, of which the file has
 * events 10.1, 10.2, 12.1, 15.2, 15.3. */
static const uint64_t tx_ids[ROWS] = {10, 10, 12, 15, 15};
static const uint32_t ordinals[ROWS] = {1, 2, 1, 2, 3};
static AtColdLeaf leaf[ROWS];

static AtSpan
span(const char *string)
{
	return (AtSpan){string, (uint32_t) strlen(string)};
}

/* A column with the same number, or number and text, in each row. */
static void
put_ints(AtWriter *content, const int64_t *values, uint32_t rows)
{
	char numbers[1024];
	AtWriter writer = at_writer(numbers, sizeof(numbers));
	int64_t last = 0;

	for (uint32_t i = 0; i < rows; i++)
		at_cold_put_int(&writer, values[i], &last);
	at_cold_put_column(content, AT_COLD_INTS, writer.len, 0);
	at_write(content, (AtText){numbers, writer.len});
}

static void
put_texts(AtWriter *content, const char *text, uint32_t rows)
{
	char numbers[64];
	char values[4096];
	AtWriter first = at_writer(numbers, sizeof(numbers));
	AtWriter second = at_writer(values, sizeof(values));
	AtSpan value = text == NULL ? (AtSpan){NULL, 0} : span(text);

	for (uint32_t i = 0; i < rows; i++)
	{
		at_cold_put_length(&first, value);
		at_write(&second, (AtText){value.data, value.len});
	}
	at_cold_put_column(content, AT_COLD_TEXTS, first.len, second.len);
	at_write(content, (AtText){numbers, first.len});
	at_write(content, (AtText){values, second.len});
}

/* A segment of events, or of transactions; what reads it back points into `segment`. */
static AtCold
make_segment(AtColdKind kind, const char *value)
{
	AtWriter content = at_writer(content_bytes, ROOM);
	AtWriter writer = at_writer(segment, ROOM);
	int64_t ids[ROWS];
	int64_t ones[ROWS] = {1, 1, 1, 1, 1};
	int64_t target[ROWS] = {3, 3, 9, 9, 3};
	int64_t at[ROWS] = {100, 100, 90, 110, 110};
	int64_t ordinal[ROWS];
	uint32_t rows = kind == AT_COLD_EVENTS ? ROWS : 1;
	AtCold cold = {.log_id = log_id,
				   .kind = kind,
				   .columns = kind == AT_COLD_EVENTS ? 12 : 25,
				   .rows = rows,
				   .first_tx_id = 10,
				   .last_tx_id = kind == AT_COLD_EVENTS ? 15 : 10,
				   .first_tx_at = kind == AT_COLD_EVENTS ? 90 : 100,
				   .last_tx_at = kind == AT_COLD_EVENTS ? 110 : 100};
	size_t len;

	for (int i = 0; i < ROWS; i++)
	{
		ids[i] = (int64_t) tx_ids[i];
		ordinal[i] = ordinals[i];
	}
	put_ints(&content, ids, rows);
	put_ints(&content, at, rows);
	put_ints(&content, at, rows);
	put_ints(&content, kind == AT_COLD_EVENTS ? ordinal : ones, rows);
	put_ints(&content, kind == AT_COLD_EVENTS ? target : ones, rows);
	for (int i = 5; i < (kind == AT_COLD_EVENTS ? 7 : 9); i++)
		put_ints(&content, ones, rows);
	for (int i = kind == AT_COLD_EVENTS ? 7 : 9; i < cold.columns; i++)
		put_texts(&content, i % 2 ? value : NULL, rows);
	if (at_cold_write(&writer, &cold, (AtText){content_bytes, content.len}) != AT_OK ||
		at_cold_read(&cold, (AtText){segment, writer.len}, &len) != AT_OK)
		abort();
	return cold;
}

static AtError
hash_rows(const AtCold *cold, const AtColdLeaf *before)
{
	AtColdTargets all = {2, targets};
	AtText content = {content_bytes, cold->content_len};

	return at_cold_leaves(cold, content, &all, scratch, sizeof(scratch), before, leaf);
}

static void
make_targets(void)
{
	targets[0] = (AtColdTarget){3, span("public"), span("orders"), span("order"), span("sales")};
	targets[1] = (AtColdTarget){9, span("public"), span("stock"), span("stock"), {NULL, 0}};
}

static void
test_rows(void)
{
	AtCold cold = make_segment(AT_COLD_EVENTS, "value");
	AtText content = {content_bytes, cold.content_len};
	AtColdTargets all = {2, targets};
	AtEventBody event = {0};
	AtTransactionBody transaction = {0};
	AtColdWalk walk;
	AtHash hash;
	uint8_t body[1024];
	int32_t target_id = 0;
	int count = 0;

	make_targets();
	check(hash_rows(&cold, NULL) == AT_OK, "leaves of events are computed");
	check(at_cold_walk_open(&walk, &cold, content) == AT_OK, "rows are walked");
	while (at_cold_walk_event(&walk, &event, &target_id))
	{
		at_cold_target_name(at_cold_target_find(&all, target_id), &event);
		at_event_body_write(&event, body);
		check(at_hash_leaf(body, at_event_body_size(&event), &hash) &&
				  memcmp(&hash, &leaf[count].hash, sizeof(hash)) == 0 &&
				  leaf[count].tx_id == tx_ids[count] && leaf[count].ordinal == ordinals[count] &&
				  !leaf[count].is_proved,
			  "each is the body that its row gives");
		count++;
	}
	check(count == ROWS && event.schema.len == 6 && event.record_key.len == 5 &&
			  event.event_type.data == NULL && event.occurred_at == 110,
		  "with all that the row has");
	check(at_cold_target_find(&all, 4) == NULL && at_cold_target_find(&all, 99) == NULL,
		  "a table that is not known has no names");

	cold = make_segment(AT_COLD_TRANSACTIONS, "0123456789abcdef0123456789abcdef");
	check(hash_rows(&cold, NULL) == AT_OK && leaf[0].tx_id == 10 && leaf[0].ordinal == 0,
		  "leaves of transactions are computed");
	content.len = cold.content_len;
	check(at_cold_walk_open(&walk, &cold, content) == AT_OK &&
			  at_cold_walk_transaction(&walk, &transaction) && transaction.digest.bytes[1] == '1' &&
			  transaction.actor.data == NULL && transaction.actor_type.len == 32 &&
			  !at_cold_walk_transaction(&walk, &transaction),
		  "with all that they have");
	cold = make_segment(AT_COLD_TRANSACTIONS, "short");
	content.len = cold.content_len;
	check(at_cold_walk_open(&walk, &cold, content) == AT_OK &&
			  at_cold_walk_transaction(&walk, &transaction) && transaction.digest.bytes[1] == 0,
		  "a digest that is none is zeros");
}

static void
test_odd_rows(void)
{
	AtCold cold = make_segment(AT_COLD_EVENTS, "value");
	AtText content = {content_bytes, cold.content_len};
	AtColdTargets none = {0, targets};
	AtColdLeaf before = {.tx_id = 10, .ordinal = 1};
	AtCold odd;
	AtColdWalk walk;

	check(hash_rows(&cold, &before) == AT_ERR_PLACE, "rows that begin before the last one");
	before.ordinal = 0;
	check(hash_rows(&cold, &before) == AT_OK, "rows that go on behind it");
	check(at_cold_leaves(&cold, content, &none, scratch, sizeof(scratch), NULL, leaf) ==
			  AT_ERR_COLD_TARGET,
		  "rows of a table without names");
	check(at_cold_leaves(&cold, content, &(AtColdTargets){2, targets}, scratch, 10, NULL, leaf) ==
			  AT_ERR_NO_ROOM,
		  "rows that are longer than the room");
	odd = cold;
	odd.first_tx_id++;
	check(hash_rows(&odd, NULL) == AT_ERR_COUNTS, "another first row");
	odd = cold;
	odd.last_tx_at++;
	check(hash_rows(&odd, NULL) == AT_ERR_COUNTS, "another time");
	odd = cold;
	odd.rows = 0;
	content.len = 0;
	check(at_cold_leaves(&odd, content, &none, scratch, 1, NULL, leaf) == AT_ERR_COLD_COLUMNS,
		  "no rows, and no columns");
	for (int i = 0; i < 12; i++)
		memcpy(segment + i * AT_COLD_COLUMN_HEAD, i < 7 ? "i\0\0\0" : "t\0\0\0", 5);
	check(at_cold_leaves(&odd, (AtText){segment, 60}, &none, scratch, 1, NULL, leaf) ==
			  AT_ERR_COUNTS,
		  "columns without rows");
	cold = make_segment(AT_COLD_EVENTS, "value");
	content.len = cold.content_len;
	odd = cold;
	odd.columns = 11;
	check(at_cold_walk_open(&walk, &odd, content) == AT_ERR_COLD_COLUMNS, "too few columns");
	odd.columns = AT_COLD_COLUMNS_MAX + 1;
	check(at_cold_walk_open(&walk, &odd, content) == AT_ERR_COLD_COLUMNS, "too many columns");
	odd = cold;
	odd.kind = AT_COLD_TRANSACTIONS;
	odd.columns = 24;
	check(at_cold_walk_open(&walk, &odd, content) == AT_ERR_COLD_COLUMNS, "another table's");
	content.len--;
	check(at_cold_walk_open(&walk, &cold, content) == AT_ERR_COLD_COLUMNS, "a column cut off");
	cold = make_segment(AT_COLD_TRANSACTIONS, "value");
	content.len = cold.content_len;
	check(at_cold_leaves(&cold, content, &none, scratch, 10, NULL, leaf) == AT_ERR_NO_ROOM,
		  "a transaction that is longer than the room");
}

/* The seal: a batch of LEAVES leaves in which the rows stand apart, in an entry in the middle. */
static AtError
make_proof(void)
{
	/* 15.2 15.3 | other | 12.1 other | other other other | 10.1 10.2 other */
	static const AtColdRun run[] = {{0, 15, 2, 2}, {3, 12, 1, 1}, {8, 10, 1, 2}};
	static const int place[ROWS] = {8, 9, 3, 0, 1};
	AtCold cold = make_segment(AT_COLD_EVENTS, "value");
	AtEntryBody entry = {.log_id = log_id, .log_index = 1, .kind = span("events")};
	AtColdProof head = {
		.log_id = log_id, .kind = AT_COLD_EVENTS, .checkpoint = at_text("a note"), .targets = 2};
	AtColdBatch batch = {0};
	AtColdRun before = {0};
	AtHash all[LEAVES];
	AtHash other[2];
	char runs[256];
	char hashes[LEAVES * AT_HASH_LEN];
	AtWriter runs_writer = at_writer(runs, sizeof(runs));
	AtWriter hashes_writer = at_writer(hashes, sizeof(hashes));
	AtWriter writer = at_writer(bytes, ROOM);
	AtMerkle tree;
	AtMerkle log;
	AtHash hash;
	AtError error;

	make_targets();
	error = hash_rows(&cold, NULL);
	for (int i = 0; i < LEAVES; i++)
		at_hash(&i, sizeof(i), &all[i]);
	for (int i = 0; i < ROWS; i++)
		all[place[i]] = leaf[i].hash;
	at_merkle_init(&tree);
	for (int i = 0; i < LEAVES; i++)
		at_merkle_add(&tree, &all[i]);
	at_merkle_root(&tree, &entry.root);
	entry.leaf_count = LEAVES;
	batch.bytes = (AtText){entry_bytes, at_entry_body_size(&entry)};
	at_entry_body_write(&entry, (uint8_t *) entry_bytes);

	at_merkle_init(&log);
	for (int i = 0; i < 2; i++)
		at_hash(&all[i], 7, &other[i]);
	at_hash_leaf(batch.bytes.data, batch.bytes.len, &hash);
	at_merkle_add(&log, &other[0]);
	at_merkle_add(&log, &hash);
	at_merkle_add(&log, &other[1]);
	at_merkle_root(&log, &checkpoint.root);
	batch.log = (AtProof){.count = 2, .hash = {other[0], other[1]}};

	for (int i = 0; i < 3; i++)
	{
		at_cold_run_write(&runs_writer, &run[i], &before);
		before = run[i];
	}
	if (error == AT_OK)
		error = at_cold_hashes_write(&hashes_writer, all, LEAVES, run, 3);
	batch.runs = (AtText){runs, runs_writer.len};
	batch.hashes = (AtText){hashes, hashes_writer.len};
	at_cold_proof_write_head(&writer, &head);
	for (int i = 0; i < 2; i++)
		at_cold_proof_write_target(&writer, &targets[i]);
	at_cold_proof_write_count(&writer, 1);
	at_cold_proof_write_batch(&writer, &batch);
	at_hash(bytes, writer.len, &hash);
	at_write(&writer, (AtText){(const char *) &hash, sizeof(hash)});
	bytes_len = writer.len;
	return error;
}

/* Read and check all of it; AT_ERR_COUNTS where a row is not proved. */
static AtError
verify(size_t len)
{
	AtColdTarget target[64];
	AtColdProof proof;
	AtColdBatch batch;
	AtError error = at_cold_proof_read(&proof, (AtText){bytes, len});
	bool found = true;

	for (int i = 0; i < ROWS; i++)
		leaf[i].is_proved = false;
	if (error == AT_OK && proof.targets > 64)
		return AT_ERR_NO_ROOM;
	if (error == AT_OK)
		error = at_cold_proof_targets(&proof, target);
	while (error == AT_OK && found)
	{
		error = at_cold_proof_batch(&proof, &batch, &found);
		if (error == AT_OK && found)
			error = at_cold_batch_check(&batch, &proof, &checkpoint, leaf, ROWS);
	}
	return error == AT_OK && at_cold_unproved(leaf, ROWS) != NULL ? AT_ERR_COUNTS : error;
}

static AtError
verify_sealed(size_t len)
{
	AtHash hash;

	at_hash(bytes, len - AT_HASH_LEN, &hash);
	memcpy(bytes + len - AT_HASH_LEN, &hash, AT_HASH_LEN);
	return verify(len);
}

static void
test_proof(void)
{
	AtColdProof proof;
	AtColdTarget target[2];

	check(make_proof() == AT_OK, "a proof is written");
	check(verify(bytes_len) == AT_OK, "and proves all rows");
	check(leaf[0].log_index == 1 && leaf[0].number == 8 && leaf[4].number == 1,
		  "at their places in the log");
	check(at_cold_leaf_find(leaf, ROWS, 15, 3) == &leaf[4] &&
			  at_cold_leaf_find(leaf, ROWS, 15, 1) == NULL &&
			  at_cold_leaf_find(leaf, ROWS, 16, 1) == NULL,
		  "rows are found by their names");
	check(at_cold_proof_read(&proof, (AtText){bytes, bytes_len}) == AT_OK &&
			  proof.kind == AT_COLD_EVENTS && at_text_equal(proof.checkpoint, at_text("a note")) &&
			  at_cold_proof_targets(&proof, target) == AT_OK && proof.batches == 1 &&
			  target[1].target_id == 9 && target[1].table.len == 5 &&
			  target[1].context.data == NULL && target[0].context.len == 5,
		  "what it says is read back");
	leaf[2].hash.bytes[0] ^= 1;
	check(verify(bytes_len) == AT_ERR_BATCH_ROOT, "a row that was changed is not proved");
	leaf[2].hash.bytes[0] ^= 1;
	leaf[2].tx_id = 13;
	check(verify(bytes_len) == AT_ERR_COLD_RUN, "nor one that is missing");
	leaf[2].tx_id = 12;
	leaf[1].ordinal = 3;
	check(verify(bytes_len) == AT_ERR_COLD_RUN, "nor one of another number");
	leaf[1].ordinal = 2;
	checkpoint.root.bytes[0] ^= 1;
	check(verify(bytes_len) == AT_ERR_ROOT, "nor in another log");
	checkpoint.root.bytes[0] ^= 1;
	check(verify(10) == AT_ERR_COLD_PROOF, "a few bytes are no proof");
	check(verify(bytes_len - 1) == AT_ERR_CHECKSUM, "one cut off has not its checksum");
}

/*
 * Is the byte part of what is not verified here: the SHA-256 of the file, the note, and names,
 * which whoever verifies computes the leaves with?
 */
static bool
is_free(size_t at, size_t names, size_t end)
{
	size_t start = 4 + AT_LOG_ID_LEN + 1;

	return (at >= start && at < start + AT_HASH_LEN + 4 + 6) || (at >= names && at < end);
}

static void
test_every_byte(void)
{
	size_t names = 4 + AT_LOG_ID_LEN + 1 + AT_HASH_LEN + 4 + 6 + 4;
	size_t end = names;
	int passed = 0;

	make_proof();
	for (int i = 0; i < 2; i++)
		end += 4 + 4 * 4 + targets[i].schema.len + targets[i].table.len +
			   targets[i].resource_type.len + targets[i].context.len;
	for (size_t at = 0; at < bytes_len - AT_HASH_LEN; at++)
	{
		char was = bytes[at];

		if (is_free(at, names, end))
			continue;
		for (int bit = 0; bit < 8; bit++)
		{
			bytes[at] = was ^ (char) (1 << bit);
			passed += verify_sealed(bytes_len) == AT_OK;
		}
		bytes[at] = was;
	}
	check(passed == 0, "no change of a bit passes");
	check(verify_sealed(bytes_len) == AT_OK, "as it was, it does");
	for (size_t len = bytes_len - 1; len >= AT_HASH_LEN; len--)
	{
		char saved[AT_HASH_LEN];

		memcpy(saved, bytes + len - AT_HASH_LEN, AT_HASH_LEN);
		passed += verify_sealed(len) == AT_OK;
		memcpy(bytes + len - AT_HASH_LEN, saved, AT_HASH_LEN);
	}
	check(passed == 0, "nor does any beginning of it");
}

/* A proof of one batch with these runs and hashes. */
static AtError
verify_batch(const char *runs, size_t runs_len, size_t hashes, uint64_t leaf_count,
			 const char *kind, const uint8_t *ledger)
{
	AtEntryBody entry = {
		.log_id = ledger, .log_index = 0, .kind = span(kind), .leaf_count = leaf_count};
	AtColdProof proof = {.log_id = log_id};
	AtColdBatch batch = {.runs = {runs, runs_len}, .hashes = {bytes, hashes * AT_HASH_LEN}};
	AtCheckpoint one = {.size = 1};

	at_entry_body_write(&entry, (uint8_t *) entry_bytes);
	batch.bytes = (AtText){entry_bytes, at_entry_body_size(&entry)};
	at_entry_body_read(&batch.entry, (uint8_t *) entry_bytes, batch.bytes.len);
	at_hash_leaf(batch.bytes.data, batch.bytes.len, &one.root);
	for (int i = 0; i < ROWS; i++)
		leaf[i].is_proved = false;
	return at_cold_batch_check(&batch, &proof, &one, leaf, ROWS);
}

static void
test_odd_batches(void)
{
	uint8_t other[AT_LOG_ID_LEN] = "another";
	char huge[] = "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\0\0\0";

	make_proof();
	check(verify_batch("", 0, 1, 4, "boot", log_id) == AT_ERR_ENTRY, "an entry that is no batch");
	check(verify_batch("", 0, 1, 0, "events", log_id) == AT_ERR_ENTRY, "a batch without leaves");
	check(verify_batch("", 0, 1, UINT64_MAX, "events", log_id) == AT_ERR_ENTRY, "one of too many");
	check(verify_batch("", 0, 1, 4, "events", other) == AT_ERR_LEDGER, "one of another ledger");
	check(verify_batch("", 0, 1, 4, "events", log_id) == AT_ERR_BATCH_ROOT, "another root");
	check(verify_batch("", 0, 2, 4, "events", log_id) == AT_ERR_SURPLUS_HASHES, "hashes left over");
	check(verify_batch("", 0, 0, 4, "events", log_id) == AT_ERR_MISSING_HASHES, "hashes missing");
	check(verify_batch("\0", 1, 1, 4, "events", log_id) == AT_ERR_COLD_PROOF, "half a run");
	check(verify_batch(huge, 13, 1, 4, "events", log_id) == AT_ERR_COLD_PROOF, "a run beyond all");
	check(verify_batch("\xff\xff\xff\xff\xff\xff\xff\xff\x7f\x14\1\1", 12, 1, 4, "events",
					   log_id) == AT_ERR_COLD_PROOF,
		  "a run that ends beyond all");
	check(at_cold_unproved(leaf, ROWS) == leaf, "rows that no batch has are not proved");
	check(verify_batch("\0\x14\1\0", 4, 1, 4, "events", log_id) == AT_ERR_COLD_RUN, "an empty run");
	check(verify_batch("\0\x14\1\7", 4, 1, 4, "events", log_id) == AT_ERR_COLD_RUN, "a long one");
	check(verify_batch("\4\x14\1\1", 4, 1, 4, "events", log_id) == AT_ERR_COLD_RUN,
		  "one behind the last leaf");
	check(verify_batch("\0\x14\1\1\0\0\1\1", 8, 1, 4, "events", log_id) == AT_ERR_COLD_RUN,
		  "a row that is there twice");
	check(verify_batch("\0\x14\1\1\0\0\2\1", 8, 1, UINT64_C(1) << 62, "events", log_id) ==
			  AT_ERR_MISSING_HASHES,
		  "two of very many leaves");
}

static bool
verifies(void)
{
	return verify(bytes_len) == AT_OK;
}

static bool
hashes_events(void)
{
	AtCold cold = {.kind = AT_COLD_EVENTS};
	size_t len;

	return at_cold_read(&cold, (AtText){segment, ROOM}, &len) == AT_OK &&
		   hash_rows(&cold, NULL) == AT_OK;
}

static bool
writes_hashes(void)
{
	AtHash leaves[7] = {0};
	AtColdRun run = {0, 10, 1, 1};
	char out[3 * AT_HASH_LEN];
	AtWriter writer = at_writer(out, sizeof(out));

	return at_cold_hashes_write(&writer, leaves, lengthof(leaves), &run, 1) == AT_OK;
}

static void
test_failures(void)
{
	make_proof();
	check_failures(verifies, 44, "to verify fails with libcrypto");
	check_failures(writes_hashes, 12, "to write hashes fails with libcrypto");
	make_segment(AT_COLD_EVENTS, "value");
	check_failures(hashes_events, 24, "to hash events fails with libcrypto");
	make_segment(AT_COLD_TRANSACTIONS, "value");
	check_failures(hashes_events, 8, "to hash transactions fails with libcrypto");
}

int
main(void)
{
	test_rows();
	test_odd_rows();
	test_proof();
	test_every_byte();
	test_odd_batches();
	test_failures();
	return check_done();
}
