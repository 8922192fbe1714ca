/*-------------------------------------------------------------------------
 * body.c
 *		The bytes that are hashed: ATE1, ATX1, ATS1, ATL1 and the chain ATC1.
 *
 * These formats are frozen: what was hashed years ago must give the same
 * bytes today. A change of a field is a new magic beside the old one, never
 * an edit here; test/unit holds the vectors that say so.
 *
 * Each X_FIXED is the sum of the format's parts of fixed length, in order.
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "core/body.h"
#include "core/bytes.h"

#define AT_MAGIC_LEN 4
#define AT_HEAD_LEN  (AT_MAGIC_LEN + AT_LOG_ID_LEN)
#define AT_MISSING   0xFFFFFFFF

#define AT_EVENT_FIXED       (AT_HEAD_LEN + 8 + 4 + 8 + 8 + 1)
#define AT_TRANSACTION_FIXED (AT_HEAD_LEN + 8 + 8 + 8 + 8 + 8 + 4 + AT_HASH_LEN + 8 + 4)
#define AT_SESSION_FIXED     (AT_HEAD_LEN + 8 + 8 + 4 + 4)
#define AT_ENTRY_FIXED       (AT_HEAD_LEN + 8 + 8 + 4 + 2 * AT_HASH_LEN + 8 + 8 + 8 + 8 + 8)

/* Bytes being read. */
typedef struct Reader
{
	const uint8_t *at;
	size_t left;
	bool failed; /* something was not there; what is read from then on is zero or missing */
} Reader;

static size_t span_size(const AtSpan *span);
static uint8_t *put_head(uint8_t *out, const char *magic, const uint8_t *log_id);
static uint8_t *put_i64(uint8_t *out, int64_t value);
static uint8_t *put_hash(uint8_t *out, const AtHash *hash);
static uint8_t *put_span(uint8_t *out, const AtSpan *span);
static Reader get_head(const uint8_t *bytes, size_t len, const char *magic, const uint8_t **log_id);
static const uint8_t *take(Reader *reader, size_t len);
static uint8_t get_u8(Reader *reader);
static uint32_t get_u32(Reader *reader);
static uint64_t get_u64(Reader *reader);
static int64_t get_i64(Reader *reader);
static AtHash get_hash(Reader *reader);
static AtSpan get_span(Reader *reader);
static bool is_read(const Reader *reader);

size_t
at_event_body_size(const AtEventBody *body)
{
	return AT_EVENT_FIXED + span_size(&body->schema) + span_size(&body->table) +
		   span_size(&body->resource_type) + span_size(&body->record_key) +
		   span_size(&body->event_type) + span_size(&body->old_values) +
		   span_size(&body->new_values) + span_size(&body->extra);
}

uint8_t *
at_event_body_write(const AtEventBody *body, uint8_t *out)
{
	out = put_head(out, "ATE1", body->log_id);
	out = at_put_u64(out, body->tx_id);
	out = at_put_u32(out, body->ordinal);
	out = put_i64(out, body->tx_at);
	out = put_i64(out, body->occurred_at);
	*out++ = body->op;
	out = put_span(out, &body->schema);
	out = put_span(out, &body->table);
	out = put_span(out, &body->resource_type);
	out = put_span(out, &body->record_key);
	out = put_span(out, &body->event_type);
	out = put_span(out, &body->old_values);
	out = put_span(out, &body->new_values);
	return put_span(out, &body->extra);
}

bool
at_event_body_read(AtEventBody *body, const uint8_t *bytes, size_t len)
{
	Reader reader = get_head(bytes, len, "ATE1", &body->log_id);

	body->tx_id = get_u64(&reader);
	body->ordinal = get_u32(&reader);
	body->tx_at = get_i64(&reader);
	body->occurred_at = get_i64(&reader);
	body->op = get_u8(&reader);
	body->schema = get_span(&reader);
	body->table = get_span(&reader);
	body->resource_type = get_span(&reader);
	body->record_key = get_span(&reader);
	body->event_type = get_span(&reader);
	body->old_values = get_span(&reader);
	body->new_values = get_span(&reader);
	body->extra = get_span(&reader);
	return is_read(&reader);
}

size_t
at_transaction_body_size(const AtTransactionBody *body)
{
	return AT_TRANSACTION_FIXED + span_size(&body->actor) + span_size(&body->actor_type) +
		   span_size(&body->actor_source) + span_size(&body->db_user) + span_size(&body->db_role) +
		   span_size(&body->application_name) + span_size(&body->request_id) +
		   span_size(&body->reason) + span_size(&body->claimed_session) +
		   span_size(&body->claimed_client_ip) + span_size(&body->trace_parent) +
		   span_size(&body->extra) + span_size(&body->context_sources) +
		   span_size(&body->session_digest);
}

