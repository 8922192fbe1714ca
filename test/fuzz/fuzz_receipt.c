/*-------------------------------------------------------------------------
 * fuzz_receipt.c
 *		Receipts from any output: it is cut into pieces that make it up, and
 *		signature lines make a note of a note.
 *-------------------------------------------------------------------------
 */
#include "core/note.h"
#include "core/receipt.h"
#include "target.h"

#define NOTE "log\n1\nAAAA\n\n\xE2\x80\x94 log AAECAwQ=\n"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AtText text = copy_of(data, size);
	AtText rest = text;
	AtReceipt receipt;
	AtNote parts;

	do
	{
		AtText before = rest;

		if (at_receipt_next(&rest, at_text(NOTE), &receipt) != AT_OK)
			break;
		expect(receipt.bytes.data == before.data);
		expect(before.len == receipt.bytes.len + rest.len);
		expect(receipt.bytes.len > 0 || rest.len == 0);
		if (receipt.kind == AT_RECEIPT_COSIGNATURE)
		{
			AtWriter writer = writer_of(sizeof(NOTE) + size);

			at_write_string(&writer, NOTE);
			(void) at_receipt_cosign(&writer, receipt.bytes);
			expect(at_note_read(&parts, (AtText){writer.data, writer.len}) == AT_OK);
			free(writer.data);
		}
	} while (rest.len > 0);
	free((char *) text.data);
	return 0;
}
