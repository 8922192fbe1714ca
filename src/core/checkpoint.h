/*-------------------------------------------------------------------------
 * checkpoint.h
 *		The size and root of a log, signed: C2SP tlog-checkpoint.
 *
 * A checkpoint is a note (core/note.h) whose text has these lines: the
 * origin, which names the log; the size in decimal; the root in base64; and
 * perhaps extension lines. The key of a log has the log's origin as its name.
 *
 * Stricter than the format: a size is below 2^63, a tree of size 0 has the
 * root of the empty tree, and a text is at most AT_CHECKPOINT_TEXT_MAX
 * bytes long.
 *-------------------------------------------------------------------------
 */
#ifndef AT_CHECKPOINT_H
#define AT_CHECKPOINT_H

#include "core/hash.h"
#include "core/key.h"
#include "core/text.h"

#define AT_CHECKPOINT_TEXT_MAX 4096

typedef struct AtCheckpoint
{
	AtText origin;
	uint64_t size;
	AtHash root;
	AtText extension; /* lines, each with its newline; usually none */
} AtCheckpoint;

/* Whom to believe. */
typedef struct AtTrust
{
	const AtPublicKey *log_key;

	const AtPublicKey *witness; /* of type AT_KEY_COSIGNATURE, each with bytes of its own */
	int witness_count;
	int quorum; /* so many of them must have cosigned */
} AtTrust;

/* Read the text of a note; strings point into it. */
extern AtError at_checkpoint_read(AtCheckpoint *checkpoint, AtText text);

/* Write the text of a note. Refuses what at_checkpoint_read() would refuse. */
extern AtError at_checkpoint_write(AtWriter *writer, const AtCheckpoint *checkpoint);

/* Write the whole note, signed by a key whose name is the origin. */
extern AtError at_checkpoint_sign(AtWriter *writer, const AtCheckpoint *checkpoint,
								  const AtPrivateKey *key);

/*
 * Read a note and verify it: signed by the log, its origin the name of the
 * log's key, cosigned by enough witnesses. A cosignature by a witness of the
 * list that does not verify is an error, whatever the quorum.
 */
extern AtError at_checkpoint_open(AtCheckpoint *checkpoint, AtText note, const AtTrust *trust);

#endif
