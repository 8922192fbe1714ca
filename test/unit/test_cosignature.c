/*-------------------------------------------------------------------------
 * test_cosignature.c
 *		Cosignatures: vectors, their time, several of one witness.
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "core/checkpoint.h"
#include "core/cosignature.h"
#include "proof_vectors.h"

#define TEXT "log\n1\nbjQLnP+zepicpUTmu3gKLHiQHT+zNzh2hRGjBhevoB0=\n"

static AtPrivateKey witness;
static AtPublicKey log_key;

static AtError cosign(const char *text, uint64_t when, AtWriter *writer);
static AtError verify(AtText bytes, uint64_t *when);
static AtWriter start(char *buffer, size_t size);

static void
test_vectors(void)
{
	for (size_t i = 0; i < lengthof(vector_checkpoint); i++)
	{
		char buffer[1000];
		AtWriter writer = at_writer(buffer, sizeof(buffer));
		uint64_t when = 0;

		check(cosign(vector_checkpoint[i].text, vector_checkpoint[i].when, &writer) == AT_OK &&
				  at_text_equal((AtText){buffer, writer.len},
								at_text(vector_checkpoint[i].cosignature)),
			  "a checkpoint is cosigned");
		check(verify(at_text(vector_checkpoint[i].cosigned), &when) == AT_OK &&
				  when == vector_checkpoint[i].when,
			  "a cosigned note is verified, and tells when it was");
		check(verify(at_text(vector_checkpoint[i].note), &when) == AT_ERR_NOT_SIGNED,
			  "a note without is not");
	}
}

/* What is signed is known byte for byte. */
static void
test_message(void)
{
	for (size_t i = 0; i < lengthof(vector_checkpoint); i++)
	{
		AtNote note;
		uint8_t bytes[72];
		int next = 0;

		at_note_read(&note, at_text(vector_checkpoint[i].cosigned));
		check(at_note_find(&note, &witness.public_key, &next, bytes, sizeof(bytes)) == AT_OK &&
				  at_ed25519_verify(witness.public_key.bytes, at_text(vector_checkpoint[i].message),
									bytes + 8) == AT_OK,
			  "the signed message is that of the vector");
	}
}

static void
test_flips(void)
{
	char text[1000];
	AtText bytes = at_text(vector_checkpoint[2].cosigned);
	size_t start_of_line = bytes.len - strlen(vector_checkpoint[2].cosignature);
	uint64_t when;
	int refused = 0;

	memcpy(text, bytes.data, bytes.len);
	bytes.data = text;
	for (size_t bit = 8 * start_of_line; bit < 8 * bytes.len; bit++)
	{
		text[bit / 8] ^= (char) (1 << bit % 8);
		refused += verify(bytes, &when) != AT_OK;
		text[bit / 8] ^= (char) (1 << bit % 8);
	}
	check(refused == 8 * (int) (bytes.len - start_of_line),
		  "a cosignature with any bit flipped, those of its time too, is refused");
	text[0] ^= 1;
	check(verify(bytes, &when) == AT_ERR_SIGNATURE, "so is one of another text");
}

static void
test_times(void)
{
	char buffer[1000];
	AtWriter writer = start(buffer, sizeof(buffer));
	uint64_t when = 0;

	cosign(TEXT, INT64_MAX, &writer);
	check(verify((AtText){buffer, writer.len}, &when) == AT_OK && when == INT64_MAX,
		  "the last of all times");
	cosign(TEXT, 0, &writer);
	check(verify((AtText){buffer, writer.len}, &when) == AT_OK && when == INT64_MAX,
		  "of several cosignatures the latest counts");

	writer = start(buffer, sizeof(buffer));
	cosign(TEXT, 0, &writer);
	check(verify((AtText){buffer, writer.len}, &when) == AT_OK && when == 0, "the first");
	cosign(TEXT, 7, &writer);
	check(verify((AtText){buffer, writer.len}, &when) == AT_OK && when == 7,
		  "whatever their order");

	writer = start(buffer, sizeof(buffer));
	check(cosign(TEXT, UINT64_C(1) << 63, &writer) == AT_ERR_SIGNATURE,
		  "a time of 2^63 is not signed");

	uint8_t bytes[72] = {0x80};

	at_note_write_signature(&writer, &witness.public_key, bytes, sizeof(bytes));
	check(verify((AtText){buffer, writer.len}, &when) == AT_ERR_SIGNATURE, "nor accepted");
}

