/*-------------------------------------------------------------------------
 * receipt.h
 *		What somebody outside says of a checkpoint: receipts.
 *
 * An anchor command prints one receipt or several. Signature lines of a
 * note, one behind the other, are the cosignatures of witnesses; a
 * TimeStampResp in DER (RFC 3161) is a time stamp, by which its maker vouches
 * that the file was there at its time. Whatever else there is is one receipt
 * whose meaning only its maker knows: the name of a stored object, or nothing.
 *
 * Nothing here says that a receipt is genuine: that needs the keys of
 * witnesses and authorities, which are the verifier's to choose.
 *-------------------------------------------------------------------------
 */
#ifndef AT_RECEIPT_H
#define AT_RECEIPT_H

#include "core/text.h"

typedef enum AtReceiptKind
{
	AT_RECEIPT_COSIGNATURE,
	AT_RECEIPT_TIMESTAMP,
	AT_RECEIPT_OTHER
} AtReceiptKind;

typedef struct AtReceipt
{
	AtReceiptKind kind;
	AtText bytes;
} AtReceipt;

/* "cosignature", "timestamp", "other" */
extern const char *at_receipt_name(AtReceiptKind kind);

/*
 * Cut off the first receipt of what was printed for this note. An output
 * without a byte is one receipt too: do call at least once. Errors:
 * signature lines that are malformed or too many, a time stamp that was
 * refused (AT_ERR_STAMP_REFUSED), or that is neither of the note nor of its
 * text, by a hash of 32 bytes or more (AT_ERR_STAMP).
 */
extern AtError at_receipt_next(AtText *output, AtText note, AtReceipt *receipt);

/*
 * Is this one whole time stamp, granted, of exactly these bytes, by a hash of 32
 * bytes or more? Tells its time, in seconds since 1970. Its signature is not verified.
 */
extern bool at_receipt_is_stamp(AtText stamp, AtText bytes, int64_t *when);

/*
 * Append to a note, which the writer has in its buffer from the beginning,
 * those of these signature lines that it does not have yet. AT_ERR_NO_ROOM or
 * AT_ERR_SIGNATURE_COUNT where there are too many; what fits stays.
 */
extern AtError at_receipt_cosign(AtWriter *note, AtText lines);

#endif
