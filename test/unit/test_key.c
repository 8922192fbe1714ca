/*-------------------------------------------------------------------------
 * test_key.c
 *		Keys: their names, ids and text forms.
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "core/key.h"
#include "proof_vectors.h"

static bool writes_public(const AtPublicKey *key, const char *text);
static bool writes_private(const AtPrivateKey *key, const char *text);
static bool is_forgotten(const AtPrivateKey *key);

static void
test_vectors(void)
{
	uint8_t seed[32];
	AtPrivateKey log;
	AtPrivateKey witness;
	AtPublicKey read;

	from_hex(VECTOR_LOG_SEED, seed, sizeof(seed));
	check(at_key_make_private(&log, AT_KEY_NOTE, at_text(VECTOR_LOG_NAME), seed) == AT_OK,
		  "a log's key is made of a seed");
	check_hex(log.public_key.bytes, 32, VECTOR_LOG_PUBLIC, "its public half");
	check(log.public_key.id == VECTOR_LOG_ID, "its id");
	check(writes_public(&log.public_key, VECTOR_LOG_KEY), "its public text form");
	check(writes_private(&log, VECTOR_LOG_PRIVATE_KEY), "its private text form, that of Go");

	check(at_key_read_public(&read, at_text(VECTOR_LOG_KEY)) == AT_OK &&
			  at_public_key_equal(&read, &log.public_key),
		  "it is the key that its text form says");
	read.bytes[0] ^= 1;
	check(!at_public_key_equal(&read, &log.public_key), "with other bytes it is another");
	read = log.public_key;
	read.name[0] ^= 1;
	check(!at_public_key_equal(&read, &log.public_key), "and with another name");

	from_hex(VECTOR_WITNESS_SEED, seed, sizeof(seed));
	check(at_key_make_private(&witness, AT_KEY_COSIGNATURE, at_text(VECTOR_WITNESS_NAME), seed) ==
			  AT_OK,
		  "a witness's key is made of a seed");
	check_hex(witness.public_key.bytes, 32, VECTOR_WITNESS_PUBLIC, "its public half");
	check(witness.public_key.id == VECTOR_WITNESS_ID, "its id");
	check(writes_public(&witness.public_key, VECTOR_WITNESS_KEY), "its public text form");

	check(at_key_read_public(&read, at_text(VECTOR_LOG_KEY)) == AT_OK &&
			  memcmp(&read, &log.public_key, sizeof(read)) == 0,
		  "the log's public key is read");
	check(at_key_read_public(&read, at_text(VECTOR_LOG_KEY "\n")) == AT_OK,
		  "also with the newline of a file");
	check(at_key_read_public(&read, at_text(VECTOR_WITNESS_KEY)) == AT_OK &&
			  memcmp(&read, &witness.public_key, sizeof(read)) == 0,
		  "the witness's is");
	check(at_key_read_public(&read, at_text(VECTOR_NOTE_KEY)) == AT_OK &&
			  writes_public(&read, VECTOR_NOTE_KEY),
		  "the key of C2SP's example is read and written back");
}

static void
test_private(void)
{
	AtPrivateKey key;
	AtPrivateKey other;

	check(at_key_read_private(&key, at_text(VECTOR_LOG_PRIVATE_KEY)) == AT_OK &&
			  writes_public(&key.public_key, VECTOR_LOG_KEY) &&
			  writes_private(&key, VECTOR_LOG_PRIVATE_KEY),
		  "a private key is read, has its public half, and is written back");
	check(at_key_read_private(&key, at_text(VECTOR_LOG_PRIVATE_KEY "\n")) == AT_OK,
		  "so it is with the newline of a file");
	at_key_forget(&key);
	check(is_forgotten(&key), "it is forgotten");

	check(at_key_generate(&key, AT_KEY_COSIGNATURE, at_text("w")) == AT_OK &&
			  at_key_generate(&other, AT_KEY_COSIGNATURE, at_text("w")) == AT_OK &&
			  memcmp(key.seed, other.seed, sizeof(key.seed)) != 0 &&
			  key.public_key.id != other.public_key.id,
		  "keys are generated, no two alike");

	char text[AT_PRIVATE_KEY_TEXT_MAX];
	AtWriter writer = at_writer(text, sizeof(text));

	at_key_write_private(&writer, &key);
	check(at_key_read_private(&other, (AtText){text, writer.len}) == AT_OK &&
			  memcmp(&key, &other, sizeof(key)) == 0,
		  "and read as they were written");
}

/* Bytes that nobody can have the private key of, or that need none. */
static void
test_points(void)
{
	static const char *const keys[] = {
		"example.com/foo+61a0818a+AQEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", /* order 1 */
		"example.com/foo+871406f8+BAEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
		"example.com/foo+ba467ab2+AQIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", /* no point */
		"example.com/foo+b0abb187+BAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
	};
	uint8_t small[AT_ED25519_PUBLIC_LEN] = {1};
	AtPublicKey key;

	for (size_t i = 0; i < lengthof(keys); i++)
		check(at_key_read_public(&key, at_text(keys[i])) == AT_ERR_KEY_POINT,
			  "a key that is no point, or one of small order, is refused");
	check(at_key_make_public(&key, AT_KEY_NOTE, at_text("a"), small) == AT_ERR_KEY_POINT,
		  "also when it is made of its parts");
}

