/*-------------------------------------------------------------------------
 * test_destruction.c
 *		Certificates of destruction: written, read, verified; whatever does not
 *		fit together is refused, also where the log has sealed it.
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "core/bytes.h"
#include "core/destruction.h"
#include "core/merkle.h"

#define FIRST   1 /* log_index of the request; the order is two behind it */
#define ENTRIES (FIRST + AT_DESTRUCTION_STEPS)
#define ROOM    20000

#define REQUEST  AT_DESTRUCTION_REQUEST
#define APPROVAL AT_DESTRUCTION_APPROVAL
#define ORDER    AT_DESTRUCTION_ORDER
#define DONE     AT_DESTRUCTION_DONE

/* A log with one destruction, and its certificate. */
typedef struct Made
{
	const char *kind[AT_DESTRUCTION_STEPS];
	char payload[AT_DESTRUCTION_STEPS][1000];
	uint64_t log_index[AT_DESTRUCTION_STEPS];
	uint8_t leaves[200];
	uint8_t sessions[200];
	uint32_t leaves_len;
	uint32_t sessions_len;

	char entry[ENTRIES][1500];
	AtHash leaf[ENTRIES];
	AtCheckpoint checkpoint;
	AtDestruction destruction;
} Made;

static const uint8_t log_id[AT_LOG_ID_LEN] = {1, 2, 3};
static const uint8_t other_id[AT_LOG_ID_LEN] = {4, 5, 6};
static Made made;

static void make_purge(void);
static void make_erasure(void);
static void add_run(uint64_t log_index, uint32_t first, uint32_t count);
static void order(unsigned events, unsigned transactions, unsigned sessions, unsigned batches);
static void make_log(void);
static AtError verify(void);
static AtError read_text(AtText text, size_t room);

static void
test_purge(void)
{
	AtDestroyed destroyed;
	AtText reason;

	make_purge();
	check(verify() == AT_OK, "the certificate of a purge");
	check(at_destruction_verify_in(&made.destruction, &made.checkpoint, &destroyed) == AT_OK &&
			  destroyed.is_purge && destroyed.events == 7 && destroyed.transactions == 2 &&
			  destroyed.sessions == 1 && destroyed.batches == 2,
		  "it tells how much has gone");
	check(at_destruction_member(&destroyed.entry[REQUEST], "reason", &reason) &&
			  at_text_equal(reason, at_text("the law")) &&
			  !at_destruction_member(&destroyed.entry[REQUEST], "nothing", &reason),
		  "and what the entries say");
	check(at_destruction_has(&made.destruction, 0, 2) &&
			  at_destruction_has(&made.destruction, 0, 4) &&
			  at_destruction_has(&made.destruction, 0, 9) &&
			  at_destruction_has(&made.destruction, 1, 0),
		  "and which leaves");
	check(!at_destruction_has(&made.destruction, 0, 1) &&
			  !at_destruction_has(&made.destruction, 0, 5) &&
			  !at_destruction_has(&made.destruction, 1, 4) &&
			  !at_destruction_has(&made.destruction, 2, 0),
		  "and which not");
}

static void
test_erasure(void)
{
	AtDestroyed destroyed;

	make_erasure();
	check(verify() == AT_OK, "the certificate of an erasure");
	check(at_destruction_verify_in(&made.destruction, &made.checkpoint, &destroyed) == AT_OK &&
			  !destroyed.is_purge && destroyed.events == 0,
		  "it is none of a purge");
	check(!at_destruction_has(&made.destruction, 0, 0), "and has no leaves");
	made.destruction.leaves = at_text("0123456789abcdef");
	check(verify() == AT_ERR_DESTRUCTION_LIST, "nor may it have any");
}

static AtError
rebuilt(void)
{
	make_log();
	return verify();
}

