/*-------------------------------------------------------------------------
 * verify.h
 *		Verification, in five steps that share one state:
 *
 *		log		each entry leads from one checkpoint to the next
 *		tiles	the tiles of the log's tree are those of its entries
 *		batches	the rows of each batch give the root that its entry has
 *		tail	what is not sealed yet agrees with its own digests
 *		heap	nothing is stored that no index led to
 *
 * All reading goes through one snapshot, so that writers and the sealer can
 * go on meanwhile. A step never trusts what an earlier one found in doubt.
 *-------------------------------------------------------------------------
 */
#ifndef AT_VERIFY_H
#define AT_VERIFY_H

#include "utils/snapshot.h"

#include "ledger/log_read.h"
#include "ledger/read.h"
#include "seal/findings.h"
#include "seal/leaves.h"

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

typedef struct AtVerify
{
	Snapshot snapshot;
	AtSettled now; /* the same snapshot, as a text tells it */
	MemoryContext context;
	AtFindings *findings;
	AtReaders readers;
	const char *unread; /* why not all of the tables could be read through; NULL if they could */
	bool is_careful;    /* something was unreadable: each piece is tried by itself */

	/* step log */
	uint64 log_size;
	int ndoubts;
	AtDoubt *doubt; /* ascending */

	/* step batches */
	int nincarnations;
	AtIncarnation *incarnation; /* rows of audit.incarnation */
	bool *is_known;             /* for each: the log has its beginning */
	int nlives;
	AtLife *life; /* in the order of the log */

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
} AtVerify;

extern void at_verify_log(AtVerify *verify);
extern void at_verify_log_tiles(AtVerify *verify);
extern void at_verify_batches(AtVerify *verify);
extern void at_verify_tail(AtVerify *verify);
extern void at_verify_heap(AtVerify *verify);

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

/*
 * Report what a transaction says against itself. `log_index` is AT_UNSEALED if
 * it is not sealed; `session_only` if the rest is said already.
 */
extern void at_verify_report_flaws(AtVerify *verify, const AtLeaf *leaf, uint64 log_index,
								   bool session_only);

/* Report a tile. */
extern void at_verify_report_tile(AtVerify *verify, AtFault fault, uint64 log_index, uint32 number,
								  const char *detail);

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
