/*-------------------------------------------------------------------------
 * verify_tail.c
 *		What is not sealed yet, and what a transaction says against itself.
 *
 * Before a transaction is sealed only its own count and digest speak for it:
 * they show that something was changed, and seldom what.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xlog.h"
#include "miscadmin.h"

#include "seal/verify.h"

/* Unsealed transactions of one origin. */
typedef struct Tail
{
	AtVerify *verify;
	AtWindow window;
	bool is_ours; /* written in this server and database */
} Tail;

static void check_origin(AtVerify *verify, const AtWindow *window, bool is_ours);
static void read_tail(const Tail *tail);
static void report_future(AtVerify *verify, const AtLeaf *leaf);
static void report_session(AtVerify *verify, const AtLeaf *leaf, uint64 log_index);
static void report_ordinals(AtVerify *verify, const AtLeaf *leaf, uint64 log_index, AtFault fault,
							const AtOrdinals *ordinals);

/* Of the last incarnation, and of this server, where that is another one. */
void
at_verify_tail(AtVerify *verify)
{
	AtLife *last = verify->lives.count > 0 ? &verify->lives.life[verify->lives.count - 1] : NULL;
	AtWindow ours = at_window_here();
	bool is_ours = last != NULL && last->origin.system_identifier == ours.system_identifier &&
				   last->origin.database_oid == ours.database_oid;

	if (last != NULL && !last->is_closed)
	{
		AtWindow window = at_verify_window(last, NULL);

		check_origin(verify, &window, is_ours);
	}
	if (!is_ours)
		check_origin(verify, &ours, true);
}

/* In careful mode one by one, by name: as a range of no batches. */
static void
check_origin(AtVerify *verify, const AtWindow *window, bool is_ours)
{
	Tail tail = {.verify = verify, .window = *window, .is_ours = is_ours};

	if (verify->is_careful)
		at_verify_by_name(verify, &(AtRange){.first = verify->log_size,
											 .last = verify->log_size - 1,
											 .window = *window,
											 .is_tail = true});
	else
		read_tail(&tail);
}

static void
read_tail(const Tail *tail)
{
	AtVerify *verify = tail->verify;
	AtLeafReader *leaves = at_verify_leaves(verify);
	const AtLeaf *leaf;

	at_leaf_reader_set_ghosts(leaves, NULL, 0); /* what is not sealed is not purged */
	at_leaf_reader_start(leaves, &tail->window, AT_EVENTS_UNSEALED);
	while ((leaf = at_leaf_reader_next(leaves)) != NULL)
	{
		if (leaf->transaction == NULL)
		{
			verify->events++;
			continue;
		}
		verify->transactions++;
		verify->unsealed++;
		verify->sessions += leaf->has_session;
		if (tail->is_ours && !at_settled_has(&verify->now, leaf->transaction->place))
			report_future(verify, leaf);
		else if (leaf->flaws->any)
			at_verify_report_flaws(verify, leaf, AT_UNSEALED, false);
		else if (leaf->target_id != 0)
			at_findings_target_is_fine(verify->findings, leaf->target_id);
	}
}

/* Seen though it has not ended: no transaction of that xid has written the row. */
static void
report_future(AtVerify *verify, const AtLeaf *leaf)
{
	at_findings_add(verify->findings,
					&(AtFinding){.thing = AT_THING_TRANSACTION,
								 .fault = AT_FAULT_ADDED,
								 .object = psprintf(UINT64_FORMAT, leaf->tx_id),
								 .place = at_leaf_place(leaf->tx_id, 0, NULL, AT_UNSEALED),
								 .log_index = AT_UNSEALED,
								 .detail = psprintf("its xid " INT64_FORMAT " has not ended yet",
													leaf->transaction->place)});
}

void
at_verify_report_flaws(AtVerify *verify, const AtLeaf *leaf, uint64 log_index, bool session_only)
{
	const AtFlaws *flaws = leaf->flaws;

	if (flaws->session != AT_SESSION_FINE)
		report_session(verify, leaf, log_index);
	if (session_only)
		return;

	report_ordinals(verify, leaf, log_index, AT_FAULT_MISSING, &flaws->missing);
	report_ordinals(verify, leaf, log_index, AT_FAULT_ADDED, &flaws->added);
	report_ordinals(verify, leaf, log_index, AT_FAULT_DUPLICATED, &flaws->duplicated);
	report_ordinals(verify, leaf, log_index, AT_FAULT_ADDED, &flaws->back);
	if (flaws->missing_target != 0)
		at_findings_target_is_missing(verify->findings, flaws->missing_target);
	else if (flaws->digest_differs && flaws->missing.count == 0 && flaws->added.count == 0 &&
			 flaws->duplicated.count == 0 && flaws->back.count == 0)
		at_findings_add_difference(
			verify->findings,
			&(AtDifference){.fault = AT_FAULT_CHANGED,
							.tx_id = leaf->tx_id,
							.log_index = log_index,
							.is_digest = true,
							.expected = leaf->chain,
							.found = leaf->transaction->body.digest,
							.target_id = leaf->target_id,
							.detail = log_index == AT_UNSEALED
										  ? "an event of it or its digest was changed"
										  : "an event of it or its digest was changed, before it "
											"was sealed"});
}

static void
report_session(AtVerify *verify, const AtLeaf *leaf, uint64 log_index)
{
	bool changed = leaf->flaws->session == AT_SESSION_CHANGED;
	char *session = psprintf(UINT64_FORMAT, leaf->transaction->body.session_id);
	char *place = at_leaf_place(leaf->tx_id, 0, NULL, log_index);

	at_findings_add(verify->findings,
					&(AtFinding){.thing = AT_THING_SESSION,
								 .fault = changed ? AT_FAULT_CHANGED : AT_FAULT_MISSING,
								 .object = session,
								 .place = psprintf("session %s", session),
								 .found = changed ? at_hash_text(&leaf->session_hash) : NULL,
								 .detail = psprintf("its hash stands in %s", place)});
}

static void
report_ordinals(AtVerify *verify, const AtLeaf *leaf, uint64 log_index, AtFault fault,
				const AtOrdinals *ordinals)
{
	bool sealed = log_index != AT_UNSEALED;

	if (ordinals->count == 0)
		return;
	at_findings_add(
		verify->findings,
		&(AtFinding){.thing = AT_THING_EVENT,
					 .fault = fault,
					 .object = psprintf(UINT64_FORMAT ".%u", leaf->tx_id, ordinals->first),
					 .place = at_leaf_place(leaf->tx_id, ordinals->first, NULL, log_index),
					 .before = ordinals->first > 1
								   ? psprintf(UINT64_FORMAT ".%u", leaf->tx_id, ordinals->first - 1)
								   : NULL,
					 .after = ordinals->first < leaf->transaction->body.event_count
								  ? psprintf(UINT64_FORMAT ".%u", leaf->tx_id, ordinals->first + 1)
								  : NULL,
					 .log_index = log_index,
					 .detail = psprintf("%s%s", at_flaws_describe(leaf->flaws),
										sealed ? ", and was when the batch was sealed" : "")});
}