uint8_t *
at_transaction_body_write(const AtTransactionBody *body, uint8_t *out)
{
	out = put_head(out, "ATX1", body->log_id);
	out = at_put_u64(out, body->tx_id);
	out = put_i64(out, body->tx_at);
	out = put_i64(out, body->committed_at);
	out = at_put_u64(out, body->xid);
	out = at_put_u64(out, body->session_id);
	out = at_put_u32(out, body->event_count);
	out = put_hash(out, &body->digest);
	out = at_put_u64(out, body->system_identifier);
	out = at_put_u32(out, body->database_oid);
	out = put_span(out, &body->actor);
	out = put_span(out, &body->actor_type);
	out = put_span(out, &body->actor_source);
	out = put_span(out, &body->db_user);
	out = put_span(out, &body->db_role);
	out = put_span(out, &body->application_name);
	out = put_span(out, &body->request_id);
	out = put_span(out, &body->reason);
	out = put_span(out, &body->claimed_session);
	out = put_span(out, &body->claimed_client_ip);
	out = put_span(out, &body->trace_parent);
	out = put_span(out, &body->extra);
	out = put_span(out, &body->context_sources);
	return put_span(out, &body->session_digest);
}

bool
at_transaction_body_read(AtTransactionBody *body, const uint8_t *bytes, size_t len)
{
	Reader reader = get_head(bytes, len, "ATX1", &body->log_id);

	body->tx_id = get_u64(&reader);
	body->tx_at = get_i64(&reader);
	body->committed_at = get_i64(&reader);
	body->xid = get_u64(&reader);
	body->session_id = get_u64(&reader);
	body->event_count = get_u32(&reader);
	body->digest = get_hash(&reader);
	body->system_identifier = get_u64(&reader);
	body->database_oid = get_u32(&reader);
	body->actor = get_span(&reader);
	body->actor_type = get_span(&reader);
	body->actor_source = get_span(&reader);
	body->db_user = get_span(&reader);
	body->db_role = get_span(&reader);
	body->application_name = get_span(&reader);
	body->request_id = get_span(&reader);
	body->reason = get_span(&reader);
	body->claimed_session = get_span(&reader);
	body->claimed_client_ip = get_span(&reader);
	body->trace_parent = get_span(&reader);
	body->extra = get_span(&reader);
	body->context_sources = get_span(&reader);
	body->session_digest = get_span(&reader);
	return is_read(&reader);
}

size_t
at_session_body_size(const AtSessionBody *body)
{
	return AT_SESSION_FIXED + span_size(&body->login_user) + span_size(&body->client_addr) +
		   span_size(&body->application_name) + span_size(&body->tls);
}

uint8_t *
at_session_body_write(const AtSessionBody *body, uint8_t *out)
{
	out = put_head(out, "ATS1", body->log_id);
	out = at_put_u64(out, body->session_id);
	out = put_i64(out, body->started_at);
	out = at_put_u32(out, body->backend_pid);
	out = at_put_u32(out, body->client_port);
	out = put_span(out, &body->login_user);
	out = put_span(out, &body->client_addr);
	out = put_span(out, &body->application_name);
	return put_span(out, &body->tls);
}

bool
at_session_body_read(AtSessionBody *body, const uint8_t *bytes, size_t len)
{
	Reader reader = get_head(bytes, len, "ATS1", &body->log_id);

	body->session_id = get_u64(&reader);
	body->started_at = get_i64(&reader);
	body->backend_pid = get_u32(&reader);
	body->client_port = get_u32(&reader);
	body->login_user = get_span(&reader);
	body->client_addr = get_span(&reader);
	body->application_name = get_span(&reader);
	body->tls = get_span(&reader);
	return is_read(&reader);
}

size_t
at_entry_body_size(const AtEntryBody *body)
{
	return AT_ENTRY_FIXED + span_size(&body->kind) + span_size(&body->snapshot) +
		   span_size(&body->payload);
}

uint8_t *
at_entry_body_write(const AtEntryBody *body, uint8_t *out)
{
	out = put_head(out, "ATL1", body->log_id);
	out = at_put_u64(out, body->log_index);
	out = put_i64(out, body->sealed_at);
	out = at_put_u32(out, body->incarnation);
	out = put_span(out, &body->kind);
	out = put_hash(out, &body->previous);
	out = put_hash(out, &body->root);
	out = at_put_u64(out, body->leaf_count);
	out = at_put_u64(out, body->tx_count);
	out = at_put_u64(out, body->event_count);
	out = put_i64(out, body->first_tx_at);
	out = put_i64(out, body->last_tx_at);
	out = put_span(out, &body->snapshot);
	return put_span(out, &body->payload);
}