/* What the log has sealed, but is no destruction by two. */
static void
test_sealed_nonsense(void)
{
	make_purge();
	made.kind[APPROVAL] = "refuse";
	check(rebuilt() == AT_ERR_DESTRUCTION_PARTS, "refused is not approved");
	make_purge();
	made.kind[REQUEST] = "hold";
	check(rebuilt() == AT_ERR_DESTRUCTION_PARTS, "a hold is no request");
	make_purge();
	made.kind[DONE] = "purge_cancelled";
	check(rebuilt() == AT_ERR_DESTRUCTION_PARTS, "what was cancelled was not carried out");
	make_purge();
	made.kind[ORDER] = "events";
	check(rebuilt() == AT_ERR_DESTRUCTION_PARTS, "a batch is no order");
	make_purge();
	strcpy(made.payload[REQUEST], "{\"kind\":\"purge\",\"reason\":\"the law\",\"by\":\"bob\"}");
	check(rebuilt() == AT_ERR_DESTRUCTION_PARTS, "the order names somebody else than has asked");
	make_purge();
	strcpy(made.payload[APPROVAL], "{\"request\":1,\"by\":\"mona\",\"note\":\"fine\"}");
	check(rebuilt() == AT_ERR_DESTRUCTION_PARTS, "nobody approves his own");
	make_purge();
	strcpy(made.payload[REQUEST], "{\"kind\":\"release_hold\",\"by\":\"mona\"}");
	check(rebuilt() == AT_ERR_DESTRUCTION_PARTS, "something else was asked for");
	make_purge();
	strcpy(made.payload[APPROVAL], "{\"request\":0,\"by\":\"bob\"}");
	check(rebuilt() == AT_ERR_DESTRUCTION_PARTS, "something else was approved");
	make_purge();
	strcpy(made.payload[DONE], "{\"deletion\":2,\"events\":7,\"transactions\":2}");
	check(rebuilt() == AT_ERR_DESTRUCTION_PARTS, "another order was carried out");
	make_purge();
	strcpy(made.payload[DONE], "{\"deletion\":3,\"events\":6,\"transactions\":2}");
	check(rebuilt() == AT_ERR_DESTRUCTION_PARTS, "fewer events have gone");
	make_purge();
	strcpy(made.payload[DONE], "{\"deletion\":3,\"events\":7,\"transactions\":1}");
	check(rebuilt() == AT_ERR_DESTRUCTION_PARTS, "fewer transactions have gone");
	make_purge();
	strcpy(made.payload[DONE], "no json");
	check(rebuilt() == AT_ERR_DESTRUCTION_PARTS, "a payload is no JSON");
	make_purge();
	made.payload[DONE][0] = '\0';
	check(rebuilt() == AT_ERR_DESTRUCTION_PARTS, "a payload is missing");
	make_purge();
	made.log_index[REQUEST] = 2;
	made.log_index[APPROVAL] = 1;
	check(rebuilt() == AT_ERR_DESTRUCTION_PARTS, "approved before it was asked for");
}

