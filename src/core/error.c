/*-------------------------------------------------------------------------
 * error.c
 *		What can be wrong with a key, a note, a checkpoint, a proof, a tile or a
 *		bundle of evidence.
 *-------------------------------------------------------------------------
 */
#include <stddef.h>

#include "core/error.h"

static const char *const error_text[AT_ERR_COUNT] = {
	[AT_OK] = "nothing is wrong",

	[AT_ERR_LIBCRYPTO] = "libcrypto failed",
	[AT_ERR_SOURCE] = "a hash of the tree could not be had",
	[AT_ERR_NO_ROOM] = "the result is longer than the room for it",
	[AT_ERR_KEY_PURPOSE] = "the key is for another kind of signature",

	[AT_ERR_KEY_FORM] = "the key is not in the form name+id+base64",
	[AT_ERR_KEY_NAME] = "the key has a name that no key may have",
	[AT_ERR_KEY_TYPE] = "the key is not an Ed25519 key for notes or cosignatures",
	[AT_ERR_KEY_ID] = "the id of the key is not that of its name and bytes",
	[AT_ERR_ENDORSEMENT] = "the endorsement is not of this key",
	[AT_ERR_KEY_POINT] = "the key is no point of the curve, or one that anybody can sign for",

	[AT_ERR_NOTE_CHARACTERS] = "the note is not UTF-8 or has a control character in it",
	[AT_ERR_NOTE_FORM] = "the note is not a text, an empty line and signature lines",
	[AT_ERR_SIGNATURE_LINE] = "a signature line of the note is malformed",
	[AT_ERR_SIGNATURE_COUNT] = "the note has too many signatures",
	[AT_ERR_NOT_SIGNED] = "the note has no signature by the key",
	[AT_ERR_SIGNATURE] = "a signature is not by the key it names, or not of this text",
	[AT_ERR_QUORUM] = "too few witnesses have cosigned the checkpoint",

	[AT_ERR_ORIGIN_LINE] = "the checkpoint's first line, the origin, is missing or empty",
	[AT_ERR_SIZE_LINE] = "the checkpoint's second line is not the size of a tree",
	[AT_ERR_ROOT_LINE] = "the checkpoint's third line is not a hash in base64",
	[AT_ERR_EXTENSION_LINE] = "the checkpoint has an empty line among its extension lines",
	[AT_ERR_TOO_LONG] = "the checkpoint is too long",
	[AT_ERR_EMPTY_ROOT] = "the checkpoint's size is 0 and its root is not that of the empty tree",
	[AT_ERR_ORIGIN] = "the checkpoint is of another log",

	[AT_ERR_SIZE] = "the size of the tree is 2^63 or more",
	[AT_ERR_INDEX] = "the index is not within the tree",
	[AT_ERR_EMPTY_TREE] = "there is no consistency proof from the empty tree",
	[AT_ERR_SIZE_ORDER] = "the older tree is larger than the newer one",
	[AT_ERR_MISSING_HASHES] = "the proof has fewer hashes than its numbers demand",
	[AT_ERR_SURPLUS_HASHES] = "the proof has more hashes than its numbers demand",
	[AT_ERR_ROOT] = "the proof does not lead to the root of the tree",
	[AT_ERR_OLD_ROOT] = "the proof does not lead to the root of the older tree",

	[AT_ERR_PROOF_LINE] = "the first line does not say that this is a proof of version 1",
	[AT_ERR_EXTRA_LINE] = "the line \"extra\" does not hold base64",
	[AT_ERR_INDEX_LINE] = "the line \"index\" is missing or does not hold a number",
	[AT_ERR_OLD_SIZE_LINE] = "the line \"old\" is missing or does not hold the size of a tree",
	[AT_ERR_HASH_LINE] = "a line of the proof is not a hash in base64, or its end is missing",
	[AT_ERR_HASH_COUNT] = "the proof has more hashes than any proof can have",

	[AT_ERR_EVENT_PROOF] = "the line \"extra\" does not lead from an event to its batch",
	[AT_ERR_ENTRY] = "the entry of the log is no batch, or has another index than its proof",
	[AT_ERR_BATCH] = "the event is not in the batch",
	[AT_ERR_BODY] = "the bytes are no event or transaction, or one of another ledger",

	[AT_ERR_TILE_PATH] = "the path is not that of a tile",
	[AT_ERR_BUNDLE] = "the entry bundle does not hold the number of entries it should",

	[AT_ERR_EVIDENCE_PATH] = "the path is not that of a file of an evidence bundle",
	[AT_ERR_MANIFEST] = "a line of the manifest is not a SHA-256 and a path of the bundle",
	[AT_ERR_USTAR] = "the bytes are not an archive as it is written for evidence",
	[AT_ERR_EVIDENCE_ORDER] = "the parts of the evidence are not in ascending order",
	[AT_ERR_EVIDENCE_BODY] = "a body in the evidence is not what its name says",
	[AT_ERR_OUTPUT] = "the output was not taken",

	[AT_ERR_STAMP_REFUSED] = "the time stamp authority did not give a time stamp",
	[AT_ERR_STAMP] = "the time stamp is of other bytes than the checkpoint's",

	[AT_ERR_SEGMENT] = "the file is not a segment of an archive",
	[AT_ERR_CHECKSUM] = "the segment does not have the checksum that stands at its end",
	[AT_ERR_FRAME] = "the content of the segment cannot be unpacked",
	[AT_ERR_ITEM] = "an item of the segment is malformed, or not what can stand in its place",
	[AT_ERR_PLACE] = "something is left out, comes twice, or is not in its place",
	[AT_ERR_LEDGER] = "something is of another ledger",
	[AT_ERR_PREVIOUS] = "an entry does not have the hash of the entry before it",
	[AT_ERR_SESSION] = "a session is not the one that the transaction behind it names",
	[AT_ERR_BATCH_ROOT] = "the events and transactions of a batch do not give its root",
	[AT_ERR_COUNTS] = "counts or times are not those of the content",

	[AT_ERR_COLD_COLUMNS] = "the rows have not the columns of a table of the ledger",
	[AT_ERR_COLD_PROOF] = "the bytes are not the proof of a file of cold rows",
	[AT_ERR_COLD_FILE] = "the proof is of another file",
	[AT_ERR_COLD_TARGET] = "the proof lacks the names of a table, or has them out of order",
	[AT_ERR_COLD_RUN] = "the proof names a row that the file has not, or one of them twice",
	[AT_ERR_TARGET_LIST] = "the bytes are not a list of tables",

	[AT_ERR_DESTRUCTION] = "a line of the certificate is not what it should be, or is missing",
	[AT_ERR_DESTRUCTION_PARTS] =
		"the entries are not request, approval by another, order and completion of one destruction",
	[AT_ERR_DESTRUCTION_LIST] = "the lists of leaves and sessions are not those of the order",
};

const char *
at_error_text(AtError error)
{
	const char *text = (unsigned) error < AT_ERR_COUNT ? error_text[error] : NULL;

	return text != NULL ? text : "unknown error";
}
