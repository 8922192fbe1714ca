/*-------------------------------------------------------------------------
 * report.h
 *		The parts of report.html, which core/evidence.h is about.
 *-------------------------------------------------------------------------
 */
#ifndef AT_REPORT_H
#define AT_REPORT_H

#include "core/evidence_head.h"

/* Sections of the document, each whole. */
extern void at_report_transactions(AtOutput *output, const AtEvidence *evidence);
extern void at_report_history(AtOutput *output, const AtEvidence *evidence);
extern void at_report_statements(AtOutput *output, const AtEvidence *evidence,
								 const AtEvidenceHead *head, uint64_t stamps);

/* Events of one transaction, at most so many; returns how many were written. */
extern size_t at_report_events(AtOutput *output, const AtEvidenceTransaction *transaction,
							   size_t most);

/* The style sheet. */
extern const char *const at_report_style;

/* A row of a table of facts: what, the value, and whose word it is or NULL. */
extern void at_report_row(AtOutput *output, const char *what, AtText value, const char *whose);

/* The same of a member of an object of JSON; nothing if it is not there. */
extern void at_report_member(AtOutput *output, AtText object, const char *key, const char *what,
							 const char *whose);

/*
 * A value of JSON: of a string its content, else the text. Cut after
 * AT_REPORT_VALUE bytes, which is said, with where it stands whole.
 */
extern void at_report_value(AtOutput *output, AtText value);

/* "1 event", "2 events" */
extern void at_report_count(AtOutput *output, uint64_t count, const char *one, const char *many);

#endif
