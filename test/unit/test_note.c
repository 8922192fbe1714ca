/*-------------------------------------------------------------------------
 * test_note.c
 *		Signed notes: C2SP's example, forms that are none, other people's
 *		signatures.
 *-------------------------------------------------------------------------
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "core/base64.h"
#include "core/note.h"
#include "proof_vectors.h"

#define DASH "\xe2\x80\x94 "

/* A line that is well-formed, of a key that nobody has. */
#define LINE DASH "someone AAAAAAA=\n"

static AtPrivateKey log_key;
static AtPublicKey other_key;

static AtError read_text(const char *text);
static AtError verify(AtText text, const AtPublicKey *key);
static size_t sign(const char *text, char *out, size_t size);

static void
test_example(void)
{
	AtPublicKey key;
	AtNote note;
	int refused = 0;
	char text[] = VECTOR_NOTE;
	AtText bytes = at_text(text);

	at_key_read_public(&key, at_text(VECTOR_NOTE_KEY));
	check(at_note_read(&note, bytes) == AT_OK, "the example is read");
	check(at_text_equal(note.text, at_text("This is an example message.\n")), "its text");
	check(note.signature_count == 1 && note.signature[0].key_id == key.id &&
			  at_text_equal(note.signature[0].name, at_text("example.com/foo")),
		  "its signature");
	check(at_note_verify(&note, &key) == AT_OK, "it is verified");

	for (size_t bit = 0; bit < 8 * bytes.len; bit++)
	{
		text[bit / 8] ^= (char) (1 << bit % 8);
		refused += verify(bytes, &key) != AT_OK;
		text[bit / 8] ^= (char) (1 << bit % 8);
	}
	check(refused == 8 * (int) bytes.len, "with any bit flipped it is refused");

	refused = 0;
	for (size_t len = 0; len < bytes.len; len++)
		refused += verify((AtText){text, len}, &key) != AT_OK;
	check(refused == (int) bytes.len, "cut off anywhere it is refused");
}

static void
test_forms(void)
{
	static const struct
	{
		AtError error;
		const char *text;
		const char *name;
	} cases[] = {
		{AT_OK, "a\n\n" LINE, "the shortest note"},
		{AT_OK, "\n\n" LINE, "a text that is one newline"},
		{AT_OK, "a\n\nb\n\n" LINE, "a text with an empty line"},
		{AT_OK, "a\n\n" LINE "\n" LINE, "a text that is a note itself"},
		{AT_OK, "a\n\n\n" LINE, "a text that ends in an empty line"},
		{AT_OK, "caf\xc3\xa9\n\n" LINE, "a text of UTF-8"},
		{AT_OK, "a\x7f\n\n" LINE, "DEL is allowed"},
		{AT_ERR_NOTE_FORM, "", "nothing"},
		{AT_ERR_NOTE_FORM, "\n", "a newline"},
		{AT_ERR_NOTE_FORM, "\n\n", "no text and no signature"},
		{AT_ERR_NOTE_FORM, "a\n", "a text alone"},
		{AT_ERR_NOTE_FORM, "a\n\n", "no signature"},
		{AT_ERR_NOTE_FORM, LINE, "no text"},
		{AT_ERR_NOTE_FORM, "\n" LINE, "no text before the empty line"},
		{AT_ERR_NOTE_FORM, "a\n" LINE, "no empty line"},
		{AT_ERR_SIGNATURE_LINE, "a\n\nb\n\n", "an empty line at the end"},
		{AT_ERR_SIGNATURE_LINE, "a\n\n" LINE "\n", "an empty line behind the signatures"},
		{AT_ERR_SIGNATURE_LINE, "a\n\n" LINE "b", "a line without end"},
		{AT_ERR_SIGNATURE_LINE, "a\n\n" LINE "b\n", "a line that is none"},
		{AT_ERR_SIGNATURE_LINE, "a\n\n" DASH "n\n", "no base64"},
		{AT_ERR_SIGNATURE_LINE, "a\n\n" DASH "n \n", "empty base64"},
		{AT_ERR_SIGNATURE_LINE, "a\n\n" DASH "n AAAA\n", "three bytes"},
		{AT_ERR_SIGNATURE_LINE, "a\n\n" DASH "n AAAAAA==\n", "an id and no signature"},
		{AT_ERR_SIGNATURE_LINE, "a\n\n" DASH "n AAAAAAB=\n", "base64 in a second form"},
		{AT_ERR_SIGNATURE_LINE, "a\n\n" DASH "n AAAAAAA\n", "base64 without padding"},
		{AT_ERR_SIGNATURE_LINE, "a\n\n" DASH "n AAAAAAA= \n", "a space at the end"},
		{AT_ERR_SIGNATURE_LINE, "a\n\n" DASH "n  AAAAAAA=\n", "two spaces"},
		{AT_ERR_SIGNATURE_LINE, "a\n\n" DASH " AAAAAAA=\n", "no name"},
		{AT_ERR_SIGNATURE_LINE, "a\n\n" DASH "n+m AAAAAAA=\n", "a plus sign in the name"},
		{AT_ERR_SIGNATURE_LINE, "a\n\n" DASH "n\xc2\xa0m AAAAAAA=\n", "a space in the name"},
		{AT_ERR_SIGNATURE_LINE, "a\n\n- n AAAAAAA=\n", "a hyphen for the dash"},
		{AT_ERR_SIGNATURE_LINE, "a\n\n\xe2\x80\x93 n AAAAAAA=\n", "an en dash for the em dash"},
		{AT_ERR_SIGNATURE_LINE, "a\n\n\xe2\x80\x94n AAAAAAA=\n", "no space behind the dash"},
		{AT_ERR_NOTE_CHARACTERS, "a\r\n\r\n" LINE, "lines of another system"},
		{AT_ERR_NOTE_CHARACTERS, "a\tb\n\n" LINE, "a tab"},
		{AT_ERR_NOTE_CHARACTERS, "\xff\n\n" LINE, "what is not UTF-8"},
	};
	AtNote note;

	for (size_t i = 0; i < lengthof(cases); i++)
		check(read_text(cases[i].text) == cases[i].error, cases[i].name);
	check(at_note_read(&note, (AtText){"a\0\n\n" LINE, 4 + strlen(LINE)}) == AT_ERR_NOTE_CHARACTERS,
		  "a zero byte");
	check(at_note_read(&note, at_text("a\n\nb\n\n" LINE)) == AT_OK && note.text.len == 5,
		  "the last empty line ends the text");
}

