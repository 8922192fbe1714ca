/*-------------------------------------------------------------------------
 * test_endorsement.c
 *		Endorsements: made, verified; of another key, by another key, changed,
 *		or of another kind of note, refused.
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "check.h"
#include "core/checkpoint.h"
#include "core/endorsement.h"
#include "proof_vectors.h"

static AtPrivateKey old_key;
static AtPrivateKey new_key;
static AtPrivateKey other_key;
static char note[AT_ENDORSEMENT_MAX];
static AtText endorsement;

static AtPrivateKey make_key(const char *name, AtKeyType type, uint8_t first);
static AtText sign(const char *text, const AtPrivateKey *key);

static void
test_made(void)
{
	AtWriter writer = at_writer(note, sizeof(note));

	check(at_endorse(&writer, &new_key.public_key, &old_key) == AT_OK, "an endorsement is made");
	endorsement = (AtText){note, writer.len};
	check(at_endorsement_verify(endorsement, &new_key.public_key, &old_key.public_key) == AT_OK,
		  "it is of the new key by the old one");
	check(at_endorsement_verify(endorsement, &other_key.public_key, &old_key.public_key) ==
			  AT_ERR_ENDORSEMENT,
		  "not of another key");
	check(at_endorsement_verify(endorsement, &new_key.public_key, &other_key.public_key) ==
			  AT_ERR_NOT_SIGNED,
		  "and not by another key");
}

static void
test_damage(void)
{
	char changed[AT_ENDORSEMENT_MAX];
	int refused = 0;

	for (size_t bit = 0; bit < 8 * endorsement.len; bit++)
	{
		memcpy(changed, note, endorsement.len);
		changed[bit / 8] ^= (char) (1 << bit % 8);
		refused += at_endorsement_verify((AtText){changed, endorsement.len}, &new_key.public_key,
										 &old_key.public_key) != AT_OK;
	}
	check(refused == 8 * (int) endorsement.len, "with any bit flipped it is refused");
}

/* The old key has signed other things too. */
static void
test_other_notes(void)
{
	static const char *const texts[] = {
		"audit_trail key\n",
		"example.org/log\n1\nf4DBNr0jUTMUNdyjm5ZQTDWCdHvYbkvdG+u2hkGmFZ0=\n",
		"x\n",
	};

	for (size_t i = 0; i < lengthof(texts); i++)
		check(at_endorsement_verify(sign(texts[i], &old_key), &new_key.public_key,
									&old_key.public_key) == AT_ERR_ENDORSEMENT,
			  "another note is refused");

	AtCheckpoint checkpoint;
	AtTrust trust = {.log_key = &old_key.public_key};

	check(at_checkpoint_open(&checkpoint, endorsement, &trust) == AT_ERR_SIZE_LINE,
		  "and an endorsement is no checkpoint");
}

static void
test_longest(void)
{
	char name[AT_KEY_NAME_MAX + 1];
	char text[AT_ENDORSEMENT_MAX];
	AtWriter writer = at_writer(text, sizeof(text));

	memset(name, 'n', AT_KEY_NAME_MAX);
	name[AT_KEY_NAME_MAX] = '\0';

	AtPrivateKey one = make_key(name, AT_KEY_NOTE, 7);
	AtPrivateKey two = make_key(name, AT_KEY_NOTE, 8);

	check(at_endorse(&writer, &two.public_key, &one) == AT_OK &&
			  at_endorsement_verify((AtText){text, writer.len}, &two.public_key, &one.public_key) ==
				  AT_OK,
		  "the longest names fit");
	for (size_t size = 0; size < writer.len; size += 50)
	{
		AtWriter small = at_writer(text, size);

		check(at_endorse(&small, &two.public_key, &one) == AT_ERR_NO_ROOM,
			  "without room there is none");
	}
}

static void
test_witness(void)
{
	AtPrivateKey witness = make_key(VECTOR_LOG_NAME, AT_KEY_COSIGNATURE, 9);
	char text[AT_ENDORSEMENT_MAX];
	AtWriter writer = at_writer(text, sizeof(text));

	check(at_endorse(&writer, &new_key.public_key, &witness) == AT_ERR_KEY_PURPOSE,
		  "a witness endorses no key");
}

static AtPrivateKey
make_key(const char *name, AtKeyType type, uint8_t first)
{
	uint8_t seed[AT_ED25519_SEED_LEN] = {first};
	AtPrivateKey key;

	check(at_key_make_private(&key, type, at_text(name), seed) == AT_OK, "a key");
	return key;
}

static AtText
sign(const char *text, const AtPrivateKey *key)
{
	static char buffer[AT_ENDORSEMENT_MAX];
	AtWriter writer = at_writer(buffer, sizeof(buffer));

	at_write_string(&writer, text);
	at_write_string(&writer, "\n");
	check(at_note_sign(&writer, at_text(text), key) == AT_OK, "a note");
	return (AtText){buffer, writer.len};
}

int
main(void)
{
	old_key = make_key(VECTOR_LOG_NAME, AT_KEY_NOTE, 1);
	new_key = make_key(VECTOR_LOG_NAME, AT_KEY_NOTE, 2);
	other_key = make_key(VECTOR_LOG_NAME, AT_KEY_NOTE, 3);
	test_made();
	test_damage();
	test_other_notes();
	test_longest();
	test_witness();
	return check_done();
}
