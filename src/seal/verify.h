/*-------------------------------------------------------------------------
 * verify.h
 *		Verification, in six steps that share one state:
 *
 *		log		each entry leads from one checkpoint to the next, and to those
 *				that an auditor has kept
 *		tiles	the tiles of the log's tree are those of its entries; only if
 *				all is verified
 *		segments	what was archived is what is said of it; only if all is verified
 *		batches	the rows of each batch give the root that its entry has
 *		tail	what is not sealed yet agrees with its own digests
 *		heap	nothing is stored that no index led to; only if all is verified
 *
 * What stands beside the log comes last: receipts, deletions, alerts, and what was done
 * about them; each has something in the log or outside that vouches for it.
 *
 * All reading goes through one snapshot, so that writers and the sealer can
 * go on meanwhile. A step never trusts what an earlier one found in doubt.
 *-------------------------------------------------------------------------
 */
#ifndef AT_VERIFY_H
#define AT_VERIFY_H

#include "datatype/timestamp.h"
#include "utils/hsearch.h"
#include "utils/snapshot.h"

#include "ledger/event.h"
#include "ledger/gap.h"
#include "ledger/log_read.h"
#include "ledger/read.h"
#include "seal/findings.h"
#include "seal/given.h"
#include "seal/leaves.h"
#include "seal/scope.h"

/* Readers that are opened when first used. */
typedef struct AtReaders
{
	MemoryContext context;
	AtLeafReader *leaves;
	AtTileReader *tiles;
	AtEntryReader *entries;
} AtReaders;

/* Entries of the log that are not believed, and why. */
typedef struct AtDoubt
{
	uint64 first;
	uint64 last;
	bool is_missing;
	bool is_swapped; /* its row is to be found at another place */
	uint64 row_at;
} AtDoubt;

/* An incarnation of the ledger, as far as its batches have been read. */
typedef struct AtLife
{
	AtIncarnation origin;
	AtSettled *end; /* of its last window; NULL before the first */
	bool is_closed; /* its last batch took all that was left */
} AtLife;

/* Incarnations in the order of the log. */
typedef struct AtLives
{
	MemoryContext context;
	int count;
	AtLife *life;
} AtLives;

/* What a batch that is fine has. */
typedef struct AtProbeCount
{
	uint64 transactions;
	uint64 events;
	uint64 sessions;
	uint64 tiles;
	uint64 purged_transactions;
	uint64 purged_events;
} AtProbeCount;

/* Events by name, in no order. */
typedef struct AtEventNames
{
	uint64 count;
	AtEventName *name;
} AtEventNames;

typedef struct AtVerify
{
	const AtScope *scope;
	AtGiven *given; /* checkpoints to be compared; NULL: none */
	Snapshot snapshot;
	AtSettled now; /* the same snapshot, as a text tells it */
	MemoryContext context;
	AtFindings *findings;
	AtReaders readers;
	const char *unread; /* why not all of the tables could be read through; NULL if they could */
	bool is_careful;    /* something was unreadable: each piece is tried by itself */

	/* step log */
	uint64 first; /* entry that it begins with; what was before is believed */
	AtMerkle first_tree;
	uint64 log_size;
	int ndoubts;
	AtDoubt *doubt; /* ascending */

	/* step batches */
	int nincarnations;
	AtIncarnation *incarnation; /* rows of audit.incarnation */
	bool *is_known;             /* for each: the log has its beginning */
	AtLives lives;

	/* what was checked */
	uint64 entries;
	uint64 proved; /* of them, by the root of their checkpoint */
	uint64 checkpoints;
	uint64 batches;
	uint64 tiles;
	uint64 log_tiles;
	uint64 transactions;
	uint64 events;
	uint64 sessions;
	uint64 unsealed; /* of the transactions */
	uint64 passed;   /* batches that were not to be looked at */

	/* all that ever signed the log */
	int nkeys;
	AtPublicKey *key;

	/* what was purged, by authority */
	AtGaps *gaps;
	uint64 purged_transactions; /* of those that were checked; by their tiles */
	uint64 purged_events;
	int nrecords; /* of purges, that the log was seen to have */
	int64 *record;

	/* events of what was done about alerts, and those that name alerts, as the step heap met them
	 */
	AtEventNames actions;
	AtEventNames seals;
	HTAB *odd_alerts; /* alerts that were reported, by their number */

	bool remembers; /* what was checked, in case that this is interrupted */

	/* goes on from an earlier one */
	uint64 resumed_at;        /* batches before this one were checked then; 0: none */
	TimestampTz resumed_from; /* when */
} AtVerify;

/*
 * Begin: nothing is checked yet. The snapshot is active; what is kept lives
 * in the current context.
 */
extern AtVerify *at_verify_begin(const AtScope *scope, AtGiven *given, Snapshot snapshot,
								 bool is_careful);

/* Close the readers. */
extern void at_verify_close(AtVerify *verify);

/* All steps. The snapshot is the newest one, registered and active. */
extern AtVerify *at_verify_run(const AtScope *scope, AtGiven *given, Snapshot snapshot);

