/*-------------------------------------------------------------------------
 * heartbeat.c
 *		An entry of the log that says that nothing happened.
 *
 * Its time, its signature and its anchor bound from both sides when it was
 * made: what the log has behind it was not sealed before. So a quiet time
 * cannot be filled later.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/clock.h"
#include "base/guc.h"
#include "seal/anchor.h"
#include "seal/heartbeat.h"

/* Right after an error: an entry that was not committed makes no new size, and is made again. */
static struct
{
	uint64 size; /* of the log when it was last seen to grow */
	int64 since; /* by at_clock_ms() */
} heartbeat;

void
at_heartbeat_seal(AtLogHead *head, int32 incarnation)
{
	int64 now = at_clock_ms();

	if (head->tree.size != heartbeat.size)
	{
		heartbeat.size = head->tree.size;
		heartbeat.since = now;
	}
	if (at_guc_anchor_heartbeat == 0 || !at_anchor_is_configured() ||
		now - heartbeat.since < at_guc_anchor_heartbeat * INT64CONST(1000))
		return;
	at_log_append_control(head, incarnation, AT_KIND_HEARTBEAT, NULL,
						  psprintf("{\"interval\":%d}", at_guc_anchor_heartbeat));
}
