/*-------------------------------------------------------------------------
 * trust.c
 *		Whom the user believes.
 *-------------------------------------------------------------------------
 */
#include <inttypes.h>
#include <stdlib.h>

#include "core/cosignature.h"
#include "file.h"
#include "message.h"
#include "show.h"
#include "trust.h"

#define USECS_PER_SEC 1000000

static void add_key(AtKeys *keys, AtKeyType type, AtText text, const char *from);
static bool has_signature(const AtNote *note, const AtPublicKey *key);
static void say_witnesses(const AtUserTrust *trust, const AtNote *note, AtResult *result);
static void say_others(const AtUserTrust *trust, const AtNote *note, const AtPublicKey *key,
					   AtResult *result);
static bool is_by(const AtNoteSignature *signature, const AtPublicKey *key);
static bool is_known(const AtKeys *keys, const AtNoteSignature *signature);

void
at_keys_add(AtKeys *keys, AtKeyType type, const char *argument)
{
	AtPublicKey key;
	AtText line;

	if (at_key_read_public(&key, at_text(argument)) == AT_OK)
	{
		add_key(keys, type, at_text(argument), argument);
		return;
	}

	AtText text = at_file_read(argument);
	AtText rest = text;

	while (rest.len > 0)
	{
		if (!at_text_line(&rest, &line))
		{
			line = rest;
			rest.len = 0;
		}
		if (line.len > 0)
			add_key(keys, type, line, argument);
	}
	free((char *) text.data);
}

static void
add_key(AtKeys *keys, AtKeyType type, AtText text, const char *from)
{
	keys->key = at_grow(keys->key, &keys->max, keys->count + 1, sizeof(AtPublicKey));

	AtPublicKey *key = &keys->key[keys->count];
	AtError error = at_key_read_public(key, text);

	if (error == AT_OK && key->type != type)
		error = AT_ERR_KEY_TYPE;
	if (error != AT_OK)
		at_fatal_hint(type == AT_KEY_NOTE ? "A public key of a log is like those in the view "
											"audit.public_keys: name+id+base64."
										  : "A public key of a witness is name+id+base64, of "
											"the type for cosignatures.",
					  "there is no public key in \"%s\": %s", from, at_error_text(error));
	keys->count++;
}

void
at_keys_free(AtKeys *keys)
{
	free(keys->key);
	*keys = (AtKeys){0};
}

AtTrust
at_trust_for(const AtUserTrust *trust, AtText bytes)
{
	AtNote note;
	const AtPublicKey *key = &trust->log.key[0];

	/* Of a key that did not sign it the error is that it is not signed. */
	if (at_note_read(&note, bytes) == AT_OK)
		for (size_t i = 0; i < trust->log.count; i++)
			if (has_signature(&note, &trust->log.key[i]))
				key = &trust->log.key[i];

	return (AtTrust){.log_key = key,
					 .witness = trust->witness.key,
					 .witness_count = (int) trust->witness.count,
					 .quorum = trust->quorum >= 0 ? trust->quorum : (int) trust->witness.count};
}

bool
at_trust_open(const AtUserTrust *trust, AtText bytes, const char *part, AtCheckpoint *checkpoint,
			  AtResult *result)
{
	AtTrust counts = at_trust_for(trust, bytes);
	AtNote note;

	if (!at_result_error(result, part, at_note_read(&note, bytes)) ||
		!at_result_error(result, part, at_trust_verify_given(trust, &note)) ||
		!at_result_error(result, part, at_checkpoint_open(checkpoint, bytes, &counts)))
		return false;
	at_result_add(result, AT_SIGNED_BY, "%s+%08" PRIx32 ", the log, with a key that you gave",
				  at_said(result, at_text(counts.log_key->name)), counts.log_key->id);
	at_trust_say_witnesses(trust, bytes, counts.log_key, result);
	return true;
}

AtError
at_trust_verify_given(const AtUserTrust *trust, const AtNote *note)
{
	AtError error = AT_OK;

	for (size_t i = 0; i < trust->log.count && error == AT_OK; i++)
		if (has_signature(note, &trust->log.key[i]))
			error = at_note_verify(note, &trust->log.key[i]);
	return error;
}

void
at_trust_say_witnesses(const AtUserTrust *trust, AtText bytes, const AtPublicKey *key,
					   AtResult *result)
{
	AtNote note;

	at_check_machine(at_note_read(&note, bytes));
	say_witnesses(trust, &note, result);
	say_others(trust, &note, key, result);
}

static bool
has_signature(const AtNote *note, const AtPublicKey *key)
{
	for (int i = 0; i < note->signature_count; i++)
		if (is_by(&note->signature[i], key))
			return true;

	return false;
}

static void
say_witnesses(const AtUserTrust *trust, const AtNote *note, AtResult *result)
{
	char buffer[AT_SHOWN_TIME_MAX];
	uint64_t when;

	for (size_t i = 0; i < trust->witness.count; i++)
	{
		const AtPublicKey *key = &trust->witness.key[i];
		const char *name = at_said(result, at_text(key->name));

		if (at_cosignature_verify(note, key, &when) != AT_OK)
			at_result_add(result, AT_REMARKS, "witness %s+%08" PRIx32 " has not cosigned", name,
						  key->id);
		else if (when > INT64_MAX / USECS_PER_SEC)
			at_result_add(result, AT_SIGNED_BY, "%s+%08" PRIx32 ", a witness, at %" PRIu64 " s",
						  name, key->id, when);
		else
			at_result_add(result, AT_SIGNED_BY, "%s+%08" PRIx32 ", a witness, at %s", name, key->id,
						  at_show_time((int64_t) when * USECS_PER_SEC, buffer));
	}
}

static void
say_others(const AtUserTrust *trust, const AtNote *note, const AtPublicKey *key, AtResult *result)
{
	for (int i = 0; i < note->signature_count; i++)
	{
		const AtNoteSignature *signature = &note->signature[i];

		if (!is_by(signature, key) && !is_known(&trust->log, signature) &&
			!is_known(&trust->witness, signature))
			at_result_add(result, AT_REMARKS,
						  "the signature by %s+%08" PRIx32 " was not checked: you gave no such key",
						  at_said(result, signature->name), signature->key_id);
	}
}

static bool
is_known(const AtKeys *keys, const AtNoteSignature *signature)
{
	for (size_t i = 0; i < keys->count; i++)
		if (is_by(signature, &keys->key[i]))
			return true;

	return false;
}

static bool
is_by(const AtNoteSignature *signature, const AtPublicKey *key)
{
	return signature->key_id == key->id && at_text_equal(signature->name, at_text(key->name));
}
