/*-------------------------------------------------------------------------
 * given.c
 *		Checkpoints that an auditor has kept, compared with the log.
 *
 * The log is read from its first entry, so its root at every size is
 * computed anew, and no proof is needed. Keys come from the log too: the key
 * for a size is that of the last entry of kind "key" before it. A key that
 * the auditor brings is believed more than those.
 *
 * The server's own checkpoint file is looked at in the same way. It lies
 * outside of the data directory, so a database that was set back alone is
 * found by it. Where the log openly declares that it goes on without that
 * checkpoint, the sealer's rule holds: nothing is wrong.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xlog.h"
#include "executor/spi.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"

#include "base/checkpoint_file.h"
#include "base/json_scan.h"
#include "base/signing_key.h"
#include "core/base64.h"
#include "core/checkpoint.h"
#include "core/note.h"
#include "ledger/public_key.h"
#include "ledger/signed_head.h"
#include "seal/given.h"

/* What a signature line begins with: an em dash. */
#define SIGNATURE_START "\xE2\x80\x94 "

/* Of the checkpoint file there is one more explanation. */
#define OWN_CAUSE                                                                                  \
	"The database was set back or made anew without the checkpoint file, and that was not "        \
	"declared by audit.new_incarnation(); or the file is that of another database."

typedef enum Standing
{
	UNKNOWN, /* the log has no such size */
	HELD,    /* it has this root there */
	BROKEN   /* it has another one */
} Standing;

/* A checkpoint that was given. */
typedef struct Kept
{
	int number; /* among those given, from 1; 0: the one of the checkpoint file */
	AtNote note;
	AtCheckpoint checkpoint;
	Standing standing;
	AtHash root; /* that the log has at this size */
} Kept;

/* A key of the log, for sizes above the entry. */
typedef struct KeyFrom
{
	uint64 log_index;
	AtPublicKey key;
} KeyFrom;

struct AtGiven
{
	MemoryContext context;
	bool has_key; /* the auditor brought one */
	AtPublicKey key;
	Kept *item; /* by size */
	int count;
	int next; /* whose size was not reached yet */
	KeyFrom *log_key;
	int nlog_keys;
};

static AtText cut_note(AtText *rest);
static void add(AtGiven *given, AtText bytes, int number);
static void check_key(const AtGiven *given, const Kept *item);
static int compare_sizes(const void *a, const void *b);
static bool check_signature(const AtGiven *given, const Kept *item, AtFindings *findings);
static void report_root(const AtGiven *given, int index, uint64 log_size, AtFindings *findings);
static void report_fork(const AtGiven *given, const Kept *one, const Kept *other,
						AtFindings *findings);
static char *name_item(const Kept *item);
static char *size_and_root(uint64 size, const AtHash *root);

static AtGiven *
make(void)
{
	AtGiven *given = palloc0(sizeof(AtGiven));

	given->context = CurrentMemoryContext;
	return given;
}

AtGiven *
at_given_read(const char *notes, const char *public_key)
{
	AtGiven *given = make();
	AtText rest = at_text(pg_server_to_any(notes, strlen(notes), PG_UTF8));
	int number = 0;
	AtText note;

	if (public_key != NULL)
	{
		AtError error = at_key_read_public(
			&given->key, at_text(pg_server_to_any(public_key, strlen(public_key), PG_UTF8)));

		if (error == AT_OK && given->key.type != AT_KEY_NOTE)
			error = AT_ERR_KEY_PURPOSE;
		if (error != AT_OK)
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("this is not the public key of a log"),
							errdetail("What is wrong: %s.", at_error_text(error)),
							errhint("It has the form name+id+base64.")));
		given->has_key = true;
	}
	while ((note = cut_note(&rest)).len > 0)
		add(given, note, ++number);
	if (number == 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("there is no checkpoint in what was given"),
						errdetail("The text is empty."),
						errhint("Give signed notes as audit.checkpoint() returns them.")));
	return given;
}

