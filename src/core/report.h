/*-------------------------------------------------------------------------
 * report.h
 *		The parts of report.html, which core/evidence.h is about.
 *-------------------------------------------------------------------------
 */
#ifndef AT_REPORT_H
#define AT_REPORT_H

#include "core/evidence_head.h"

/* Sections of the document, each whole. An error is AT_ERR_LIBCRYPTO, or of a body. */
extern AtError at_report_transactions(AtOutput *output, const AtEvidence *evidence);
extern void at_report_history(AtOutput *output, const AtEvidence *evidence);
extern void at_report_statements(AtOutput *output, const AtEvidence *evidence,
								 const AtEvidenceHead *head);

/* The style sheet. */
extern void at_report_style(AtOutput *output);

/* A row of a table of facts: what, the value, and whose word it is or NULL. */
extern void at_report_row(AtOutput *output, const char *what, AtText value, const char *whose);

/*
 * A value of JSON: of a string its content, else the text. Cut after
 * AT_REPORT_VALUE bytes, which is said, with where it stands whole.
 */
extern void at_report_value(AtOutput *output, AtText value);

/* "1 event", "2 events" */
extern void at_report_count(AtOutput *output, uint64_t count, const char *one, const char *many);

#endif
