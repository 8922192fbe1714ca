/*-------------------------------------------------------------------------
 * test_subject.c
 *		Keys of persons and values under them: vectors, forgeries, failures.
 *
 * The vectors were computed with Node's crypto module from the formats in subject.h.
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "check.h"
#include "core/subject.h"

#define NAME "968ff68f66c617277d9d23221a5e72a2"
#define WRAPPED                                                                                    \
	"41545731a0a1a2a3a4a5a6a7a8a9aaab18c4dbf0501465119fbbfb83773571d83c8fe8e617b85d06ebcd86cf0d0a" \
	"43f36dfe72ffaca5f696a88da604a46f8fad"
#define SEALED                                                                                     \
	"b0b1b2b3b4b5b6b7b8b9babb381872c11cb705a436c4fb33c77242ba87b6796788477ba0bd2242a902375f057f"
#define VALUE "\001zo\xc3\xab@example.com"

static const AtSpan column = {.data = "email", .len = 5};
static uint8_t master[AT_SUBJECT_KEY_LEN];
static uint8_t log_id[AT_LOG_ID_LEN];
static uint8_t key[AT_SUBJECT_KEY_LEN];
static uint8_t name[AT_SUBJECT_NAME_LEN];

static void
count_up(uint8_t *bytes, int len, int from)
{
	for (int i = 0; i < len; i++)
		bytes[i] = (uint8_t) (from + i);
}

static void
prepare(void)
{
	count_up(master, sizeof(master), 0);
	count_up(log_id, sizeof(log_id), 0x40);
	count_up(key, sizeof(key), 0x80);
	from_hex(NAME, name, sizeof(name));
}

static void
test_vectors(void)
{
	AtSpan subject = {.data = "42", .len = 2};
	uint8_t wrapped[AT_WRAPPED_KEY_LEN];
	uint8_t sealed[sizeof(VALUE) - 1 + AT_SEALED_MORE];
	uint8_t out[AT_SUBJECT_KEY_LEN];

	check(at_subject_name(master, log_id, 0, subject, out), "a key has a name");
	check_hex(out, AT_SUBJECT_NAME_LEN, NAME, "the name of a key");
	check(at_subject_name(master, log_id, 258, subject, out), "so has a later one");
	check_hex(out, AT_SUBJECT_NAME_LEN, "8b619d73bcd5de2fbcd0b55c563d5ba5", "another name");

	from_hex(WRAPPED, wrapped, sizeof(wrapped));
	check(at_subject_unwrap(master, name, wrapped, out), "a wrapped key is unwrapped");
	check(memcmp(out, key, sizeof(key)) == 0, "it is the key");
	from_hex(SEALED, sealed, sizeof(sealed));
	check(at_subject_open(key, column, sealed, sizeof(sealed), out), "a sealed value is opened");
	check(memcmp(out, VALUE, sizeof(VALUE) - 1) == 0, "it is the value");
}

/* What was sealed is opened, and no changed bit of it. */
static void
test_round(void)
{
	uint8_t wrapped[AT_WRAPPED_KEY_LEN];
	uint8_t sealed[2][8 + AT_SEALED_MORE];
	uint8_t out[AT_SUBJECT_KEY_LEN];
	int opened = 0;

	check(at_subject_wrap(master, name, key, wrapped) &&
			  at_subject_unwrap(master, name, wrapped, out) && memcmp(out, key, sizeof(key)) == 0,
		  "wrapped and unwrapped");
	for (int bit = 0; bit < 8 * AT_WRAPPED_KEY_LEN; bit++)
	{
		wrapped[bit / 8] ^= 1 << bit % 8;
		opened += at_subject_unwrap(master, name, wrapped, out);
		wrapped[bit / 8] ^= 1 << bit % 8;
	}
	check(opened == 0, "no changed bit of a wrapped key goes unnoticed");
	check(!at_subject_unwrap(key, name, wrapped, out), "another master key does not unwrap it");
	check(!at_subject_unwrap(master, key, wrapped, out), "nor does it unwrap under another name");

	for (int i = 0; i < 2; i++)
		check(at_subject_seal(key, column, "\001 value", 7, sealed[i]) &&
				  at_subject_open(key, column, sealed[i], 7 + AT_SEALED_MORE, out) &&
				  memcmp(out, "\001 value", 7) == 0,
			  "sealed and opened");
	check(memcmp(sealed[0], sealed[1], 7 + AT_SEALED_MORE) != 0, "never twice the same");
	for (int bit = 0; bit < 8 * (7 + AT_SEALED_MORE); bit++)
	{
		sealed[0][bit / 8] ^= 1 << bit % 8;
		opened += at_subject_open(key, column, sealed[0], 7 + AT_SEALED_MORE, out);
		sealed[0][bit / 8] ^= 1 << bit % 8;
	}
	check(opened == 0, "no changed bit of a sealed value goes unnoticed");
	check(!at_subject_open(master, column, sealed[0], 7 + AT_SEALED_MORE, out),
		  "another key does not open it");
	check(!at_subject_open(key, (AtSpan){.data = "e-mail", .len = 6}, sealed[0], 7 + AT_SEALED_MORE,
						   out),
		  "nor is it opened in another column");
	check(at_subject_draw(out) && memcmp(out, key, sizeof(key)) != 0, "a key is drawn");
}

