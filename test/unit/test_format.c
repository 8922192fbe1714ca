/*-------------------------------------------------------------------------
 * test_format.c
 *		The example of doc/format.md, computed anew: each of its bytes, hashes
 *		and signatures stands there.
 *
 * White space is left out on both sides: the document breaks its lines.
 *-------------------------------------------------------------------------
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "core/body.h"
#include "core/cosignature.h"
#include "core/event_proof.h"
#include "core/merkle.h"
#include "core/tile.h"

#define TX_AT INT64_C(1795330800000000)
#define SHOP  "audit.example/shop"

/* A body of the example. */
typedef struct Body
{
	uint8_t bytes[400];
	size_t len;
	AtHash hash;
	AtHash leaf;
} Body;

static const uint8_t log_id[AT_LOG_ID_LEN] = {0,    1, 2,  3,  4,  5,  0x46, 7,
											  0x88, 9, 10, 11, 12, 13, 14,   15};

static char document[40000]; /* without white space */

static struct
{
	Body session;
	Body event[2];
	Body transaction;
	Body entry[2];
	AtHash chain[3];
	AtMerkle batch;
	AtMerkle log;
} example;

static void read_document(void);
static bool stands_there(const char *text);
static bool has_bytes(const char *label, const void *bytes, size_t len);
static bool has_hash(const char *label, const AtHash *hash);
static bool has_body(const Body *body);
static AtSpan span(const char *string);
static void finish(Body *body, const uint8_t *end);

static void
test_session(void)
{
	AtSessionBody body = {.log_id = log_id,
						  .session_id = 1,
						  .started_at = INT64_C(1795330000000000),
						  .backend_pid = 4242,
						  .login_user = span("shop")};

	finish(&example.session, at_session_body_write(&body, example.session.bytes));
	check(has_body(&example.session), "the session");
	check(has_hash("H", &example.session.hash), "its hash");
}

static void
test_events(void)
{
	AtEventBody body = {.log_id = log_id,
						.tx_id = 7,
						.ordinal = 1,
						.tx_at = TX_AT,
						.occurred_at = TX_AT + 100,
						.op = 'I',
						.schema = span("public"),
						.table = span("orders"),
						.resource_type = span("order"),
						.record_key = span("42"),
						.new_values = span("{\"id\":42,\"total\":10.50}")};

	finish(&example.event[0], at_event_body_write(&body, example.event[0].bytes));
	body.ordinal = 2;
	body.occurred_at = TX_AT + 150;
	body.op = 'U';
	body.old_values = span("{\"total\":10.50}");
	body.new_values = span("{\"total\":11.00}");
	finish(&example.event[1], at_event_body_write(&body, example.event[1].bytes));

	at_chain_start(log_id, 7, &example.chain[0]);
	for (int i = 0; i < 2; i++)
	{
		check(has_body(&example.event[i]), "an event");
		check(has_hash("leaf", &example.event[i].leaf), "its leaf");
		example.chain[i + 1] = example.chain[i];
		at_chain_add(&example.chain[i + 1], &example.event[i].leaf);
	}
	check(has_hash("c(0)", &example.chain[0]), "the start of the chain");
	check(has_hash("c(1)", &example.chain[1]), "a step of it");
	check(has_hash("c(2)", &example.chain[2]), "its end");
}

static void
test_transaction(void)
{
	AtTransactionBody body = {.log_id = log_id,
							  .tx_id = 7,
							  .tx_at = TX_AT,
							  .committed_at = TX_AT + 200,
							  .xid = 731,
							  .session_id = 1,
							  .event_count = 2,
							  .digest = example.chain[2],
							  .system_identifier = UINT64_C(7300000000000000001),
							  .database_oid = 16384,
							  .actor = span("anna"),
							  .actor_source = span("setting"),
							  .db_user = span("shop"),
							  .db_role = span("shop"),
							  .session_digest = {&example.session.hash, AT_HASH_LEN}};

	finish(&example.transaction, at_transaction_body_write(&body, example.transaction.bytes));
	check(has_body(&example.transaction), "the transaction");
	check(has_hash("leaf", &example.transaction.leaf), "its leaf");
}