static void
test_count(void)
{
	char text[4000] = "a\n\n";

	for (int i = 0; i < AT_NOTE_MAX_SIGNATURES; i++)
		strcat(text, LINE);
	check(read_text(text) == AT_OK && AT_NOTE_MAX_SIGNATURES >= 16,
		  "so many signatures may be there");
	strcat(text, LINE);
	check(read_text(text) == AT_ERR_SIGNATURE_COUNT, "one more is refused");
}

/* What other keys have signed, or say so, changes nothing. */
static void
test_others(void)
{
	char text[2000];
	size_t len = sign("hello\n", text, sizeof(text));
	AtText all = {text, len};

	check(verify(all, &log_key.public_key) == AT_OK, "what we signed is verified");
	check(verify(all, &other_key) == AT_ERR_NOT_SIGNED, "by the key that signed alone");
	check(at_key_read_public(&other_key, at_text(VECTOR_WITNESS_KEY)) == AT_OK &&
			  verify(all, &other_key) == AT_ERR_KEY_PURPOSE,
		  "a witness's key is not asked");

	/* signatures of 5000 bytes exist */
	char *end = text + len;
	AtWriter writer = at_writer(end, sizeof(text) - len);
	uint8_t zeros[1000] = {0};

	at_write_string(&writer, LINE DASH "someone ");
	at_write_base64(&writer, zeros, sizeof(zeros));
	at_write_string(&writer, "\n");
	all.len = len + writer.len;
	check(verify(all, &log_key.public_key) == AT_OK, "unknown signatures are ignored");

	AtPublicKey same_name = log_key.public_key;
	AtPublicKey same_id = log_key.public_key;

	same_name.id++;
	same_id.name[0]++;
	check(verify(all, &same_name) == AT_ERR_NOT_SIGNED, "name and id must be the key's: id");
	check(verify(all, &same_id) == AT_ERR_NOT_SIGNED, "name and id must be the key's: name");

	/* the key's name and id, and another's bytes */
	AtPublicKey forged = log_key.public_key;

	forged.bytes[0] ^= 1;
	check(verify(all, &forged) == AT_ERR_SIGNATURE, "another key under name and id fails");
}

/* A second signature line under the key's name and id. */
static void
test_twice(void)
{
	char text[1000];
	size_t len = sign("hello\n", text, sizeof(text));
	AtWriter writer = at_writer(text, sizeof(text));
	AtNote note;
	uint8_t bytes[AT_ED25519_SIGNATURE_LEN];
	int next = 0;

	at_note_read(&note, (AtText){text, len});
	at_note_find(&note, &log_key.public_key, &next, bytes, sizeof(bytes));
	writer.len = len;
	at_note_write_signature(&writer, &log_key.public_key, bytes, sizeof(bytes));
	check(verify((AtText){text, writer.len}, &log_key.public_key) == AT_OK,
		  "the same line twice is verified");

	writer.len = len;
	bytes[0] ^= 1;
	at_note_write_signature(&writer, &log_key.public_key, bytes, sizeof(bytes));
	check(verify((AtText){text, writer.len}, &log_key.public_key) == AT_ERR_SIGNATURE,
		  "a second one that is wrong is an error");

	writer.len = len;
	at_note_write_signature(&writer, &log_key.public_key, bytes, sizeof(bytes) - 1);
	check(verify((AtText){text, writer.len}, &log_key.public_key) == AT_ERR_SIGNATURE,
		  "so is one that is too short");

	writer.len = len;
	at_note_write_signature(&writer, &log_key.public_key, bytes, 0);
	check(verify((AtText){text, writer.len}, &log_key.public_key) == AT_ERR_SIGNATURE_LINE,
		  "one without bytes is no line");
}

