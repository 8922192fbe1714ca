/*-------------------------------------------------------------------------
 * event_proof.h
 *		A proof that an event, or a transaction, is in a log, checked without
 *		it: from the event to its batch, from the batch to a checkpoint.
 *
 * It is a C2SP tlog-proof (core/tlog_proof.h) of the entry that is the
 * batch. What leads from the event to the entry stands in its extra, ATI1:
 *
 *		"ATI1" | u64 number of the leaf in the batch, from 0
 *		| text body (ATE1 or ATX1) | text entry (ATL1)
 *		| hashes from the leaf to the batch's root
 *
 * with integers and texts as in core/body.h. So whoever knows tlog-proof
 * alone can still verify the entry.
 *-------------------------------------------------------------------------
 */
#ifndef AT_EVENT_PROOF_H
#define AT_EVENT_PROOF_H

#include "core/base64.h"
#include "core/body.h"
#include "core/tlog_proof.h"

/* Extra of a body and an entry of these lengths, in bytes, and the room that writing it needs. */
#define AT_EVENT_PROOF_EXTRA_LEN(body, entry)                                                      \
	(4 + 8 + 4 + (body) + 4 + (entry) + AT_PROOF_MAX * AT_HASH_LEN)
#define AT_EVENT_PROOF_ROOM(body, entry)                                                           \
	(AT_EVENT_PROOF_EXTRA_LEN(body, entry) + AT_BASE64_LEN(AT_EVENT_PROOF_EXTRA_LEN(body, entry)))

typedef struct AtEventProof
{
	AtText body;     /* what is proved, ATE1 or ATX1 */
	uint64_t number; /* of its leaf in the batch */
	AtProof path;    /* from there to the batch's root */
	AtText entry;    /* the batch, ATL1 */
	AtTlogProof log; /* from the entry to the checkpoint; its extra is for the functions below */
} AtEventProof;

/* What a proof has proved; strings and log_ids point into what was read. */
typedef struct AtProven
{
	bool is_event; /* else it is a transaction */
	AtEventBody event;
	AtTransactionBody transaction;
	AtEntryBody entry;
	AtCheckpoint checkpoint;
} AtProven;

/*
 * Read a proof. Body and entry are decoded to the buffer, for which
 * AT_ERR_NO_ROOM is returned if it is too small; three quarters of the
 * text's length are enough. Nothing is verified.
 */
extern AtError at_event_proof_read(AtEventProof *proof, AtText text, char *buffer, size_t size);

/*
 * Write a proof. Its extra is put together in the buffer, which should have
 * AT_EVENT_PROOF_ROOM bytes.
 */
extern AtError at_event_proof_write(AtWriter *writer, const AtEventProof *proof, char *buffer,
									size_t size);

/*
 * Verify all of it, the checkpoint as at_checkpoint_open(): the entry is in
 * the log at its own index, it is a batch, and the body is in it and of the
 * same ledger.
 */
extern AtError at_event_proof_verify(const AtEventProof *proof, const AtTrust *trust,
									 AtProven *proven);

/* The same for a checkpoint that was verified already; the one in the proof is not looked at. */
extern AtError at_event_proof_verify_in(const AtEventProof *proof, const AtCheckpoint *checkpoint,
										AtProven *proven);

#endif
