/*-------------------------------------------------------------------------
 * memory.c
 *		What an unfinished verification has checked already.
 *
 * The text of the note, after which comes the signature:
 *
 *		audit_trail verification
 *		<log id, in hex>
 *		<entries> <root of that size, in base64>
 *		<microseconds since 1970>
 *		<numbers of batches that are to be looked at again, perhaps none>
 *
 * The first line is none that a checkpoint or an endorsement begins with, so
 * a signature of one can never be taken for that of the other.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <unistd.h>

#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "storage/fd.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "base/catalog.h"
#include "base/signing_key.h"
#include "core/base64.h"
#include "core/note.h"
#include "ledger/datum.h"
#include "ledger/public_key.h"
#include "seal/attempt.h"
#include "seal/memory.h"
#include "seal/probe.h"

#define FIRST_LINE "audit_trail verification"

/* Beyond this many bad batches nothing more is remembered. */
#define MOST_AGAIN 1000

#define MAX_AGE  USECS_PER_DAY
#define MAX_FILE (64 * 1024)

/* What is remembered. */
typedef struct Memory
{
	uint64 size; /* entries whose batches were checked */
	AtHash root;
	int64 at;
	int nagain;
	uint64 again[MOST_AGAIN];
} Memory;

static void gather(Memory *memory, const uint8 *state, uint64 first, uint64 size);
static bool read_root(AtVerify *verify, uint64 size, AtHash *root);
static bool sign(StringInfo note, const Memory *memory);
static void write_file(const char *data, int len);
static const char *recall(AtVerify *verify, Memory *memory);
static bool parse(AtText text, Memory *memory);

static char *
file_name(void)
{
	return psprintf("audit_trail.verify.%u", MyDatabaseId);
}

static void
try_key(void *arg)
{
	AtSigningKey *key = arg;

	at_signing_key_read(key);
}

void
at_memory_begin(AtVerify *verify)
{
	AtSigningKey key;
	char *message;

	verify->remembers = at_scope_is_whole(verify->scope) && at_signing_key_is_configured() &&
						at_attempt(try_key, &key, &message);
	at_key_forget(&key.key);
}

void
at_memory_save(AtVerify *verify, const uint8 *state, uint64 first, uint64 size)
{
	Memory *memory = palloc0(sizeof(Memory));
	StringInfoData note;

	if (!verify->remembers)
		return;
	initStringInfo(&note);
	gather(memory, state, first, size);
	if (memory->size > 0 && read_root(verify, memory->size, &memory->root) && sign(&note, memory))
		write_file(note.data, note.len);
	pfree(note.data);
	pfree(memory);
}

/* Up to the first batch that was not checked. */
static void
gather(Memory *memory, const uint8 *state, uint64 first, uint64 size)
{
	uint64 i = first;

	for (; i < size && state[i - first] != AT_PROBE_TODO; i++)
	{
		if (state[i - first] != AT_PROBE_AGAIN)
			continue;
		if (memory->nagain == MOST_AGAIN)
			break;
		memory->again[memory->nagain++] = i;
	}
	memory->size = i;
	memory->at = at_unix_microseconds(GetCurrentTimestamp());
}

/* As the row says, which the step over the log has compared. */
static bool
read_root(AtVerify *verify, uint64 size, AtHash *root)
{
	AtCheckpointReader *reader = at_checkpoint_reader_open(verify->snapshot);
	const AtCheckpointRow *row;

	at_checkpoint_reader_start(reader, size, size);
	row = at_checkpoint_reader_next(reader);
	if (row != NULL)
		*root = row->root;
	at_checkpoint_reader_close(reader);
	return row != NULL;
}

static void
put_text(StringInfo text, const Memory *memory)
{
	char base64[AT_BASE64_LEN(AT_HASH_LEN) + 1];
	AtWriter writer = at_writer(base64, sizeof(base64) - 1);
	char log_id[AT_LOG_ID_LEN * 2 + 1];

	hex_encode((const char *) at_log_id(), AT_LOG_ID_LEN, log_id);
	log_id[AT_LOG_ID_LEN * 2] = '\0';
	at_write_base64(&writer, &memory->root, AT_HASH_LEN);
	base64[writer.len] = '\0';
	appendStringInfo(text, "%s\n%s\n" UINT64_FORMAT " %s\n" INT64_FORMAT "\n", FIRST_LINE, log_id,
					 memory->size, base64, memory->at);
	for (int i = 0; i < memory->nagain; i++)
		appendStringInfo(text, "%s" UINT64_FORMAT, i > 0 ? " " : "", memory->again[i]);
	appendStringInfoString(text, memory->nagain > 0 ? "\n" : "-\n");
}

