/*-------------------------------------------------------------------------
 * tlog_request.h
 *		What a log sends to a witness to have a checkpoint cosigned: the body
 *		of C2SP tlog-witness's add-checkpoint.
 *
 * Lines: "old " and the size that the witness saw last; the hashes of a
 * consistency proof from there; an empty line; the checkpoint, a whole note.
 *-------------------------------------------------------------------------
 */
#ifndef AT_TLOG_REQUEST_H
#define AT_TLOG_REQUEST_H

#include "core/proof.h"

/* Longest text but for the checkpoint. */
#define AT_TLOG_REQUEST_HEAD_MAX (10 + AT_DECIMAL_MAX + AT_PROOF_TEXT_MAX)

/* The protocol allows so many lines, one less than the largest tree could need. */
#define AT_TLOG_REQUEST_PROOF_MAX 63

typedef struct AtTlogRequest
{
	uint64_t old_size;
	AtProof proof;
	AtText checkpoint; /* the note */
} AtTlogRequest;

/* Read a request; strings point into text. The checkpoint is not looked at. */
extern AtError at_tlog_request_read(AtTlogRequest *request, AtText text);

extern AtError at_tlog_request_write(AtWriter *writer, const AtTlogRequest *request);

#endif
