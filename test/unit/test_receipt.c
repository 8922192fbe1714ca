/*-------------------------------------------------------------------------
 * test_receipt.c
 *		Receipts: what a command printed is cut up and recognised, and
 *		cosignatures join their note.
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "core/checkpoint.h"
#include "core/note.h"
#include "core/receipt.h"
#include "proof_vectors.h"
#include "stamp_vectors.h"

#define OTHER_LINE "\342\200\224 witness.example/w2 AAECAwQF\n"

static const char *const note = vector_checkpoint[2].note;
static const char *const cosignature = vector_checkpoint[2].cosignature;

/* Append bytes to what was printed. */
static void
put(AtWriter *output, const char *string)
{
	at_write_string(output, string);
}

static size_t
put_hex(AtWriter *output, const char *hex)
{
	uint8_t bytes[2000];
	size_t len = from_hex(hex, bytes, sizeof(bytes));

	at_write(output, (AtText){(const char *) bytes, len});
	return len;
}

static AtError
next(AtWriter *output, AtReceipt *receipt)
{
	AtText text = {output->data, output->len};
	AtError error = at_receipt_next(&text, at_text(note), receipt);

	if (error == AT_OK)
	{
		output->data += receipt->bytes.len;
		output->max -= receipt->bytes.len;
		output->len -= receipt->bytes.len;
		if (text.data != output->data || text.len != output->len)
			abort();
	}
	return error;
}

static void
test_one(void)
{
	static const struct
	{
		AtReceiptKind kind;
		AtError error;
		const char *stamp;
		const char *name;
	} stamps[] = {
		{AT_RECEIPT_TIMESTAMP, AT_OK, STAMP_OF_NOTE, "a time stamp of the note"},
		{AT_RECEIPT_TIMESTAMP, AT_OK, STAMP_OF_TEXT, "a time stamp of its text"},
		{AT_RECEIPT_TIMESTAMP, AT_ERR_STAMP, STAMP_OF_OTHER, "one of other bytes"},
		{AT_RECEIPT_TIMESTAMP, AT_ERR_STAMP, STAMP_OF_SHA1, "one by a hash that is too short"},
		{AT_RECEIPT_TIMESTAMP, AT_ERR_STAMP_REFUSED, STAMP_REFUSED, "a refusal"},
		{AT_RECEIPT_OTHER, AT_OK, "3003020100", "a sequence that is no response"},
		{AT_RECEIPT_OTHER, AT_OK, "30", "the begin of a sequence"},
		{AT_RECEIPT_OTHER, AT_OK, "", "nothing"},
	};
	char buffer[2000];
	AtReceipt receipt;

	for (size_t i = 0; i < lengthof(stamps); i++)
	{
		AtWriter output = at_writer(buffer, sizeof(buffer));
		size_t len = put_hex(&output, stamps[i].stamp);
		AtError error = next(&output, &receipt);

		check(error == stamps[i].error && receipt.kind == stamps[i].kind &&
				  (error != AT_OK || receipt.bytes.len == len),
			  stamps[i].name);
	}
	check(strcmp(at_receipt_name(AT_RECEIPT_COSIGNATURE), "cosignature") == 0 &&
			  strcmp(at_receipt_name(AT_RECEIPT_TIMESTAMP), "timestamp") == 0 &&
			  strcmp(at_receipt_name(AT_RECEIPT_OTHER), "other") == 0,
		  "kinds have names");
}

