/*-------------------------------------------------------------------------
 * test_event_proof.c
 *		Proofs of events: made, read, verified; with anything changed, refused.
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "core/event_proof.h"
#include "core/merkle.h"

#define EVENTS   5
#define LEAVES   (EVENTS + 1) /* and their transaction */
#define ENTRIES  3
#define BATCH    1 /* the entry that is the batch */
#define BODY_MAX 300

/* A ledger with one batch. */
typedef struct Ledger
{
	AtPrivateKey key;
	char body[LEAVES][BODY_MAX];
	size_t body_len[LEAVES];
	AtHash leaf[LEAVES];
	char entry[ENTRIES][BODY_MAX];
	size_t entry_len[ENTRIES];
	AtHash entry_leaf[ENTRIES];
	char note[500];
	size_t note_len;
} Ledger;

static const uint8_t log_id[AT_LOG_ID_LEN] = {1, 2, 3};
static const uint8_t other_id[AT_LOG_ID_LEN] = {4, 5, 6};

static Ledger ledger;
static char file[5000]; /* the proof of event 3 */
static size_t file_len;

static void make_ledger(Ledger *made, const char *kind, const uint8_t *body_id);
static void make_bodies(Ledger *made, const uint8_t *id);
static void make_entries(Ledger *made, const char *kind);
static void sign_log(Ledger *made);
static bool subtree_of(void *leaves, int level, uint64_t index, AtHash *root);
static AtEventProof make_proof(Ledger *from, int number);
static size_t write_proof(const AtEventProof *proof, char *out, size_t size);
static AtError verify(AtText text, AtProven *proven);
static AtError verify_proof(const AtEventProof *proof);
static AtError read_extra(const char *hex);

static void
test_all_leaves(void)
{
	for (int i = 0; i < LEAVES; i++)
	{
		static char text[5000];
		AtEventProof proof = make_proof(&ledger, i);
		AtProven proven;
		AtText bytes = {text, write_proof(&proof, text, sizeof(text))};

		check(verify(bytes, &proven) == AT_OK, "the proof of a leaf is made, read and verified");
		check(proven.is_event == (i < EVENTS) && proven.entry.log_index == BATCH &&
				  proven.checkpoint.size == ENTRIES,
			  "it tells what has been proved");
		check(proven.is_event ? proven.event.ordinal == (uint32_t) i + 1
							  : proven.transaction.event_count == EVENTS,
			  "of which event or transaction");
	}
}

/* It is a tlog-proof of the entry for those who know no more. */
static void
test_tlog_proof(void)
{
	AtTrust trust = {.log_key = &ledger.key.public_key};
	AtCheckpoint checkpoint;
	AtTlogProof proof;

	check(at_tlog_proof_read(&proof, (AtText){file, file_len}) == AT_OK &&
			  at_tlog_proof_verify(&proof, &ledger.entry_leaf[BATCH], &trust, &checkpoint) == AT_OK,
		  "a proof of an event is a proof of its entry");
}

static void
test_damage(void)
{
	AtProven proven;
	int refused = 0;

	for (size_t bit = 0; bit < 8 * file_len; bit++)
	{
		file[bit / 8] ^= (char) (1 << bit % 8);
		refused += verify((AtText){file, file_len}, &proven) != AT_OK;
		file[bit / 8] ^= (char) (1 << bit % 8);
	}
	check(refused == 8 * (int) file_len, "with any bit flipped it is refused");

	refused = 0;
	for (size_t cut = 0; cut < file_len; cut++)
		refused += verify((AtText){file, cut}, &proven) != AT_OK;
	check(refused == (int) file_len, "cut off anywhere it is refused");
}

/* Many proofs under one checkpoint, which is verified once. */
static void
test_one_checkpoint(void)
{
	AtTrust trust = {.log_key = &ledger.key.public_key};
	AtCheckpoint checkpoint;
	AtProven proven;
	AtEventProof proof = make_proof(&ledger, 2);

	check(at_checkpoint_open(&checkpoint, proof.log.checkpoint, &trust) == AT_OK, "a checkpoint");
	proof.log.checkpoint = (AtText){"", 0};
	check(at_event_proof_verify_in(&proof, &checkpoint, &proven) == AT_OK &&
			  proven.checkpoint.size == ENTRIES && proven.event.ordinal == 3,
		  "a proof holds under it");
	checkpoint.root.bytes[0] ^= 1;
	check(at_event_proof_verify_in(&proof, &checkpoint, &proven) == AT_ERR_ROOT,
		  "and not under another one");
}

