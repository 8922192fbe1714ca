/*-------------------------------------------------------------------------
 * destruction.c
 *		A certificate of destruction, checked without the log.
 *
 * As with a proof of an event, nothing of an entry is believed before it is
 * known to be in the log.
 *-------------------------------------------------------------------------
 */
#include "core/base64.h"
#include "core/bytes.h"
#include "core/destruction.h"
#include "core/json_text.h"

#define HEAD "audit_trail-destruction@v1\n"

static bool read_bytes(AtText *bytes, AtText *text, const char *word, AtWriter *room);
static void write_bytes(AtWriter *writer, const char *word, AtText bytes);
static AtError verify_entry(const AtDestruction *destruction, int step,
							const AtCheckpoint *checkpoint, AtDestroyed *destroyed);
static bool is_kind(const AtEntryBody *entry, const char *kind);
static bool are_of_one(const AtDestroyed *destroyed);
static bool says_index(const AtEntryBody *entry, const char *name, const AtEntryBody *other);
static bool says_same(const AtEntryBody *one, const char *name, const AtEntryBody *other,
					  const char *other_name);
static AtError verify_lists(const AtDestruction *destruction, AtDestroyed *destroyed);
static bool number(const AtEntryBody *entry, const char *name, uint64_t *value);
static AtError verify_hash(const AtEntryBody *order, const char *name, AtText list);
static bool count_leaves(const AtDestruction *destruction, const AtDestroyed *destroyed);

AtError
at_destruction_read(AtDestruction *destruction, AtText text, char *buffer, size_t size)
{
	AtWriter room = at_writer(buffer, size);

	*destruction = (AtDestruction){.leaves = {"", 0}, .sessions = {"", 0}};
	if (!at_text_skip(&text, HEAD) || !read_bytes(&destruction->leaves, &text, "leaves ", &room) ||
		!read_bytes(&destruction->sessions, &text, "sessions ", &room))
		return AT_ERR_DESTRUCTION;
	for (int i = 0; i < AT_DESTRUCTION_STEPS; i++)
	{
		AtError error;

		if (!read_bytes(&destruction->entry[i], &text, "entry ", &room) ||
			destruction->entry[i].len == 0)
			return AT_ERR_DESTRUCTION;
		error = at_proof_read(&destruction->proof[i], &text);
		if (error != AT_OK)
			return error;
	}
	destruction->checkpoint = text;
	return at_writer_error(&room);
}

/*
 * If the text goes on with this word, cut off its line, and decode what is behind it. False if
 * that is nothing, or not base64. What does not fit is told by the room, in the end.
 */
static bool
read_bytes(AtText *bytes, AtText *text, const char *word, AtWriter *room)
{
	AtText line;
	size_t len;

	if (!at_text_skip(text, word))
		return true;
	if (!at_text_line(text, &line) || !at_base64_check(line, &len) || len == 0)
		return false;
	room->full = room->full || len > room->max - room->len;
	if (room->full)
		*bytes = line;
	else
	{
		*bytes = (AtText){room->data + room->len, len};
		at_base64_decode(line, room->data + room->len, len);
		room->len += len;
	}
	return true;
}

AtError
at_destruction_write(AtWriter *writer, const AtDestruction *destruction)
{
	at_write_string(writer, HEAD);
	write_bytes(writer, "leaves ", destruction->leaves);
	write_bytes(writer, "sessions ", destruction->sessions);
	for (int i = 0; i < AT_DESTRUCTION_STEPS; i++)
	{
		write_bytes(writer, "entry ", destruction->entry[i]);
		at_proof_write(writer, &destruction->proof[i]);
		at_write_string(writer, "\n");
	}
	at_write(writer, destruction->checkpoint);
	return at_writer_error(writer);
}

static void
write_bytes(AtWriter *writer, const char *word, AtText bytes)
{
	if (bytes.len == 0)
		return;
	at_write_string(writer, word);
	at_write_base64(writer, bytes.data, bytes.len);
	at_write_string(writer, "\n");
}

