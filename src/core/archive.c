/*-------------------------------------------------------------------------
 * archive.c
 *		An archive: all that a log has sealed, checked item by item.
 *
 * Invariant: place.leaf is the number of leaves in `batch`. It is 0 between
 * two entries, and then the batch of the last one is complete.
 *-------------------------------------------------------------------------
 */
#include "core/archive.h"
#include "core/bytes.h"
#include "core/json_text.h"

static AtError add_entry(AtArchive *archive, AtSpan bytes);
static AtError begin_batch(AtArchive *archive, const AtEntryBody *entry);
static void note_order(AtArchive *archive, const AtEntryBody *entry);
static AtError add_ordered(AtArchive *archive, AtSpan bytes);
static AtError begin_transaction(AtArchive *archive, uint64_t tx_id);
static AtError add_gone(AtArchive *archive, AtSpan bytes);
static AtError add_event(AtArchive *archive, AtSpan bytes);
static AtError add_session(AtArchive *archive, AtSpan bytes);
static AtError add_transaction(AtArchive *archive, AtSpan bytes);
static AtError add_leaf(AtArchive *archive, const AtHash *leaf, int64_t tx_at);
static AtError count_leaf(AtArchive *archive, const AtHash *leaf);
static AtError end_batch(AtArchive *archive);

void
at_archive_init(AtArchive *archive)
{
	memset(archive, 0, sizeof(*archive));
	at_merkle_init(&archive->log);
}

void
at_archive_resume(AtArchive *archive, const AtMerkle *log, const AtHash *last)
{
	at_archive_init(archive);
	archive->log = *log;
	archive->previous = *last;
	archive->place.log_index = log->size;
}

static bool
same_place(AtSegmentPlace one, AtSegmentPlace other)
{
	return one.log_index == other.log_index && one.leaf == other.leaf;
}

AtError
at_archive_begin_segment(AtArchive *archive, const AtSegment *segment)
{
	if (!archive->has_log_id)
		memcpy(archive->log_id, segment->log_id, AT_LOG_ID_LEN);
	archive->has_log_id = true;
	if (memcmp(archive->log_id, segment->log_id, AT_LOG_ID_LEN) != 0)
		return AT_ERR_LEDGER;
	if (!same_place(archive->place, segment->begin))
		return AT_ERR_PLACE;
	archive->segment = *segment;
	archive->segment_events = 0;
	archive->segment_transactions = 0;
	archive->segment_first_tx_at = 0;
	archive->segment_last_tx_at = 0;
	archive->repeats_entry = archive->place.leaf > 0;
	return AT_OK;
}

AtError
at_archive_add(AtArchive *archive, char kind, AtSpan bytes)
{
	if (kind == AT_ARCHIVE_ENTRY)
		return add_entry(archive, bytes);
	if (kind == AT_ARCHIVE_ORDERED)
		return add_ordered(archive, bytes);
	if (archive->repeats_entry || archive->leaf_count == 0 ||
		(archive->has_session && kind != AT_ARCHIVE_TRANSACTION))
		return AT_ERR_ITEM;
	switch (kind)
	{
		case AT_ARCHIVE_EVENT:
			return add_event(archive, bytes);
		case AT_ARCHIVE_SESSION:
			return add_session(archive, bytes);
		case AT_ARCHIVE_TRANSACTION:
			return add_transaction(archive, bytes);
		case AT_ARCHIVE_GONE:
			return add_gone(archive, bytes);
		default:
			return AT_ERR_ITEM;
	}
}

static bool
is_ours(const AtArchive *archive, const uint8_t *log_id)
{
	return memcmp(archive->log_id, log_id, AT_LOG_ID_LEN) == 0;
}

