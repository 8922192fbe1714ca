/*-------------------------------------------------------------------------
 * evidence_sample.c
 *		A small ledger, and a bundle of evidence from it.
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/cosignature.h"
#include "core/evidence.h"
#include "core/merkle.h"
#include "evidence_sample.h"
#include "proof_vectors.h"
#include "stamp_vectors.h"

#define ORIGIN  "audit.example/o'shop"
#define TIME    INT64_C(1795330800000000)
#define BATCH_1 3
#define BATCH_2 6

static const uint8_t log_id[AT_LOG_ID_LEN] = {0,    1, 2,  3,  4,  5,  0x46, 7,
											  0x88, 9, 10, 11, 12, 13, 14,   15};

/* Leaves of a small tree. */
typedef struct Leaves
{
	int count;
	AtHash leaf[SAMPLE_ENTRIES];
} Leaves;

static AtSpan
span(const char *string)
{
	return (AtSpan){string, (uint32_t) strlen(string)};
}

static AtSpan
span_or(const AtText *text, const char *string)
{
	return text != NULL ? (AtSpan){text->data, (uint32_t) text->len} : span(string);
}

static void
must(bool condition)
{
	if (!condition)
		abort();
}

static void
add_leaf(Leaves *leaves, const void *bytes, size_t len)
{
	must(at_hash_leaf(bytes, len, &leaves->leaf[leaves->count++]));
}

/* Root of some leaves, by the definition of RFC 6962. */
static AtHash
root_of(const AtHash *leaf, int count)
{
	int left = 1;
	AtHash one;
	AtHash other;
	AtHash root;

	if (count == 1)
		return leaf[0];
	while (left * 2 < count)
		left *= 2;
	one = root_of(leaf, left);
	other = root_of(leaf + left, count - left);
	must(at_hash_node(&one, &other, &root));
	return root;
}

static bool
subtree(void *source, int level, uint64_t index, AtHash *root)
{
	const Leaves *leaves = source;

	*root = root_of(leaves->leaf + (index << level), 1 << level);
	return true;
}

static void
make_events(Sample *sample, const SampleTexts *texts)
{
	static const uint64_t tx_ids[] = {7, 7, 9, 1000000000000003};
	static const uint32_t ordinals[] = {1, 2, 2, 1};

	for (int i = 0; i < 4; i++)
	{
		AtEventBody body = {
			.log_id = log_id,
			.tx_id = tx_ids[i],
			.ordinal = ordinals[i],
			.tx_at = TIME,
			.occurred_at = TIME + 100 * i,
			.op = (uint8_t) (i > 0               ? "IDTX"[i]
							 : texts->op != '\0' ? texts->op
												 : 'U'),
			.schema = span("public"),
			.table = span_or(texts->table, "orders"),
			.resource_type = span("order"),
			.record_key = span_or(texts->record_key, "42"),
			.old_values = span_or(texts->old_values, "{\"total\":10.50,\"note\":null}"),
			.new_values = span_or(texts->new_values, "{\"total\":11.00,\"note\":\"by phone\"}"),
			.extra = span_or(texts->extra, "{\"trigger_depth\":1}"),
		};
		uint8_t *bytes = (uint8_t *) sample->event[i];

		if (i == 3)
			body.event_type = span("evidence.exported");
		if (i == 3)
			body.old_values = (AtSpan){NULL, 0};
		must(at_event_body_size(&body) <= SAMPLE_BODY_MAX);
		sample->events[i] = (AtEvidenceEvent){
			ordinals[i],
			{sample->event[i], (size_t) (at_event_body_write(&body, bytes) - bytes)},
		};
	}
}

static void
make_sessions(Sample *sample)
{
	for (int i = 0; i < 2; i++)
	{
		AtSessionBody body = {
			.log_id = log_id,
			.session_id = (uint64_t) i + 1,
			.started_at = TIME - 1000,
			.backend_pid = 4242,
			.client_port = i == 0 ? 0 : 51234,
			.login_user = span("shop"),
			.client_addr = i == 0 ? (AtSpan){NULL, 0} : span("192.0.2.7"),
		};
		uint8_t *bytes = (uint8_t *) sample->session[i];

		sample->sessions[i] = (AtEvidenceSession){
			(uint64_t) i + 1,
			i == 0 ? 7 : 1000000000000003,
			{sample->session[i], (size_t) (at_session_body_write(&body, bytes) - bytes)},
		};
	}
}