AtError
at_destruction_verify_in(const AtDestruction *destruction, const AtCheckpoint *checkpoint,
						 AtDestroyed *destroyed)
{
	*destroyed = (AtDestroyed){0};
	for (int i = 0; i < AT_DESTRUCTION_STEPS; i++)
	{
		AtError error = verify_entry(destruction, i, checkpoint, destroyed);

		if (error != AT_OK)
			return error;
	}
	destroyed->is_purge = is_kind(&destroyed->entry[AT_DESTRUCTION_ORDER], "purge");
	if (!are_of_one(destroyed))
		return AT_ERR_DESTRUCTION_PARTS;
	if (!destroyed->is_purge)
		return destruction->leaves.len + destruction->sessions.len == 0 ? AT_OK
																		: AT_ERR_DESTRUCTION_LIST;
	return verify_lists(destruction, destroyed);
}

/* It is what it says, and in the log. */
static AtError
verify_entry(const AtDestruction *destruction, int step, const AtCheckpoint *checkpoint,
			 AtDestroyed *destroyed)
{
	AtText bytes = destruction->entry[step];
	AtEntryBody *entry = &destroyed->entry[step];
	AtHash leaf;
	AtError error;

	if (!at_entry_body_read(entry, (const uint8_t *) bytes.data, bytes.len))
		return AT_ERR_DESTRUCTION;
	if (!at_hash_leaf(bytes.data, bytes.len, &leaf))
		return AT_ERR_LIBCRYPTO;
	error = at_proof_verify_inclusion(&destruction->proof[step], entry->log_index, checkpoint->size,
									  &leaf, &checkpoint->root);
	if (error != AT_OK)
		return error;
	if (memcmp(entry->log_id, destroyed->entry[0].log_id, AT_LOG_ID_LEN) != 0)
		return AT_ERR_LEDGER;
	return entry->payload.data != NULL &&
				   at_json_text_check((AtText){entry->payload.data, entry->payload.len})
			   ? AT_OK
			   : AT_ERR_DESTRUCTION_PARTS;
}

static bool
is_kind(const AtEntryBody *entry, const char *kind)
{
	return at_text_equal((AtText){entry->kind.data, entry->kind.len}, at_text(kind));
}

/* Kinds, and what each says of the others. */
static bool
are_of_one(const AtDestroyed *destroyed)
{
	const AtEntryBody *request = &destroyed->entry[AT_DESTRUCTION_REQUEST];
	const AtEntryBody *approval = &destroyed->entry[AT_DESTRUCTION_APPROVAL];
	const AtEntryBody *order = &destroyed->entry[AT_DESTRUCTION_ORDER];
	const AtEntryBody *done = &destroyed->entry[AT_DESTRUCTION_DONE];
	bool is_purge = destroyed->is_purge;
	AtText kind;

	return is_kind(request, "request") && is_kind(approval, "approve") &&
		   (is_purge || is_kind(order, "erase")) && is_kind(done, is_purge ? "purged" : "erased") &&
		   request->log_index < approval->log_index && approval->log_index < order->log_index &&
		   order->log_index < done->log_index && at_destruction_member(request, "kind", &kind) &&
		   at_text_equal(kind, at_text(is_purge ? "purge" : "erase")) &&
		   says_index(approval, "request", request) && says_index(order, "request", request) &&
		   says_index(order, "approval", approval) &&
		   says_index(done, is_purge ? "deletion" : "erase", order) &&
		   says_same(order, is_purge ? "requested_by" : "by", request, "by") &&
		   says_same(order, "approved_by", approval, "by") &&
		   !says_same(request, "by", approval, "by");
}

bool
at_destruction_member(const AtEntryBody *entry, const char *name, AtText *value)
{
	if (!at_json_text_find((AtText){entry->payload.data, entry->payload.len}, name, value))
		return false;
	(void) at_json_text_unquote(value);
	return true;
}

static bool
says_index(const AtEntryBody *entry, const char *name, const AtEntryBody *other)
{
	uint64_t log_index;

	return number(entry, name, &log_index) && log_index == other->log_index;
}

/* Both have the member, and with the same value. */
static bool
says_same(const AtEntryBody *one, const char *name, const AtEntryBody *other,
		  const char *other_name)
{
	AtText value;
	AtText other_value;

	return at_destruction_member(one, name, &value) &&
		   at_destruction_member(other, other_name, &other_value) &&
		   at_text_equal(value, other_value);
}

