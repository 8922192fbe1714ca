/*-------------------------------------------------------------------------
 * unsealed.c
 *		Which transactions the log has not come to yet, by their tx_id.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/snapmgr.h"

#include "base/catalog.h"
#include "ledger/log_read.h"
#include "ledger/unsealed.h"

AtUnsealed
at_unsealed_read(void)
{
	Snapshot latest = at_snapshot_of_now();
	AtUnsealed unsealed = at_unsealed_read_in(latest);

	UnregisterSnapshot(latest);
	return unsealed;
}

AtUnsealed
at_unsealed_read_in(Snapshot snapshot)
{
	AtIncarnation last;

	(void) at_incarnation_read_last(snapshot, &last);
	return (AtUnsealed){
		.base = at_tx_id_base(last.incarnation),
		.sealed = at_log_window_end(snapshot, last.incarnation),
	};
}

bool
at_unsealed_read_here(AtUnsealed *unsealed)
{
	Snapshot latest = at_snapshot_of_now();
	int count;

	(void) at_incarnations_read(latest, &count);
	if (count > 0)
		*unsealed = (AtUnsealed){
			.base = at_tx_id_base(at_incarnation_listed()),
			.sealed =
				at_incarnation_begun() ? at_log_window_end(latest, at_incarnation_listed()) : NULL,
		};
	UnregisterSnapshot(latest);
	return count > 0;
}

bool
at_unsealed_has(const AtUnsealed *unsealed, int64 tx_id)
{
	if (tx_id < unsealed->base)
		return false;
	return unsealed->sealed == NULL || !at_settled_has(unsealed->sealed, tx_id - unsealed->base);
}