static void
test_one_wrong(void)
{
	char buffer[1000];
	AtWriter writer = start(buffer, sizeof(buffer));
	uint64_t when;
	uint8_t bytes[72] = {0};

	cosign(TEXT, 7, &writer);
	at_note_write_signature(&writer, &witness.public_key, bytes, sizeof(bytes));
	check(verify((AtText){buffer, writer.len}, &when) == AT_ERR_SIGNATURE,
		  "a second cosignature that is wrong is an error");

	writer = start(buffer, sizeof(buffer));
	at_note_write_signature(&writer, &witness.public_key, bytes, 64);
	check(verify((AtText){buffer, writer.len}, &when) == AT_ERR_SIGNATURE,
		  "so is one without a time");
}

static void
test_refused(void)
{
	static char long_text[AT_CHECKPOINT_TEXT_MAX + 2] = TEXT;
	static char note_text[sizeof(long_text) + AT_SIGNATURE_LINE_MAX];
	char buffer[1000];
	AtWriter writer = at_writer(buffer, sizeof(buffer));
	AtPrivateKey other = witness;
	uint64_t when;
	AtNote note;

	check(cosign("hello\n", 7, &writer) == AT_ERR_SIZE_LINE,
		  "what is no checkpoint is not cosigned");
	other.public_key.type = AT_KEY_NOTE;
	check(at_cosignature_sign(&writer, at_text(TEXT), 7, &other) == AT_ERR_KEY_PURPOSE,
		  "a log's key does not cosign");
	at_note_read(&note, at_text(vector_checkpoint[0].cosigned));
	check(at_cosignature_verify(&note, &log_key, &when) == AT_ERR_KEY_PURPOSE,
		  "and is not asked for cosignatures");
	check(writer.len == 0, "nothing is written");
	writer.max = 50;
	check(cosign(TEXT, 7, &writer) == AT_ERR_NO_ROOM, "a line that does not fit is an error");

	/* extension lines make a text long */
	memset(long_text + strlen(TEXT), 'x', sizeof(long_text) - strlen(TEXT));
	long_text[AT_CHECKPOINT_TEXT_MAX - 1] = '\n';
	long_text[AT_CHECKPOINT_TEXT_MAX] = '\0';
	writer = at_writer(note_text, sizeof(note_text));
	at_write_string(&writer, long_text);
	at_write_string(&writer, "\n");
	check(cosign(long_text, 7, &writer) == AT_OK &&
			  verify((AtText){note_text, writer.len}, &when) == AT_OK,
		  "the longest text is cosigned and verified");

	memmove(note_text + 1, note_text, writer.len);
	check(verify((AtText){note_text, writer.len + 1}, &when) == AT_ERR_TOO_LONG,
		  "a longer one is not looked at");
}

static bool
call_sign(void)
{
	char buffer[1000];
	AtWriter writer = at_writer(buffer, sizeof(buffer));

	return cosign(TEXT, 7, &writer) != AT_ERR_LIBCRYPTO;
}

static bool
call_verify(void)
{
	uint64_t when;

	return verify(at_text(vector_checkpoint[0].cosigned), &when) == AT_OK;
}

static void
test_failures(void)
{
	check_failures(call_sign, 4, "at_cosignature_sign reports every failure of libcrypto");
	check_failures(call_verify, 3, "so does at_cosignature_verify");
}

int
main(void)
{
	uint8_t seed[32];

	from_hex(VECTOR_WITNESS_SEED, seed, sizeof(seed));
	at_key_make_private(&witness, AT_KEY_COSIGNATURE, at_text(VECTOR_WITNESS_NAME), seed);
	at_key_read_public(&log_key, at_text(VECTOR_LOG_KEY));
	test_vectors();
	test_message();
	test_flips();
	test_times();
	test_one_wrong();
	test_refused();
	test_failures();
	return check_done();
}

static AtError
cosign(const char *text, uint64_t when, AtWriter *writer)
{
	return at_cosignature_sign(writer, at_text(text), when, &witness);
}

static AtError
verify(AtText bytes, uint64_t *when)
{
	AtNote note;
	AtError error = at_note_read(&note, bytes);

	return error != AT_OK ? error : at_cosignature_verify(&note, &witness.public_key, when);
}

/* A note of TEXT to which signatures can be added. */
static AtWriter
start(char *buffer, size_t size)
{
	AtWriter writer = at_writer(buffer, size);

	at_write_string(&writer, TEXT "\n");
	return writer;
}