bool
at_entry_body_read(AtEntryBody *body, const uint8_t *bytes, size_t len)
{
	Reader reader = get_head(bytes, len, "ATL1", &body->log_id);

	body->log_index = get_u64(&reader);
	body->sealed_at = get_i64(&reader);
	body->incarnation = get_u32(&reader);
	body->kind = get_span(&reader);
	body->previous = get_hash(&reader);
	body->root = get_hash(&reader);
	body->leaf_count = get_u64(&reader);
	body->tx_count = get_u64(&reader);
	body->event_count = get_u64(&reader);
	body->first_tx_at = get_i64(&reader);
	body->last_tx_at = get_i64(&reader);
	body->snapshot = get_span(&reader);
	body->payload = get_span(&reader);
	return is_read(&reader);
}

bool
at_chain_start(const uint8_t *log_id, uint64_t tx_id, AtHash *chain)
{
	uint8_t start[AT_HEAD_LEN + 8];

	at_put_u64(put_head(start, "ATC1", log_id), tx_id);
	return at_hash(start, sizeof(start), chain);
}

bool
at_chain_add(AtHash *chain, const AtHash *leaf)
{
	return at_hash_two(chain->bytes, AT_HASH_LEN, leaf->bytes, AT_HASH_LEN, chain);
}

/* Bytes that a string takes in a body. */
static size_t
span_size(const AtSpan *span)
{
	return sizeof(uint32_t) + (span->data == NULL ? 0 : span->len);
}

/* What all formats begin with: the magic and the log's identity. */
static uint8_t *
put_head(uint8_t *out, const char *magic, const uint8_t *log_id)
{
	memcpy(out, magic, AT_MAGIC_LEN);
	memcpy(out + AT_MAGIC_LEN, log_id, AT_LOG_ID_LEN);
	return out + AT_HEAD_LEN;
}

/* A signed integer, as two's complement. */
static uint8_t *
put_i64(uint8_t *out, int64_t value)
{
	return at_put_u64(out, (uint64_t) value);
}

/* The 32 bytes of a hash. */
static uint8_t *
put_hash(uint8_t *out, const AtHash *hash)
{
	memcpy(out, hash->bytes, AT_HASH_LEN);
	return out + AT_HASH_LEN;
}

/* A string: its length and its bytes, or the mark of a missing one. */
static uint8_t *
put_span(uint8_t *out, const AtSpan *span)
{
	if (span->data == NULL)
		return at_put_u32(out, AT_MISSING);

	out = at_put_u32(out, span->len);
	memcpy(out, span->data, span->len);
	return out + span->len;
}

/* Begin to read: the magic must be there. */
static Reader
get_head(const uint8_t *bytes, size_t len, const char *magic, const uint8_t **log_id)
{
	Reader reader = {.at = bytes, .left = len};
	const uint8_t *found = take(&reader, AT_MAGIC_LEN);

	*log_id = take(&reader, AT_LOG_ID_LEN);
	reader.failed = reader.failed || memcmp(found, magic, AT_MAGIC_LEN) != 0;
	return reader;
}

/* The next bytes, or NULL where there are too few. */
static const uint8_t *
take(Reader *reader, size_t len)
{
	const uint8_t *taken = reader->at;

	if (reader->failed || reader->left < len)
	{
		reader->failed = true;
		return NULL;
	}
	reader->at += len;
	reader->left -= len;
	return taken;
}

static uint8_t
get_u8(Reader *reader)
{
	const uint8_t *in = take(reader, 1);

	return in != NULL ? *in : 0;
}

static uint32_t
get_u32(Reader *reader)
{
	const uint8_t *in = take(reader, 4);

	return in != NULL ? at_get_u32(in) : 0;
}

static uint64_t
get_u64(Reader *reader)
{
	const uint8_t *in = take(reader, 8);

	return in != NULL ? at_get_u64(in) : 0;
}

static int64_t
get_i64(Reader *reader)
{
	return (int64_t) get_u64(reader);
}

static AtHash
get_hash(Reader *reader)
{
	const uint8_t *in = take(reader, AT_HASH_LEN);
	AtHash hash = {{0}};

	if (in != NULL)
		memcpy(hash.bytes, in, AT_HASH_LEN);
	return hash;
}

static AtSpan
get_span(Reader *reader)
{
	uint32_t len = get_u32(reader);

	if (reader->failed || len == AT_MISSING)
		return (AtSpan){NULL, 0};

	return (AtSpan){take(reader, len), len};
}

/* Was everything there, and nothing else? */
static bool
is_read(const Reader *reader)
{
	return !reader->failed && reader->left == 0;
}
