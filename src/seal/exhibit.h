/*-------------------------------------------------------------------------
 * exhibit.h
 *		A bundle of evidence in the making: audit.export_evidence().
 *
 * In this order: which events (exhibit_select.c), their transactions and
 * batches (exhibit_collect.c), a signed checkpoint that covers them
 * (exhibit_checkpoint.c), bodies and proofs (exhibit_prove.c), and the files
 * (exhibit_write.c). Memory grows with the bodies and with about a kilobyte an
 * event; it is that of the context in which the exhibit was made.
 *
 * All is verified before it is written: what was changed in the ledger makes
 * an error here, and no bundle that fails elsewhere.
 *-------------------------------------------------------------------------
 */
#ifndef AT_EXHIBIT_H
#define AT_EXHIBIT_H

#include "lib/stringinfo.h"
#include "utils/snapshot.h"

#include "base/compat.h"
#include "core/evidence.h"
#include "core/merkle.h"
#include "ledger/event.h"

/* Larger selections are refused. */
#define AT_EXHIBIT_MAX_EVENTS 1000000

/* A transaction that is proved, with what is needed to find it. */
typedef struct AtExhibitTransaction
{
	uint64 tx_id;
	uint64 session_id;
	uint64 log_index; /* of its batch */
	bool wrote_session;
	AtText body;
	size_t first_event; /* among the selected ones */
	size_t event_count;
} AtExhibitTransaction;

/* A leaf of a batch: of an event, or of a transaction itself. */
typedef struct AtExhibitLeaf
{
	uint64 log_index;
	uint64 tx_id;
	uint32 ordinal;  /* AT_EXHIBIT_TRANSACTION for a transaction's */
	size_t selected; /* of an event: its number among the selected ones */
	AtText body;

	/* its proof */
	bool found;
	uint64 number;
	int path_count;
	AtHash *path;
} AtExhibitLeaf;

#define AT_EXHIBIT_TRANSACTION PG_UINT32_MAX

/* An entry of the log, and its proof. */
typedef struct AtExhibitEntry
{
	uint64 log_index;
	AtText body;
	AtHash root; /* of the batch */
	uint64 leaf_count;
	AtProof proof;
} AtExhibitEntry;

typedef struct AtExhibit
{
	Snapshot snapshot; /* registered; taken after the last seal */

	/* what was asked for, ascending and each once */
	size_t selected_count;
	AtEventName *selected;

	/* ascending by tx_id, also those that are there for their session alone */
	size_t transaction_count;
	AtExhibitTransaction *transaction;
	size_t session_count;
	AtEvidenceSession *session;

	/* what it is proved against */
	AtText note;
	AtCheckpoint checkpoint;
	StringInfoData keys; /* of the log, one a line */
	AtPublicKey key;     /* the last of them */
	size_t stamp_count;
	AtEvidenceStamp *stamp;

	/* ascending by log_index, tx_id and ordinal */
	size_t leaf_count;
	AtExhibitLeaf *leaf;
	size_t entry_count;
	AtExhibitEntry *entry;
} AtExhibit;

/* Make out which events are meant: by their names, or by a query of the caller's. */
extern void at_exhibit_select_names(AtExhibit *exhibit, Datum names);
extern void at_exhibit_select_query(AtExhibit *exhibit, const char *query);

/*
 * Find the transactions, and the sessions with those who wrote them. The log
 * need not have them yet.
 */
extern void at_exhibit_collect(AtExhibit *exhibit);

/*
 * Find the batches among the first `size` entries. Returns the first event whose transaction is
 * not among them, or NULL. *needed becomes the size of the smallest log that has them all.
 */
extern const AtEventName *at_exhibit_place(AtExhibit *exhibit, uint64 size, uint64 *needed);

/*
 * Choose a signed checkpoint that covers all of it, after sealing what is not
 * sealed yet. Takes the snapshot.
 */
extern void at_exhibit_cover(AtExhibit *exhibit);

/* Read the bodies, and prove all. */
extern void at_exhibit_prove(AtExhibit *exhibit);

/* What is written of it. */
typedef struct AtExhibitFiles
{
	char *directory; /* NULL: an archive is made */
	char *aside;     /* where it is written until it is renamed */

	StringInfoData archive;
	AtHash manifest;
} AtExhibitFiles;

/* May a bundle come to this directory? It must be absolute and not be there. Sets path and aside.
 */
extern void at_exhibit_files_check(AtExhibitFiles *files, const char *directory);

/* Make the directory aside; remove it with all that is in it: for PG_ENSURE_ERROR_CLEANUP(). */
extern void at_exhibit_files_open(const AtExhibitFiles *files);
extern void at_exhibit_files_remove(int code, Datum files);

/* Write all files: aside, or as an archive. */
extern void at_exhibit_write(const AtExhibit *exhibit, AtExhibitFiles *files);

/* Have the directory in its place, on disk. */
extern void at_exhibit_files_publish(AtExhibitFiles *files);

/* For qsort() and bsearch(): orders numbers of 64 bits, and structs that begin with one. */
extern int at_exhibit_compare(const void *a, const void *b);

/* Something of the ledger is not as it was sealed. */
pg_noreturn extern void at_exhibit_broken(const char *detail);

#endif
