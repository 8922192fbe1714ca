/*-------------------------------------------------------------------------
 * names.h
 *		What was sealed in a range of batches, leaf by leaf, as the tiles tell
 *		it: for the check by name.
 *
 * Memory grows with the batches looked at: this happens only where something
 * is wrong, or for one batch.
 *-------------------------------------------------------------------------
 */
#ifndef AT_SEALED_NAMES_H
#define AT_SEALED_NAMES_H

#include "utils/hsearch.h"

#include "seal/verify.h"

/* A sealed leaf. */
typedef struct AtSealed
{
	uint32 ordinal; /* 0: the transaction itself */
	uint32 tile;
	AtHash hash;
} AtSealed;

/* The leaves of one transaction. */
typedef struct AtOwner
{
	uint64 tx_id;
	uint64 log_index;
	uint64 first; /* of them, in sealed[] */
	uint64 count;
	bool row_is_there; /* a row of audit.transaction has this name */
	bool row_differs;
	bool row_is_in_window;
} AtOwner;

typedef struct AtOwnerEntry
{
	uint64 tx_id; /* key */
	uint64 owner;
} AtOwnerEntry;

/* A transaction in the window that no tile names, and where its row is. */
typedef struct AtStranger
{
	uint64 tx_id;
	Oid relid;
	ItemPointerData tid;
} AtStranger;

/* A range of batches as its tiles tell it. */
typedef struct AtNames
{
	AtVerify *verify;
	const AtRange *range;
	MemoryContext context;
	MemoryContext owner_context; /* reset for each transaction */

	/* what the tiles say */
	AtSealed *sealed;
	uint64 nsealed;
	uint64 sealed_capacity;
	AtOwner *owner;
	uint64 nowners;
	uint64 owner_capacity;
	HTAB *owner_by_tx_id;
	AtLeafReader *leaves; /* that tells purged leaves of the range; NULL: none yet */
	bool is_incomplete;   /* a tile is not there or no tile: names are lacking */
	AtMerkle tree;        /* over the leaves of the last batch */
	bool gives_root;      /* the one that its entry has */

	AtStranger *stranger;
	uint64 nstrangers;
	uint64 stranger_capacity;
	const AtStranger *present; /* the one being looked at */
} AtNames;

/* Begin; returns the new context that all of it lives in. The range must outlive it. */
extern MemoryContext at_names_open(AtNames *names, AtVerify *verify, const AtRange *range);

/* Load the tiles and report those that are not sound; true if all are and give the batch's root. */
extern bool at_names_load(AtNames *names);

/* Make room for one more in an array, which may be NULL at first. */
extern void *at_names_grow(AtNames *names, void *array, uint64 count, uint64 *capacity, Size item);

/*
 * The name of the nearest leaf of an event (or of a transaction) from number
 * `at` on, downwards (step -1) or upwards (1); NULL if there is none near.
 */
extern char *at_names_neighbour(const AtNames *names, int64 at, int step, bool is_event);

#endif