/* Cut off the next note: lines up to the last one of the next run of signatures. */
static AtText
cut_note(AtText *rest)
{
	AtText note;
	AtText line;
	bool signed_already = false;

	while (rest->len > 0 && (rest->data[0] == '\n' || rest->data[0] == '\r'))
	{
		rest->data++;
		rest->len--;
	}
	note = (AtText){rest->data, 0};
	while (rest->len > 0)
	{
		AtText before = *rest;

		if (!at_text_line(rest, &line))
		{
			line = *rest;
			rest->data += rest->len;
			rest->len = 0;
		}
		if (at_text_skip(&line, SIGNATURE_START))
			signed_already = true;
		else if (signed_already)
		{
			*rest = before;
			break;
		}
		note.len = rest->data - note.data;
	}
	return note;
}

static void
refuse(int number, AtError error)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("number %d of what was given is not a signed checkpoint", number),
			 errdetail("What is wrong: %s.", at_error_text(error)),
			 errhint("Give signed notes as audit.checkpoint() returns them, line by line.")));
}

/* A last newline may have been lost on the way. */
static AtText
end_line(AtText bytes)
{
	if (bytes.data[bytes.len - 1] == '\n')
		return bytes;
	return at_text(psprintf("%.*s\n", (int) bytes.len, bytes.data));
}

static void
add(AtGiven *given, AtText bytes, int number)
{
	Size size = sizeof(Kept) * (given->count + 1);
	AtError error;
	Kept *item;

	given->item =
		given->item ? repalloc_huge(given->item, size) : MemoryContextAlloc(given->context, size);
	item = &given->item[given->count];
	*item = (Kept){.number = number};
	error = at_note_read(&item->note, end_line(bytes));
	if (error == AT_OK)
		error = at_checkpoint_read(&item->checkpoint, item->note.text);
	if (error != AT_OK)
		refuse(number, error);
	given->count++;
	check_key(given, item);
}

static void
check_key(const AtGiven *given, const Kept *item)
{
	AtError error;

	if (!given->has_key || item->number == 0)
		return;
	error = at_note_verify(&item->note, &given->key);
	if (error == AT_OK && !at_text_equal(item->checkpoint.origin, at_text(given->key.name)))
		error = AT_ERR_ORIGIN;
	if (error != AT_OK)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("checkpoint %d was not signed by the key that was given", item->number),
				 errdetail("What is wrong: %s.", at_error_text(error)),
				 errhint("Without public_key it is verified by the keys in the log.")));
}

/* In recovery the log comes later than the file, which is the primary's. */
AtGiven *
at_given_add_own(AtGiven *given)
{
	AtCheckpointFile *file;

	if (!at_checkpoint_file_is_configured() || RecoveryInProgress())
		return given;
	file = palloc(sizeof(AtCheckpointFile));
	at_checkpoint_file_read(file);
	if (!file->has_note)
		return given;
	if (given == NULL)
		given = make();
	add(given, at_text(file->note), 0);
	return given;
}

int
at_given_count(const AtGiven *given)
{
	return given ? given->count : 0;
}

bool
at_entry_key(const AtEntryRow *entry, AtPublicKey *key)
{
	AtSpan payload = entry->body.payload;
	AtJsonScan scan;
	AtJsonSlice value;

	if (!at_entry_is(&entry->body, AT_KIND_KEY))
		return false;
	at_json_start(&scan, payload.data, payload.data ? payload.len : 0);
	if (!at_json_next(&scan) || scan.kind != '{' || !at_json_next(&scan) || scan.len != 4 ||
		memcmp(scan.start, "vkey", 4) != 0 || !at_json_next(&scan) || !at_json_next(&scan) ||
		scan.kind != '"')
		return false;
	value = at_json_string(&scan);
	return at_key_read_public(key, (AtText){value.data, value.len}) == AT_OK;
}

void
at_given_see_entry(AtGiven *given, const AtEntryRow *entry)
{
	AtPublicKey key;
	Size size;

	if (given == NULL || !at_entry_key(entry, &key))
		return;
	size = sizeof(KeyFrom) * (given->nlog_keys + 1);
	given->log_key =
		given->log_key ? repalloc(given->log_key, size) : MemoryContextAlloc(given->context, size);
	given->log_key[given->nlog_keys++] = (KeyFrom){.log_index = entry->place, .key = key};
}