extern void at_verify_log(AtVerify *verify);
extern void at_verify_log_tiles(AtVerify *verify);
extern void at_verify_segments(AtVerify *verify);
extern void at_verify_batches(AtVerify *verify);
extern void at_verify_tail(AtVerify *verify);
extern void at_verify_heap(AtVerify *verify);
extern void at_verify_receipts(AtVerify *verify);
extern void at_verify_alerts(AtVerify *verify);
extern void at_verify_alert_actions(AtVerify *verify);

/* Tell of each entry, in order: keys are learnt from it, for the receipts. */
extern void at_verify_see_key(AtVerify *verify, const AtEntryRow *entry);

/* Tell of each entry, in order: those of purges are to be found in audit.deletion. */
extern void at_verify_see_purge(AtVerify *verify, const AtEntryRow *entry);

/* The log is read: leave orders out of account whose records are in doubt. */
extern void at_verify_doubt_purges(AtVerify *verify);

/* What audit.deletion says and the log does not, and the reverse; only if all is verified. */
extern void at_verify_deletions(AtVerify *verify);

/* One row for each deletion that was carried out, behind the findings; it is none. */
typedef struct AtPurged
{
	char *object; /* its number */
	char *place;
	char *detail;
} AtPurged;
extern bool at_verify_purged(const AtVerify *verify, int number, AtPurged *purged);

/*
 * Have the reader tell the purged leaves of these batches. What it needs lives in the current
 * context, which must stay until it is called again.
 */
extern void at_verify_set_ghosts(AtVerify *verify, AtLeafReader *leaves, uint64 first, uint64 last);

/* A run of batches that is to be checked name by name. */
typedef struct AtRange
{
	uint64 first;
	uint64 last;
	AtWindow window;    /* what all of them together sealed */
	bool is_tail;       /* transactions that are not sealed may be in the window */
	bool last_is_sound; /* the entry of the last one is believed; what it says: */
	AtHash root;
	uint64 leaf_count;
} AtRange;

/*
 * Check batches whose rows do not give their roots or whose entries are in
 * doubt, by comparing what stands in their tiles with what is stored under
 * those names.
 */
extern void at_verify_by_name(AtVerify *verify, const AtRange *range);

/* One transaction of a batch alone, against the tiles if they give its root; false if they do not.
 */
extern bool at_verify_one_by_name(AtVerify *verify, const AtRange *range, uint64 tx_id);

/* The one transaction that is asked for. */
extern void at_verify_transaction(AtVerify *verify);

/*
 * Report what a transaction says against itself. `log_index` is AT_UNSEALED if
 * it is not sealed; `session_only` if the rest is said already.
 */
extern void at_verify_report_flaws(AtVerify *verify, const AtLeaf *leaf, uint64 log_index,
								   bool session_only);

/* Report a tile. */
extern void at_verify_report_tile(AtVerify *verify, AtFault fault, uint64 log_index, uint32 number,
								  const char *detail);

/*
 * What is needed of an entry of the log to check its batch. False if the
 * entry at the place is not what it seemed to be before.
 */
typedef struct AtBatch
{
	uint64 log_index;
	bool is_events;
	bool begins_life;
	AtEntryBody entry; /* spans are not valid any more */
	AtSettled *end;    /* of its window; NULL: it took all that was left */
	char *payload;
	bool is_wanted; /* by the scope */
} AtBatch;

extern bool at_verify_read_batch(AtVerify *verify, uint64 row_at, AtBatch *batch);

/*
 * The life of an incarnation, begun with what audit.incarnation says of it if
 * it is new; then its last window is that of the entries before `log_index`.
 */
extern AtLife *at_verify_life(AtVerify *verify, AtLives *lives, int32 incarnation,
							  uint64 log_index);

/* The life that the last window before an entry is of; NULL if there is none. */
extern AtLife *at_verify_seed(AtVerify *verify, AtLives *lives, uint64 log_index);

/* The next window of the life begins where this one ended. */
extern void at_verify_end_window(AtLives *lives, AtLife *life, const AtSettled *end);

/* Are the batch's rows and tiles all as they were sealed? Findings are not added. */
extern bool at_verify_probe(AtVerify *verify, const AtBatch *batch, const AtWindow *window,
							AtProbeCount *count);

/* Check one batch, or a range that ends in it, and add what is wrong to the findings. */
extern void at_verify_check_batch(AtVerify *verify, const AtBatch *batch, const AtRange *range);

/* What a life has not sealed up to `to`; NULL: at all. */
extern AtWindow at_verify_window(const AtLife *life, const AtSettled *to);

/* Is the entry in doubt? NULL if not. */
extern const AtDoubt *at_verify_doubt(const AtVerify *verify, uint64 log_index);

/*
 * Do a piece of work that reads. It uses verify->readers. In careful mode it
 * gets readers of its own, and false is returned with the error's text if
 * it raised one; otherwise errors pass through.
 */
extern bool at_verify_try(AtVerify *verify, void (*work)(void *arg), void *arg, char **message);

extern AtLeafReader *at_verify_leaves(AtVerify *verify);
extern AtTileReader *at_verify_tiles(AtVerify *verify);
extern AtEntryReader *at_verify_entries(AtVerify *verify);

#endif
