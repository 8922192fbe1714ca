/*-------------------------------------------------------------------------
 * test_body.c
 *		The frozen formats ATE1, ATX1, ATS1, ATL1 and the chain ATC1.
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "vectors.h"

static void check_body(const char *name, uint8_t *start, const uint8_t *end, size_t size,
					   const char *bytes, const char *hash, const char *leaf);
static void *exact_buffer(size_t size);

static void
test_events(void)
{
	for (size_t i = 0; i < lengthof(vector_event); i++)
	{
		size_t size = at_event_body_size(&vector_event[i].body);
		uint8_t *start = exact_buffer(size);

		check_body(vector_event[i].name, start, at_event_body_write(&vector_event[i].body, start),
				   size, vector_event[i].bytes, vector_event[i].hash, vector_event[i].leaf);
	}
}

static void
test_transactions(void)
{
	for (size_t i = 0; i < lengthof(vector_transaction); i++)
	{
		const AtTransactionBody *body = &vector_transaction[i].body;
		size_t size = at_transaction_body_size(body);
		uint8_t *start = exact_buffer(size);

		check_body(vector_transaction[i].name, start, at_transaction_body_write(body, start), size,
				   vector_transaction[i].bytes, vector_transaction[i].hash,
				   vector_transaction[i].leaf);
	}
}

static void
test_sessions(void)
{
	for (size_t i = 0; i < lengthof(vector_session); i++)
	{
		const AtSessionBody *body = &vector_session[i].body;
		size_t size = at_session_body_size(body);
		uint8_t *start = exact_buffer(size);

		check_body(vector_session[i].name, start, at_session_body_write(body, start), size,
				   vector_session[i].bytes, vector_session[i].hash, vector_session[i].leaf);
	}
}

static void
test_entries(void)
{
	for (size_t i = 0; i < lengthof(vector_entry); i++)
	{
		size_t size = at_entry_body_size(&vector_entry[i].body);
		uint8_t *start = exact_buffer(size);

		check_body(vector_entry[i].name, start, at_entry_body_write(&vector_entry[i].body, start),
				   size, vector_entry[i].bytes, vector_entry[i].hash, vector_entry[i].leaf);
	}
}

static void
test_largest_entry(void)
{
	AtEntryBody body = vector_entry[0].body;
	char *payload = exact_buffer(AT_MAX_PAYLOAD);
	AtHash hash;

	memset(payload, 'x', AT_MAX_PAYLOAD);
	body.payload = (AtSpan){payload, AT_MAX_PAYLOAD};

	size_t size = at_entry_body_size(&body);
	uint8_t *start = exact_buffer(size);

	check(size == VECTOR_LARGEST_ENTRY_SIZE, "ATL1, the largest payload: size");
	check(at_entry_body_write(&body, start) == start + size, "ATL1, the largest payload: end");
	at_hash(start, size, &hash);
	check_hex(&hash, AT_HASH_LEN, VECTOR_LARGEST_ENTRY_HASH, "ATL1, the largest payload: hash");
	free(start);
	free(payload);
}

/* A missing string, an empty one, and a shift of bytes between two are three things. */
static void
test_strings_are_distinct(void)
{
	static const AtSpan spans[][2] = {
		{{NULL, 0}, {NULL, 0}}, {{"", 0}, {NULL, 0}},  {{NULL, 0}, {"", 0}}, {{"", 0}, {"", 0}},
		{{"ab", 2}, {"", 0}},   {{"a", 1}, {"b", 1}},  {{"", 0}, {"ab", 2}}, {{"ab", 2}, {NULL, 0}},
		{{NULL, 0}, {"ab", 2}}, {{NULL, 9}, {"ab", 1}}};
	AtHash hash[lengthof(spans)];
	int equal = 0;
	int wrong_size = 0;

	for (size_t i = 0; i < lengthof(spans); i++)
	{
		AtEventBody body = vector_event[0].body;
		uint8_t out[512];

		body.old_values = spans[i][0];
		body.new_values = spans[i][1];

		size_t size = (size_t) (at_event_body_write(&body, out) - out);

		wrong_size += size != at_event_body_size(&body);
		at_hash(out, size, &hash[i]);
		for (size_t j = 0; j < i; j++)
			equal += memcmp(&hash[i], &hash[j], sizeof(AtHash)) == 0;
	}
	check(wrong_size == 0, "missing, empty and shifted strings have the sizes foretold");
	check(equal == 0, "missing, empty and shifted strings have different hashes");
}

static void
test_chain(void)
{
	for (size_t i = 0; i < lengthof(vector_chain); i++)
	{
		AtHash chain;

		check(at_chain_start(vector_log_id, vector_chain[i].tx_id, &chain), "a chain starts");
		check_hex(&chain, AT_HASH_LEN, vector_chain[i].start, "ATC1, the start of a chain");
		for (size_t j = 0; j < lengthof(vector_event); j++)
		{
			AtHash leaf;

			from_hex(vector_event[j].leaf, leaf.bytes, AT_HASH_LEN);
			check(at_chain_add(&chain, &leaf), "a chain goes on");
			check_hex(&chain, AT_HASH_LEN, vector_chain[i].after[j], "ATC1, a link of a chain");
		}
	}
}

static bool
call_chain_start(void)
{
	AtHash chain;

	return at_chain_start(vector_log_id, 1, &chain);
}

static bool
call_chain_add(void)
{
	AtHash chain = {{0}};

	return at_chain_add(&chain, &chain);
}

static void
test_failures(void)
{
	check_failures(call_chain_start, 4, "at_chain_start reports every failure of libcrypto");
	check_failures(call_chain_add, 4, "at_chain_add reports every failure of libcrypto");
}

