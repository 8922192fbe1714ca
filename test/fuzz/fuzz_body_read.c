/*-------------------------------------------------------------------------
 * fuzz_body_read.c
 *		Hashed bodies from any bytes: what is accepted is written back.
 *-------------------------------------------------------------------------
 */
#include "core/body.h"
#include "target.h"

static uint8_t *buffer_of(size_t written, size_t size);
static void check_written(uint8_t *start, const uint8_t *end, AtText bytes);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AtText text = copy_of(data, size);
	const uint8_t *bytes = (const uint8_t *) text.data;
	AtEventBody event;
	AtTransactionBody transaction;
	AtSessionBody session;
	AtEntryBody entry;
	uint8_t *out;

	if (at_event_body_read(&event, bytes, size))
	{
		out = buffer_of(at_event_body_size(&event), size);
		check_written(out, at_event_body_write(&event, out), text);
	}
	if (at_transaction_body_read(&transaction, bytes, size))
	{
		out = buffer_of(at_transaction_body_size(&transaction), size);
		check_written(out, at_transaction_body_write(&transaction, out), text);
	}
	if (at_session_body_read(&session, bytes, size))
	{
		out = buffer_of(at_session_body_size(&session), size);
		check_written(out, at_session_body_write(&session, out), text);
	}
	if (at_entry_body_read(&entry, bytes, size))
	{
		out = buffer_of(at_entry_body_size(&entry), size);
		check_written(out, at_entry_body_write(&entry, out), text);
	}
	free((char *) text.data);
	return 0;
}

/* Room for what will be written, which is as long as what was read. */
static uint8_t *
buffer_of(size_t written, size_t size)
{
	uint8_t *buffer = malloc(size);

	expect(buffer != NULL && written == size);
	return buffer;
}

static void
check_written(uint8_t *start, const uint8_t *end, AtText bytes)
{
	expect((size_t) (end - start) == bytes.len && memcmp(start, bytes.data, bytes.len) == 0);
	free(start);
}
