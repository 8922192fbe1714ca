/*-------------------------------------------------------------------------
 * key_chain.c
 *		The keys that a log has named as its own.
 *
 * The payload of such an entry must be, byte for byte, as the server writes
 * it: so it cannot say one thing here and another to another reader of JSON.
 *-------------------------------------------------------------------------
 */
#include <inttypes.h>
#include <stdlib.h>

#include "core/base64.h"
#include "core/endorsement.h"
#include "core/json_text.h"
#include "key_chain.h"
#include "message.h"

#define ID_DIGITS 8

/* A payload, taken apart. */
typedef struct Payload
{
	AtPublicKey key;
	AtText endorsed_by; /* an id; len == 0: the key is not endorsed */
	AtText endorsement; /* in base64 */
} Payload;

static AtError read_payload(Payload *payload, AtText text);
static bool read_string(AtText object, const char *name, char *out, size_t size, AtText *string);
static bool is_written_so(const Payload *payload, AtText text);
static void write_json_string(AtWriter *writer, const char *string);
static AtError check_endorsement(const Payload *payload, const AtPublicKey *last);
static bool is_given(const AtUserTrust *trust, const AtPublicKey *key);
static void say_key(const AtKeyChain *chain, const AtChainedKey *key, AtResult *result);

bool
at_key_chain_add(AtKeyChain *chain, const AtEntryBody *entry, const AtUserTrust *trust,
				 const char *part, AtResult *result)
{
	const AtChainedKey *last = chain->count > 0 ? &chain->key[chain->count - 1] : NULL;
	AtChainedKey next = {.log_index = entry->log_index};
	Payload payload;
	AtError error = read_payload(&payload, (AtText){entry->payload.data, entry->payload.len});

	next.key = payload.key;
	if (error == AT_OK && last != NULL && strcmp(payload.key.name, last->key.name) != 0)
	{
		at_result_fault(result, part, "the key has another name than the one before it");
		return false;
	}
	if (error == AT_OK && payload.endorsed_by.len > 0)
	{
		error = last != NULL ? check_endorsement(&payload, &last->key) : AT_ERR_ENDORSEMENT;
		next.is_endorsed = true;
	}
	if (!at_result_error(result, part, error))
		return false;

	next.is_given = is_given(trust, &next.key);
	next.is_believed = next.is_given || (next.is_endorsed && last->is_believed);
	chain->key = at_grow(chain->key, &chain->max, chain->count + 1, sizeof(AtChainedKey));
	chain->key[chain->count++] = next;
	return true;
}

const AtChainedKey *
at_key_chain_signer(const AtKeyChain *chain, uint64_t size)
{
	for (size_t i = chain->count; i-- > 0;)
		if (chain->key[i].log_index < size)
			return &chain->key[i];

	return NULL;
}

bool
at_key_chain_open(const AtKeyChain *chain, const AtUserTrust *trust, AtText bytes, const char *part,
				  AtCheckpoint *checkpoint, AtResult *result)
{
	AtNote note;

	if (!at_result_error(result, part, at_note_read(&note, bytes)) ||
		!at_result_error(result, part, at_checkpoint_read(checkpoint, note.text)))
		return false;

	const AtChainedKey *signer = at_key_chain_signer(chain, checkpoint->size);

	if (signer == NULL)
	{
		at_result_fault(result, part, "the log has named no key that signs size %" PRIu64,
						checkpoint->size);
		return false;
	}
	if (!signer->is_believed)
	{
		at_result_fault(result, part,
						"nobody vouches for the key %s+%08" PRIx32 " that signs size %" PRIu64
						": you did not give it, and no key that you "
						"gave has endorsed it",
						at_said(result, at_text(signer->key.name)), signer->key.id,
						checkpoint->size);
		return false;
	}

	AtTrust counts = at_trust_for(trust, bytes);

	counts.log_key = &signer->key;
	if (!at_result_error(result, part, at_checkpoint_open(checkpoint, bytes, &counts)))
		return false;
	say_key(chain, signer, result);
	at_trust_say_witnesses(trust, bytes, &signer->key, result);
	return true;
}

void
at_key_chain_free(AtKeyChain *chain)
{
	free(chain->key);
	*chain = (AtKeyChain){0};
}