/* A text that is not exactly one that is written. */
static void
test_refused(void)
{
	static const struct
	{
		AtError error;
		const char *text;
	} cases[] = {
		{AT_ERR_KEY_FORM, ""},
		{AT_ERR_KEY_FORM, "\n"},
		{AT_ERR_KEY_FORM, "name"},
		{AT_ERR_KEY_FORM, "name+530d903a"},
		{AT_ERR_KEY_FORM, VECTOR_LOG_KEY "\n\n"},
		{AT_ERR_KEY_FORM, VECTOR_LOG_KEY "\r\n"},
		{AT_ERR_KEY_FORM, VECTOR_LOG_KEY " "},
		{AT_ERR_KEY_FORM, VECTOR_LOG_KEY "+"},
		{AT_ERR_KEY_FORM, VECTOR_LOG_KEY "="},
		{AT_ERR_KEY_FORM, VECTOR_LOG_PRIVATE_KEY},
		{AT_ERR_KEY_FORM, "example.com/foo+530D903A+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"},
		{AT_ERR_KEY_FORM, "example.com/foo+530d903+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"},
		{AT_ERR_KEY_FORM, "example.com/foo+0530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"},
		{AT_ERR_KEY_FORM, "example.com/foo+530d903/+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"},
		{AT_ERR_KEY_FORM, "example.com/foo+530d903g+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"},
		{AT_ERR_KEY_ID, "example.com/foo+530d903b+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"},
		{AT_ERR_KEY_ID, "example.com/fop+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"},
		{AT_ERR_KEY_ID, "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2l"},
		{AT_ERR_KEY_ID, /* the same bytes as a key for cosignatures */
		 "example.com/foo+530d903a+BOkyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"},
		{AT_ERR_KEY_TYPE, /* 32 bytes in all, and 34 */
		 "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U0="},
		{AT_ERR_KEY_TYPE,
		 "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2kAA=="},
		{AT_ERR_KEY_TYPE, "example.com/foo+530d903a+"},
		{AT_ERR_KEY_TYPE, "example.com/foo+530d903a+AukyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"},
		{AT_ERR_KEY_TYPE, "example.com/foo+530d903a+AOkyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"},
		{AT_ERR_KEY_NAME, "+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"},
		{AT_ERR_KEY_NAME, "a b+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"},
	};

	for (size_t i = 0; i < lengthof(cases); i++)
	{
		char text[200] = "PRIVATE+KEY+";
		AtPublicKey key;
		AtPrivateKey private_key;

		check(at_key_read_public(&key, at_text(cases[i].text)) == cases[i].error,
			  "what is no public key is refused for what it is");

		memset(&private_key, 0xee, sizeof(private_key));
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s", cases[i].text);
		check(at_key_read_private(&private_key, at_text(text)) == cases[i].error &&
				  is_forgotten(&private_key),
			  "so is a private key, and nothing is left of it");
	}

	AtPrivateKey key;

	memset(&key, 0xee, sizeof(key));
	check(at_key_read_private(&key, at_text(VECTOR_LOG_KEY)) == AT_ERR_KEY_FORM &&
			  is_forgotten(&key),
		  "a public key is no private key");
	check(at_key_read_private(&key, at_text("PRIVATE+KEY+audit-trail.example/db1/log1+d1db483f+"
											"AbW/eSt+ja/1zWIPs5HeiimRs33u2xLJtUUl/X6WsRL5")) ==
				  AT_ERR_KEY_ID &&
			  is_forgotten(&key),
		  "a seed with a bit flipped is found by the id");
}

