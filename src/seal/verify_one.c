/*-------------------------------------------------------------------------
 * verify_one.c
 *		One transaction, against the log that was verified before.
 *
 * Its batch follows from its number. The leaves of the batch as they were
 * sealed stand in its tiles; if these give the root that the entry has, the
 * transaction alone is read and hashed. Otherwise the whole batch is.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/errors.h"
#include "ledger/datum.h"
#include "seal/place.h"
#include "seal/progress.h"
#include "seal/verify.h"

static void check_sealed(AtVerify *verify, const AtBatch *batch);
static void check_unsealed(AtVerify *verify);
static void report_orphans(AtVerify *verify);

void
at_verify_transaction(AtVerify *verify)
{
	AtBatch batch = {0};

	at_progress_phase(AT_PHASE_BATCHES);
	verify->lives = (AtLives){.context = verify->context};
	if (at_place_find_batch(&batch.log_index, verify->scope->tx_id, verify->log_size,
							verify->snapshot) &&
		at_verify_read_batch(verify, batch.log_index, &batch) && batch.is_events)
		check_sealed(verify, &batch);
	if (verify->transactions + verify->purged_transactions == 0 &&
		at_findings_total(verify->findings) == 0)
		check_unsealed(verify);
	if (verify->transactions + verify->purged_transactions == 0 && verify->events == 0 &&
		at_findings_total(verify->findings) == 0)
		ereport(ERROR, (errcode(ERRCODE_NO_DATA_FOUND),
						errmsg("there is no transaction " UINT64_FORMAT, verify->scope->tx_id),
						errdetail("No row and no sealed batch has that number."),
						errhint("See tx_id in audit.events or audit.transaction.")));
}

static void
check_sealed(AtVerify *verify, const AtBatch *batch)
{
	AtLives lives = {.context = verify->context};
	AtLife *life = at_verify_life(verify, &lives, batch->entry.incarnation, batch->log_index);
	AtRange range = {.first = batch->log_index,
					 .last = batch->log_index,
					 .window = at_verify_window(life, batch->end),
					 .last_is_sound = true,
					 .root = batch->entry.root,
					 .leaf_count = batch->entry.leaf_count};

	if (at_verify_one_by_name(verify, &range, verify->scope->tx_id))
		verify->batches++;
	else
		at_verify_check_batch(verify, batch, &range);
}

/* By its own count and digest. */
static void
check_unsealed(AtVerify *verify)
{
	AtLeafReader *leaves = at_verify_leaves(verify);
	const AtLeaf *leaf;

	at_leaf_reader_set_ghosts(leaves, NULL, 0);
	at_leaf_reader_find(leaves, verify->scope->tx_id, AT_EVENTS_UNSEALED);
	while ((leaf = at_leaf_reader_next(leaves)) != NULL)
	{
		if (leaf->transaction == NULL)
		{
			verify->events++;
			continue;
		}
		verify->transactions++;
		verify->unsealed++;
		if (leaf->flaws->any)
			at_verify_report_flaws(verify, leaf, AT_UNSEALED, false);
	}
	if (verify->transactions == 0 && verify->events > 0)
		report_orphans(verify);
}

/* Events without the row of their transaction, as the count of all rows would find them. */
static void
report_orphans(AtVerify *verify)
{
	uint64 tx_id = verify->scope->tx_id;

	at_findings_add(verify->findings,
					&(AtFinding){.thing = AT_THING_EVENT,
								 .fault = AT_FAULT_ADDED,
								 .object = psprintf(UINT64_FORMAT ".*", tx_id),
								 .place = psprintf("events of transaction " UINT64_FORMAT, tx_id),
								 .found = psprintf(UINT64_FORMAT " events", verify->events),
								 .log_index = AT_UNSEALED,
								 .detail = "they have no transaction"});
}