static void
test_several(void)
{
	char buffer[4000];
	AtWriter output = at_writer(buffer, sizeof(buffer));
	AtReceipt receipt;
	size_t first;
	size_t second;

	put(&output, cosignature);
	put(&output, OTHER_LINE);
	first = put_hex(&output, STAMP_OF_NOTE);
	second = put_hex(&output, STAMP_OF_TEXT);
	put(&output, "version 7\n");
	check(next(&output, &receipt) == AT_OK && receipt.kind == AT_RECEIPT_COSIGNATURE &&
			  receipt.bytes.len == strlen(cosignature) + strlen(OTHER_LINE),
		  "signature lines are one receipt");
	check(next(&output, &receipt) == AT_OK && receipt.kind == AT_RECEIPT_TIMESTAMP &&
			  receipt.bytes.len == first,
		  "a time stamp behind them is another");
	check(next(&output, &receipt) == AT_OK && receipt.kind == AT_RECEIPT_TIMESTAMP &&
			  receipt.bytes.len == second,
		  "and a second one a third");
	check(next(&output, &receipt) == AT_OK && receipt.kind == AT_RECEIPT_OTHER &&
			  at_text_equal(receipt.bytes, at_text("version 7\n")) && output.len == 0,
		  "then comes the rest");

	output = at_writer(buffer, sizeof(buffer));
	put_hex(&output, STAMP_OF_NOTE);
	output.data[output.len - 1] ^= 1;
	check(next(&output, &receipt) == AT_OK && receipt.kind == AT_RECEIPT_TIMESTAMP,
		  "a signature is for others to check");
	put(&output, "not a note");
	check(at_receipt_next(&(AtText){buffer, 10}, at_text("not a note"), &receipt) == AT_OK &&
			  receipt.kind == AT_RECEIPT_OTHER,
		  "what is cut off is no time stamp");
	output = at_writer(buffer, sizeof(buffer));
	first = put_hex(&output, STAMP_OF_NOTE);
	check(at_receipt_next(&(AtText){buffer, first}, at_text("not a note"), &receipt) ==
			  AT_ERR_STAMP,
		  "a time stamp of what is no note must be of all of it");
}

static void
test_lines(void)
{
	char *buffer = malloc(100000);
	AtWriter output = at_writer(buffer, 100000);
	AtReceipt receipt;

	put(&output, "\342\200\224 witness");
	check(next(&output, &receipt) == AT_ERR_SIGNATURE_LINE, "a line without end is refused");
	put(&output, "\n");
	check(next(&output, &receipt) == AT_ERR_SIGNATURE_LINE, "and one that is malformed");
	output = at_writer(buffer, 100000);
	for (int i = 0; i < AT_NOTE_MAX_SIGNATURES; i++)
		put(&output, OTHER_LINE);
	check(next(&output, &receipt) == AT_OK, "as many lines as a note may have");
	output = at_writer(buffer, 100000);
	for (int i = 0; i < AT_NOTE_MAX_SIGNATURES + 1; i++)
		put(&output, OTHER_LINE);
	check(next(&output, &receipt) == AT_ERR_SIGNATURE_COUNT, "and one more");
	for (int i = 0; i < 1000; i++)
		put(&output, OTHER_LINE);
	check(next(&output, &receipt) == AT_ERR_SIGNATURE_COUNT, "and many more");
	free(buffer);
}

static void
test_cosign(void)
{
	char buffer[10000];
	AtWriter writer = at_writer(buffer, sizeof(buffer));
	char small[500];
	AtPublicKey log_key;
	AtPublicKey witness;
	AtTrust trust = {.log_key = &log_key, .witness = &witness, .witness_count = 1, .quorum = 1};
	AtCheckpoint checkpoint;
	AtError error = AT_OK;

	at_key_read_public(&log_key, at_text(VECTOR_LOG_KEY));
	at_key_read_public(&witness, at_text(VECTOR_WITNESS_KEY));
	at_write_string(&writer, note);
	check(at_receipt_cosign(&writer, at_text(cosignature)) == AT_OK &&
			  at_text_equal((AtText){buffer, writer.len}, at_text(vector_checkpoint[2].cosigned)),
		  "a note gets its cosignature");
	check(at_receipt_cosign(&writer, at_text(cosignature)) == AT_OK &&
			  writer.len == strlen(vector_checkpoint[2].cosigned),
		  "and only once");
	check(at_receipt_cosign(&writer, at_text(OTHER_LINE)) == AT_OK &&
			  at_checkpoint_open(&checkpoint, (AtText){buffer, writer.len}, &trust) == AT_OK,
		  "with another's it still verifies");
	for (int i = 0; error == AT_OK; i++)
	{
		char line[] = OTHER_LINE;

		line[4] = 'A' + i / 26;
		line[5] = 'a' + i % 26;
		error = at_receipt_cosign(&writer, at_text(line));
	}
	check(error == AT_ERR_SIGNATURE_COUNT &&
			  at_checkpoint_open(&checkpoint, (AtText){buffer, writer.len}, &trust) == AT_OK,
		  "there is an end, and what is there verifies");

	writer = at_writer(small, strlen(note) + 10);
	at_write_string(&writer, note);
	check(at_receipt_cosign(&writer, at_text(cosignature)) == AT_ERR_NO_ROOM &&
			  writer.len == strlen(note),
		  "where there is no room the note is as it was");
}

int
main(void)
{
	test_one();
	test_several();
	test_lines();
	test_cosign();
	return check_done();
}