static void
test_names(void)
{
	static const char *const wrong[] = {
		"",     " ",        "a b",           "a+b",          "+",    "a\n", "a\t", "a\x01",
		"\xff", "\xc2\xa0", "a\xe3\x80\x80", "\xe2\x80\xa8", "\xc2",
	};
	char longest[AT_KEY_NAME_MAX + 2];

	for (size_t i = 0; i < lengthof(wrong); i++)
		check(!at_key_name_is_valid(at_text(wrong[i])), "a name that cannot be is refused");
	check(!at_key_name_is_valid((AtText){"a\0b", 3}), "one with a zero byte is");
	check(at_key_name_is_valid(at_text("a")), "a name of one character is valid");
	check(at_key_name_is_valid(at_text("caf\xc3\xa9.example/\xe6\xbc\xa2")), "so is one of UTF-8");

	memset(longest, 'n', sizeof(longest));
	check(at_key_name_is_valid((AtText){longest, AT_KEY_NAME_MAX}), "so is the longest");
	check(!at_key_name_is_valid((AtText){longest, AT_KEY_NAME_MAX + 1}), "a longer one is not");

	/* the longest name gives the longest texts */
	char text[AT_PRIVATE_KEY_TEXT_MAX + 1];
	AtWriter writer = at_writer(text, sizeof(text));
	AtPrivateKey key;

	check(at_key_generate(&key, AT_KEY_NOTE, (AtText){longest, AT_KEY_NAME_MAX}) == AT_OK,
		  "a key of the longest name");
	at_key_write_private(&writer, &key);
	check(writer.len == AT_PRIVATE_KEY_TEXT_MAX, "has the longest private text");
	writer.len = 0;
	at_key_write_public(&writer, &key.public_key);
	check(writer.len == AT_PUBLIC_KEY_TEXT_MAX, "and the longest public one");
	check(at_key_generate(&key, AT_KEY_NOTE, at_text("a b")) == AT_ERR_KEY_NAME,
		  "no key is made under a name that cannot be");
}

static bool
call_generate(void)
{
	AtPrivateKey key;

	return at_key_generate(&key, AT_KEY_NOTE, at_text("n")) != AT_ERR_LIBCRYPTO;
}

static bool
call_read_public(void)
{
	AtPublicKey key;

	return at_key_read_public(&key, at_text(VECTOR_LOG_KEY)) != AT_ERR_LIBCRYPTO;
}

static bool
call_read_private(void)
{
	AtPrivateKey key;

	memset(&key, 0xee, sizeof(key));
	return at_key_read_private(&key, at_text(VECTOR_LOG_PRIVATE_KEY)) != AT_ERR_LIBCRYPTO ||
		   !is_forgotten(&key);
}

static void
test_failures(void)
{
	check_failures(call_generate, 7, "at_key_generate reports every failure of libcrypto");
	check_failures(call_read_public, 4, "so does at_key_read_public");
	check_failures(call_read_private, 6, "and at_key_read_private, which forgets the key");
}

int
main(void)
{
	test_vectors();
	test_private();
	test_points();
	test_refused();
	test_names();
	test_failures();
	return check_done();
}

static bool
writes_public(const AtPublicKey *key, const char *text)
{
	char buffer[AT_PUBLIC_KEY_TEXT_MAX];
	AtWriter writer = at_writer(buffer, sizeof(buffer));

	at_key_write_public(&writer, key);
	return at_text_equal((AtText){buffer, writer.len}, at_text(text));
}

static bool
writes_private(const AtPrivateKey *key, const char *text)
{
	char buffer[AT_PRIVATE_KEY_TEXT_MAX];
	AtWriter writer = at_writer(buffer, sizeof(buffer));

	at_key_write_private(&writer, key);
	return at_text_equal((AtText){buffer, writer.len}, at_text(text));
}

static bool
is_forgotten(const AtPrivateKey *key)
{
	static const AtPrivateKey nothing;

	return memcmp(key, &nothing, sizeof(nothing)) == 0;
}
