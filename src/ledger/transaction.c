/*-------------------------------------------------------------------------
 * transaction.c
 *		The recorded transaction.
 *
 * Invariant: at any time, chain and event_count are those of the events that
 * would stand if the transaction committed now. A subtransaction's first
 * event saves both, its abort restores them, its commit hands the saved pair
 * to the level above. So memory grows with the depth of nesting only. What
 * began in a subtransaction that is rolled back begins anew: the ledger, and
 * with it its id, may have been made in it.
 *
 * The row is written when nothing of the user's can run any more (PRE_COMMIT,
 * or PRE_PREPARE for two-phase commit).
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/transam.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "base/clock.h"
#include "base/columns.h"
#include "base/errors.h"
#include "ledger/append.h"
#include "ledger/datum.h"
#include "ledger/log_read.h"
#include "ledger/partition.h"
#include "ledger/session.h"
#include "ledger/transaction.h"

/* The state before the first event of a subtransaction. */
typedef struct SavedState
{
	struct SavedState *outer;
	int level;
	uint32 event_count;
	AtHash chain;
} SavedState;

/*
 * Right after an error: cleared at the end of every transaction, restored at
 * the end of every subtransaction. Pointers lead into TopTransactionContext.
 */
static struct
{
	bool active;
	int began;  /* nesting level at which it became active, as far as that stands */
	int pinned; /* likewise, at which it was pinned; 0 if it is not */
	AtTransaction tx;
	AtHash chain;
	AtPlace place[AT_DEFERRED_ROWS]; /* of the first events, those that stand */
	MemoryContext identity;          /* of the context's strings and these two */
	const char *db_user;
	const char *db_role;
	SavedState *saved;      /* innermost first, levels strictly falling */
	const AtOrigin *origin; /* for whom it is recorded; NULL: for who it is */
} state;

PG_FUNCTION_INFO_V1(at_current_tx_id);

static void begin(void);
static void take_identity(void);
static void take_origin(const AtOrigin *origin);
static void save_state(void);
static void end_transaction(XactEvent event, void *arg);
static void end_subtransaction(SubXactEvent event, SubTransactionId id, SubTransactionId parent,
							   void *arg);
static void roll_back_to(int level);
static void hand_up(int level);
static void append_row(bool prepares);

void
at_transaction_init(void)
{
	RegisterXactCallback(end_transaction, NULL);
	RegisterSubXactCallback(end_subtransaction, NULL);
}

Datum
at_current_tx_id(PG_FUNCTION_ARGS)
{
	int64 tx_id;

	if (!at_transaction_has_events(&tx_id))
		PG_RETURN_NULL();
	PG_RETURN_INT64(tx_id);
}

bool
at_transaction_has_events(int64 *tx_id)
{
	*tx_id = state.tx.tx_id;
	return state.active && state.tx.event_count > 0;
}

const AtTransaction *
at_transaction_join(void)
{
	if (!state.active)
		begin();
	if (state.tx.event_count == 0 && state.pinned == 0)
		take_identity();
	if (state.tx.event_count == PG_INT32_MAX)
		ereport(ERROR, (errcode(ERRCODE_AT_CAPTURE_FAILED),
						errmsg("a transaction cannot have more than %d audit events", PG_INT32_MAX),
						errhint("Split the work into several transactions.")));
	return &state.tx;
}

void
at_transaction_pin(void)
{
	(void) at_transaction_join();
	if (state.pinned == 0)
		state.pinned = GetCurrentTransactionNestLevel();
}

/* Name the transaction. */
static void
begin(void)
{
	uint64 tx_id =
		at_tx_id_base(at_incarnation_here()) + U64FromFullTransactionId(GetTopFullTransactionId());

	if (!at_chain_start(at_log_id(), tx_id, &state.chain))
		at_hash_failed();
	state.tx.tx_id = tx_id;
	state.tx.retention_class = 0;
	state.tx.tx_at = at_clock_shift(GetCurrentTransactionStartTimestamp());
	state.began = GetCurrentTransactionNestLevel();
	state.active = true;
}

/* Who acts, as of the first event that stands. */
static void
take_identity(void)
{
	if (state.identity == NULL)
		state.identity = AllocSetContextCreate(TopTransactionContext, "audit_trail identity",
											   ALLOCSET_SMALL_SIZES);
	MemoryContextReset(state.identity);

	MemoryContext save = MemoryContextSwitchTo(state.identity);

	if (state.origin != NULL)
		take_origin(state.origin);
	else
	{
		const AtContext *context = &state.tx.context;

		at_context_take(&state.tx.context);
		state.db_user = GetUserNameFromId(context->user_id, false);
		state.db_role = context->role_id == context->user_id
							? state.db_user
							: GetUserNameFromId(context->role_id, false);
	}
	MemoryContextSwitchTo(save);
}