/* Lists that are not what the order says, or none at all. */
static void
test_lists(void)
{
	make_purge();
	made.leaves[15]++;
	check(verify() == AT_ERR_DESTRUCTION_LIST, "another list of leaves");
	make_purge();
	made.sessions[0]++;
	check(verify() == AT_ERR_DESTRUCTION_LIST, "another list of sessions");
	make_purge();
	made.destruction.leaves.len = 0;
	check(verify() == AT_ERR_DESTRUCTION_LIST, "no list of leaves");
	make_purge();
	made.destruction.sessions.len = 0;
	check(verify() == AT_ERR_DESTRUCTION_LIST, "no list of sessions");

	make_purge();
	made.leaves_len--;
	order(7, 2, 1, 2);
	check(rebuilt() == AT_ERR_DESTRUCTION_LIST, "half a run");
	make_purge();
	made.sessions_len--;
	order(7, 2, 1, 2);
	check(rebuilt() == AT_ERR_DESTRUCTION_LIST, "half a session");
	make_purge();
	order(8, 2, 1, 2);
	strcpy(made.payload[DONE], "{\"deletion\":3,\"events\":8,\"transactions\":2}");
	check(rebuilt() == AT_ERR_DESTRUCTION_LIST, "more events than leaves");
	make_purge();
	order(7, 2, 1, 3);
	check(rebuilt() == AT_ERR_DESTRUCTION_LIST, "more batches");
	make_purge();
	add_run(1, 4, 1);
	order(8, 2, 1, 2);
	strcpy(made.payload[DONE], "{\"deletion\":3,\"events\":8,\"transactions\":2}");
	check(rebuilt() == AT_ERR_DESTRUCTION_LIST, "runs that touch");
	make_purge();
	add_run(0, 100, 1);
	order(8, 2, 1, 2);
	strcpy(made.payload[DONE], "{\"deletion\":3,\"events\":8,\"transactions\":2}");
	check(rebuilt() == AT_ERR_DESTRUCTION_LIST, "runs that do not ascend");
	make_purge();
	add_run(2, 0, 0);
	order(7, 2, 1, 3);
	check(rebuilt() == AT_ERR_DESTRUCTION_LIST, "a run of nothing");
	make_purge();
	add_run(3, 0, 1);
	order(8, 2, 1, 3);
	strcpy(made.payload[DONE], "{\"deletion\":3,\"events\":8,\"transactions\":2}");
	check(rebuilt() == AT_ERR_DESTRUCTION_LIST, "a batch of after the order");
	make_purge();
	strcpy(made.payload[ORDER], "{\"request\":1,\"approval\":2,\"requested_by\":\"mona\","
								"\"approved_by\":\"bob\",\"events\":7}");
	check(rebuilt() == AT_ERR_DESTRUCTION_LIST, "an order without the hash of a list");
}

/* Entries that are not in the log of the checkpoint, or of another one. */
static void
test_entries(void)
{
	make_purge();
	made.destruction.entry[ORDER] = made.destruction.entry[APPROVAL];
	check(verify() == AT_ERR_ROOT, "an entry with the proof of another");
	make_purge();
	made.checkpoint.root.bytes[5] ^= 1;
	check(verify() == AT_ERR_ROOT, "another checkpoint");
	make_purge();
	made.destruction.entry[ORDER].len--;
	check(verify() == AT_ERR_DESTRUCTION, "what is no entry");
	make_purge();
	made.destruction.proof[DONE].count--;
	check(verify() == AT_ERR_MISSING_HASHES, "a proof that is too short");
	make_purge();
	made.kind[DONE] = NULL;
	check(rebuilt() == AT_ERR_LEDGER, "an entry of another ledger");
}

