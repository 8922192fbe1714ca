/*-------------------------------------------------------------------------
 * event_proof.c
 *		A proof that an event, or a transaction, is in a log, checked without
 *		it.
 *
 * Verifying goes from what is signed down to the event: nothing of the entry
 * is believed before it is known to be in the log, and nothing of the event
 * before it is known to be in the entry's batch.
 *-------------------------------------------------------------------------
 */
#include "core/base64.h"
#include "core/bytes.h"
#include "core/event_proof.h"

#define MAGIC      "ATI1"
#define NUMBER_LEN 8
#define LENGTH_LEN 4
#define KIND       "events"

static AtError read_extra(AtEventProof *proof, AtText extra);
static bool read_text(AtText *text, AtText *from);
static void write_extra(AtWriter *writer, const AtEventProof *proof);
static void write_text(AtWriter *writer, AtText text);
static AtError verify_entry(const AtEventProof *proof, const AtCheckpoint *checkpoint,
							AtProven *proven);
static AtError verify_body(const AtEventProof *proof, AtProven *proven);
static bool read_body(AtText body, AtProven *proven, const uint8_t **log_id);
static bool is_batch(const AtEntryBody *entry);

AtError
at_event_proof_read(AtEventProof *proof, AtText text, char *buffer, size_t size)
{
	size_t len;
	AtError error = at_tlog_proof_read(&proof->log, text);

	if (error != AT_OK)
		return error;
	if (proof->log.extra.data == NULL || !at_base64_check(proof->log.extra, &len))
		return AT_ERR_EVENT_PROOF;
	if (len > size)
		return AT_ERR_NO_ROOM;

	at_base64_decode(proof->log.extra, buffer, len);
	return read_extra(proof, (AtText){buffer, len});
}

AtError
at_event_proof_write(AtWriter *writer, const AtEventProof *proof, char *buffer, size_t size)
{
	AtWriter extra = at_writer(buffer, size);
	AtTlogProof log = proof->log;

	write_extra(&extra, proof);

	/* the same again in base64, behind it */
	AtWriter text = at_writer(buffer + extra.len, size - extra.len);

	at_write_base64(&text, extra.data, extra.len);
	if (extra.full || text.full)
		return AT_ERR_NO_ROOM;

	log.extra = (AtText){text.data, text.len};
	return at_tlog_proof_write(writer, &log);
}

AtError
at_event_proof_verify(const AtEventProof *proof, const AtTrust *trust, AtProven *proven)
{
	AtCheckpoint checkpoint;
	AtError error = at_checkpoint_open(&checkpoint, proof->log.checkpoint, trust);

	return error != AT_OK ? error : at_event_proof_verify_in(proof, &checkpoint, proven);
}

AtError
at_event_proof_verify_in(const AtEventProof *proof, const AtCheckpoint *checkpoint,
						 AtProven *proven)
{
	AtError error = verify_entry(proof, checkpoint, proven);

	return error != AT_OK ? error : verify_body(proof, proven);
}

static AtError
read_extra(AtEventProof *proof, AtText extra)
{
	if (!at_text_skip(&extra, MAGIC) || extra.len < NUMBER_LEN)
		return AT_ERR_EVENT_PROOF;

	proof->number = at_get_u64((const uint8_t *) extra.data);
	extra = (AtText){extra.data + NUMBER_LEN, extra.len - NUMBER_LEN};
	if (!read_text(&proof->body, &extra) || !read_text(&proof->entry, &extra) ||
		extra.len % AT_HASH_LEN != 0 || extra.len > sizeof(proof->path.hash))
		return AT_ERR_EVENT_PROOF;

	memcpy(proof->path.hash, extra.data, extra.len);
	proof->path.count = (int) (extra.len / AT_HASH_LEN);
	return AT_OK;
}

/* Cut off a text behind its length. */
static bool
read_text(AtText *text, AtText *from)
{
	if (from->len < LENGTH_LEN)
		return false;

	size_t len = at_get_u32((const uint8_t *) from->data);

	if (from->len - LENGTH_LEN < len)
		return false;

	*text = (AtText){from->data + LENGTH_LEN, len};
	*from = (AtText){text->data + len, from->len - LENGTH_LEN - len};
	return true;
}

static void
write_extra(AtWriter *writer, const AtEventProof *proof)
{
	uint8_t number[NUMBER_LEN];

	at_put_u64(number, proof->number);
	at_write_string(writer, MAGIC);
	at_write(writer, (AtText){(const char *) number, sizeof(number)});
	write_text(writer, proof->body);
	write_text(writer, proof->entry);
	at_write(writer,
			 (AtText){(const char *) proof->path.hash, (size_t) proof->path.count * AT_HASH_LEN});
}

static void
write_text(AtWriter *writer, AtText text)
{
	uint8_t length[LENGTH_LEN];

	at_put_u32(length, (uint32_t) text.len);
	at_write(writer, (AtText){(const char *) length, sizeof(length)});
	at_write(writer, text);
}

/* The entry is in the log, where it says. */
static AtError
verify_entry(const AtEventProof *proof, const AtCheckpoint *checkpoint, AtProven *proven)
{
	AtHash leaf;

	if (!at_hash_leaf(proof->entry.data, proof->entry.len, &leaf))
		return AT_ERR_LIBCRYPTO;

	AtError error = at_tlog_proof_verify_in(&proof->log, &leaf, checkpoint);

	if (error != AT_OK)
		return error;
	proven->checkpoint = *checkpoint;
	if (!at_entry_body_read(&proven->entry, (const uint8_t *) proof->entry.data,
							proof->entry.len) ||
		proven->entry.log_index != proof->log.index || !is_batch(&proven->entry))
		return AT_ERR_ENTRY;
	return AT_OK;
}

/* The body is in the batch. */
static AtError
verify_body(const AtEventProof *proof, AtProven *proven)
{
	const uint8_t *log_id;
	AtHash leaf;

	if (!at_hash_leaf(proof->body.data, proof->body.len, &leaf))
		return AT_ERR_LIBCRYPTO;

	AtError error = at_proof_verify_inclusion(&proof->path, proof->number, proven->entry.leaf_count,
											  &leaf, &proven->entry.root);

	if (error == AT_ERR_LIBCRYPTO)
		return error;
	if (error != AT_OK)
		return AT_ERR_BATCH;
	if (!read_body(proof->body, proven, &log_id) ||
		memcmp(log_id, proven->entry.log_id, AT_LOG_ID_LEN) != 0)
		return AT_ERR_BODY;
	return AT_OK;
}

static bool
read_body(AtText body, AtProven *proven, const uint8_t **log_id)
{
	const uint8_t *bytes = (const uint8_t *) body.data;

	proven->is_event = at_event_body_read(&proven->event, bytes, body.len);
	*log_id = proven->event.log_id;
	if (proven->is_event)
		return true;

	bool is_transaction = at_transaction_body_read(&proven->transaction, bytes, body.len);

	*log_id = proven->transaction.log_id;
	return is_transaction;
}

static bool
is_batch(const AtEntryBody *entry)
{
	return at_text_equal((AtText){entry->kind.data, entry->kind.len}, at_text(KIND));
}