/* Read a body of any format and write it again; 0 if it is none, else its length. */
static size_t
read_and_write(const char *magic, const uint8_t *bytes, size_t len, uint8_t *out)
{
	AtEventBody event;
	AtTransactionBody transaction;
	AtSessionBody session;
	AtEntryBody entry;

	if (strcmp(magic, "ATE1") == 0 && at_event_body_read(&event, bytes, len))
		return (size_t) (at_event_body_write(&event, out) - out);
	if (strcmp(magic, "ATX1") == 0 && at_transaction_body_read(&transaction, bytes, len))
		return (size_t) (at_transaction_body_write(&transaction, out) - out);
	if (strcmp(magic, "ATS1") == 0 && at_session_body_read(&session, bytes, len))
		return (size_t) (at_session_body_write(&session, out) - out);
	if (strcmp(magic, "ATL1") == 0 && at_entry_body_read(&entry, bytes, len))
		return (size_t) (at_entry_body_write(&entry, out) - out);
	return 0;
}

/* Read from memory of its own, so that a sanitizer sees what is read past the end. */
static bool
is_read(const char *magic, const uint8_t *bytes, size_t len)
{
	uint8_t *copy = exact_buffer(len);
	uint8_t *out = exact_buffer(len + 1000);

	memcpy(copy, bytes, len);

	size_t written = read_and_write(magic, copy, len, out);
	bool accepted = written > 0 && written == len && memcmp(copy, out, len) == 0;

	free(copy);
	free(out);
	return accepted;
}

static void
check_read(const char *magic, const char *name, const char *hex)
{
	static const char *const others[] = {"ATE1", "ATX1", "ATS1", "ATL1"};
	uint8_t bytes[1000];
	size_t len = from_hex(hex, bytes, sizeof(bytes) - 1);
	int accepted = 0;

	check(is_read(magic, bytes, len), name);
	for (size_t cut = 0; cut < len; cut++)
		accepted += is_read(magic, bytes, cut);
	check(accepted == 0, "it is not read if it is cut off anywhere");
	bytes[len] = 0;
	check(!is_read(magic, bytes, len + 1), "or if a byte follows");
	for (size_t i = 0; i < lengthof(others); i++)
		accepted += is_read(others[i], bytes, len);
	check(accepted == 1, "or as another format");
	for (size_t i = 0; i < 4; i++)
	{
		bytes[i] ^= 1;
		accepted += is_read(magic, bytes, len);
		bytes[i] ^= 1;
	}
	check(accepted == 1, "or with another magic");
}

static void
test_read(void)
{
	for (size_t i = 0; i < lengthof(vector_event); i++)
		check_read("ATE1", vector_event[i].name, vector_event[i].bytes);
	for (size_t i = 0; i < lengthof(vector_transaction); i++)
		check_read("ATX1", vector_transaction[i].name, vector_transaction[i].bytes);
	for (size_t i = 0; i < lengthof(vector_session); i++)
		check_read("ATS1", vector_session[i].name, vector_session[i].bytes);
	for (size_t i = 0; i < lengthof(vector_entry); i++)
		check_read("ATL1", vector_entry[i].name, vector_entry[i].bytes);
}

/* What was missing is missing, what was empty is empty, and both are as in the vector. */
static void
test_read_fields(void)
{
	const AtEventBody *written = &vector_event[1].body;
	uint8_t bytes[1000];
	size_t len = from_hex(vector_event[1].bytes, bytes, sizeof(bytes));
	AtEventBody body;

	check(at_event_body_read(&body, bytes, len) && body.tx_id == written->tx_id &&
			  body.ordinal == written->ordinal && body.op == written->op &&
			  body.occurred_at == written->occurred_at && body.old_values.data == NULL &&
			  body.new_values.len == written->new_values.len &&
			  memcmp(body.new_values.data, written->new_values.data, body.new_values.len) == 0 &&
			  memcmp(body.log_id, vector_log_id, AT_LOG_ID_LEN) == 0,
		  "the fields of an event are told");

	AtEventBody empty = {.log_id = vector_log_id, .schema = {"", 0}};
	uint8_t *end = at_event_body_write(&empty, bytes);

	check(at_event_body_read(&body, bytes, (size_t) (end - bytes)) && body.schema.data != NULL &&
			  body.schema.len == 0 && body.table.data == NULL,
		  "an empty string is not a missing one");
}

int
main(void)
{
	test_events();
	test_transactions();
	test_sessions();
	test_entries();
	test_largest_entry();
	test_strings_are_distinct();
	test_chain();
	test_failures();
	test_read();
	test_read_fields();
	return check_done();
}

/* Check what was written against a vector, and free it. */
static void
check_body(const char *name, uint8_t *start, const uint8_t *end, size_t size, const char *bytes,
		   const char *hash, const char *leaf)
{
	char title[200];
	AtHash got;

	snprintf(title, sizeof(title), "%s: size", name);
	check(end == start + size && size == strlen(bytes) / 2, title);
	snprintf(title, sizeof(title), "%s: bytes", name);
	check_hex(start, size, bytes, title);
	snprintf(title, sizeof(title), "%s: hash", name);
	at_hash(start, size, &got);
	check_hex(&got, AT_HASH_LEN, hash, title);
	snprintf(title, sizeof(title), "%s: leaf", name);
	at_hash_leaf(start, size, &got);
	check_hex(&got, AT_HASH_LEN, leaf, title);
	free(start);
}

/* No byte more than asked for, so that the sanitizer sees one written past the end. */
static void *
exact_buffer(size_t size)
{
	void *buffer = malloc(size);

	if (buffer == NULL)
		abort();
	return buffer;
}