static bool
sign(StringInfo note, const Memory *memory)
{
	char line[AT_SIGNATURE_LINE_MAX];
	AtWriter writer = at_writer(line, sizeof(line));
	AtSigningKey key;
	volatile AtError error = AT_ERR_KEY_FORM;

	put_text(note, memory);
	PG_TRY();
	{
		at_signing_key_read(&key);
		error = at_note_sign(&writer, (AtText){note->data, note->len}, &key.key);
	}
	PG_FINALLY();
	{
		at_key_forget(&key.key);
	}
	PG_END_TRY();
	appendStringInfoChar(note, '\n');
	appendBinaryStringInfo(note, line, writer.len);
	return error == AT_OK && at_writer_error(&writer) == AT_OK;
}

/* Whole or not at all. */
static void
write_file(const char *data, int len)
{
	char *name = file_name();
	char *new_name = psprintf("%s.new", name);
	int file = OpenTransientFile(new_name, O_WRONLY | O_CREAT | O_TRUNC | PG_BINARY);
	bool done = file >= 0 && write(file, data, len) == len;

	if (file >= 0)
		CloseTransientFile(file);
	if (done)
		(void) durable_rename(new_name, name, LOG);
	else
		ereport(LOG,
				(errcode_for_file_access(), errmsg("could not write file \"%s\": %m", new_name),
				 errdetail("An interrupted verification could not go on from here.")));
}

void
at_memory_clear(void)
{
	(void) unlink(file_name());
}

void
at_memory_load(AtVerify *verify, uint8 *state, uint64 first, uint64 size)
{
	Memory *memory = palloc0(sizeof(Memory));
	const char *problem = recall(verify, memory);

	if (problem == NULL && memory->size > size)
		problem = "it is of a log that had more entries";
	if (problem != NULL)
	{
		ereport(NOTICE, (errmsg("there is nothing to resume: everything is verified"),
						 errdetail("Of what was remembered: %s.", problem)));
		return;
	}
	for (uint64 i = first; i < memory->size; i++)
		if (state[i - first] == AT_PROBE_TODO)
			state[i - first] = AT_PROBE_BEFORE;
	for (int i = 0; i < memory->nagain; i++)
		if (memory->again[i] < memory->size && state[memory->again[i] - first] == AT_PROBE_BEFORE)
			state[memory->again[i] - first] = AT_PROBE_TODO;
	verify->resumed_at = memory->size;
	verify->resumed_from = at_pg_timestamp(memory->at);
	pfree(memory);
}

/* The content of the file; NULL if there is none. */
static char *
read_file(size_t *len)
{
	char *data = palloc(MAX_FILE);
	int file = OpenTransientFile(file_name(), O_RDONLY | PG_BINARY);
	ssize_t got;

	if (file < 0)
		return NULL;
	got = read(file, data, MAX_FILE);
	CloseTransientFile(file);
	*len = Max(got, 0);
	return data;
}

/* Read it and say why it is not believed; NULL if it is. */
static const char *
recall(AtVerify *verify, Memory *memory)
{
	int64 now = at_unix_microseconds(GetCurrentTimestamp());
	AtNote *note = palloc(sizeof(AtNote));
	AtPublicKey key;
	size_t len;
	char *data = read_file(&len);
	AtHash root;

	if (data == NULL)
		return "there is none";
	if (!at_public_key_last(&key))
		return "the log has no key";
	if (at_note_read(note, (AtText){data, len}) != AT_OK || at_note_verify(note, &key) != AT_OK)
		return "it is not signed by the key of the log";
	if (!parse(note->text, memory))
		return "it is of another log";
	if (memory->at > now || now - memory->at > MAX_AGE)
		return "it is older than a day";
	if (!read_root(verify, memory->size, &root) || memcmp(&root, &memory->root, sizeof(root)) != 0)
		return "the log had another root";
	return NULL;
}

/* Cut a number off that ends before this character. */
static bool
cut_number(AtText *text, char end, uint64 *number)
{
	AtText before;
	uint64_t value;

	if (!at_text_until(text, end, &before) || !at_text_decimal(before, &value))
		return false;
	*number = value;
	return true;
}

/* A text that we have signed; false if it is not of this log. */
static bool
parse(AtText text, Memory *memory)
{
	char log_id[AT_LOG_ID_LEN * 2 + 1];
	AtText line;
	uint64 at;

	hex_encode((const char *) at_log_id(), AT_LOG_ID_LEN, log_id);
	log_id[AT_LOG_ID_LEN * 2] = '\0';
	if (!at_text_skip(&text, FIRST_LINE "\n") || !at_text_line(&text, &line) ||
		!at_text_equal(line, at_text(log_id)) || !cut_number(&text, ' ', &memory->size) ||
		!at_text_line(&text, &line) ||
		!at_base64_decode(line, &memory->root, sizeof(memory->root)) ||
		!cut_number(&text, '\n', &at) || !at_text_line(&text, &line))
		return false;
	memory->at = at;
	if (at_text_equal(line, at_text("-")))
		return true;
	while (memory->nagain < MOST_AGAIN && line.len > 0)
	{
		AtText number;
		uint64_t value;

		if (!at_text_until(&line, ' ', &number))
		{
			number = line;
			line.len = 0;
		}
		if (!at_text_decimal(number, &value))
			return false;
		memory->again[memory->nagain++] = value;
	}
	return true;
}
