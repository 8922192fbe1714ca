/*-------------------------------------------------------------------------
 * test_tlog_proof.c
 *		Proofs for offline use: the vector, every bit and line of it.
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "core/tlog_proof.h"
#include "proof_vectors.h"

#define HEAD "c2sp.org/tlog-proof@v1\n"

static AtPublicKey log_key;
static AtPublicKey witness_key;
static AtTrust trust = {&log_key, &witness_key, 1, 1};
static AtHash leaf;

static AtError verify(AtText text);
static AtError read_text(const char *text);
static bool writes(const AtTlogProof *proof, AtText text);

static void
test_vector(void)
{
	AtText text = at_text(vector_tlog_proof);
	AtTlogProof proof;
	AtCheckpoint checkpoint;

	check(at_tlog_proof_read(&proof, text) == AT_OK && proof.extra.data == NULL &&
			  proof.index == VECTOR_TLOG_PROOF_INDEX && proof.proof.count == 3,
		  "the vector is read");
	check(at_tlog_proof_verify(&proof, &leaf, &trust, &checkpoint) == AT_OK &&
			  checkpoint.size == VECTOR_TLOG_PROOF_SIZE,
		  "it is verified, and its checkpoint told");
	check(writes(&proof, text), "it is written back");

	proof.index--;
	check(at_tlog_proof_verify(&proof, &leaf, &trust, &checkpoint) == AT_ERR_ROOT,
		  "with another index it is refused");
	proof.index = 8;
	check(at_tlog_proof_verify(&proof, &leaf, &trust, &checkpoint) == AT_ERR_INDEX,
		  "with one that is not in the tree it is");
	proof.index = VECTOR_TLOG_PROOF_INDEX;
	proof.proof.count--;
	check(at_tlog_proof_verify(&proof, &leaf, &trust, &checkpoint) == AT_ERR_MISSING_HASHES,
		  "without a hash it is");
	leaf.bytes[0] ^= 1;
	proof.proof.count++;
	check(at_tlog_proof_verify(&proof, &leaf, &trust, &checkpoint) == AT_ERR_ROOT,
		  "for another leaf it is");
	leaf.bytes[0] ^= 1;
}

static void
test_damage(void)
{
	char text[sizeof(vector_tlog_proof)];
	size_t len = sizeof(text) - 1;
	int refused = 0;

	memcpy(text, vector_tlog_proof, sizeof(text));
	check(verify((AtText){text, len}) == AT_OK, "a copy is verified");
	for (size_t bit = 0; bit < 8 * len; bit++)
	{
		text[bit / 8] ^= (char) (1 << bit % 8);
		refused += verify((AtText){text, len}) != AT_OK;
		text[bit / 8] ^= (char) (1 << bit % 8);
	}
	check(refused == 8 * (int) len, "with any bit flipped it is refused");

	refused = 0;
	for (size_t cut = 0; cut < len; cut++)
		refused += verify((AtText){text, cut}) != AT_OK;
	check(refused == (int) len, "cut off anywhere it is refused");

	trust.quorum = 2;
	check(verify((AtText){text, len}) == AT_ERR_QUORUM, "two witnesses have not cosigned");
	trust.quorum = 1;
}

static void
test_extra(void)
{
	static const char *const extras[] = {"", "Zm9v", "Zg=="};

	for (size_t i = 0; i < lengthof(extras); i++)
	{
		char text[100];
		AtTlogProof proof;

		snprintf(text, sizeof(text), HEAD "extra %s\nindex 0\n\nnote", extras[i]);
		check(at_tlog_proof_read(&proof, at_text(text)) == AT_OK && proof.extra.data != NULL &&
				  at_text_equal(proof.extra, at_text(extras[i])) &&
				  at_text_equal(proof.checkpoint, at_text("note")),
			  "something extra is read");
		check(writes(&proof, at_text(text)), "and written back");
	}

	AtTlogProof proof = {.extra = {"Zg", 2}};
	AtWriter writer = at_writer(NULL, 0);

	check(at_tlog_proof_write(&writer, &proof) == AT_ERR_EXTRA_LINE,
		  "what is not base64 is not written");
	proof.extra.data = NULL;
	check(at_tlog_proof_write(&writer, &proof) == AT_ERR_NO_ROOM,
		  "nor what the buffer has no room for");
}

static void
test_lines(void)
{
	static const struct
	{
		AtError error;
		const char *text;
		const char *name;
	} cases[] = {
		{AT_OK, HEAD "index 0\n\n", "the shortest proof, of no checkpoint"},
		{AT_OK, HEAD "index 18446744073709551615\n\n", "the largest index, of no tree"},
		{AT_ERR_PROOF_LINE, "", "nothing"},
		{AT_ERR_PROOF_LINE, "c2sp.org/tlog-proof@v1", "a first line without end"},
		{AT_ERR_PROOF_LINE, "c2sp.org/tlog-proof@v2\nindex 0\n\n", "another version"},
		{AT_ERR_PROOF_LINE, "\n" HEAD "index 0\n\n", "an empty line before"},
		{AT_ERR_PROOF_LINE, "c2sp.org/tlog-proof@v1\r\nindex 0\r\n\r\n", "other line ends"},
		{AT_ERR_EXTRA_LINE, HEAD "extra Zg\nindex 0\n\n", "extra without padding"},
		{AT_ERR_EXTRA_LINE, HEAD "extra Zg==", "extra without end"},
		{AT_ERR_INDEX_LINE, HEAD "extra Zg==\nextra Zg==\nindex 0\n\n", "extra twice"},
		{AT_ERR_INDEX_LINE, HEAD "index 0", "an index without end"},
		{AT_ERR_INDEX_LINE, HEAD "index \n\n", "no index"},
		{AT_ERR_INDEX_LINE, HEAD "index 00\n\n", "a leading zero"},
		{AT_ERR_INDEX_LINE, HEAD "index  0\n\n", "two spaces"},
		{AT_ERR_INDEX_LINE, HEAD "index 18446744073709551616\n\n", "a number too large"},
		{AT_ERR_INDEX_LINE, HEAD "Index 0\n\n", "a capital letter"},
		{AT_ERR_INDEX_LINE, HEAD "\nindex 0\n\n", "an empty line between"},
		{AT_ERR_HASH_LINE, HEAD "index 0\n", "no empty line"},
		{AT_ERR_HASH_LINE, HEAD "index 0\nextra Zg==\n\n", "extra behind the index"},
		{AT_ERR_HASH_LINE, HEAD "index 0\nAAAA\n\n", "a hash too short"},
	};

	for (size_t i = 0; i < lengthof(cases); i++)
		check(read_text(cases[i].text) == cases[i].error, cases[i].name);
}

/* The buffer that the header says is enough. */
static void
test_length(void)
{
	static char buffer[AT_TLOG_PROOF_HEAD_MAX];
	AtWriter writer = at_writer(buffer, sizeof(buffer));
	AtTlogProof proof = {.extra = at_text(""), .index = UINT64_MAX, .proof.count = AT_PROOF_MAX};

	check(at_tlog_proof_write(&writer, &proof) == AT_OK, "the longest head fits");
}