/* The next entry; or that of the batch in whose middle the segment begins. */
static AtError
add_entry(AtArchive *archive, AtSpan bytes)
{
	AtEntryBody entry;
	AtHash leaf;

	if (!at_entry_body_read(&entry, bytes.data, bytes.len) ||
		(archive->leaf_count > 0 && !archive->repeats_entry))
		return AT_ERR_ITEM;
	if (!is_ours(archive, entry.log_id))
		return AT_ERR_LEDGER;
	if (!at_hash_leaf(bytes.data, bytes.len, &leaf))
		return AT_ERR_LIBCRYPTO;
	if (archive->repeats_entry)
	{
		archive->repeats_entry = false;
		return memcmp(&leaf, &archive->entry_leaf, sizeof(leaf)) == 0 ? AT_OK : AT_ERR_PLACE;
	}
	if (entry.log_index != archive->place.log_index)
		return AT_ERR_PLACE;
	if (memcmp(&entry.previous, &archive->previous, sizeof(AtHash)) != 0)
		return AT_ERR_PREVIOUS;
	archive->entry_leaf = leaf;
	if (!at_hash(bytes.data, bytes.len, &archive->previous) || !at_merkle_add(&archive->log, &leaf))
		return AT_ERR_LIBCRYPTO;
	return begin_batch(archive, &entry);
}

static AtError
begin_batch(AtArchive *archive, const AtEntryBody *entry)
{
	archive->root = entry->root;
	archive->leaf_count = entry->leaf_count;
	archive->tx_count = entry->tx_count;
	archive->event_count = entry->event_count;
	archive->first_tx_at = entry->first_tx_at;
	archive->last_tx_at = entry->last_tx_at;
	at_merkle_init(&archive->batch);
	archive->batch_transactions = 0;
	archive->batch_events = 0;
	archive->batch_first_tx_at = 0;
	archive->batch_last_tx_at = 0;
	archive->batch_gone = 0;
	note_order(archive, entry);
	return entry->leaf_count == 0 ? end_batch(archive) : AT_OK;
}

/* Is it an order to purge, behind which its list may come? */
static void
note_order(AtArchive *archive, const AtEntryBody *entry)
{
	AtText payload = {entry->payload.data, entry->payload.len};
	AtText sha256;

	archive->has_order =
		at_text_equal((AtText){entry->kind.data, entry->kind.len}, at_text("purge")) &&
		payload.data != NULL && at_json_text_check(payload) &&
		at_json_text_find(payload, "gaps_sha256", &sha256) && at_json_text_unquote(&sha256) &&
		sha256.len == sizeof(archive->order_sha256);
	if (!archive->has_order)
		return;
	archive->order = entry->log_index;
	memcpy(archive->order_sha256, sha256.data, sha256.len);
}

/* The list of leaves that the order has the hash of. */
static AtError
add_ordered(AtArchive *archive, AtSpan bytes)
{
	char hex[AT_HASH_HEX_LEN];
	AtHash hash;

	if (!archive->has_order)
		return AT_ERR_ITEM;
	archive->has_order = false;
	if (!at_hash(bytes.data, bytes.len, &hash))
		return AT_ERR_LIBCRYPTO;
	at_hash_hex(&hash, hex);
	return memcmp(hex, archive->order_sha256, sizeof(hex)) == 0 ? AT_OK : AT_ERR_DESTRUCTION_LIST;
}

static AtError
begin_transaction(AtArchive *archive, uint64_t tx_id)
{
	archive->in_transaction = true;
	archive->tx_id = tx_id;
	archive->ordinal = 0;
	archive->is_broken = false;
	return at_chain_start(archive->log_id, tx_id, &archive->chain) ? AT_OK : AT_ERR_LIBCRYPTO;
}

