/*-------------------------------------------------------------------------
 * test_checkpoint.c
 *		Checkpoints: vectors, lines that are wrong, whom to believe.
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "core/base64.h"
#include "core/checkpoint.h"
#include "core/cosignature.h"
#include "core/merkle.h"
#include "proof_vectors.h"
#include "vectors.h"

#define ROOT  "bjQLnP+zepicpUTmu3gKLHiQHT+zNzh2hRGjBhevoB0=\n"
#define EMPTY "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"

static AtPrivateKey log_key;
static AtPublicKey witness_key;

static void expected_root(uint64_t size, AtHash *root);
static AtError open_note(const char *note, const AtTrust *trust);
static AtWriter write_text(const AtCheckpoint *checkpoint, char *buffer, size_t size,
						   AtError *error);

static void
test_vectors(void)
{
	for (size_t i = 0; i < lengthof(vector_checkpoint); i++)
	{
		AtTrust trust = {&log_key.public_key, &witness_key, 1, 1};
		AtCheckpoint checkpoint;
		AtHash root;
		char buffer[1000];
		AtWriter writer = at_writer(buffer, sizeof(buffer));

		expected_root(vector_checkpoint[i].size, &root);
		check(at_checkpoint_read(&checkpoint, at_text(vector_checkpoint[i].text)) == AT_OK &&
				  at_text_equal(checkpoint.origin, at_text(VECTOR_LOG_NAME)) &&
				  checkpoint.size == vector_checkpoint[i].size &&
				  memcmp(&checkpoint.root, &root, sizeof(root)) == 0 &&
				  checkpoint.extension.len == 0,
			  "a checkpoint is read");
		check(at_checkpoint_sign(&writer, &checkpoint, &log_key) == AT_OK &&
				  at_text_equal((AtText){buffer, writer.len}, at_text(vector_checkpoint[i].note)),
			  "and signed");
		check(open_note(vector_checkpoint[i].cosigned, &trust) == AT_OK,
			  "a cosigned one is verified");
		check(open_note(vector_checkpoint[i].note, &trust) == AT_ERR_QUORUM,
			  "one that is not cosigned is not enough");
		trust.quorum = 0;
		check(open_note(vector_checkpoint[i].note, &trust) == AT_OK,
			  "where nobody need cosign it is");
	}
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
		{AT_OK, "log\n1\n" ROOT, "three lines"},
		{AT_OK, "log\n0\n" EMPTY, "an empty tree"},
		{AT_OK, "a log with spaces+\n1\n" ROOT, "an origin that is no name of a key"},
		{AT_OK, "log\n9223372036854775807\n" ROOT, "the largest tree"},
		{AT_OK, "log\n1\n" ROOT "x\n \n", "extension lines"},
		{AT_ERR_ORIGIN_LINE, "", "nothing"},
		{AT_ERR_ORIGIN_LINE, "log", "an origin without end"},
		{AT_ERR_ORIGIN_LINE, "\n1\n" ROOT, "an empty origin"},
		{AT_ERR_SIZE_LINE, "log\n", "no size"},
		{AT_ERR_SIZE_LINE, "log\n1", "a size without end"},
		{AT_ERR_SIZE_LINE, "log\n\n" ROOT, "an empty size"},
		{AT_ERR_SIZE_LINE, "log\n01\n" ROOT, "a leading zero"},
		{AT_ERR_SIZE_LINE, "log\n-1\n" ROOT, "a sign"},
		{AT_ERR_SIZE_LINE, "log\n1 \n" ROOT, "a space behind the size"},
		{AT_ERR_SIZE_LINE, "log\n9223372036854775808\n" ROOT, "a size of 2^63"},
		{AT_ERR_SIZE_LINE, "log\n18446744073709551617\n" ROOT, "a size of 2^64 + 1"},
		{AT_ERR_ROOT_LINE, "log\n1\n", "no root"},
		{AT_ERR_ROOT_LINE,
		 "log\n1\nbjQLnP+zepicpUTmu3gKLHiQHT+zNzh2hRGjBhevoB0=", "a root without end"},
		{AT_ERR_ROOT_LINE, "log\n1\n\n", "a root of no bytes"},
		{AT_ERR_ROOT_LINE, "log\n1\nbjQLnP+zepicpUTmu3gKLHiQHT+zNzh2hRGjBhevoA==\n",
		 "a root of 31 bytes"},
		{AT_ERR_ROOT_LINE, "log\n1\nbjQLnP+zepicpUTmu3gKLHiQHT+zNzh2hRGjBhevoB0d\n",
		 "a root of 33 bytes"},
		{AT_ERR_ROOT_LINE, "log\n1\nbjQLnP+zepicpUTmu3gKLHiQHT+zNzh2hRGjBhevoB1=\n",
		 "a root in a second form"},
		{AT_ERR_ROOT_LINE,
		 "log\n1\n"
		 " " ROOT,
		 "a space before the root"},
		{AT_ERR_EXTENSION_LINE, "log\n1\n" ROOT "\n", "an empty extension line"},
		{AT_ERR_EXTENSION_LINE, "log\n1\n" ROOT "x\n\ny\n", "one between others"},
		{AT_ERR_EXTENSION_LINE, "log\n1\n" ROOT "x", "an extension line without end"},
		{AT_ERR_EMPTY_ROOT, "log\n0\n" ROOT, "an empty tree with a root of another"},
	};
	AtCheckpoint checkpoint;

	for (size_t i = 0; i < lengthof(cases); i++)
		check(at_checkpoint_read(&checkpoint, at_text(cases[i].text)) == cases[i].error,
			  cases[i].name);
	check(at_checkpoint_read(&checkpoint, at_text("log\n1\n" ROOT "x\ny\n")) == AT_OK &&
			  at_text_equal(checkpoint.extension, at_text("x\ny\n")),
		  "extension lines are told");
}

static void
test_write(void)
{
	static const struct
	{
		AtError error;
		const char *origin;
		uint64_t size;
		const char *extension;
		const char *name;
	} cases[] = {
		{AT_OK, "log", 5, "", "three lines are written"},
		{AT_OK, "log", 5, "x\ny\n", "extension lines are"},
		{AT_ERR_ORIGIN_LINE, "", 5, "", "an empty origin is not"},
		{AT_ERR_ORIGIN_LINE, "log\n5\n" ROOT "x", 5, "", "an origin of several lines is not"},
		{AT_ERR_SIZE_LINE, "log\nx", 5, "", "nor one that gives another size"},
		{AT_ERR_SIZE_LINE, "log", UINT64_C(1) << 63, "", "a size of 2^63 is not"},
		{AT_ERR_EXTENSION_LINE, "log", 5, "x", "an extension without end is not"},
		{AT_ERR_EXTENSION_LINE, "log", 5, "\n", "an empty extension line is not"},
		{AT_ERR_EMPTY_ROOT, "log", 0, "", "an empty tree with a root is not"},
	};

	for (size_t i = 0; i < lengthof(cases); i++)
	{
		AtCheckpoint checkpoint = {.origin = at_text(cases[i].origin),
								   .size = cases[i].size,
								   .root = {{1, 2, 3}},
								   .extension = at_text(cases[i].extension)};
		char buffer[200];
		AtError error;

		write_text(&checkpoint, buffer, sizeof(buffer), &error);
		check(error == cases[i].error, cases[i].name);
	}
}

static void
test_length(void)
{
	static char longest[AT_CHECKPOINT_TEXT_MAX];
	static char buffer[AT_CHECKPOINT_TEXT_MAX + 10];
	AtCheckpoint checkpoint = {.origin = at_text("log"), .size = 1};
	AtError error;
	size_t head = write_text(&checkpoint, buffer, sizeof(buffer), &error).len;

	memset(longest, 'x', sizeof(longest));
	longest[AT_CHECKPOINT_TEXT_MAX - head - 1] = '\n';
	checkpoint.extension = (AtText){longest, AT_CHECKPOINT_TEXT_MAX - head};
	write_text(&checkpoint, buffer, sizeof(buffer), &error);
	check(error == AT_OK, "the longest text is written");
	checkpoint.origin = at_text("logs");
	write_text(&checkpoint, buffer, sizeof(buffer), &error);
	check(error == AT_ERR_TOO_LONG, "a longer one is not");
	write_text(&checkpoint, buffer, 30, &error);
	check(error == AT_ERR_NO_ROOM, "nor what the buffer has no room for");
}

static void
test_sign(void)
{
	char buffer[1000];
	AtWriter writer = at_writer(buffer, sizeof(buffer));
	AtCheckpoint checkpoint = {.origin = at_text("log"), .size = 1};
	AtTrust trust = {.log_key = &log_key.public_key};

	check(at_checkpoint_sign(&writer, &checkpoint, &log_key) == AT_ERR_ORIGIN && writer.len == 0,
		  "a key does not sign for another origin");
	checkpoint.origin = at_text(VECTOR_LOG_NAME);
	checkpoint.size = UINT64_C(1) << 63;
	check(at_checkpoint_sign(&writer, &checkpoint, &log_key) == AT_ERR_SIZE_LINE,
		  "nor what cannot be read");

	/* behind something else */
	checkpoint.size = 1;
	checkpoint.extension = at_text("time 12\n");
	writer.len = 0;
	at_write_string(&writer, "before\n");
	check(at_checkpoint_sign(&writer, &checkpoint, &log_key) == AT_OK,
		  "a checkpoint with an extension line is signed");
	check(at_checkpoint_open(&checkpoint, (AtText){buffer + 7, writer.len - 7}, &trust) == AT_OK &&
			  at_text_equal(checkpoint.extension, at_text("time 12\n")),
		  "where it begins is what is signed");
}

