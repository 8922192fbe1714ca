/*-------------------------------------------------------------------------
 * subject_key.c
 *		The keys of persons.
 *
 * The cache lives as long as the transaction. So a key that was destroyed is used by others
 * no longer than their transactions last, and no shared memory is needed to tell them.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

#include "base/catalog.h"
#include "base/errors.h"
#include "ledger/datum.h"
#include "ledger/secret.h"
#include "ledger/subject_key.h"

/* So many keys are kept at most. */
#define MAX_CACHED 1024

/* Nobody is erased so often; the end of a loop over damaged marks. */
#define MAX_GENERATIONS 1000

#define HEX_NAME_LEN (2 * AT_SUBJECT_NAME_LEN + 1)

/* Right after an error: the end of the transaction clears it. */
static struct
{
	HTAB *cache;
} state;

static void end_transaction(XactEvent event, void *arg);
static void forget(void);
static AtSubjectKey *enter(const uint8 *name);
static void read_key(AtSubjectKey *key);
static void make_key(AtSubjectKey *key);
static void name_of(AtSpan subject, uint32 generation, uint8 *name);
static void name_hex(const uint8 *name, char *hex);

void
at_subject_key_init(void)
{
	RegisterXactCallback(end_transaction, NULL);
}

bool
at_subject_keys_used(void)
{
	return at_key_store_configured();
}

const AtSubjectKey *
at_subject_key_of(AtSpan subject)
{
	for (uint32 generation = 0; generation < MAX_GENERATIONS; generation++)
	{
		uint8 name[AT_SUBJECT_NAME_LEN];
		AtSubjectKey *key;

		name_of(subject, generation, name);
		key = enter(name);
		if (key->state == AT_KEY_NONE)
			make_key(key);
		if (key->state == AT_KEY_FOUND)
			return key;
	}
	elog(ERROR, "a person has too many keys that were destroyed");
}

const AtSubjectKey *
at_subject_key_named(const uint8 *name)
{
	return enter(name);
}

int
at_subject_key_names(AtSpan subject, uint8 (**names)[AT_SUBJECT_NAME_LEN])
{
	int count = 0;
	AtKeyState found = AT_KEY_DESTROYED;

	*names = palloc(sizeof(**names) * MAX_GENERATIONS);
	while (found == AT_KEY_DESTROYED && count < MAX_GENERATIONS)
	{
		name_of(subject, count, (*names)[count]);
		found = enter((*names)[count])->state;
		if (found != AT_KEY_NONE)
			count++;
	}
	return count;
}

void
at_subject_key_destroy(const uint8 *name)
{
	char hex[HEX_NAME_LEN];

	name_hex(name, hex);
	at_key_store_destroy(hex);
	forget();
}

/* The entry of a name, read if it is new. */
static AtSubjectKey *
enter(const uint8 *name)
{
	HASHCTL control = {.keysize = AT_SUBJECT_NAME_LEN,
					   .entrysize = sizeof(AtSubjectKey),
					   .hcxt = TopTransactionContext};
	AtSubjectKey read = {.state = AT_KEY_NONE};
	AtSubjectKey *key;

	if (state.cache != NULL && hash_get_num_entries(state.cache) >= MAX_CACHED)
		forget();
	if (state.cache == NULL)
		state.cache = hash_create("audit keys of persons", 16, &control,
								  HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	key = hash_search(state.cache, name, HASH_FIND, NULL);
	if (key != NULL && key->state == AT_KEY_FOUND)
		return key;

	/* what is not there may be there now; what is destroyed stays so */
	memcpy(read.name, name, AT_SUBJECT_NAME_LEN);
	if (key == NULL || key->state == AT_KEY_NONE)
		read_key(&read);
	else
		read.state = key->state;
	key = hash_search(state.cache, name, HASH_ENTER, NULL);
	*key = read;
	explicit_bzero(read.key, sizeof(read.key));
	return key;
}

static void
read_key(AtSubjectKey *key)
{
	uint8 wrapped[AT_WRAPPED_KEY_LEN];
	char hex[HEX_NAME_LEN];

	name_hex(key->name, hex);
	key->state = at_key_store_get(hex, wrapped, sizeof(wrapped));
	if (key->state == AT_KEY_FOUND &&
		!at_subject_unwrap(at_secret_get()->key, key->name, wrapped, key->key))
		ereport(ERROR,
				(errcode(ERRCODE_CONFIG_FILE_ERROR),
				 errmsg("key %s of a person cannot be unwrapped", hex),
				 errdetail("The file is damaged, or it was wrapped by another key than that of "
						   "audit_trail.hash_key_file."),
				 errhint("Name the file of that key, or restore the directory of keys from "
						 "its backup.")));
}

/* Whoever is first has made it. */
static void
make_key(AtSubjectKey *key)
{
	uint8 wrapped[AT_WRAPPED_KEY_LEN];
	char hex[HEX_NAME_LEN];

	if (!at_subject_draw(key->key) ||
		!at_subject_wrap(at_secret_get()->key, key->name, key->key, wrapped))
		at_hash_failed();
	name_hex(key->name, hex);
	if (at_key_store_put(hex, wrapped, sizeof(wrapped)))
		key->state = AT_KEY_FOUND;
	else
		read_key(key);
}

static void
name_of(AtSpan subject, uint32 generation, uint8 *name)
{
	if (!at_subject_name(at_secret_get()->key, at_log_id(), generation, subject, name))
		at_hash_failed();
}

static void
name_hex(const uint8 *name, char *hex)
{
	hex[hex_encode((const char *) name, AT_SUBJECT_NAME_LEN, hex)] = '\0';
}

static void
end_transaction(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT || event == XACT_EVENT_PREPARE ||
		event == XACT_EVENT_PARALLEL_COMMIT || event == XACT_EVENT_PARALLEL_ABORT)
		forget();
}

/* The memory goes with the transaction; the keys before. */
static void
forget(void)
{
	HASH_SEQ_STATUS status;
	AtSubjectKey *key;

	if (state.cache == NULL)
		return;
	hash_seq_init(&status, state.cache);
	while ((key = hash_seq_search(&status)) != NULL)
		explicit_bzero(key->key, sizeof(key->key));
	hash_destroy(state.cache);
	state.cache = NULL;
}
