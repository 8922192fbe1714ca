/*-------------------------------------------------------------------------
 * evidence_path.h
 *		The files of a bundle of evidence, by their paths.
 *
 * There are no other files in a bundle, and of each path one spelling only:
 * numbers are decimal without leading zeros, paths are relative, with /
 * between their parts.
 *-------------------------------------------------------------------------
 */
#ifndef AT_EVIDENCE_PATH_H
#define AT_EVIDENCE_PATH_H

#include "core/text.h"

typedef enum AtEvidencePart
{
	AT_EVIDENCE_MANIFEST,
	AT_EVIDENCE_README, /* README.txt, report.html, events.json are derived: core/evidence.h */
	AT_EVIDENCE_REPORT,
	AT_EVIDENCE_EVENTS,
	AT_EVIDENCE_CHECKPOINT,
	AT_EVIDENCE_KEYS,
	AT_EVIDENCE_STAMP,       /* timestamp/NAME.tsr */
	AT_EVIDENCE_ENTRY,       /* log/INDEX.entry */
	AT_EVIDENCE_ENTRY_PROOF, /* log/INDEX.proof */
	AT_EVIDENCE_TRANSACTION, /* tx/TX_ID/transaction.body */
	AT_EVIDENCE_TRANSACTION_PROOF,
	AT_EVIDENCE_SESSION,    /* tx/TX_ID/session.body */
	AT_EVIDENCE_EVENT,      /* tx/TX_ID/ORDINAL.body */
	AT_EVIDENCE_EVENT_PROOF /* tx/TX_ID/ORDINAL.proof */
} AtEvidencePart;

typedef struct AtEvidencePath
{
	AtEvidencePart part;
	AtText name;      /* of a time stamp; points into the path */
	uint64_t number;  /* log_index or tx_id, below 2^63 */
	uint32_t ordinal; /* from 1, below 2^31 */
} AtEvidencePath;

/* A time stamp has a name of ASCII letters, digits, - and _, so many at most. */
#define AT_EVIDENCE_NAME_MAX 64

#define AT_EVIDENCE_PATH_MAX (10 + AT_EVIDENCE_NAME_MAX + 4)

/* AT_ERR_EVIDENCE_PATH if it is none. */
extern AtError at_evidence_path_read(AtEvidencePath *path, AtText text);

extern void at_evidence_path_write(AtWriter *writer, const AtEvidencePath *path);

extern bool at_evidence_name_is_valid(AtText name);

#endif