/* Events stand in their transaction by ordinal; where they do not it was broken. */
static AtError
add_event(AtArchive *archive, AtSpan bytes)
{
	AtEventBody event;
	AtHash leaf;
	AtError error;

	if (!at_event_body_read(&event, bytes.data, bytes.len) ||
		(archive->in_transaction && event.tx_id != archive->tx_id))
		return AT_ERR_ITEM;
	if (!is_ours(archive, event.log_id))
		return AT_ERR_LEDGER;
	error = archive->in_transaction ? AT_OK : begin_transaction(archive, event.tx_id);
	if (error != AT_OK)
		return error;
	archive->is_broken = archive->is_broken || event.ordinal != archive->ordinal + 1;
	archive->ordinal = event.ordinal;
	archive->batch_events++;
	archive->segment_events++;
	archive->events++;
	if (!at_hash_leaf(bytes.data, bytes.len, &leaf) || !at_chain_add(&archive->chain, &leaf))
		return AT_ERR_LIBCRYPTO;
	return add_leaf(archive, &leaf, event.tx_at);
}

static AtError
add_session(AtArchive *archive, AtSpan bytes)
{
	AtSessionBody session;

	if (!at_session_body_read(&session, bytes.data, bytes.len))
		return AT_ERR_ITEM;
	if (!is_ours(archive, session.log_id))
		return AT_ERR_LEDGER;
	if (!at_hash(bytes.data, bytes.len, &archive->session))
		return AT_ERR_LIBCRYPTO;
	archive->has_session = true;
	archive->session_id = session.session_id;
	archive->sessions++;
	return AT_OK;
}

/* Is the session that came before it the one whose digest it has? */
static bool
has_own_session(const AtArchive *archive, const AtTransactionBody *transaction)
{
	AtSpan digest = transaction->session_digest;

	return archive->session_id == transaction->session_id && digest.len == AT_HASH_LEN &&
		   memcmp(digest.data, &archive->session, AT_HASH_LEN) == 0;
}

static AtError
add_transaction(AtArchive *archive, AtSpan bytes)
{
	AtTransactionBody transaction;
	bool is_first;
	AtHash leaf;
	AtError error;

	if (!at_transaction_body_read(&transaction, bytes.data, bytes.len) ||
		(archive->in_transaction && transaction.tx_id != archive->tx_id))
		return AT_ERR_ITEM;
	if (!is_ours(archive, transaction.log_id))
		return AT_ERR_LEDGER;
	if (archive->has_session && !has_own_session(archive, &transaction))
		return AT_ERR_SESSION;
	error = archive->in_transaction ? AT_OK : begin_transaction(archive, transaction.tx_id);
	if (error != AT_OK)
		return error;
	archive->is_broken = archive->is_broken || transaction.event_count != archive->ordinal ||
						 memcmp(&transaction.digest, &archive->chain, sizeof(AtHash)) != 0 ||
						 (!archive->has_session && transaction.session_digest.data != NULL);
	if (archive->is_broken && archive->broken++ == 0)
		archive->first_broken = transaction.tx_id;
	archive->in_transaction = false;
	archive->has_session = false;
	archive->batch_transactions++;
	archive->segment_transactions++;
	archive->transactions++;
	is_first = archive->batch_transactions - archive->batch_gone == 1;
	if (is_first || transaction.tx_at < archive->batch_first_tx_at)
		archive->batch_first_tx_at = transaction.tx_at;
	if (is_first || transaction.tx_at > archive->batch_last_tx_at)
		archive->batch_last_tx_at = transaction.tx_at;
	if (!at_hash_leaf(bytes.data, bytes.len, &leaf))
		return AT_ERR_LIBCRYPTO;
	return add_leaf(archive, &leaf, transaction.tx_at);
}

void
at_archive_gone_write(uint64_t tx_id, uint32_t ordinal, const AtHash *hash, uint8_t *out)
{
	memcpy(at_put_u32(at_put_u64(out, tx_id), ordinal), hash, AT_HASH_LEN);
}

/* An event goes on with the chain of its transaction; that of one that is gone nobody can compare.
 */