/* What a forger could put together from true parts. */
static void
test_parts(void)
{
	AtEventProof proof = make_proof(&ledger, 2);
	AtEventProof other = make_proof(&ledger, 3);

	check(verify_proof(&proof) == AT_OK, "the parts fit");
	proof.body = other.body;
	check(verify_proof(&proof) == AT_ERR_BATCH, "another event does not");
	proof = make_proof(&ledger, 2);
	proof.number = 3;
	check(verify_proof(&proof) == AT_ERR_BATCH, "nor another place in the batch");
	proof.number = LEAVES;
	check(verify_proof(&proof) == AT_ERR_BATCH, "nor one behind it");
	proof = make_proof(&ledger, 2);
	proof.path = other.path;
	check(verify_proof(&proof) == AT_ERR_BATCH, "nor another's path");
	proof.path.count--;
	check(verify_proof(&proof) == AT_ERR_BATCH, "nor a path too short");

	proof = make_proof(&ledger, 2);
	proof.entry = (AtText){ledger.entry[0], ledger.entry_len[0]};
	check(verify_proof(&proof) == AT_ERR_ROOT, "nor another entry");
	proof = make_proof(&ledger, 2);
	proof.log.index = 0;
	check(verify_proof(&proof) == AT_ERR_ROOT, "nor another place in the log");
	proof = make_proof(&ledger, 2);
	proof.log.checkpoint.len--;
	check(verify_proof(&proof) != AT_OK, "nor a note that is cut off");

	proof = make_proof(&ledger, 2);
	proof.body = (AtText){"", 0};
	check(verify_proof(&proof) == AT_ERR_BATCH, "nor nothing");
}

/* What the log itself has signed, but nobody should believe. */
static void
test_signed_nonsense(void)
{
	static Ledger odd;
	AtEventProof proof;

	make_ledger(&odd, "boot", log_id);
	proof = make_proof(&odd, 2);
	check(verify_proof(&proof) == AT_ERR_ENTRY, "an entry that is no batch has no events");

	make_ledger(&odd, "events", other_id);
	proof = make_proof(&odd, 2);
	check(verify_proof(&proof) == AT_ERR_BODY, "an event of another ledger is none of this log");

	/* a leaf that is no body, an entry that is none, one that stands elsewhere than it says */
	make_ledger(&odd, "events", log_id);
	odd.body[2][0] ^= 1;
	at_hash_leaf(odd.body[2], odd.body_len[2], &odd.leaf[2]);
	make_entries(&odd, "events");
	sign_log(&odd);
	proof = make_proof(&odd, 2);
	check(verify_proof(&proof) == AT_ERR_BODY, "what is no event is none");

	odd.entry[BATCH][0] ^= 1;
	at_hash_leaf(odd.entry[BATCH], odd.entry_len[BATCH], &odd.entry_leaf[BATCH]);
	sign_log(&odd);
	proof = make_proof(&odd, 2);
	check(verify_proof(&proof) == AT_ERR_ENTRY, "what is no entry is none");

	odd.entry[BATCH][0] ^= 1;
	odd.entry[BATCH][27] ^= 1; /* the last byte of log_index */
	at_hash_leaf(odd.entry[BATCH], odd.entry_len[BATCH], &odd.entry_leaf[BATCH]);
	sign_log(&odd);
	proof = make_proof(&odd, 2);
	check(verify_proof(&proof) == AT_ERR_ENTRY, "an entry must be where it says");
}

