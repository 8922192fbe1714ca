/*-------------------------------------------------------------------------
 * evidence_sample.h
 *		A small ledger, and a bundle of evidence from it.
 *
 * The log has a beginning, two keys, two batches, a declaration and a second incarnation. Of
 * the first transaction both events are in the bundle, of the second one of two, of the third
 * its only one; the first two have the same session, which the first wrote.
 *-------------------------------------------------------------------------
 */
#ifndef AT_EVIDENCE_SAMPLE_H
#define AT_EVIDENCE_SAMPLE_H

#include "core/evidence.h"

#define SAMPLE_ENTRIES      8
#define SAMPLE_TRANSACTIONS 3
#define SAMPLE_STAMPS       4
#define SAMPLE_BODY_MAX     100000

/* What somebody else may have put in; NULL stands for what is there by itself. */
typedef struct SampleTexts
{
	const AtText *actor;
	const AtText *reason;
	const AtText *table;
	const AtText *record_key;
	const AtText *old_values;
	const AtText *new_values;
	const AtText *extra;
	const AtText *payload; /* of the declaration */
	char op;               /* of the first event; 0: an update */
} SampleTexts;

typedef struct Sample
{
	AtEvidence evidence;
	AtPrivateKey old_key;
	AtPrivateKey key;
	AtPrivateKey witness;

	char entry[SAMPLE_ENTRIES][1000];
	AtHash entry_leaf[SAMPLE_ENTRIES];
	char event[4][SAMPLE_BODY_MAX];
	char transaction[SAMPLE_TRANSACTIONS][SAMPLE_BODY_MAX];
	char session[2][500];
	char checkpoint[2000];
	char keys[2000];
	char stamp[SAMPLE_STAMPS][2000];

	AtEvidenceEntry entries[SAMPLE_ENTRIES];
	AtEvidenceEvent events[4];
	AtEvidenceTransaction transactions[SAMPLE_TRANSACTIONS];
	AtEvidenceSession sessions[2];
	AtEvidenceStamp stamps[SAMPLE_STAMPS];
	AtEventProof example;
} Sample;

/* Make it, signed by the log and cosigned by a witness if cosigned is true. */
extern void sample_make(Sample *sample, const SampleTexts *texts, bool cosigned);

/* An AtOutputTake that appends to an AtWriter. */
extern bool sample_take(void *writer, AtText piece);

#endif