/* The log's key signs what is no checkpoint, or one of another origin. */
static void
test_open(void)
{
	static const struct
	{
		AtError error;
		const char *text;
	} cases[] = {
		{AT_OK, VECTOR_LOG_NAME "\n1\n" ROOT},
		{AT_ERR_ORIGIN, "log\n1\n" ROOT},
		{AT_ERR_ORIGIN, VECTOR_LOG_NAME " \n1\n" ROOT},
		{AT_ERR_SIZE_LINE, VECTOR_LOG_NAME "\nhello\n" ROOT},
	};
	AtTrust trust = {.log_key = &log_key.public_key};

	for (size_t i = 0; i < lengthof(cases); i++)
	{
		char buffer[1000] = "";
		AtWriter writer = at_writer(buffer, sizeof(buffer) - 1);

		at_write_string(&writer, cases[i].text);
		at_write_string(&writer, "\n");
		at_note_sign(&writer, at_text(cases[i].text), &log_key);
		check(open_note(buffer, &trust) == cases[i].error, "what the log signed is looked at");
	}

	AtPublicKey other;

	check(open_note("hello", &trust) == AT_ERR_NOTE_FORM, "what is no note is refused");
	at_key_read_public(&other, at_text(VECTOR_NOTE_KEY));
	trust.log_key = &other;
	check(open_note(vector_checkpoint[0].note, &trust) == AT_ERR_NOT_SIGNED,
		  "and so is what another has signed");
}