/* The context is ours, so that events do not differ from it, but what it says is the origin's. */
static void
take_origin(const AtOrigin *origin)
{
	AtContext *context = &state.tx.context;

	memset(context, 0, sizeof(*context));
	context->version = at_guc_context_version;
	context->user_id = GetSessionUserId();
	context->role_id = at_context_role();
	memcpy(context->field, origin->field, sizeof(context->field));
	state.db_user = origin->db_user != NULL ? origin->db_user : "unknown";
	state.db_role = origin->db_role != NULL ? origin->db_role : "unknown";
}

void
at_transaction_act_for(const AtOrigin *origin)
{
	Assert(!state.active);
	state.origin = origin;
}

void
at_transaction_acting(AtActing *acting)
{
	acting->context = state.tx.context;
	acting->db_user = state.db_user;
	acting->db_role = state.db_role;
	acting->application =
		state.origin != NULL ? state.origin->session.application : at_session_application();
	if (at_context_unchanged(&state.tx.context))
		return;
	at_context_look(&acting->context);
	at_context_complete(&acting->context);
	acting->db_user = GetUserNameFromId(acting->context.user_id, false);
	acting->db_role = GetUserNameFromId(acting->context.role_id, false);
}

void
at_transaction_add(const AtHash *leaf, int16 retention_class, const ItemPointerData *tid)
{
	if (GetCurrentTransactionNestLevel() > 1)
		save_state();
	if (!at_chain_add(&state.chain, leaf))
		at_hash_failed();
	if (state.tx.event_count < AT_DEFERRED_ROWS)
		state.place[state.tx.event_count] = at_place_of(retention_class, tid);
	state.tx.event_count++;

	/* what is rolled back may leave it at the default, which is never wrong */
	if (state.tx.retention_class == 0)
		state.tx.retention_class = retention_class;
	else if (state.tx.retention_class != retention_class)
		state.tx.retention_class = AT_RETENTION_CLASS_DEFAULT;
}

void
at_transaction_places(AtPlaces *places, int64 *tx_id, TimestampTz *tx_at)
{
	places->count = state.active ? Min(state.tx.event_count, AT_DEFERRED_ROWS) : 0;
	memcpy(places->place, state.place, sizeof(AtPlace) * places->count);
	*tx_id = state.tx.tx_id;
	*tx_at = state.tx.tx_at;
}

/* Before the first event of a subtransaction. */
static void
save_state(void)
{
	int level = GetCurrentTransactionNestLevel();

	if (state.saved != NULL && state.saved->level == level)
		return;

	SavedState *saved = MemoryContextAlloc(TopTransactionContext, sizeof(SavedState));

	saved->outer = state.saved;
	saved->level = level;
	saved->event_count = state.tx.event_count;
	saved->chain = state.chain;
	state.saved = saved;
}

static void
end_subtransaction(SubXactEvent event, SubTransactionId id, SubTransactionId parent, void *arg)
{
	int level = GetCurrentTransactionNestLevel();

	if (!state.active)
		return;
	if (event == SUBXACT_EVENT_ABORT_SUB)
		roll_back_to(level);
	else if (event == SUBXACT_EVENT_COMMIT_SUB)
	{
		state.began = Min(state.began, level - 1);
		state.pinned = Min(state.pinned, level - 1);
		hand_up(level);
	}
}

/* All that happened at this level is undone. */
static void
roll_back_to(int level)
{
	SavedState *saved = state.saved;

	if (saved != NULL && saved->level == level)
	{
		state.tx.event_count = saved->event_count;
		state.chain = saved->chain;
		state.saved = saved->outer;
		pfree(saved);
	}
	if (state.pinned == level)
		state.pinned = 0;
	if (state.began == level)
	{
		if (state.identity != NULL)
			MemoryContextDelete(state.identity);
		memset(&state, 0, sizeof(state));
	}
}

/* What was saved at this level serves the level above, unless that has its own. */
static void
hand_up(int level)
{
	SavedState *saved = state.saved;

	if (saved == NULL || saved->level != level)
		return;
	if (level > 2 && (saved->outer == NULL || saved->outer->level < level - 1))
		saved->level--;
	else
	{
		state.saved = saved->outer;
		pfree(saved);
	}
}

