/*-------------------------------------------------------------------------
 * archive.h
 *		An archive: all that a log has sealed, in segments, checked item by item.
 *
 * The items of a segment (core/segment.h), in the order in which things were
 * sealed:
 *
 *		L	an entry of the log, ATL1; if it is a batch, its leaves follow:
 *		E	an event, ATE1
 *		S	the session, ATS1, whose digest the transaction behind it has
 *		T	a transaction, ATX1, behind its events
 *		G	in the place of E or T: it was purged, and this is the hash of its leaf
 *		D	behind the order to purge: the list of leaves that went by it
 *
 * A segment may end in the middle of a batch. The next one then begins with
 * the same entry again, and goes on behind the leaf with which the other ended.
 *
 * Checked are: that nothing is missing between first and last item; that the
 * entries follow one another, and the leaves of each batch give its root and
 * its counts; that the events of each transaction give its digest, and its
 * session that of the session. What remains is the log as a whole, whose tree
 * is kept: its root must be that of a checkpoint (core/checkpoint.h).
 *
 * Whether an order has a leaf that was purged is not known before that comes, behind
 * it in the log. So it is for the caller to compare them, see gone and order.
 *
 * A transaction that contradicts itself may have been sealed as it was. Then
 * the root is right and the transaction is not; those are counted, and so are those
 * that lack their session.
 *-------------------------------------------------------------------------
 */
#ifndef AT_ARCHIVE_H
#define AT_ARCHIVE_H

#include "core/merkle.h"
#include "core/segment.h"

#define AT_ARCHIVE_ENTRY       'L'
#define AT_ARCHIVE_EVENT       'E'
#define AT_ARCHIVE_SESSION     'S'
#define AT_ARCHIVE_TRANSACTION 'T'
#define AT_ARCHIVE_GONE        'G'
#define AT_ARCHIVE_ORDERED     'D'

/* Of an item G: u64 tx_id | u32 ordinal, 0 for the transaction itself | hash of the leaf. */
#define AT_ARCHIVE_GONE_LEN (12 + AT_HASH_LEN)

typedef struct AtArchive
{
	/* how far it was read */
	AtSegmentPlace place;
	uint8_t log_id[AT_LOG_ID_LEN];
	bool has_log_id;

	/* the log so far, and its last entry */
	AtMerkle log;
	AtHash previous; /* hash of that entry */
	AtHash entry_leaf;
	AtHash root; /* of its batch, and what else it says of it */
	uint64_t leaf_count;
	uint64_t tx_count;
	uint64_t event_count;
	int64_t first_tx_at;
	int64_t last_tx_at;

	/* the batch so far */
	AtMerkle batch;
	uint64_t batch_transactions;
	uint64_t batch_events;
	int64_t batch_first_tx_at;
	int64_t batch_last_tx_at;
	uint64_t batch_gone; /* transactions of it */

	/* the last leaf that was purged; and the order that the last entry is */
	AtSegmentPlace gone;
	bool has_order;
	uint64_t order;
	char order_sha256[AT_HASH_HEX_LEN];

	/* the transaction that is not ended yet */
	bool in_transaction;
	uint64_t tx_id;
	uint32_t ordinal; /* of its last event */
	bool is_broken;
	AtHash chain;
	bool has_session;
	uint64_t session_id;
	AtHash session;

	/* the segment that is being read */
	AtSegment segment;
	uint32_t segment_events;
	uint32_t segment_transactions;
	int64_t segment_first_tx_at;
	int64_t segment_last_tx_at;
	bool repeats_entry;

	/* in all */
	uint64_t events;
	uint64_t transactions;
	uint64_t sessions;
	uint64_t gone_events;
	uint64_t gone_transactions;
	uint64_t broken;       /* transactions that contradict themselves */
	uint64_t first_broken; /* tx_id */
} AtArchive;

/* Begin with the log's first entry. */
extern void at_archive_init(AtArchive *archive);

/* Begin behind the entries of this tree, of which the last one has this hash. */
extern void at_archive_resume(AtArchive *archive, const AtMerkle *log, const AtHash *last);

/*
 * Begin with a segment, which must be the next one; then all of its items; then end with it.
 * Places and error codes say what is wrong: AT_ERR_PLACE if something is left out or comes
 * twice, AT_ERR_LEDGER for another log's, AT_ERR_ITEM, AT_ERR_PREVIOUS, AT_ERR_SESSION,
 * AT_ERR_DESTRUCTION_LIST, AT_ERR_BATCH_ROOT, AT_ERR_COUNTS. After an error nothing more can be
 * read.
 */
extern AtError at_archive_begin_segment(AtArchive *archive, const AtSegment *segment);
extern AtError at_archive_add(AtArchive *archive, char kind, AtSpan bytes);
extern AtError at_archive_end_segment(AtArchive *archive);

/* Write an item G; out has room for AT_ARCHIVE_GONE_LEN bytes. */
extern void at_archive_gone_write(uint64_t tx_id, uint32_t ordinal, const AtHash *hash,
								  uint8_t *out);

/* All three, for a content that was unpacked. */
extern AtError at_archive_read(AtArchive *archive, const AtSegment *segment, AtText content);

#endif