static int
compare_sizes(const void *a, const void *b)
{
	const Kept *one = a;
	const Kept *other = b;

	if (one->checkpoint.size != other->checkpoint.size)
		return one->checkpoint.size < other->checkpoint.size ? -1 : 1;
	return one->number - other->number;
}

/* The log is read from its beginning, perhaps for the second time. */
static void
begin(AtGiven *given)
{
	qsort(given->item, given->count, sizeof(Kept), compare_sizes);
	for (int i = 0; i < given->count; i++)
		given->item[i].standing = UNKNOWN;
	given->next = 0;
	given->nlog_keys = 0;
}

void
at_given_see_root(AtGiven *given, uint64 size, const AtHash *root)
{
	if (given == NULL)
		return;
	if (size == 0)
		begin(given);
	while (given->next < given->count && given->item[given->next].checkpoint.size <= size)
	{
		Kept *item = &given->item[given->next++];

		if (item->checkpoint.size != size)
			continue;
		item->root = *root;
		item->standing = memcmp(root, &item->checkpoint.root, sizeof(*root)) == 0 ? HELD : BROKEN;
	}
}

/* Does the newest declaration of the log name the checkpoint of the file? */
static bool
is_declared(const Kept *item)
{
	char *wanted = size_and_root(item->checkpoint.size, &item->checkpoint.root);
	bool found = false;

	SPI_connect();
	if (SPI_execute("SELECT pg_catalog.json_extract_path_text(payload, 'after') "
					"FROM audit.log_entry WHERE kind OPERATOR(pg_catalog.=) '" AT_KIND_DECLARED
					"' ORDER BY log_index DESC LIMIT 1",
					true, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not read the declarations of the log");
	if (SPI_processed > 0)
	{
		char *after = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);

		found = after != NULL && strcmp(after, wanted) == 0;
	}
	SPI_finish();
	return found;
}

/* Is the file's checkpoint of this log, and nothing said already? */
static bool
own_counts(const AtGiven *given, const Kept *item)
{
	const AtPublicKey *last =
		given->nlog_keys > 0 ? &given->log_key[given->nlog_keys - 1].key : NULL;

	return item->standing != HELD && last != NULL &&
		   at_text_equal(item->checkpoint.origin, at_text(last->name)) && !is_declared(item);
}

void
at_given_resolve(AtGiven *given, uint64 log_size, AtFindings *findings)
{
	if (given == NULL)
		return;
	for (int i = 0; i < given->count; i++)
	{
		const Kept *item = &given->item[i];
		const Kept *next = i + 1 < given->count ? item + 1 : NULL;

		if (item->number == 0 && !own_counts(given, item))
			continue;
		if (!check_signature(given, item, findings))
			continue;
		if (next != NULL && next->checkpoint.size == item->checkpoint.size &&
			memcmp(&next->checkpoint.root, &item->checkpoint.root, sizeof(AtHash)) != 0 &&
			check_signature(given, next, NULL))
			report_fork(given, item, next, findings);
		if (item->standing != HELD)
			report_root(given, i, log_size, findings);
	}
}

/* The key of the log that signs checkpoints of this size; NULL if there is none. */
static const AtPublicKey *
find_log_key(const AtGiven *given, uint64 size)
{
	const AtPublicKey *key = NULL;

	for (int i = 0; i < given->nlog_keys && given->log_key[i].log_index < size; i++)
		key = &given->log_key[i].key;
	return key;
}

/* Is one of the note's signatures under this key's name and id? */
static bool
names_key(const AtNote *note, const AtPublicKey *key)
{
	for (int i = 0; i < note->signature_count; i++)
		if (note->signature[i].key_id == key->id &&
			at_text_equal(note->signature[i].name, at_text(key->name)))
			return true;
	return false;
}

/*
 * Was it signed by the log's key for its size? A key of the auditor's has
 * been asked already, so then it counts in any case.
 */
static bool
check_signature(const AtGiven *given, const Kept *item, AtFindings *findings)
{
	const AtPublicKey *key = find_log_key(given, item->checkpoint.size);
	bool is_foreign = key == NULL || !names_key(&item->note, key) ||
					  !at_text_equal(item->checkpoint.origin, at_text(key->name));
	bool is_sound = !is_foreign && at_note_verify(&item->note, key) == AT_OK;

	/* the file's are not verified, as who can write it could cut it too */
	if (is_sound || item->number == 0)
		return true;
	if (findings != NULL && (is_foreign || !given->has_key))
		at_findings_add(
			findings,
			&(AtFinding){
				.thing = AT_THING_CHECKPOINT,
				.fault = is_foreign ? AT_FAULT_FOREIGN : AT_FAULT_FORGED,
				.object = psprintf(UINT64_FORMAT, (uint64) item->checkpoint.size),
				.place = name_item(item),
				.expected = key ? psprintf("a signature of %s, key %08x", key->name, key->id)
								: "a key in the log, before that size",
				.found =
					psprintf("%.*s, key %08x", (int) item->note.signature[0].name.len,
							 item->note.signature[0].name.data, item->note.signature[0].key_id),
				.detail = is_foreign ? "the log has no such key for this size"
									 : "the signature under the log's key does not verify"});
	return given->has_key;
}

static char *
name_item(const Kept *item)
{
	if (item->number == 0)
		return psprintf("checkpoint of size " UINT64_FORMAT ", of the checkpoint file",
						(uint64) item->checkpoint.size);
	return psprintf("checkpoint %d of those given, size " UINT64_FORMAT, item->number,
					(uint64) item->checkpoint.size);
}

/* As a checkpoint has them: in decimal and base64. */
static char *
size_and_root(uint64 size, const AtHash *root)
{
	char text[AT_BASE64_LEN(AT_HASH_LEN) + 1];
	AtWriter writer = at_writer(text, sizeof(text) - 1);

	at_write_base64(&writer, root, AT_HASH_LEN);
	text[writer.len] = '\0';
	return psprintf(UINT64_FORMAT " %s", size, text);
}

/* The largest smaller checkpoint that the log still has. */
static char *
last_kept(const AtGiven *given, int index)
{
	uint64 size = given->item[index].checkpoint.size;

	while (--index >= 0)
		if (given->item[index].standing == HELD && given->item[index].checkpoint.size < size)
			return psprintf(UINT64_FORMAT, (uint64) given->item[index].checkpoint.size);
	return NULL;
}

/* The log is shorter than it was, or another. */
static void
report_root(const AtGiven *given, int index, uint64 log_size, AtFindings *findings)
{
	const Kept *item = &given->item[index];
	const AtCheckpoint *checkpoint = &item->checkpoint;
	bool is_short = checkpoint->size > log_size;
	char *kept = last_kept(given, index);

	/* its entries were missed or doubted, and that is said already */
	if (!is_short && item->standing == UNKNOWN)
		return;
	at_findings_add(
		findings,
		&(AtFinding){.thing = AT_THING_LOG,
					 .fault = is_short ? AT_FAULT_SHORTENED : AT_FAULT_REWRITTEN,
					 .object = psprintf(UINT64_FORMAT, (uint64) checkpoint->size),
					 .place = name_item(item),
					 .expected = size_and_root(checkpoint->size, &checkpoint->root),
					 .found = is_short ? psprintf("a log of " UINT64_FORMAT " entries", log_size)
									   : size_and_root(checkpoint->size, &item->root),
					 .before = kept,
					 .cause = item->number == 0 ? OWN_CAUSE : NULL,
					 .detail = psprintf(
						 "%s; %s",
						 is_short ? "the log had more entries than it has"
								  : "the log had another root at this size",
						 kept ? psprintf("up to size %s it is as another checkpoint says", kept)
							  : "no smaller checkpoint that was given tells how far it is right")});
}

/* Two checkpoints of one size: proof by themselves, whatever the log is. */
static void
report_fork(const AtGiven *given, const Kept *one, const Kept *other, AtFindings *findings)
{
	at_findings_add(
		findings,
		&(AtFinding){.thing = AT_THING_LOG,
					 .fault = AT_FAULT_FORKED,
					 .object = psprintf(UINT64_FORMAT, (uint64) one->checkpoint.size),
					 .place = psprintf("%s, and %s", name_item(one), name_item(other)),
					 .expected = size_and_root(one->checkpoint.size, &one->checkpoint.root),
					 .found = size_and_root(other->checkpoint.size, &other->checkpoint.root),
					 .detail = "two roots were signed for one size"});
}