static void
test_extra(void)
{
	static char hex[6000];

	check(read_extra("41544931"
					 "0000000000000007"
					 "0000000161"
					 "0000000162") == AT_OK,
		  "the shortest extra");
	check(read_extra("") == AT_ERR_EVENT_PROOF, "nothing");
	check(read_extra("41544930"
					 "0000000000000007"
					 "0000000161"
					 "0000000162") == AT_ERR_EVENT_PROOF,
		  "another magic");
	check(read_extra("4154493100000000000000") == AT_ERR_EVENT_PROOF, "half a number");
	check(read_extra("41544931"
					 "0000000000000007"
					 "000001") == AT_ERR_EVENT_PROOF,
		  "half a length");
	check(read_extra("41544931"
					 "0000000000000007"
					 "0000000261") == AT_ERR_EVENT_PROOF,
		  "a body too short");
	check(read_extra("41544931"
					 "0000000000000007"
					 "0000000161"
					 "ffffffff62") == AT_ERR_EVENT_PROOF,
		  "an entry too short");
	check(read_extra("41544931"
					 "0000000000000007"
					 "0000000161"
					 "0000000162"
					 "00") == AT_ERR_EVENT_PROOF,
		  "part of a hash");

	char *hashes = hex + snprintf(hex, sizeof(hex), "%s",
								  "41544931"
								  "0000000000000007"
								  "0000000161"
								  "0000000162");

	memset(hashes, '0', AT_PROOF_MAX * 64);
	check(read_extra(hex) == AT_OK, "as many hashes as a proof can have");
	memset(hashes, '0', (AT_PROOF_MAX + 1) * 64);
	check(read_extra(hex) == AT_ERR_EVENT_PROOF, "one more");
}

static void
test_rooms(void)
{
	AtEventProof proof = make_proof(&ledger, 2);
	static char room[AT_EVENT_PROOF_ROOM(BODY_MAX, BODY_MAX)];
	static char text[5000];
	AtWriter writer = at_writer(text, sizeof(text));
	int refused = 0;
	size_t raw =
		4 + 8 + 4 + proof.body.len + 4 + proof.entry.len + (size_t) proof.path.count * AT_HASH_LEN;
	size_t need = raw + AT_BASE64_LEN(raw);

	check(need <= sizeof(room), "the room that the header says is enough");
	for (size_t size = 0; size < need; size += 7)
		refused += at_event_proof_write(&writer, &proof, room, size) == AT_ERR_NO_ROOM;
	check(refused == (int) (need + 6) / 7 && writer.len == 0, "less is refused");
	check(at_event_proof_write(&writer, &proof, room, need) == AT_OK, "so much is enough");
	writer = at_writer(text, 100);
	check(at_event_proof_write(&writer, &proof, room, need) == AT_ERR_NO_ROOM,
		  "unless the text has no room");

	check(at_event_proof_read(&proof, (AtText){file, file_len}, room, raw - 1) == AT_ERR_NO_ROOM &&
			  at_event_proof_read(&proof, (AtText){file, file_len}, room, raw) == AT_OK,
		  "reading needs as much as there is");
	check(at_event_proof_read(&proof, at_text("c2sp.org/tlog-proof@v1\nindex 0\n\n"), room,
							  sizeof(room)) == AT_ERR_EVENT_PROOF,
		  "a proof without extra is none of an event");
	check(at_event_proof_read(&proof, at_text("hello"), room, sizeof(room)) == AT_ERR_PROOF_LINE,
		  "nor is what is no proof");
}

static bool
call_verify(void)
{
	AtProven proven;

	return verify((AtText){file, file_len}, &proven) != AT_ERR_LIBCRYPTO;
}

int
main(void)
{
	AtEventProof proof;

	make_ledger(&ledger, "events", log_id);
	proof = make_proof(&ledger, 2);
	file_len = write_proof(&proof, file, sizeof(file));
	test_all_leaves();
	test_tlog_proof();
	test_damage();
	test_one_checkpoint();
	test_parts();
	test_signed_nonsense();
	test_extra();
	test_rooms();
	check_failures(call_verify, 31, "at_event_proof_verify reports every failure of libcrypto");
	return check_done();
}

static void
make_ledger(Ledger *made, const char *kind, const uint8_t *body_id)
{
	static const uint8_t seed[AT_ED25519_SEED_LEN] = {7};

	memset(made, 0, sizeof(*made));
	at_key_make_private(&made->key, AT_KEY_NOTE, at_text("log"), seed);
	make_bodies(made, body_id);
	make_entries(made, kind);
	sign_log(made);
}