static void
end_transaction(XactEvent event, void *arg)
{
	switch (event)
	{
		case XACT_EVENT_PRE_COMMIT:
		case XACT_EVENT_PRE_PREPARE:
			if (state.active && state.tx.event_count > 0)
			{
				/* a procedure that commits goes on with its own context */
				MemoryContext save = MemoryContextSwitchTo(TopTransactionContext);

				append_row(event == XACT_EVENT_PRE_PREPARE);
				MemoryContextSwitchTo(save);
			}
			return;
		case XACT_EVENT_COMMIT:
			at_session_committed();
			break;
		case XACT_EVENT_PREPARE:
			at_session_prepared();
			break;
		case XACT_EVENT_ABORT:
			at_session_aborted();
			break;
		default:
			return;
	}
	if (state.active || state.origin != NULL)
		memset(&state, 0, sizeof(state));
}

/* The session that the row names. */
static uint64
join_session(bool prepares, AtHash *digest, bool *opens_session)
{
	if (state.origin == NULL)
		return at_session_join(prepares, digest, opens_session);
	*opens_session = false;
	if (state.origin->session_id != 0)
		return state.origin->session_id;
	return at_session_join_other(&state.origin->session, digest, opens_session);
}

/* The row of audit.transaction. */
static void
append_row(bool prepares)
{
	AtContext *context = &state.tx.context;
	Datum values[Natts_transaction];
	bool nulls[Natts_transaction] = {false};
	AtHash session_digest;
	bool opens_session;
	TimestampTz now = at_clock_now();
	uint64 xid = U64FromFullTransactionId(GetTopFullTransactionId());
	uint64 session_id = join_session(prepares, &session_digest, &opens_session);

	if (state.origin == NULL)
		at_context_complete(context);

	const AtContextValue *claimed = context->field;
	const AtContextValue *actor = &claimed[AT_CONTEXT_ACTOR];

	values[Anum_transaction_tx_id - 1] = Int64GetDatum(state.tx.tx_id);
	values[Anum_transaction_tx_at - 1] = TimestampTzGetDatum(state.tx.tx_at);
	values[Anum_transaction_committed_at - 1] = TimestampTzGetDatum(now);
	values[Anum_transaction_xid - 1] = Int64GetDatum(xid);
	values[Anum_transaction_session_id - 1] = Int64GetDatum(session_id);
	values[Anum_transaction_system_identifier - 1] = Int64GetDatum(GetSystemIdentifier());
	values[Anum_transaction_database_oid - 1] = ObjectIdGetDatum(MyDatabaseId);
	values[Anum_transaction_event_count - 1] = Int32GetDatum(state.tx.event_count);
	values[Anum_transaction_retention_class - 1] = Int16GetDatum(state.tx.retention_class);
	values[Anum_transaction_digest - 1] = at_bytea_datum(&state.chain, AT_HASH_LEN);
	at_set_text(values, nulls, Anum_transaction_actor, actor->value ? actor->value : state.db_user);
	at_set_text(values, nulls, Anum_transaction_actor_type, claimed[AT_CONTEXT_ACTOR_TYPE].value);
	at_set_text(values, nulls, Anum_transaction_actor_source, at_context_source(actor));
	at_set_text(values, nulls, Anum_transaction_db_user, state.db_user);
	at_set_text(values, nulls, Anum_transaction_db_role, state.db_role);
	at_set_text(values, nulls, Anum_transaction_application_name,
				state.origin ? state.origin->session.application : at_session_application());
	at_set_text(values, nulls, Anum_transaction_request_id, claimed[AT_CONTEXT_REQUEST_ID].value);
	at_set_text(values, nulls, Anum_transaction_reason, claimed[AT_CONTEXT_REASON].value);
	at_set_text(values, nulls, Anum_transaction_claimed_session,
				claimed[AT_CONTEXT_APP_SESSION].value);
	at_set_text(values, nulls, Anum_transaction_claimed_client_ip,
				claimed[AT_CONTEXT_CLIENT_IP].value);
	at_set_text(values, nulls, Anum_transaction_trace_parent,
				claimed[AT_CONTEXT_TRACE_PARENT].value);
	at_set_text(values, nulls, Anum_transaction_extra, claimed[AT_CONTEXT_EXTRA].value);
	at_set_text(values, nulls, Anum_transaction_context_sources, at_context_sources(context));
	nulls[Anum_transaction_session_digest - 1] = !opens_session;
	if (opens_session)
		values[Anum_transaction_session_digest - 1] = at_bytea_datum(&session_digest, AT_HASH_LEN);
	values[Anum_transaction_event_places - 1] =
		at_bytea_datum(state.place, sizeof(AtPlace) * Min(state.tx.event_count, AT_DEFERRED_ROWS));
	at_append(AT_LEDGER_TRANSACTION, values, nulls);
}