static AtError
add_gone(AtArchive *archive, AtSpan bytes)
{
	uint64_t tx_id;
	uint32_t ordinal;
	AtHash leaf;
	AtError error;

	if (bytes.len != AT_ARCHIVE_GONE_LEN)
		return AT_ERR_ITEM;
	tx_id = at_get_u64(bytes.data);
	ordinal = at_get_u32((const uint8_t *) bytes.data + 8);
	memcpy(&leaf, (const uint8_t *) bytes.data + 12, AT_HASH_LEN);
	if (archive->in_transaction && tx_id != archive->tx_id)
		return AT_ERR_ITEM;
	archive->gone = archive->place;
	if (ordinal == 0)
	{
		archive->in_transaction = false;
		archive->batch_transactions++;
		archive->batch_gone++;
		archive->gone_transactions++;
		return count_leaf(archive, &leaf);
	}
	error = archive->in_transaction ? AT_OK : begin_transaction(archive, tx_id);
	if (error != AT_OK)
		return error;
	archive->is_broken = archive->is_broken || ordinal != archive->ordinal + 1;
	archive->ordinal = ordinal;
	archive->batch_events++;
	archive->gone_events++;
	return at_chain_add(&archive->chain, &leaf) ? count_leaf(archive, &leaf) : AT_ERR_LIBCRYPTO;
}

static AtError
add_leaf(AtArchive *archive, const AtHash *leaf, int64_t tx_at)
{
	bool is_first = archive->segment_events + archive->segment_transactions == 1;

	if (is_first || tx_at < archive->segment_first_tx_at)
		archive->segment_first_tx_at = tx_at;
	if (is_first || tx_at > archive->segment_last_tx_at)
		archive->segment_last_tx_at = tx_at;
	return count_leaf(archive, leaf);
}

static AtError
count_leaf(AtArchive *archive, const AtHash *leaf)
{
	if (!at_merkle_add(&archive->batch, leaf))
		return AT_ERR_LIBCRYPTO;
	archive->place.leaf++;
	return archive->place.leaf == archive->leaf_count ? end_batch(archive) : AT_OK;
}

/* Those of the transactions; where some are gone these are bounds. */
static bool
times_fit(const AtArchive *archive)
{
	if (archive->batch_gone == 0)
		return archive->batch_first_tx_at == archive->first_tx_at &&
			   archive->batch_last_tx_at == archive->last_tx_at;
	return archive->batch_gone == archive->batch_transactions ||
		   (archive->batch_first_tx_at >= archive->first_tx_at &&
			archive->batch_last_tx_at <= archive->last_tx_at);
}

static AtError
end_batch(AtArchive *archive)
{
	AtHash root;

	if (!at_merkle_root(&archive->batch, &root))
		return AT_ERR_LIBCRYPTO;
	if (memcmp(&root, &archive->root, sizeof(root)) != 0)
		return AT_ERR_BATCH_ROOT;
	if (archive->in_transaction || archive->batch_transactions != archive->tx_count ||
		archive->batch_events != archive->event_count || !times_fit(archive))
		return AT_ERR_COUNTS;
	archive->leaf_count = 0;
	archive->place.log_index++;
	archive->place.leaf = 0;
	return AT_OK;
}

/* What the header says of the content must be so: it is what people search by. */
AtError
at_archive_end_segment(AtArchive *archive)
{
	const AtSegment *segment = &archive->segment;

	if (archive->has_session || archive->repeats_entry ||
		!same_place(archive->place, segment->end) ||
		(archive->leaf_count > 0 && archive->place.leaf == 0))
		return AT_ERR_PLACE;
	if (archive->segment_events != segment->events ||
		archive->segment_transactions != segment->transactions ||
		archive->segment_first_tx_at != segment->first_tx_at ||
		archive->segment_last_tx_at != segment->last_tx_at)
		return AT_ERR_COUNTS;
	return AT_OK;
}

AtError
at_archive_read(AtArchive *archive, const AtSegment *segment, AtText content)
{
	AtError error = at_archive_begin_segment(archive, segment);
	AtSpan bytes;
	char kind;

	while (error == AT_OK && content.len > 0)
	{
		error = at_segment_item_next(&content, &kind, &bytes);
		if (error == AT_OK)
			error = at_archive_add(archive, kind, bytes);
	}
	return error != AT_OK ? error : at_archive_end_segment(archive);
}
