/*-------------------------------------------------------------------------
 * destruction.h
 *		A certificate of destruction: on whose authority events were purged, or
 *		a person's key destroyed, checked without the log.
 *
 * It is made of four entries of the log, each with the proof that it is in the
 * log of a checkpoint: what somebody asked for, that another approved it, the
 * order, and that it was carried out. What a purge has removed stands in two
 * lists whose SHA-256 is in the order (doc/format.md). Lines:
 *
 *		"audit_trail-destruction@v1"
 *		perhaps "leaves " and base64, then "sessions " and base64: the lists
 *		four times: "entry " and base64 (ATL1); the hashes of an inclusion
 *		proof; an empty line
 *		the checkpoint, a whole note
 *-------------------------------------------------------------------------
 */
#ifndef AT_DESTRUCTION_H
#define AT_DESTRUCTION_H

#include "core/body.h"
#include "core/checkpoint.h"
#include "core/proof.h"

/* The entries, in the order of the log. */
typedef enum AtDestructionStep
{
	AT_DESTRUCTION_REQUEST,
	AT_DESTRUCTION_APPROVAL,
	AT_DESTRUCTION_ORDER,
	AT_DESTRUCTION_DONE,
	AT_DESTRUCTION_STEPS
} AtDestructionStep;

/* Runs in the lists, big-endian: u64 log_index, u32 first leaf, u32 count; u64 session_id, SHA-256
 * of its body. */
#define AT_DESTRUCTION_LEAVES_LEN  16
#define AT_DESTRUCTION_SESSION_LEN 40

typedef struct AtDestruction
{
	AtText leaves; /* the lists; of length 0 where there are none */
	AtText sessions;
	AtText entry[AT_DESTRUCTION_STEPS]; /* ATL1 */
	AtProof proof[AT_DESTRUCTION_STEPS];
	AtText checkpoint; /* the note */
} AtDestruction;

/* What a certificate has proved; strings point into what was read. */
typedef struct AtDestroyed
{
	bool is_purge; /* else a person's key was destroyed */
	AtEntryBody entry[AT_DESTRUCTION_STEPS];
	uint64_t events; /* of a purge */
	uint64_t transactions;
	uint64_t sessions;
	uint64_t batches;
} AtDestroyed;

/* Longest text for lists and entries of so many bytes together, but for the checkpoint. */
#define AT_DESTRUCTION_ROOM(bytes)                                                                 \
	(400 + ((bytes) + 3 * (AT_DESTRUCTION_STEPS + 2)) / 3 * 4 +                                    \
	 AT_DESTRUCTION_STEPS * AT_PROOF_TEXT_MAX)

/*
 * Read a certificate. Lists and entries are decoded to the buffer; AT_ERR_NO_ROOM if that is too
 * small, and the text's length is always enough. Nothing is verified.
 */
extern AtError at_destruction_read(AtDestruction *destruction, AtText text, char *buffer,
								   size_t size);

extern AtError at_destruction_write(AtWriter *writer, const AtDestruction *destruction);

/*
 * Are the entries in the log of the checkpoint, which was verified already; are they of one
 * destruction that another approved than the one who asked; and are the lists those of the order?
 */
extern AtError at_destruction_verify_in(const AtDestruction *destruction,
										const AtCheckpoint *checkpoint, AtDestroyed *destroyed);

/* A member of an entry's payload as it is written, a string without its quotes; false: none. */
extern bool at_destruction_member(const AtEntryBody *entry, const char *name, AtText *value);

/* Is a leaf of a batch in the list of leaves of a certificate that was verified? */
extern bool at_destruction_has(const AtDestruction *destruction, uint64_t log_index, uint64_t leaf);

#endif
