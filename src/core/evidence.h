/*-------------------------------------------------------------------------
 * evidence.h
 *		Evidence for outsiders: what a bundle proves, and its readable files.
 *
 * README.txt, report.html and events.json are a pure function of the other
 * files. The server renders them when it writes a bundle; whoever checks one
 * renders them anew, from what was verified, and compares byte by byte. So
 * nobody can make the readable part say anything but what is proved.
 *
 * Rendering verifies nothing: bodies and proofs must have been verified
 * before what is rendered is believed. Bodies may hold any bytes; see
 * core/escape.h for what becomes of them.
 *
 * Limits: the report shows the first AT_REPORT_EVENTS events, and of a value
 * the first AT_REPORT_VALUE bytes, and says what it leaves out; events.json
 * has all of them whole.
 *-------------------------------------------------------------------------
 */
#ifndef AT_EVIDENCE_H
#define AT_EVIDENCE_H

#include "core/event_proof.h"
#include "core/note.h"
#include "core/output.h"

#define AT_REPORT_EVENTS 1000
#define AT_REPORT_VALUE  2000

/* Texts belong to the caller. */
typedef struct AtEvidenceEvent
{
	uint32_t ordinal;
	AtText body; /* ATE1 */
} AtEvidenceEvent;

typedef struct AtEvidenceTransaction
{
	uint64_t tx_id;
	uint64_t log_index;           /* of its batch: of its proof and those of its events */
	AtText body;                  /* ATX1 */
	size_t event_count;           /* 0 where it is there for its session alone */
	const AtEvidenceEvent *event; /* ascending by ordinal */
} AtEvidenceTransaction;

/* tx/TX_ID/session.body */
typedef struct AtEvidenceSession
{
	uint64_t session_id;
	uint64_t tx_id; /* of the transaction that wrote it */
	AtText body;    /* ATS1 */
} AtEvidenceSession;

typedef struct AtEvidenceEntry
{
	uint64_t log_index;
	AtText body; /* ATL1 */
} AtEvidenceEntry;

/* timestamp/NAME.tsr */
typedef struct AtEvidenceStamp
{
	AtText name;
	AtText response; /* RFC 3161 */
} AtEvidenceStamp;

/* A bundle without its proofs, but for one. */
typedef struct AtEvidence
{
	AtText checkpoint; /* the file: a note */
	AtText keys;       /* the file: vkeys, one a line */

	/* in ascending order of what they are named by */
	size_t stamp_count;
	const AtEvidenceStamp *stamp;
	size_t entry_count;
	const AtEvidenceEntry *entry;
	size_t transaction_count;
	const AtEvidenceTransaction *transaction;
	size_t session_count;
	const AtEvidenceSession *session;

	/* of the first event of the first transaction that has events, for README.txt */
	const AtEventProof *example;
} AtEvidence;

/*
 * Can it be rendered? There is an event. All is in ascending order; bodies
 * are of the right kind, with the names that they have here, and of one
 * ledger; the batches of the transactions are among the entries, and the
 * transactions that wrote the sessions among the transactions. Checkpoint
 * and keys can be read, and one of the keys is the log's and signed the
 * checkpoint. No hash or proof is verified.
 */
extern AtError at_evidence_check(const AtEvidence *evidence);

/*
 * Write the readable files. The evidence was checked. What is returned is
 * AT_OK, AT_ERR_OUTPUT, or AT_ERR_LIBCRYPTO.
 */
extern AtError at_evidence_write_events(AtOutput *output, const AtEvidence *evidence);
extern AtError at_evidence_write_report(AtOutput *output, const AtEvidence *evidence);
extern AtError at_evidence_write_readme(AtOutput *output, const AtEvidence *evidence);

#endif
