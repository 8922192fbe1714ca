/*-------------------------------------------------------------------------
 * evidence_head.h
 *		What the readable files of a bundle have in common: its checkpoint, who
 *		signed it, and the numbers of it all.
 *-------------------------------------------------------------------------
 */
#ifndef AT_EVIDENCE_HEAD_H
#define AT_EVIDENCE_HEAD_H

#include "core/evidence.h"

/* A signature line of the checkpoint, as far as the bundle tells. */
typedef struct AtEvidenceLine
{
	bool is_verified; /* by a key of the bundle, which is key_line */
	AtText key_line;
	uint64_t when; /* of a cosignature, it says: seconds since 1970; 0 if it is none */
} AtEvidenceLine;

typedef struct AtEvidenceHead
{
	AtNote note;
	AtEvidenceLine line[AT_NOTE_MAX_SIGNATURES]; /* of its signatures */
	AtCheckpoint checkpoint;
	AtPublicKey key; /* the log's, that signed the checkpoint */
	AtText key_line; /* the same, as text */
	int signature;   /* number of its signature in the note */

	/* all transactions, and their events */
	uint64_t event_count;
	int64_t first_at; /* least and greatest occurred_at */
	int64_t last_at;
	const uint8_t *log_id;
} AtEvidenceHead;

/*
 * Verifies the signatures of the checkpoint by the keys of the bundle.
 * AT_ERR_NOT_SIGNED if none is by a key of the log. Bodies that cannot be read
 * are passed over.
 */
extern AtError at_evidence_head_read(AtEvidenceHead *head, const AtEvidence *evidence);

/* Cut off the next key of the keys; false at the end, where nothing is left, or if it is none. */
extern bool at_evidence_key_next(AtText *keys, AtText *line, AtPublicKey *key);

/* Is it a key of the log? Else it is a witness's. */
extern bool at_evidence_key_is_own(const AtEvidenceHead *head, const AtPublicKey *key);

/* The part with this name; NULL if it is not there. */
extern const AtEvidenceEntry *at_evidence_entry(const AtEvidence *evidence, uint64_t log_index);
extern const AtEvidenceTransaction *at_evidence_transaction(const AtEvidence *evidence,
															uint64_t tx_id);
extern const AtEvidenceSession *at_evidence_session(const AtEvidence *evidence,
													uint64_t session_id);

/* The first transaction that has events; NULL if none has. */
extern const AtEvidenceTransaction *at_evidence_first(const AtEvidence *evidence);

/* What a time stamp is over. */
typedef enum AtStamped
{
	AT_STAMPED_NOTHING, /* of this bundle */
	AT_STAMPED_FILE,    /* the file checkpoint */
	AT_STAMPED_NOTE,    /* its text, and the first signature alone */
	AT_STAMPED_TEXT     /* its text, without signatures */
} AtStamped;

/* *when is the time that it says, in seconds since 1970. Its own signature is not verified. */
extern AtStamped at_evidence_stamped(const AtEvidenceHead *head, const AtEvidence *evidence,
									 AtText response, int64_t *when);

/* Write a time in seconds since 1970, if it is one that can be. */
extern void at_evidence_out_seconds(AtOutput *output, int64_t when);

/* How many lines the text of the checkpoint has, an empty one behind it not counted. */
extern int at_evidence_text_lines(const AtEvidenceHead *head);

static inline AtText
at_span_text(AtSpan span)
{
	return (AtText){span.data, span.data != NULL ? span.len : 0};
}

static inline const uint8_t *
at_text_bytes(AtText text)
{
	return (const uint8_t *) text.data;
}

#endif
