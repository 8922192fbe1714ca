/*-------------------------------------------------------------------------
 * cold_rows.c
 *		Rows of a segment of cold rows, as the bodies that are hashed.
 *-------------------------------------------------------------------------
 */
#include "core/cold_rows.h"

/* Columns of audit.event. */
enum
{
	EVENT_TX_ID,
	EVENT_TX_AT,
	EVENT_OCCURRED_AT,
	EVENT_ORDINAL,
	EVENT_TARGET_ID,
	EVENT_RETENTION_CLASS,
	EVENT_OP,
	EVENT_RECORD_KEY,
	EVENT_EVENT_TYPE,
	EVENT_OLD_VALUES,
	EVENT_NEW_VALUES,
	EVENT_EXTRA,
	EVENT_COLUMNS
};

/* Columns of audit.transaction. */
enum
{
	TX_TX_ID,
	TX_TX_AT,
	TX_COMMITTED_AT,
	TX_XID,
	TX_SESSION_ID,
	TX_SYSTEM_IDENTIFIER,
	TX_DATABASE_OID,
	TX_EVENT_COUNT,
	TX_RETENTION_CLASS,
	TX_DIGEST,
	TX_ACTOR,
	TX_ACTOR_TYPE,
	TX_ACTOR_SOURCE,
	TX_DB_USER,
	TX_DB_ROLE,
	TX_APPLICATION_NAME,
	TX_REQUEST_ID,
	TX_REASON,
	TX_CLAIMED_SESSION,
	TX_CLAIMED_CLIENT_IP,
	TX_TRACE_PARENT,
	TX_EXTRA,
	TX_CONTEXT_SOURCES,
	TX_SESSION_DIGEST,
	TX_COLUMNS
};

/* So many columns come first that are numbers; all others are texts. */
#define EVENT_NUMBERS EVENT_RECORD_KEY
#define TX_NUMBERS    TX_DIGEST

AtError
at_cold_walk_open(AtColdWalk *walk, const AtCold *cold, AtText content)
{
	bool is_event = cold->kind == AT_COLD_EVENTS;
	int known = is_event ? EVENT_COLUMNS : TX_COLUMNS;
	int numbers = is_event ? EVENT_NUMBERS : TX_NUMBERS;

	walk->log_id = cold->log_id;
	walk->left = cold->rows;
	if (cold->columns < known || cold->columns > AT_COLD_COLUMNS_MAX)
		return AT_ERR_COLD_COLUMNS;
	for (int i = 0; i < cold->columns; i++)
		if (at_cold_column_next(&content, cold->rows, &walk->column[i]) != AT_OK ||
			(i < known && (walk->column[i].type == AT_COLD_INTS) != (i < numbers)))
			return AT_ERR_COLD_COLUMNS;
	return content.len == 0 ? AT_OK : AT_ERR_COLD_COLUMNS;
}

bool
at_cold_walk_event(AtColdWalk *walk, AtEventBody *event, int32_t *target_id)
{
	AtColdColumn *column = walk->column;

	if (walk->left == 0)
		return false;
	walk->left--;
	*event = (AtEventBody){.log_id = walk->log_id};
	event->tx_id = (uint64_t) at_cold_int(&column[EVENT_TX_ID]);
	event->tx_at = at_cold_int(&column[EVENT_TX_AT]);
	event->occurred_at = at_cold_int(&column[EVENT_OCCURRED_AT]);
	event->ordinal = (uint32_t) at_cold_int(&column[EVENT_ORDINAL]);
	*target_id = (int32_t) at_cold_int(&column[EVENT_TARGET_ID]);
	event->op = (uint8_t) at_cold_int(&column[EVENT_OP]);
	event->record_key = at_cold_text(&column[EVENT_RECORD_KEY]);
	event->event_type = at_cold_text(&column[EVENT_EVENT_TYPE]);
	event->old_values = at_cold_text(&column[EVENT_OLD_VALUES]);
	event->new_values = at_cold_text(&column[EVENT_NEW_VALUES]);
	event->extra = at_cold_text(&column[EVENT_EXTRA]);
	return true;
}