static void
test_batch(void)
{
	static AtTile tile;
	uint8_t owners[AT_RUN_LEN];
	AtHash hash;

	at_tile_init(&tile);
	at_merkle_init(&example.batch);
	for (uint32_t i = 0; i < 2; i++)
	{
		at_tile_add_event(&tile, 7, i + 1, &example.event[i].leaf);
		at_merkle_add(&example.batch, &example.event[i].leaf);
	}
	at_merkle_root(&example.batch, &hash);
	check(has_hash("node(event1,event2)", &hash), "the node above the events");

	at_tile_add_transaction(&tile, 7, &example.transaction.leaf);
	at_merkle_add(&example.batch, &example.transaction.leaf);
	at_merkle_root(&example.batch, &hash);
	check(has_hash("root", &hash), "the root of the batch");
	at_tile_write_owners(&tile, owners);
	check(tile.run_count == 1 && has_bytes("owners", owners, sizeof(owners)),
		  "the owners of its leaves");
}

static void
test_entries(void)
{
	AtEntryBody boot = {.log_id = log_id,
						.sealed_at = INT64_C(1795330700000000),
						.incarnation = 1,
						.kind = span("boot"),
						.snapshot = span("1:1:"),
						.payload = span("{\"incarnation\":1,\"system_identifier\":"
										"\"7300000000000000001\",\"database_oid\":16384,"
										"\"reason\":\"ledger created\"}")};
	AtEntryBody batch = {.log_id = log_id,
						 .log_index = 1,
						 .sealed_at = INT64_C(1795330801000000),
						 .incarnation = 1,
						 .kind = span("events"),
						 .leaf_count = 3,
						 .tx_count = 1,
						 .event_count = 2,
						 .first_tx_at = TX_AT,
						 .last_tx_at = TX_AT,
						 .snapshot = span("732:732:")};
	AtHash root;

	at_hash(NULL, 0, &boot.root);
	finish(&example.entry[0], at_entry_body_write(&boot, example.entry[0].bytes));
	batch.previous = example.entry[0].hash;
	at_merkle_root(&example.batch, &batch.root);
	finish(&example.entry[1], at_entry_body_write(&batch, example.entry[1].bytes));

	at_merkle_init(&example.log);
	for (int i = 0; i < 2; i++)
	{
		check(has_body(&example.entry[i]), "an entry");
		check(has_hash("leaf", &example.entry[i].leaf), "its leaf");
		at_merkle_add(&example.log, &example.entry[i].leaf);
	}
	check(has_hash("H", &example.entry[0].hash), "the hash of the first");
	at_merkle_root(&example.log, &root);
	check(has_hash("root of the log", &root), "the root of the log");
}

static AtPrivateKey
make_key(AtKeyType type, const char *name, uint8_t first)
{
	uint8_t seed[AT_ED25519_SEED_LEN];
	char text[AT_PRIVATE_KEY_TEXT_MAX + 1] = "";
	AtWriter writer = at_writer(text, sizeof(text) - 1);
	AtPrivateKey key;

	for (int i = 0; i < AT_ED25519_SEED_LEN; i++)
		seed[i] = (uint8_t) (first + i);
	at_key_make_private(&key, type, at_text(name), seed);
	at_key_write_public(&writer, &key.public_key);
	check(stands_there(text), "a public key");
	if (type != AT_KEY_NOTE)
		return key;

	memset(text, 0, sizeof(text));
	writer.len = 0;
	at_key_write_private(&writer, &key);
	check(stands_there(text), "a private key");
	return key;
}