static void
make_transactions(Sample *sample, const SampleTexts *texts)
{
	static const uint64_t tx_ids[] = {7, 9, 1000000000000003};
	static const size_t counts[] = {2, 1, 1};

	for (int i = 0; i < SAMPLE_TRANSACTIONS; i++)
	{
		const AtEvidenceSession *session = &sample->sessions[i == 2];
		AtTransactionBody body = {
			.log_id = log_id,
			.tx_id = tx_ids[i],
			.tx_at = TIME,
			.committed_at = TIME + 1000,
			.xid = tx_ids[i] % AT_XIDS_PER_INCARNATION,
			.session_id = session->session_id,
			.event_count = i == 2 ? 1 : 2,
			.system_identifier = UINT64_C(7300000000000000001),
			.database_oid = 16384,
			.actor = span_or(texts->actor, "anna"),
			.actor_source = span(i == 1 ? "db_user" : "setting"),
			.db_user = span("shop"),
			.db_role = span("shop"),
			.reason = i == 0 ? span_or(texts->reason, "the customer called") : (AtSpan){NULL, 0},
		};
		uint8_t *bytes = (uint8_t *) sample->transaction[i];
		AtHash digest;

		must(at_hash(session->body.data, session->body.len, &digest));
		if (session->tx_id == tx_ids[i])
			body.session_digest = (AtSpan){&digest, sizeof(digest)};
		must(at_transaction_body_size(&body) <= SAMPLE_BODY_MAX);
		sample->transactions[i] = (AtEvidenceTransaction){
			.tx_id = tx_ids[i],
			.log_index = i == 2 ? BATCH_2 : BATCH_1,
			.body = {sample->transaction[i],
					 (size_t) (at_transaction_body_write(&body, bytes) - bytes)},
			.event_count = counts[i],
			.event = &sample->events[i == 0 ? 0 : i + 1],
		};
	}
}

static void
make_entries(Sample *sample, const SampleTexts *texts, Leaves *log, Leaves *batch)
{
	static const char *const kinds[SAMPLE_ENTRIES] = {"boot",     "key",         "start",  "events",
													  "declared", "incarnation", "events", "key"};
	static const char *const payloads[SAMPLE_ENTRIES] = {
		"{\"incarnation\":1,\"system_identifier\":\"73\",\"database_oid\":16384,\"reason\":"
		"\"init\"}",
		"{\"vkey\":\"old\"}",
		NULL,
		NULL,
		"{\"after\":\"3 AAAA\",\"by\":\"dba\",\"reason\":\"restored\"}",
		"{\"incarnation\":2,\"system_identifier\":\"74\",\"database_oid\":5,\"reason\":\"copied\"}",
		NULL,
		"{\"vkey\":\"new\",\"endorsed_by\":\"old\",\"endorsement\":\"\"}",
	};

	for (int i = 0; i < SAMPLE_ENTRIES; i++)
	{
		AtEntryBody body = {
			.log_id = log_id,
			.log_index = (uint64_t) i,
			.sealed_at = TIME + 2000 * i,
			.incarnation = i < 5 ? 1 : 2,
			.kind = span(kinds[i]),
			.leaf_count = i == BATCH_1   ? (uint64_t) batch->count
						  : i == BATCH_2 ? 2
										 : 0,
			.tx_count = i == BATCH_1   ? 2
						: i == BATCH_2 ? 1
									   : 0,
			.event_count = i == BATCH_1   ? 4
						   : i == BATCH_2 ? 1
										  : 0,
		};
		uint8_t *bytes = (uint8_t *) sample->entry[i];

		if (payloads[i] != NULL)
			body.payload = i == 4 ? span_or(texts->payload, payloads[i]) : span(payloads[i]);
		if (i == BATCH_1)
			body.root = root_of(batch->leaf, batch->count);
		must(at_entry_body_size(&body) <= sizeof(sample->entry[i]));
		sample->entries[i] = (AtEvidenceEntry){
			(uint64_t) i,
			{sample->entry[i], (size_t) (at_entry_body_write(&body, bytes) - bytes)},
		};
		add_leaf(log, bytes, sample->entries[i].body.len);
	}
}

/* A file keys, and the log's head. */
static void
sign(Sample *sample, Leaves *log, bool cosigned)
{
	static const uint8_t seeds[3][AT_ED25519_SEED_LEN] = {{1}, {2}, {3}};
	AtWriter keys = at_writer(sample->keys, sizeof(sample->keys));
	AtWriter note = at_writer(sample->checkpoint, sizeof(sample->checkpoint));
	AtText origin = at_text(ORIGIN);
	AtCheckpoint checkpoint = {
		.origin = origin, .size = (uint64_t) log->count, .root = root_of(log->leaf, log->count)};

	must(at_key_make_private(&sample->old_key, AT_KEY_NOTE, origin, seeds[0]) == AT_OK);
	must(at_key_make_private(&sample->key, AT_KEY_NOTE, origin, seeds[1]) == AT_OK);
	must(at_key_make_private(&sample->witness, AT_KEY_COSIGNATURE, at_text("witness.example/w'1"),
							 seeds[2]) == AT_OK);
	at_key_write_public(&keys, &sample->old_key.public_key);
	at_write_string(&keys, "\n");
	at_key_write_public(&keys, &sample->key.public_key);
	at_write_string(&keys, "\n");
	at_key_write_public(&keys, &sample->witness.public_key);
	at_write_string(&keys, "\n");
	must(at_checkpoint_sign(&note, &checkpoint, &sample->key) == AT_OK);

	AtNote read;

	must(at_note_read(&read, (AtText){note.data, note.len}) == AT_OK);
	if (cosigned)
		must(at_cosignature_sign(&note, read.text, 1795330900, &sample->witness) == AT_OK);
	sample->evidence.keys = (AtText){keys.data, keys.len};
	sample->evidence.checkpoint = (AtText){note.data, note.len};
}