static void
make_bodies(Ledger *made, const uint8_t *id)
{
	AtTransactionBody transaction = {.log_id = id, .tx_id = 7, .event_count = EVENTS};

	for (uint32_t i = 0; i < LEAVES; i++)
	{
		AtEventBody event = {.log_id = id, .tx_id = 7, .ordinal = i + 1, .op = 'I'};
		uint8_t *start = (uint8_t *) made->body[i];
		uint8_t *end = i < EVENTS ? at_event_body_write(&event, start)
								  : at_transaction_body_write(&transaction, start);

		made->body_len[i] = (size_t) (end - start);
		at_hash_leaf(start, made->body_len[i], &made->leaf[i]);
	}
}

static void
make_entries(Ledger *made, const char *kind)
{
	for (uint64_t i = 0; i < ENTRIES; i++)
	{
		AtEntryBody entry = {.log_id = log_id,
							 .log_index = i,
							 .kind = {kind, (uint32_t) strlen(kind)},
							 .leaf_count = LEAVES};
		uint8_t *start = (uint8_t *) made->entry[i];

		at_proof_make_root(&entry.root, LEAVES, subtree_of, made->leaf);
		made->entry_len[i] = (size_t) (at_entry_body_write(&entry, start) - start);
		at_hash_leaf(start, made->entry_len[i], &made->entry_leaf[i]);
	}
}

static void
sign_log(Ledger *made)
{
	AtCheckpoint checkpoint = {.origin = at_text("log"), .size = ENTRIES};
	AtWriter writer = at_writer(made->note, sizeof(made->note));

	at_proof_make_root(&checkpoint.root, ENTRIES, subtree_of, made->entry_leaf);
	at_checkpoint_sign(&writer, &checkpoint, &made->key);
	made->note_len = writer.len;
}

static bool
subtree_of(void *leaves, int level, uint64_t index, AtHash *root)
{
	const AtHash *leaf = leaves;
	AtMerkle tree;

	at_merkle_init(&tree);
	for (uint64_t i = index << level; i < (index + 1) << level; i++)
		at_merkle_add(&tree, &leaf[i]);
	return at_merkle_root(&tree, root);
}

static AtEventProof
make_proof(Ledger *from, int number)
{
	AtEventProof proof = {.body = {from->body[number], from->body_len[number]},
						  .number = (uint64_t) number,
						  .entry = {from->entry[BATCH], from->entry_len[BATCH]},
						  .log = {.index = BATCH, .checkpoint = {from->note, from->note_len}}};

	at_proof_make_inclusion(&proof.path, proof.number, LEAVES, subtree_of, from->leaf);
	at_proof_make_inclusion(&proof.log.proof, BATCH, ENTRIES, subtree_of, from->entry_leaf);
	return proof;
}

static size_t
write_proof(const AtEventProof *proof, char *out, size_t size)
{
	static char room[AT_EVENT_PROOF_ROOM(BODY_MAX, BODY_MAX)];
	AtWriter writer = at_writer(out, size);

	return at_event_proof_write(&writer, proof, room, sizeof(room)) == AT_OK ? writer.len : 0;
}

static AtError
verify(AtText text, AtProven *proven)
{
	static char room[AT_EVENT_PROOF_EXTRA_LEN(BODY_MAX, BODY_MAX)];
	AtTrust trust = {.log_key = &ledger.key.public_key};
	AtEventProof proof;
	AtError error = at_event_proof_read(&proof, text, room, sizeof(room));

	return error != AT_OK ? error : at_event_proof_verify(&proof, &trust, proven);
}

/* By way of its text. */
static AtError
verify_proof(const AtEventProof *proof)
{
	static char text[5000];
	AtProven proven;

	return verify((AtText){text, write_proof(proof, text, sizeof(text))}, &proven);
}

static AtError
read_extra(const char *hex)
{
	static uint8_t bytes[5000];
	static char room[5000];
	static char text[10000];
	AtWriter writer = at_writer(text, sizeof(text));
	AtEventProof proof;
	size_t len = from_hex(hex, bytes, sizeof(bytes));

	at_write_string(&writer, "c2sp.org/tlog-proof@v1\nextra ");
	at_write_base64(&writer, bytes, len);
	at_write_string(&writer, "\nindex 0\n\n");
	return at_event_proof_read(&proof, (AtText){text, writer.len}, room, sizeof(room));
}