static void
test_sign(void)
{
	char buffer[AT_SIGNATURE_LINE_MAX];
	AtWriter writer = at_writer(buffer, sizeof(buffer));
	AtPrivateKey witness = log_key;

	check(at_note_sign(&writer, at_text("a"), &log_key) == AT_ERR_NOTE_FORM,
		  "a text without a newline at its end is not signed");
	check(at_note_sign(&writer, at_text(""), &log_key) == AT_ERR_NOTE_FORM, "nor is an empty one");
	check(at_note_sign(&writer, at_text("\x01\n"), &log_key) == AT_ERR_NOTE_CHARACTERS,
		  "nor one with a control character");
	witness.public_key.type = AT_KEY_COSIGNATURE;
	check(at_note_sign(&writer, at_text("a\n"), &witness) == AT_ERR_KEY_PURPOSE,
		  "a witness's key signs no note");
	check(writer.len == 0, "and nothing is written");

	writer = at_writer(buffer, 20);
	check(at_note_sign(&writer, at_text("a\n"), &log_key) == AT_ERR_NO_ROOM,
		  "a line that does not fit is an error");

	/* the longest name, the longest signature */
	AtPublicKey longest = log_key.public_key;
	uint8_t bytes[72] = {0};

	memset(longest.name, 'n', AT_KEY_NAME_MAX);
	writer = at_writer(buffer, sizeof(buffer));
	at_note_write_signature(&writer, &longest, bytes, sizeof(bytes));
	check(at_writer_error(&writer) == AT_OK && writer.len == AT_SIGNATURE_LINE_MAX,
		  "the longest line is as long as it is said to be");
}

/* Too long for the buffers of this module: a crash is better than silence. */
static void
test_too_long(void)
{
	fflush(NULL);

	pid_t child = fork();

	if (child == 0)
	{
		AtWriter writer = at_writer(NULL, 0);
		uint8_t bytes[73] = {0};

		if (freopen("/dev/null", "w", stderr) == NULL)
			_exit(EXIT_FAILURE);
		at_note_write_signature(&writer, &log_key.public_key, bytes, sizeof(bytes));
		_exit(EXIT_SUCCESS);
	}

	int status = 0;

	check(child > 0 && waitpid(child, &status, 0) == child && WIFSIGNALED(status) &&
			  WTERMSIG(status) == SIGABRT,
		  "a signature of 73 bytes aborts");
}

static bool
call_sign(void)
{
	char text[1000];

	return sign("hello\n", text, sizeof(text)) > 0;
}

static bool
call_verify(void)
{
	AtPublicKey key = {.name = "example.com/foo", .type = AT_KEY_NOTE, .id = 0x530d903a};

	return verify(at_text(VECTOR_NOTE), &key) != AT_ERR_LIBCRYPTO;
}

static void
test_failures(void)
{
	check_failures(call_sign, 4, "at_note_sign reports every failure of libcrypto");
	check_failures(call_verify, 3, "so does at_note_verify");
}

int
main(void)
{
	at_key_read_private(&log_key, at_text(VECTOR_LOG_PRIVATE_KEY));
	at_key_read_public(&other_key, at_text(VECTOR_NOTE_KEY));
	test_example();
	test_forms();
	test_count();
	test_others();
	test_twice();
	test_sign();
	test_too_long();
	test_failures();
	return check_done();
}

static AtError
read_text(const char *text)
{
	AtNote note;

	return at_note_read(&note, at_text(text));
}

/* Read a copy of its own size, so that a sanitizer sees what is read past its end. */
static AtError
verify(AtText text, const AtPublicKey *key)
{
	char *copy = malloc(text.len + 1);
	AtNote note;

	if (copy == NULL)
		abort();
	copy = memcpy(copy + 1, text.data, text.len);

	AtError error = at_note_read(&note, (AtText){copy, text.len});

	if (error == AT_OK)
		error = at_note_verify(&note, key);
	free(copy - 1);
	return error;
}

/* A note of this text by the log's key; its length, 0 if that fails. */
static size_t
sign(const char *text, char *out, size_t size)
{
	AtWriter writer = at_writer(out, size);

	at_write_string(&writer, text);
	at_write_string(&writer, "\n");
	return at_note_sign(&writer, at_text(text), &log_key) == AT_OK ? writer.len : 0;
}
