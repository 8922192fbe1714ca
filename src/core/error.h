/*-------------------------------------------------------------------------
 * error.h
 *		What can be wrong with a key, a note, a checkpoint, a proof, a tile, a
 *		bundle of evidence or a certificate.
 *
 * The functions of these modules return AT_OK or the first error that they
 * meet; what they were to fill in is then undefined.
 *-------------------------------------------------------------------------
 */
#ifndef AT_ERROR_H
#define AT_ERROR_H

typedef enum AtError
{
	AT_OK = 0,

	/* nobody's forgery: the machine, or the caller */
	AT_ERR_LIBCRYPTO,
	AT_ERR_SOURCE,
	AT_ERR_NO_ROOM,
	AT_ERR_KEY_PURPOSE,

	/* keys */
	AT_ERR_KEY_FORM,
	AT_ERR_KEY_NAME,
	AT_ERR_KEY_TYPE,
	AT_ERR_KEY_ID,
	AT_ERR_ENDORSEMENT,
	AT_ERR_KEY_POINT,

	/* notes and their signatures */
	AT_ERR_NOTE_CHARACTERS,
	AT_ERR_NOTE_FORM,
	AT_ERR_SIGNATURE_LINE,
	AT_ERR_SIGNATURE_COUNT,
	AT_ERR_NOT_SIGNED,
	AT_ERR_SIGNATURE,
	AT_ERR_QUORUM,

	/* checkpoints */
	AT_ERR_ORIGIN_LINE,
	AT_ERR_SIZE_LINE,
	AT_ERR_ROOT_LINE,
	AT_ERR_EXTENSION_LINE,
	AT_ERR_TOO_LONG,
	AT_ERR_EMPTY_ROOT,
	AT_ERR_ORIGIN,

	/* proofs: their numbers and hashes */
	AT_ERR_SIZE,
	AT_ERR_INDEX,
	AT_ERR_EMPTY_TREE,
	AT_ERR_SIZE_ORDER,
	AT_ERR_MISSING_HASHES,
	AT_ERR_SURPLUS_HASHES,
	AT_ERR_ROOT,
	AT_ERR_OLD_ROOT,

	/* proofs: their text */
	AT_ERR_PROOF_LINE,
	AT_ERR_EXTRA_LINE,
	AT_ERR_INDEX_LINE,
	AT_ERR_OLD_SIZE_LINE,
	AT_ERR_HASH_LINE,
	AT_ERR_HASH_COUNT,

	/* proofs of events */
	AT_ERR_EVENT_PROOF,
	AT_ERR_ENTRY,
	AT_ERR_BATCH,
	AT_ERR_BODY,

	/* tiles */
	AT_ERR_TILE_PATH,
	AT_ERR_BUNDLE,

	/* evidence bundles */
	AT_ERR_EVIDENCE_PATH,
	AT_ERR_MANIFEST,
	AT_ERR_USTAR,
	AT_ERR_EVIDENCE_ORDER,
	AT_ERR_EVIDENCE_BODY,
	AT_ERR_OUTPUT,

	/* receipts */
	AT_ERR_STAMP_REFUSED,
	AT_ERR_STAMP,

	/* archives */
	AT_ERR_SEGMENT,
	AT_ERR_CHECKSUM,
	AT_ERR_FRAME,
	AT_ERR_ITEM,
	AT_ERR_PLACE,
	AT_ERR_LEDGER,
	AT_ERR_PREVIOUS,
	AT_ERR_SESSION,
	AT_ERR_BATCH_ROOT,
	AT_ERR_COUNTS,

	/* files of cold rows, and their proofs */
	AT_ERR_COLD_COLUMNS,
	AT_ERR_COLD_PROOF,
	AT_ERR_COLD_FILE,
	AT_ERR_COLD_TARGET,
	AT_ERR_COLD_RUN,
	AT_ERR_TARGET_LIST,

	/* certificates of destruction */
	AT_ERR_DESTRUCTION,
	AT_ERR_DESTRUCTION_PARTS,
	AT_ERR_DESTRUCTION_LIST,

	AT_ERR_COUNT
} AtError;

/* What it is, as the detail of a message: lower case, no period; never NULL. */
extern const char *at_error_text(AtError error);

#endif