/* The checkpoint, cosigned; its length. */
static size_t
test_checkpoint(const AtPrivateKey *log_key, const AtPrivateKey *witness, char *note, size_t size)
{
	AtCheckpoint checkpoint = {.origin = at_text(SHOP), .size = 2};
	AtWriter writer = at_writer(note, size - 1);

	at_merkle_root(&example.log, &checkpoint.root);
	at_checkpoint_write(&writer, &checkpoint);

	size_t text_len = writer.len;

	writer.len = 0;
	at_checkpoint_sign(&writer, &checkpoint, log_key);
	at_cosignature_sign(&writer, (AtText){note, text_len}, 1795330802, witness);
	note[writer.len] = '\0';
	check(stands_there(note), "the checkpoint");
	return writer.len;
}

/* The proof of the second event. */
static void
test_proof(void)
{
	AtPrivateKey log_key = make_key(AT_KEY_NOTE, SHOP, 0);
	AtPrivateKey witness = make_key(AT_KEY_COSIGNATURE, "witness.example/w1", 32);
	AtTrust trust = {&log_key.public_key, &witness.public_key, 1, 1};
	AtEventProof proof = {
		.body = {(const char *) example.event[1].bytes, example.event[1].len},
		.number = 1,
		.path = {.count = 2, .hash = {example.event[0].leaf, example.transaction.leaf}},
		.entry = {(const char *) example.entry[1].bytes, example.entry[1].len},
		.log = {.index = 1, .proof = {.count = 1, .hash = {example.entry[0].leaf}}}};
	char note[1000];
	char room[AT_EVENT_PROOF_ROOM(400, 400)];
	char text[2000] = "";
	AtWriter file = at_writer(text, sizeof(text) - 1);
	AtProven proven;
	size_t note_len = test_checkpoint(&log_key, &witness, note, sizeof(note));

	check(at_event_proof_write(&file, &proof, room, sizeof(room)) == AT_OK && stands_there(text),
		  "the proof");
	proof.log.checkpoint = (AtText){note, note_len};
	check(at_event_proof_verify(&proof, &trust, &proven) == AT_OK && proven.event.ordinal == 2,
		  "it is verified");
}

int
main(void)
{
	read_document();
	check(!has_bytes("leaf", log_id, sizeof(log_id)), "what does not stand there is not found");
	test_session();
	test_events();
	test_transaction();
	test_batch();
	test_entries();
	test_proof();
	return check_done();
}

static void
read_document(void)
{
	FILE *file = fopen(DOC "/format.md", "r");
	size_t len = 0;
	int c;

	if (file == NULL)
		abort();
	while ((c = getc(file)) != EOF)
		if (!isspace(c) && len < sizeof(document) - 1)
			document[len++] = (char) c;
	fclose(file);
	check(len < sizeof(document) - 1, "the document is read");
}

static bool
stands_there(const char *text)
{
	char packed[2000];
	size_t len = 0;

	for (; *text != '\0' && len < sizeof(packed) - 1; text++)
		if (!isspace((unsigned char) *text))
			packed[len++] = *text;
	packed[len] = '\0';
	return len > 0 && strstr(document, packed) != NULL;
}

/* In hexadecimal, behind the label. */
static bool
has_bytes(const char *label, const void *bytes, size_t len)
{
	char text[50 + 2 * 400];
	size_t end = (size_t) snprintf(text, sizeof(text), "%s", label);

	for (size_t i = 0; i < len; i++)
		end +=
			(size_t) snprintf(text + end, sizeof(text) - end, "%02x", ((const uint8_t *) bytes)[i]);
	return stands_there(text);
}

static bool
has_hash(const char *label, const AtHash *hash)
{
	return has_bytes(label, hash->bytes, AT_HASH_LEN);
}

static bool
has_body(const Body *body)
{
	return has_bytes("", body->bytes, body->len);
}

static AtSpan
span(const char *string)
{
	return (AtSpan){string, (uint32_t) strlen(string)};
}

static void
finish(Body *body, const uint8_t *end)
{
	body->len = (size_t) (end - body->bytes);
	at_hash(body->bytes, body->len, &body->hash);
	at_hash_leaf(body->bytes, body->len, &body->leaf);
}
