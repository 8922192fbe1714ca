/*-------------------------------------------------------------------------
 * attached_cold.h
 *		Files of cold segments of other servers, verified to be attached.
 *
 * FILE.atq is verified by FILE.proof beside it (core/cold_proof.h): each row, against a checkpoint
 * that the key has signed. Several files are of one ledger.
 *-------------------------------------------------------------------------
 */
#ifndef AT_ATTACHED_COLD_H
#define AT_ATTACHED_COLD_H

#include "nodes/pg_list.h"

#include "core/key.h"
#include "query/attached_index.h"

/* Longest file that is read, in bytes. */
#define AT_ATTACHED_COLD_MAX (1024 * 1024 * 1024)

/* What was verified. */
typedef struct AtAttachedCold
{
	char *origin;
	uint64 size; /* of the largest checkpoint, and its root */
	AtHash root;
	uint8 log_id[AT_LOG_ID_LEN];
	uint64 segments;
	uint64 events;
	uint64 transactions;
	int64 first_tx_at;
	int64 last_tx_at;
	AtHash digest; /* of the SHA-256 of all files */
} AtAttachedCold;

/* The names of the files of a directory that are such, in order; an error if it cannot be read. */
extern List *at_attached_cold_list(const char *directory);

/* For list_sort(): that order. */
extern int at_attached_compare_names(const ListCell *a, const ListCell *b);

/*
 * Verify all of them, and write what leads to their segments, if there is an index to write. Why
 * they cannot be attached, as the detail of a message; NULL if they can.
 */
extern const char *at_attached_cold_verify(const char *directory, List *files,
										   const AtPublicKey *key, AtAttachedCold *cold,
										   AtAttachedIndex *index);

#endif