static void
test_text(void)
{
	static const char *const bad[] = {
		"",
		"personal:",
		"commitment:968ff68f66c617277d9d23221a5e72a2:",
		"personal:968ff68f66c617277d9d23221a5e72a2",
		"personal:968ff68f66c617277d9d23221a5e72a2:00",
		"personal:968ff68f66c617277d9d23221a5e72a2:00:",
		"personal:968FF68F66C617277D9D23221A5E72A2:"
		"0000000000000000000000000000000000000000000000000000000000000000:",
		"personal:968ff68f66c617277d9d23221a5e72a2:"
		"000000000000000000000000000000000000000000000000000000000000000g:",
		"personal:968ff68f66c617277d9d23221a5e72a2:"
		"0000000000000000000000000000000000000000000000000000000000000000:!",
		"personal:968ff68f66c617277d9d23221a5e72a2:"
		"0000000000000000000000000000000000000000000000000000000000000000:Zm9vYmFy",
	};
	AtHash commitment;
	uint8_t sealed[sizeof(VALUE) - 1 + AT_SEALED_MORE];
	char text[AT_PERSONAL_LEN(sizeof(sealed))];
	AtPersonalText parts;

	for (size_t i = 0; i < lengthof(bad); i++)
		check(!at_personal_read(at_text(bad[i]), &parts), "no recorded personal value");

	count_up(commitment.bytes, AT_HASH_LEN, 1);
	from_hex(SEALED, sealed, sizeof(sealed));
	for (size_t len = 0; len <= sizeof(sealed); len += sizeof(sealed))
	{
		AtWriter writer = at_writer(text, sizeof(text));

		at_personal_write(&writer, name, &commitment, sealed, len);
		check(at_writer_error(&writer) == AT_OK, "there is room for the text");
		check(at_personal_read((AtText){writer.data, writer.len}, &parts) &&
				  memcmp(parts.name, name, sizeof(name)) == 0 &&
				  memcmp(&parts.commitment, &commitment, AT_HASH_LEN) == 0 &&
				  parts.sealed_len == len,
			  "a text is read as it was written");
	}
}

static bool
call_name(void)
{
	return at_subject_name(master, log_id, 0, (AtSpan){.data = "42", .len = 2}, name);
}

static bool
call_draw(void)
{
	uint8_t out[AT_SUBJECT_KEY_LEN];

	return at_subject_draw(out);
}

static bool
call_wrap(void)
{
	uint8_t out[AT_WRAPPED_KEY_LEN];

	return at_subject_wrap(master, name, key, out);
}

static bool
call_unwrap(void)
{
	uint8_t wrapped[AT_WRAPPED_KEY_LEN];
	uint8_t out[AT_SUBJECT_KEY_LEN];

	from_hex(WRAPPED, wrapped, sizeof(wrapped));
	return at_subject_unwrap(master, name, wrapped, out);
}

static bool
call_seal(void)
{
	uint8_t out[3 + AT_SEALED_MORE];

	return at_subject_seal(key, column, "\001ab", 3, out);
}

static bool
call_open(void)
{
	uint8_t sealed[sizeof(VALUE) - 1 + AT_SEALED_MORE];
	uint8_t out[sizeof(VALUE)];

	from_hex(SEALED, sealed, sizeof(sealed));
	return at_subject_open(key, column, sealed, sizeof(sealed), out);
}

static void
test_failures(void)
{
	check_failures(call_name, 10, "at_subject_name reports every failure of libcrypto");
	check_failures(call_draw, 1, "at_subject_draw reports every failure of libcrypto");
	check_failures(call_wrap, 12, "at_subject_wrap reports failures of libcrypto");
	check_failures(call_unwrap, 11, "at_subject_unwrap reports failures of libcrypto");
	check_failures(call_seal, 12, "at_subject_seal reports failures of libcrypto");
	check_failures(call_open, 11, "at_subject_open reports failures of libcrypto");
	prepare();
}

int
main(void)
{
	prepare();
	test_vectors();
	test_round();
	test_text();
	test_failures();
	return check_done();
}