bool
at_cold_walk_transaction(AtColdWalk *walk, AtTransactionBody *transaction)
{
	AtColdColumn *column = walk->column;
	AtSpan digest;

	if (walk->left == 0)
		return false;
	walk->left--;
	*transaction = (AtTransactionBody){.log_id = walk->log_id};
	transaction->tx_id = (uint64_t) at_cold_int(&column[TX_TX_ID]);
	transaction->tx_at = at_cold_int(&column[TX_TX_AT]);
	transaction->committed_at = at_cold_int(&column[TX_COMMITTED_AT]);
	transaction->xid = (uint64_t) at_cold_int(&column[TX_XID]);
	transaction->session_id = (uint64_t) at_cold_int(&column[TX_SESSION_ID]);
	transaction->system_identifier = (uint64_t) at_cold_int(&column[TX_SYSTEM_IDENTIFIER]);
	transaction->database_oid = (uint32_t) at_cold_int(&column[TX_DATABASE_OID]);
	transaction->event_count = (uint32_t) at_cold_int(&column[TX_EVENT_COUNT]);
	digest = at_cold_text(&column[TX_DIGEST]);
	if (digest.data != NULL && digest.len == AT_HASH_LEN)
		memcpy(&transaction->digest, digest.data, AT_HASH_LEN);
	transaction->actor = at_cold_text(&column[TX_ACTOR]);
	transaction->actor_type = at_cold_text(&column[TX_ACTOR_TYPE]);
	transaction->actor_source = at_cold_text(&column[TX_ACTOR_SOURCE]);
	transaction->db_user = at_cold_text(&column[TX_DB_USER]);
	transaction->db_role = at_cold_text(&column[TX_DB_ROLE]);
	transaction->application_name = at_cold_text(&column[TX_APPLICATION_NAME]);
	transaction->request_id = at_cold_text(&column[TX_REQUEST_ID]);
	transaction->reason = at_cold_text(&column[TX_REASON]);
	transaction->claimed_session = at_cold_text(&column[TX_CLAIMED_SESSION]);
	transaction->claimed_client_ip = at_cold_text(&column[TX_CLAIMED_CLIENT_IP]);
	transaction->trace_parent = at_cold_text(&column[TX_TRACE_PARENT]);
	transaction->extra = at_cold_text(&column[TX_EXTRA]);
	transaction->context_sources = at_cold_text(&column[TX_CONTEXT_SOURCES]);
	transaction->session_digest = at_cold_text(&column[TX_SESSION_DIGEST]);
	return true;
}

const AtColdTarget *
at_cold_target_find(const AtColdTargets *targets, int32_t target_id)
{
	size_t low = 0;
	size_t high = targets->count;

	while (low < high)
	{
		size_t middle = low + (high - low) / 2;
		const AtColdTarget *target = &targets->target[middle];

		if (target->target_id == target_id)
			return target;
		if (target->target_id < target_id)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

void
at_cold_target_name(const AtColdTarget *target, AtEventBody *event)
{
	event->schema = target->schema;
	event->table = target->table;
	event->resource_type = target->resource_type;
}

/* Hash a body that is not longer than the room. */
static AtError
hash_event(const AtEventBody *event, char *scratch, size_t room, AtColdLeaf *leaf)
{
	size_t len = at_event_body_size(event);

	if (len > room)
		return AT_ERR_NO_ROOM;
	at_event_body_write(event, (uint8_t *) scratch);
	return at_hash_leaf(scratch, len, &leaf->hash) ? AT_OK : AT_ERR_LIBCRYPTO;
}

static AtError
hash_transaction(const AtTransactionBody *transaction, char *scratch, size_t room, AtColdLeaf *leaf)
{
	size_t len = at_transaction_body_size(transaction);

	if (len > room)
		return AT_ERR_NO_ROOM;
	at_transaction_body_write(transaction, (uint8_t *) scratch);
	return at_hash_leaf(scratch, len, &leaf->hash) ? AT_OK : AT_ERR_LIBCRYPTO;
}

/* The next row; *at becomes its tx_at. */
static AtError
next_leaf(AtColdWalk *walk, AtColdKind kind, const AtColdTargets *targets, char *scratch,
		  size_t room, AtColdLeaf *leaf, int64_t *at)
{
	AtTransactionBody transaction;
	AtEventBody event;
	const AtColdTarget *target;
	int32_t target_id;

	if (kind == AT_COLD_TRANSACTIONS)
	{
		(void) at_cold_walk_transaction(walk, &transaction);
		*leaf = (AtColdLeaf){.tx_id = transaction.tx_id};
		*at = transaction.tx_at;
		return hash_transaction(&transaction, scratch, room, leaf);
	}
	(void) at_cold_walk_event(walk, &event, &target_id);
	*leaf = (AtColdLeaf){.tx_id = event.tx_id, .ordinal = event.ordinal};
	*at = event.tx_at;
	target = at_cold_target_find(targets, target_id);
	if (target == NULL)
		return AT_ERR_COLD_TARGET;
	at_cold_target_name(target, &event);
	return hash_event(&event, scratch, room, leaf);
}

static bool
is_behind(const AtColdLeaf *leaf, const AtColdLeaf *before)
{
	return leaf->tx_id > before->tx_id ||
		   (leaf->tx_id == before->tx_id && leaf->ordinal > before->ordinal);
}

AtError
at_cold_leaves(const AtCold *cold, AtText content, const AtColdTargets *targets, char *scratch,
			   size_t room, const AtColdLeaf *before, AtColdLeaf *leaf)
{
	AtColdWalk walk;
	int64_t first_at = INT64_MAX;
	int64_t last_at = INT64_MIN;
	AtError error = at_cold_walk_open(&walk, cold, content);

	if (error == AT_OK && cold->rows == 0)
		error = AT_ERR_COUNTS;
	for (uint32_t i = 0; error == AT_OK && i < cold->rows; i++)
	{
		int64_t at;

		error = next_leaf(&walk, cold->kind, targets, scratch, room, &leaf[i], &at);
		if (before != NULL && !is_behind(&leaf[i], before))
			return AT_ERR_PLACE;
		before = &leaf[i];
		first_at = at < first_at ? at : first_at;
		last_at = at > last_at ? at : last_at;
	}
	if (error == AT_OK &&
		(leaf[0].tx_id != cold->first_tx_id || leaf[cold->rows - 1].tx_id != cold->last_tx_id ||
		 first_at != cold->first_tx_at || last_at != cold->last_tx_at))
		error = AT_ERR_COUNTS;
	return error;
}
