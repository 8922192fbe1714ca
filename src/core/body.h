/*-------------------------------------------------------------------------
 * body.h
 *		The bytes that are hashed for an event, a transaction, a session and
 *		an entry of the log: the formats ATE1, ATX1, ATS1 and ATL1.
 *		doc/format.md is about them all.
 *
 * All integers are big-endian. A string is its u32 length and its bytes; a
 * missing one is the length 0xFFFFFFFF alone. Times are microseconds since
 * 1970-01-01 UTC. Fields stand in the order of the structs below, each
 * format behind its four-byte magic.
 *
 * at_X_size() tells the exact number of bytes, at_X_write() writes them to
 * a buffer of at least that size and returns the end. No function
 * allocates, and these do not fail; a span is at most 0xFFFFFFFE bytes long.
 *
 * at_X_read() is the reverse; log_id and spans then point into the bytes. It
 * returns false, and leaves *body undefined, if these are not exactly one
 * body. What it accepts is what at_X_write() would write.
 *-------------------------------------------------------------------------
 */
#ifndef AT_BODY_H
#define AT_BODY_H

#include "core/hash.h"

#define AT_LOG_ID_LEN 16

/*
 * A tx_id tells incarnation and transaction id: that of transaction 1042 is 1042
 * in the first incarnation of the ledger and 1000000000001042 in the second.
 */
#define AT_XIDS_PER_INCARNATION UINT64_C(1000000000000000)

/* What is added to the full transaction id; incarnations are counted from 1. */
static inline uint64_t
at_tx_id_base(int32_t incarnation)
{
	return ((uint64_t) incarnation - 1) * AT_XIDS_PER_INCARNATION;
}

/* The incarnation that a tx_id belongs to. */
static inline int32_t
at_tx_id_incarnation(uint64_t tx_id)
{
	return tx_id / AT_XIDS_PER_INCARNATION + 1;
}

/* A string that belongs to the caller; data == NULL means missing. */
typedef struct AtSpan
{
	const void *data;
	uint32_t len;
} AtSpan;

/* ATE1. Its leaf is SHA-256(0x00 | body). */
typedef struct AtEventBody
{
	const uint8_t *log_id; /* AT_LOG_ID_LEN bytes, as in all four */
	uint64_t tx_id;
	uint32_t ordinal; /* from 1 */
	int64_t tx_at;
	int64_t occurred_at;
	uint8_t op; /* see operation.h */
	AtSpan schema;
	AtSpan table;
	AtSpan resource_type;
	AtSpan record_key;
	AtSpan event_type;
	AtSpan old_values;
	AtSpan new_values;
	AtSpan extra;
} AtEventBody;

/* ATX1. The transaction is the last leaf of its events. */
typedef struct AtTransactionBody
{
	const uint8_t *log_id;
	uint64_t tx_id;
	int64_t tx_at;
	int64_t committed_at;
	uint64_t xid; /* full transaction id, which tx_id has in it */
	uint64_t session_id;
	uint32_t event_count;
	AtHash digest; /* c_n of the chain; 32 bytes, no length */
	uint64_t system_identifier;
	uint32_t database_oid;
	AtSpan actor;
	AtSpan actor_type;
	AtSpan actor_source;
	AtSpan db_user;
	AtSpan db_role;
	AtSpan application_name;
	AtSpan request_id;
	AtSpan reason;
	AtSpan claimed_session;
	AtSpan claimed_client_ip;
	AtSpan trace_parent;
	AtSpan extra;
	AtSpan context_sources;
	AtSpan session_digest; /* at_hash() of the ATS1 body, or missing */
} AtTransactionBody;

/* ATS1: a row of audit.session, bound by the first transaction's session_digest. */
typedef struct AtSessionBody
{
	const uint8_t *log_id;
	uint64_t session_id;
	int64_t started_at;
	uint32_t backend_pid;
	uint32_t client_port;
	AtSpan login_user;
	AtSpan client_addr;
	AtSpan application_name;
	AtSpan tls;
} AtSessionBody;

/* ATL1: an entry of the global log, whose leaf is SHA-256(0x00 | entry). */
typedef struct AtEntryBody
{
	const uint8_t *log_id;
	uint64_t log_index;
	int64_t sealed_at;
	uint32_t incarnation;
	AtSpan kind;     /* "boot", "events", "incarnation", ... */
	AtHash previous; /* at_hash() of the entry before; zeros in the first */
	AtHash root;     /* of the batch's leaves; of the empty tree in control records */
	uint64_t leaf_count;
	uint64_t tx_count;
	uint64_t event_count;
	int64_t first_tx_at; /* 0 where the batch is empty */
	int64_t last_tx_at;
	AtSpan snapshot;
	AtSpan payload; /* JSON, at most AT_MAX_PAYLOAD bytes */
} AtEntryBody;

#define AT_MAX_PAYLOAD 60000

/*
 * The longest entry, since that is what a bundle can hold (core/bundle.h).
 * Within it snapshot and payload may have AT_ENTRY_ROOM bytes together.
 */
#define AT_MAX_ENTRY    65535
#define AT_MAX_SNAPSHOT 50000
#define AT_ENTRY_ROOM   (AT_MAX_ENTRY - 300)

extern size_t at_event_body_size(const AtEventBody *body);
extern uint8_t *at_event_body_write(const AtEventBody *body, uint8_t *out);
extern bool at_event_body_read(AtEventBody *body, const uint8_t *bytes, size_t len);

extern size_t at_transaction_body_size(const AtTransactionBody *body);
extern uint8_t *at_transaction_body_write(const AtTransactionBody *body, uint8_t *out);
extern bool at_transaction_body_read(AtTransactionBody *body, const uint8_t *bytes, size_t len);

extern size_t at_session_body_size(const AtSessionBody *body);
extern uint8_t *at_session_body_write(const AtSessionBody *body, uint8_t *out);
extern bool at_session_body_read(AtSessionBody *body, const uint8_t *bytes, size_t len);

extern size_t at_entry_body_size(const AtEntryBody *body);
extern uint8_t *at_entry_body_write(const AtEntryBody *body, uint8_t *out);
extern bool at_entry_body_read(AtEntryBody *body, const uint8_t *bytes, size_t len);

/* Start of a transaction's chain: c0 = SHA-256("ATC1" | log_id | tx_id). */
extern bool at_chain_start(const uint8_t *log_id, uint64_t tx_id, AtHash *chain);

/* One step, in place: ci = SHA-256(c(i-1) | leaf). */
extern bool at_chain_add(AtHash *chain, const AtHash *leaf);

#endif