static void
test_witnesses(void)
{
	AtPrivateKey second;
	AtPublicKey witnesses[3] = {witness_key, witness_key, witness_key};
	AtTrust trust = {&log_key.public_key, witnesses, 2, 1};
	char buffer[1000] = "";
	AtWriter writer = at_writer(buffer, sizeof(buffer) - 1);

	at_key_generate(&second, AT_KEY_COSIGNATURE, at_text("second"));
	witnesses[0] = second.public_key;
	check(open_note(vector_checkpoint[1].cosigned, &trust) == AT_OK,
		  "one of two witnesses is there");
	trust.quorum = 2;
	check(open_note(vector_checkpoint[1].cosigned, &trust) == AT_ERR_QUORUM, "that is not two");

	at_write_string(&writer, vector_checkpoint[1].cosigned);
	at_cosignature_sign(&writer, at_text(vector_checkpoint[1].text), 7, &second);
	check(open_note(buffer, &trust) == AT_OK, "now it is two");
	trust.witness_count = 3;
	trust.quorum = 3;
	check(open_note(buffer, &trust) == AT_ERR_QUORUM, "a witness that is listed twice is one");

	/* the same key under another name: anybody can make such a line of the first */
	AtPrivateKey renamed;
	uint8_t seed[32];

	from_hex(VECTOR_WITNESS_SEED, seed, sizeof(seed));
	at_key_make_private(&renamed, AT_KEY_COSIGNATURE, at_text("renamed"), seed);
	at_cosignature_sign(&writer, at_text(vector_checkpoint[1].text), 7, &renamed);
	witnesses[2] = renamed.public_key;
	check(open_note(buffer, &trust) == AT_ERR_QUORUM, "nor is one under another name a second");

	/* more than are needed, one of them wrong */
	trust.quorum = 1;
	witnesses[0].bytes[0] ^= 1;
	check(open_note(buffer, &trust) == AT_ERR_SIGNATURE, "a wrong cosignature is an error");
	witnesses[0] = log_key.public_key;
	check(open_note(buffer, &trust) == AT_ERR_KEY_PURPOSE, "a log is no witness");
}

static bool
call_read(void)
{
	AtCheckpoint checkpoint;

	return at_checkpoint_read(&checkpoint, at_text("log\n0\n" EMPTY)) != AT_ERR_LIBCRYPTO;
}

static bool
call_open(void)
{
	AtTrust trust = {&log_key.public_key, &witness_key, 1, 1};

	return open_note(vector_checkpoint[0].cosigned, &trust) != AT_ERR_LIBCRYPTO;
}

static void
test_failures(void)
{
	check_failures(call_read, 4, "at_checkpoint_read reports every failure of libcrypto");
	check_failures(call_open, 10, "so does at_checkpoint_open");
}

int
main(void)
{
	at_key_read_private(&log_key, at_text(VECTOR_LOG_PRIVATE_KEY));
	at_key_read_public(&witness_key, at_text(VECTOR_WITNESS_KEY));
	test_vectors();
	test_lines();
	test_write();
	test_length();
	test_sign();
	test_open();
	test_witnesses();
	test_failures();
	return check_done();
}

/* Of the trees in the vectors. */
static void
expected_root(uint64_t size, AtHash *root)
{
	if (size < lengthof(vector_tree8))
		from_hex(vector_tree8[size].root, root->bytes, AT_HASH_LEN);
	for (size_t i = 0; i < lengthof(vector_big_tree); i++)
		if (size >= lengthof(vector_tree8) && vector_big_tree[i].size == size)
			from_hex(vector_big_tree[i].root, root->bytes, AT_HASH_LEN);
}

static AtError
open_note(const char *note, const AtTrust *trust)
{
	AtCheckpoint checkpoint;

	return at_checkpoint_open(&checkpoint, at_text(note), trust);
}

static AtWriter
write_text(const AtCheckpoint *checkpoint, char *buffer, size_t size, AtError *error)
{
	AtWriter writer = at_writer(buffer, size);

	*error = at_checkpoint_write(&writer, checkpoint);
	return writer;
}