static void
test_text(void)
{
	static char text[ROOM];
	AtWriter writer = at_writer(text, sizeof(text));
	size_t bytes;
	int refused = 0;
	AtError error;

	make_purge();
	bytes = made.destruction.leaves.len + made.destruction.sessions.len;
	for (int i = 0; i < AT_DESTRUCTION_STEPS; i++)
		bytes += made.destruction.entry[i].len;
	check(at_destruction_write(&writer, &made.destruction) == AT_OK &&
			  writer.len <= AT_DESTRUCTION_ROOM(bytes) + made.destruction.checkpoint.len,
		  "it is written within the room that the header says");
	check(read_text((AtText){text, writer.len}, bytes) == AT_OK, "and read");
	error = read_text((AtText){text, writer.len}, bytes - 1);
	check(error == AT_ERR_NO_ROOM, "with less room it is not");
	check(read_text((AtText){text, writer.len}, 10) == AT_ERR_NO_ROOM, "nor with much less");
	for (size_t cut = 0; cut < writer.len - made.destruction.checkpoint.len; cut++)
		refused += read_text((AtText){text, cut}, ROOM) != AT_OK;
	check(refused == (int) (writer.len - made.destruction.checkpoint.len),
		  "cut off before the checkpoint it is refused");

	refused = 0;
	for (size_t bit = 0; bit < 8 * (writer.len - made.destruction.checkpoint.len); bit++)
	{
		text[bit / 8] ^= (char) (1 << bit % 8);
		refused += read_text((AtText){text, writer.len}, ROOM) != AT_OK;
		text[bit / 8] ^= (char) (1 << bit % 8);
	}
	check(refused == 8 * (int) (writer.len - made.destruction.checkpoint.len),
		  "with any bit flipped it is refused");
	check(read_text(at_text("audit_trail-destruction@v1\nleaves \n"), ROOM) == AT_ERR_DESTRUCTION,
		  "a list is not empty");
	check(read_text(at_text("audit_trail-destruction@v1\nsessions !\n"), ROOM) ==
			  AT_ERR_DESTRUCTION,
		  "and in base64");
	check(read_text(at_text("audit_trail-destruction@v1\nentry YQ==\nnone\n\n"), ROOM) ==
			  AT_ERR_HASH_LINE,
		  "proofs are hashes");
	writer = at_writer(text, 100);
	check(at_destruction_write(&writer, &made.destruction) == AT_ERR_NO_ROOM,
		  "and no room is told when it is written");
}

static bool
call_verify(void)
{
	AtDestroyed destroyed;

	return at_destruction_verify_in(&made.destruction, &made.checkpoint, &destroyed) !=
		   AT_ERR_LIBCRYPTO;
}

int
main(void)
{
	test_purge();
	test_erasure();
	test_sealed_nonsense();
	test_lists();
	test_entries();
	test_text();
	make_purge();
	check_failures(call_verify, 64, "at_destruction_verify_in reports every failure of libcrypto");
	return check_done();
}

static void
add_run(uint64_t log_index, uint32_t first, uint32_t count)
{
	uint8_t *out = at_put_u64(made.leaves + made.leaves_len, log_index);

	at_put_u32(at_put_u32(out, first), count);
	made.leaves_len += AT_DESTRUCTION_LEAVES_LEN;
}

/* The hash of a list, in hexadecimal. */
static const char *
hex_hash(const void *bytes, size_t len, char hex[2 * AT_HASH_LEN + 1])
{
	AtHash hash;

	at_hash(bytes, len, &hash);
	for (int i = 0; i < AT_HASH_LEN; i++)
		sprintf(hex + 2 * i, "%02x", hash.bytes[i]);
	return hex;
}

/* The payload of an order to purge, which has the hashes of the lists as they are. */
static void
order(unsigned events, unsigned transactions, unsigned sessions, unsigned batches)
{
	char leaves_hex[2 * AT_HASH_LEN + 1];
	char sessions_hex[2 * AT_HASH_LEN + 1];

	snprintf(made.payload[ORDER], sizeof(made.payload[ORDER]),
			 "{\"request\":1,\"approval\":2,\"requested_by\":\"mona\",\"approved_by\":\"bob\","
			 "\"events\":%u,\"transactions\":%u,\"sessions\":%u,\"batches\":%u,"
			 "\"gaps_sha256\":\"%s\",\"sessions_sha256\":\"%s\"}",
			 events, transactions, sessions, batches,
			 hex_hash(made.leaves, made.leaves_len, leaves_hex),
			 hex_hash(made.sessions, made.sessions_len, sessions_hex));
}