/* Bytes of a string of hexadecimal digits. */
static size_t
put_hex(const char *hex, uint8_t *out)
{
	size_t len = strlen(hex) / 2;

	for (size_t i = 0; i < len; i++)
	{
		char digits[3] = {hex[2 * i], hex[2 * i + 1], '\0'};

		out[i] = (uint8_t) strtoul(digits, NULL, 16);
	}
	return len;
}

/* A time stamp of a vector, made one of these bytes; nobody has signed it. */
static AtText
make_stamp(char *place, AtText bytes)
{
	size_t len = put_hex(STAMP_OF_NOTE, (uint8_t *) place);
	AtText vector = at_text(vector_checkpoint[2].note);
	AtHash from;
	AtHash to;

	must(at_hash(vector.data, vector.len, &from) && at_hash(bytes.data, bytes.len, &to));
	for (size_t i = 0; i + sizeof(from) <= len; i++)
		if (memcmp(place + i, &from, sizeof(from)) == 0)
			memcpy(place + i, &to, sizeof(to));
	return (AtText){place, len};
}

/* Of something else, of the file, of the log's note, of its text. */
static void
make_stamps(Sample *sample)
{
	static const char *const names[] = {"1-other", "2-file", "3-note", "4_text"};
	AtText file = sample->evidence.checkpoint;
	AtNote note;

	must(at_note_read(&note, file) == AT_OK);

	AtText lines = {file.data + note.text.len + 1, file.len - note.text.len - 1};
	AtText line;

	must(at_text_line(&lines, &line));

	AtText stamped[] = {at_text("other"), file, {file.data, file.len - lines.len}, note.text};

	for (int i = 0; i < SAMPLE_STAMPS; i++)
		sample->stamps[i] = (AtEvidenceStamp){
			at_text(names[i]),
			make_stamp(sample->stamp[i], stamped[i]),
		};
}

void
sample_make(Sample *sample, const SampleTexts *texts, bool cosigned)
{
	Leaves batch = {0};
	Leaves log = {0};

	memset(sample, 0, sizeof(*sample));
	make_events(sample, texts);
	make_sessions(sample);
	make_transactions(sample, texts);
	add_leaf(&batch, sample->event[0], sample->events[0].body.len);
	add_leaf(&batch, sample->event[1], sample->events[1].body.len);
	add_leaf(&batch, sample->transaction[0], sample->transactions[0].body.len);
	add_leaf(&batch, "event 9.1", 9);
	add_leaf(&batch, sample->event[2], sample->events[2].body.len);
	add_leaf(&batch, sample->transaction[1], sample->transactions[1].body.len);
	make_entries(sample, texts, &log, &batch);
	sign(sample, &log, cosigned);
	make_stamps(sample);

	sample->example =
		(AtEventProof){.body = sample->events[0].body,
					   .entry = sample->entries[BATCH_1].body,
					   .log = {.index = BATCH_1, .checkpoint = sample->evidence.checkpoint}};
	must(at_proof_make_inclusion(&sample->example.path, 0, (uint64_t) batch.count, subtree,
								 &batch) == AT_OK);
	must(at_proof_make_inclusion(&sample->example.log.proof, BATCH_1, (uint64_t) log.count, subtree,
								 &log) == AT_OK);
	sample->evidence.stamp_count = SAMPLE_STAMPS;
	sample->evidence.stamp = sample->stamps;
	sample->evidence.entry_count = SAMPLE_ENTRIES;
	sample->evidence.entry = sample->entries;
	sample->evidence.transaction_count = SAMPLE_TRANSACTIONS;
	sample->evidence.transaction = sample->transactions;
	sample->evidence.session_count = 2;
	sample->evidence.session = sample->sessions;
	sample->evidence.example = &sample->example;
}

bool
sample_take(void *writer, AtText piece)
{
	at_write(writer, piece);
	return !((AtWriter *) writer)->full;
}