static AtError
read_payload(Payload *payload, AtText text)
{
	char buffer[AT_PUBLIC_KEY_TEXT_MAX];
	AtText vkey;
	AtText value;

	*payload = (Payload){0};
	if (!at_json_text_check(text) || !read_string(text, "vkey", buffer, sizeof(buffer), &vkey))
		return AT_ERR_KEY_FORM;

	AtError error = at_key_read_public(&payload->key, vkey);

	if (error != AT_OK)
		return error;
	if (payload->key.type != AT_KEY_NOTE)
		return AT_ERR_KEY_TYPE;
	if (at_json_text_find(text, "endorsed_by", &value) && at_json_text_unquote(&value))
		payload->endorsed_by = value;
	if (at_json_text_find(text, "endorsement", &value) && at_json_text_unquote(&value))
		payload->endorsement = value;
	return is_written_so(payload, text) ? AT_OK : AT_ERR_KEY_FORM;
}

/* A member that is a string of ASCII, its escapes resolved. */
static bool
read_string(AtText object, const char *name, char *out, size_t size, AtText *string)
{
	AtText value;
	AtWriter writer = at_writer(out, size);

	if (!at_json_text_find(object, name, &value) || !at_json_text_unquote(&value))
		return false;
	while (value.len > 0)
	{
		int32_t code_point = at_json_text_character(&value);
		char c = (char) code_point;

		if (code_point < ' ' || code_point > '~')
			return false;
		at_write(&writer, (AtText){&c, 1});
	}
	*string = (AtText){out, writer.len};
	return !writer.full;
}

static bool
is_written_so(const Payload *payload, AtText text)
{
	char vkey[AT_PUBLIC_KEY_TEXT_MAX + 1] = "";
	char buffer[2 * AT_PUBLIC_KEY_TEXT_MAX + AT_BASE64_LEN(AT_ENDORSEMENT_MAX) + 100];
	AtWriter key = at_writer(vkey, AT_PUBLIC_KEY_TEXT_MAX);
	AtWriter writer = at_writer(buffer, sizeof(buffer));

	at_key_write_public(&key, &payload->key);
	at_write_string(&writer, "{\"vkey\":");
	write_json_string(&writer, vkey);
	if (payload->endorsed_by.len > 0)
	{
		at_write_string(&writer, ",\"endorsed_by\":\"");
		at_write(&writer, payload->endorsed_by);
		at_write_string(&writer, "\",\"endorsement\":\"");
		at_write(&writer, payload->endorsement);
		at_write_string(&writer, "\"");
	}
	at_write_string(&writer, "}");
	return !writer.full && at_text_equal((AtText){writer.data, writer.len}, text);
}

/* Of a key's name nothing else needs an escape. */
static void
write_json_string(AtWriter *writer, const char *string)
{
	at_write_string(writer, "\"");
	for (; *string != '\0'; string++)
	{
		if (*string == '"' || *string == '\\')
			at_write_string(writer, "\\");
		at_write(writer, (AtText){string, 1});
	}
	at_write_string(writer, "\"");
}

static AtError
check_endorsement(const Payload *payload, const AtPublicKey *last)
{
	char id[ID_DIGITS + 1];
	char note[AT_ENDORSEMENT_MAX];
	size_t len;

	snprintf(id, sizeof(id), "%08" PRIx32, last->id);
	if (!at_text_equal(payload->endorsed_by, at_text(id)) ||
		!at_base64_check(payload->endorsement, &len) || len > sizeof(note))
		return AT_ERR_ENDORSEMENT;

	at_base64_decode(payload->endorsement, note, len);
	return at_endorsement_verify((AtText){note, len}, &payload->key, last);
}

static bool
is_given(const AtUserTrust *trust, const AtPublicKey *key)
{
	for (size_t i = 0; i < trust->log.count; i++)
		if (at_public_key_equal(&trust->log.key[i], key))
			return true;

	return false;
}

/* Who has signed, and why that is believed. */
static void
say_key(const AtKeyChain *chain, const AtChainedKey *key, AtResult *result)
{
	const AtChainedKey *given = key;

	while (!given->is_given)
		given--;
	if (given == key)
		at_result_add(result, AT_SIGNED_BY, "%s+%08" PRIx32 ", the log, with a key that you gave",
					  at_said(result, at_text(key->key.name)), key->key.id);
	else
		at_result_add(result, AT_SIGNED_BY,
					  "%s+%08" PRIx32 ", the log, with a key that you did not give; "
					  "%08" PRIx32 ", which you gave, vouches for it by %td endorsement%s",
					  at_said(result, at_text(key->key.name)), key->key.id, given->key.id,
					  key - given, key - given == 1 ? "" : "s");
	for (size_t i = 1; i < chain->count; i++)
		if (!chain->key[i].is_endorsed)
			at_result_add(result, AT_REMARKS,
						  "no key vouches for the key %08" PRIx32 " in entry %" PRIu64
						  ", which took the place of another",
						  chain->key[i].key.id, chain->key[i].log_index);
}