static bool
call_verify(void)
{
	return verify(at_text(vector_tlog_proof)) != AT_ERR_LIBCRYPTO;
}

int
main(void)
{
	uint8_t data[16];
	size_t len = from_hex(VECTOR_TLOG_PROOF_LEAF, data, sizeof(data));

	at_hash_leaf(data, len, &leaf);
	at_key_read_public(&log_key, at_text(VECTOR_LOG_KEY));
	at_key_read_public(&witness_key, at_text(VECTOR_WITNESS_KEY));
	test_vector();
	test_damage();
	test_extra();
	test_lines();
	test_length();
	check_failures(call_verify, 18, "at_tlog_proof_verify reports every failure of libcrypto");
	return check_done();
}

static AtError
verify(AtText text)
{
	AtTlogProof proof;
	AtCheckpoint checkpoint;
	AtError error = at_tlog_proof_read(&proof, text);

	return error != AT_OK ? error : at_tlog_proof_verify(&proof, &leaf, &trust, &checkpoint);
}

static AtError
read_text(const char *text)
{
	AtTlogProof proof;

	return at_tlog_proof_read(&proof, at_text(text));
}

static bool
writes(const AtTlogProof *proof, AtText text)
{
	char buffer[2000];
	AtWriter writer = at_writer(buffer, sizeof(buffer));

	return at_tlog_proof_write(&writer, proof) == AT_OK &&
		   at_text_equal((AtText){buffer, writer.len}, text);
}