static void
make_purge(void)
{
	memset(&made, 0, sizeof(made));
	made.kind[REQUEST] = "request";
	made.kind[APPROVAL] = "approve";
	made.kind[ORDER] = "purge";
	made.kind[DONE] = "purged";
	for (int i = 0; i < AT_DESTRUCTION_STEPS; i++)
		made.log_index[i] = (uint64_t) (FIRST + i);
	strcpy(made.payload[REQUEST], "{\"kind\":\"purge\",\"reason\":\"the law\",\"by\":\"mona\"}");
	strcpy(made.payload[APPROVAL], "{\"request\":1,\"by\":\"bob\",\"note\":\"fine\"}");
	strcpy(made.payload[DONE], "{\"deletion\":3,\"events\":7,\"transactions\":2}");
	add_run(0, 2, 3);
	add_run(0, 8, 2);
	add_run(1, 0, 4);
	made.sessions_len = AT_DESTRUCTION_SESSION_LEN;
	order(7, 2, 1, 2);
	make_log();
}

static void
make_erasure(void)
{
	make_purge();
	made.kind[ORDER] = "erase";
	made.kind[DONE] = "erased";
	made.leaves_len = 0;
	made.sessions_len = 0;
	strcpy(made.payload[REQUEST], "{\"kind\":\"erase\",\"by\":\"mona\"}");
	strcpy(made.payload[ORDER],
		   "{\"request\":1,\"approval\":2,\"by\":\"mona\",\"approved_by\":\"bob\"}");
	strcpy(made.payload[DONE], "{\"erase\":3,\"found\":true}");
	make_log();
}

static bool
subtree_of(void *source, int level, uint64_t index, AtHash *root)
{
	AtMerkle tree;

	at_merkle_init(&tree);
	for (uint64_t i = index << level; i < (index + 1) << level; i++)
		at_merkle_add(&tree, &made.leaf[i]);
	return at_merkle_root(&tree, root);
}

/* An entry of the destruction, without a kind one of another ledger. */
static void
make_entry(int step)
{
	const char *kind = made.kind[step] != NULL ? made.kind[step] : "purged";
	uint64_t index = made.log_index[step];
	AtEntryBody entry = {.log_id = made.kind[step] != NULL ? log_id : other_id,
						 .log_index = index,
						 .kind = {kind, (uint32_t) strlen(kind)}};
	uint8_t *start = (uint8_t *) made.entry[index];
	size_t len;

	if (made.payload[step][0] != '\0')
		entry.payload = (AtSpan){made.payload[step], (uint32_t) strlen(made.payload[step])};
	len = (size_t) (at_entry_body_write(&entry, start) - start);
	at_hash_leaf(start, len, &made.leaf[index]);
	made.destruction.entry[step] = (AtText){made.entry[index], len};
}

static void
make_log(void)
{
	at_hash_leaf("boot", 4, &made.leaf[0]);
	for (int i = 0; i < AT_DESTRUCTION_STEPS; i++)
		make_entry(i);
	for (int i = 0; i < AT_DESTRUCTION_STEPS; i++)
		at_proof_make_inclusion(&made.destruction.proof[i], made.log_index[i], ENTRIES, subtree_of,
								NULL);
	made.checkpoint = (AtCheckpoint){.origin = at_text("log"), .size = ENTRIES};
	at_proof_make_root(&made.checkpoint.root, ENTRIES, subtree_of, NULL);
	made.destruction.leaves = (AtText){(char *) made.leaves, made.leaves_len};
	made.destruction.sessions = (AtText){(char *) made.sessions, made.sessions_len};
	made.destruction.checkpoint = at_text("a checkpoint\n");
}

/* By way of its text, if it can be written so. */
static AtError
verify(void)
{
	static char text[ROOM];
	AtWriter writer = at_writer(text, sizeof(text));

	at_destruction_write(&writer, &made.destruction);
	return read_text((AtText){text, writer.len}, ROOM);
}

static AtError
read_text(AtText text, size_t room)
{
	static char buffer[ROOM];
	AtDestruction destruction;
	AtDestroyed destroyed;
	AtError error = at_destruction_read(&destruction, text, buffer, room);

	if (error == AT_OK)
		error = at_destruction_verify_in(&destruction, &made.checkpoint, &destroyed);
	return error;
}
