/*-------------------------------------------------------------------------
 * gap.h
 *		Leaves of the log whose rows were purged, by authority.
 *
 * An order to purge is a control record of the log, of kind "purge"; its
 * log_index is the deletion_id. The leaves that go stand in audit.deletion as
 * runs of 16 bytes (u64 log_index | u32 first leaf | u32 count, big-endian,
 * ascending), and the record has their SHA-256: a row of audit.deletion that no
 * record vouches for excuses nothing. A record of kind "purged" tells that the
 * rows are gone, one of kind "purge_cancelled" that they stay.
 *
 * The hashes of the leaves stay in the leaf tiles. So a leaf that is gone is
 * read from there, under its name, as a ghost: root, chain and count of its
 * transaction can still be checked, and a copy of the event can be proven.
 *-------------------------------------------------------------------------
 */
#ifndef AT_GAP_H
#define AT_GAP_H

#include "utils/snapshot.h"

#include "core/hash.h"
#include "ledger/log_read.h"

#define AT_KIND_PURGE           "purge"
#define AT_KIND_PURGED          "purged"
#define AT_KIND_PURGE_CANCELLED "purge_cancelled"

/* Phases in audit.deletion. */
#define AT_PHASE_ORDERED   "ordered"
#define AT_PHASE_DONE      "done"
#define AT_PHASE_CANCELLED "cancelled"

#define AT_GAP_LEN     16
#define AT_SESSION_LEN 40 /* u64 session_id | SHA-256 of its body */

/* A row of audit.deletion, and what the log says of it. */
typedef struct AtDeletion
{
	int64 deletion_id;
	int64 log_index; /* of the record of this row */
	char *phase;
	char *certificate; /* the text of the record's payload */
	const uint8 *gaps; /* of an order; NULL otherwise */
	size_t gaps_len;
	const uint8 *sessions;
	size_t sessions_len;
	const char *problem; /* why the log does not vouch for it; NULL: it does */
} AtDeletion;

/* Leaves in a row that may be missing. */
typedef struct AtGap
{
	uint64 log_index;
	uint32 first;
	uint32 count;
	int64 deletion_id;
	bool is_done; /* their rows must be gone */
} AtGap;

/* A leaf that is told by its tile. */
typedef struct AtGhost
{
	uint64 tx_id;
	uint32 ordinal; /* 0: the transaction itself */
	bool is_done;
	AtHash hash;
} AtGhost;

typedef struct AtGaps
{
	int ndeletions;
	AtDeletion *deletion; /* in the order of their records */
	uint64 count;
	AtGap *gap; /* of orders that count, ascending */
} AtGaps;

/* All of them, in the current context. */
extern AtGaps *at_gaps_read(Snapshot snapshot);

/* Ghosts of a batch in the order of its leaves, in the current context; returns how many. */
extern uint64 at_gaps_ghosts(const AtGaps *gaps, AtTileReader *tiles, uint64 log_index,
							 AtGhost **ghosts);

/* Is the leaf of a batch in a gap? */
extern bool at_gaps_have(const AtGaps *gaps, uint64 log_index, uint32 leaf);

/* Was the order carried out, or is it void? */
extern bool at_deletion_is_done(const AtGaps *gaps, int64 deletion_id);
extern bool at_deletion_is_cancelled(const AtGaps *gaps, int64 deletion_id);

/* Write and read a run. */
extern void at_gap_write(const AtGap *gap, uint8 *out);
extern AtGap at_gap_read(const uint8 *bytes);

#endif