static bool
number(const AtEntryBody *entry, const char *name, uint64_t *value)
{
	AtText text;

	return at_destruction_member(entry, name, &text) && at_text_decimal(text, value);
}

/* They are those of the order, and what it and the last entry count. */
static AtError
verify_lists(const AtDestruction *destruction, AtDestroyed *destroyed)
{
	const AtEntryBody *order = &destroyed->entry[AT_DESTRUCTION_ORDER];
	const AtEntryBody *done = &destroyed->entry[AT_DESTRUCTION_DONE];
	AtError error = verify_hash(order, "gaps_sha256", destruction->leaves);

	if (error == AT_OK)
		error = verify_hash(order, "sessions_sha256", destruction->sessions);
	if (error != AT_OK)
		return error;
	if (!number(order, "events", &destroyed->events) ||
		!number(order, "transactions", &destroyed->transactions) ||
		!number(order, "sessions", &destroyed->sessions) ||
		!number(order, "batches", &destroyed->batches) ||
		!says_same(order, "events", done, "events") ||
		!says_same(order, "transactions", done, "transactions"))
		return AT_ERR_DESTRUCTION_PARTS;
	return count_leaves(destruction, destroyed) ? AT_OK : AT_ERR_DESTRUCTION_LIST;
}

static AtError
verify_hash(const AtEntryBody *order, const char *name, AtText list)
{
	char hex[AT_HASH_HEX_LEN];
	AtText sealed;
	AtHash hash;

	if (!at_hash(list.data, list.len, &hash))
		return AT_ERR_LIBCRYPTO;
	at_hash_hex(&hash, hex);
	return at_destruction_member(order, name, &sealed) &&
				   at_text_equal(sealed, (AtText){hex, sizeof(hex)})
			   ? AT_OK
			   : AT_ERR_DESTRUCTION_LIST;
}

/* Run number n of the list. */
static void
read_run(AtText leaves, size_t n, uint64_t *log_index, uint64_t *first, uint64_t *count)
{
	const uint8_t *run = (const uint8_t *) leaves.data + n * AT_DESTRUCTION_LEAVES_LEN;

	*log_index = at_get_u64(run);
	*first = at_get_u32(run + 8);
	*count = at_get_u32(run + 12);
}

/* Runs ascend and do not touch, and add up to what the order says. */
static bool
count_leaves(const AtDestruction *destruction, const AtDestroyed *destroyed)
{
	AtText leaves = destruction->leaves;
	uint64_t total = 0;
	uint64_t batches = 0;
	uint64_t last = 0;
	uint64_t end = 0;

	if (leaves.len % AT_DESTRUCTION_LEAVES_LEN != 0 ||
		destruction->sessions.len != destroyed->sessions * AT_DESTRUCTION_SESSION_LEN)
		return false;
	for (size_t i = 0; i < leaves.len / AT_DESTRUCTION_LEAVES_LEN; i++)
	{
		uint64_t log_index;
		uint64_t first;
		uint64_t count;

		read_run(leaves, i, &log_index, &first, &count);
		if (count == 0 || log_index >= destroyed->entry[AT_DESTRUCTION_ORDER].log_index ||
			(i > 0 && (log_index < last || (log_index == last && first <= end))))
			return false;
		batches += i == 0 || log_index != last;
		total += count;
		last = log_index;
		end = first + count;
	}
	return batches == destroyed->batches && total == destroyed->events + destroyed->transactions;
}

bool
at_destruction_has(const AtDestruction *destruction, uint64_t log_index, uint64_t leaf)
{
	size_t low = 0;
	size_t high = destruction->leaves.len / AT_DESTRUCTION_LEAVES_LEN;

	/* the last run that begins at the leaf or before it is below high */
	while (low < high)
	{
		size_t middle = (low + high) / 2;
		uint64_t index;
		uint64_t first;
		uint64_t count;

		read_run(destruction->leaves, middle, &index, &first, &count);
		if (index == log_index && leaf >= first && leaf - first < count)
			return true;
		if (index < log_index || (index == log_index && first < leaf))
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}
