/*-------------------------------------------------------------------------
 * verify_purge.c
 *		What was purged by authority, and whether it was.
 *
 * Whoever removes events may write a row of audit.deletion too. It excuses
 * nothing: what counts is what the log says, and the log is checked first. So
 * an order whose record is in doubt is left out of account, and each event that
 * it names and that is not there is missing.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"

#include "core/bytes.h"
#include "core/json_text.h"
#include "core/merkle.h"
#include "ledger/datum.h"
#include "ledger/scan.h"
#include "seal/verify.h"

static void check_root(AtVerify *verify, const AtDeletion *deletion);
static void check_sessions(AtVerify *verify, const AtDeletion *deletion);
static void report(AtVerify *verify, AtFault fault, int64 log_index, const char *detail);
static char *member(const AtDeletion *deletion, const char *name);

void
at_verify_see_purge(AtVerify *verify, const AtEntryRow *entry)
{
	Size size = sizeof(int64) * (verify->nrecords + 1);

	if (!at_entry_is(&entry->body, AT_KIND_PURGE) && !at_entry_is(&entry->body, AT_KIND_PURGED) &&
		!at_entry_is(&entry->body, AT_KIND_PURGE_CANCELLED))
		return;
	verify->record = verify->record != NULL ? repalloc(verify->record, size)
											: MemoryContextAlloc(verify->context, size);
	verify->record[verify->nrecords++] = entry->place;
}

void
at_verify_doubt_purges(AtVerify *verify)
{
	AtGaps *gaps = verify->gaps;
	uint64 kept = 0;

	if (verify->ndoubts == 0)
		return;
	for (int i = 0; i < gaps->ndeletions; i++)
		if (gaps->deletion[i].problem == NULL &&
			at_verify_doubt(verify, gaps->deletion[i].log_index) != NULL)
			gaps->deletion[i].problem = "its record of the log is in doubt";
	for (uint64 i = 0; i < gaps->count; i++)
		if (at_verify_doubt(verify, gaps->gap[i].deletion_id) == NULL)
			gaps->gap[kept++] = gaps->gap[i];
	gaps->count = kept;
}

void
at_verify_set_ghosts(AtVerify *verify, AtLeafReader *leaves, uint64 first, uint64 last)
{
	AtGhost *ghosts = NULL;
	uint64 count = 0;

	if (verify->gaps->count > 0 && first == last)
		count = at_gaps_ghosts(verify->gaps, at_verify_tiles(verify), first, &ghosts);
	else if (verify->gaps->count > 0)
		for (uint64 i = first; i <= last && last < verify->log_size; i++)
		{
			AtGhost *more;
			uint64 n = at_gaps_ghosts(verify->gaps, at_verify_tiles(verify), i, &more);
			Size size = sizeof(AtGhost) * Max(count + n, 1);

			if (n == 0)
				continue;
			ghosts = ghosts != NULL ? repalloc_huge(ghosts, size)
									: palloc_extended(size, MCXT_ALLOC_HUGE);
			memcpy(ghosts + count, more, sizeof(AtGhost) * n);
			count += n;
		}
	at_leaf_reader_set_ghosts(leaves, ghosts, count);
}

/* Each row has its record, each record its row. */
void
at_verify_deletions(AtVerify *verify)
{
	const AtGaps *gaps = verify->gaps;
	int rows = at_scan_heap(AT_LEDGER_DELETION, verify->snapshot, NULL, NULL);

	for (int i = 0; i < gaps->ndeletions; i++)
	{
		const AtDeletion *deletion = &gaps->deletion[i];

		if (i > 0 && gaps->deletion[i - 1].log_index == deletion->log_index)
			report(verify, AT_FAULT_DUPLICATED, deletion->log_index, NULL);
		else if (deletion->problem != NULL)
			report(verify, AT_FAULT_CHANGED, deletion->log_index, deletion->problem);
		else
		{
			check_root(verify, deletion);
			check_sessions(verify, deletion);
		}
	}
	for (int i = 0; i < verify->nrecords; i++)
	{
		bool found = false;

		for (int j = 0; j < gaps->ndeletions && !found; j++)
			found = gaps->deletion[j].log_index == verify->record[i];
		if (!found)
			report(verify, AT_FAULT_MISSING, verify->record[i],
				   "the log has its record, and audit.deletion no row");
	}
	if (rows > gaps->ndeletions)
		report(verify, AT_FAULT_ADDED, -1, "there are rows that no index leads to");
}

/* The root that the order certifies is that over the hashes of the leaves it names, which stay. */
static void
check_root(AtVerify *verify, const AtDeletion *deletion)
{
	AtGaps mine = {0};
	AtMerkle tree;
	AtHash root;

	if (deletion->gaps == NULL || !at_deletion_is_done(verify->gaps, deletion->deletion_id))
		return;
	at_merkle_init(&tree);
	mine.gap =
		palloc_extended(sizeof(AtGap) * (deletion->gaps_len / AT_GAP_LEN + 1), MCXT_ALLOC_HUGE);
	for (size_t at = 0; at + AT_GAP_LEN <= deletion->gaps_len; at += AT_GAP_LEN)
		mine.gap[mine.count++] = at_gap_read(deletion->gaps + at);
	for (uint64 i = 0; i < mine.count; i++)
	{
		AtGhost *ghosts;
		uint64 count;

		CHECK_FOR_INTERRUPTS();
		if (i > 0 && mine.gap[i].log_index == mine.gap[i - 1].log_index)
			continue;
		count = at_gaps_ghosts(&mine, at_verify_tiles(verify), mine.gap[i].log_index, &ghosts);
		for (uint64 j = 0; j < count; j++)
			if (!at_merkle_add(&tree, &ghosts[j].hash))
				at_hash_failed();
		pfree(ghosts);
	}
	if (!at_merkle_root(&tree, &root))
		at_hash_failed();
	if (strcmp(at_hash_text(&root), member(deletion, "leaves_root")) != 0)
		report(verify, AT_FAULT_CHANGED, deletion->log_index,
			   psprintf("the hashes of its leaves have the root %s, and it certifies %s",
						at_hash_text(&root), member(deletion, "leaves_root")));
	pfree(mine.gap);
}

/* The transactions that brought them are gone, and what they vouched for stands in the order. */
static void
check_sessions(AtVerify *verify, const AtDeletion *deletion)
{
	AtSessionReader *reader;

	if (deletion->sessions_len == 0 || !at_deletion_is_done(verify->gaps, deletion->deletion_id))
		return;
	reader = at_session_reader_open(verify->snapshot);
	for (size_t at = 0; at < deletion->sessions_len; at += AT_SESSION_LEN)
	{
		uint64 session_id = at_get_u64(deletion->sessions + at);
		char *name = psprintf(UINT64_FORMAT, session_id);
		AtHash hash;
		bool found = at_session_reader_hash(reader, session_id, &hash);

		if (found && memcmp(&hash, deletion->sessions + at + 8, sizeof(hash)) == 0)
			continue;
		at_findings_add(verify->findings,
						&(AtFinding){.thing = AT_THING_SESSION,
									 .fault = found ? AT_FAULT_CHANGED : AT_FAULT_MISSING,
									 .object = name,
									 .place = psprintf("session %s", name),
									 .found = found ? at_hash_text(&hash) : NULL,
									 .detail = psprintf("its hash stands in deletion " INT64_FORMAT,
														deletion->deletion_id)});
	}
	at_session_reader_close(reader);
}

static void
report(AtVerify *verify, AtFault fault, int64 log_index, const char *detail)
{
	at_findings_add(
		verify->findings,
		&(AtFinding){.thing = AT_THING_DELETION,
					 .fault = fault,
					 .object = log_index < 0 ? NULL : psprintf(INT64_FORMAT, log_index),
					 .place = log_index < 0 ? pstrdup("audit.deletion")
											: psprintf("deletion record " INT64_FORMAT, log_index),
					 .detail = detail});
}

bool
at_verify_purged(const AtVerify *verify, int number, AtPurged *purged)
{
	const AtGaps *gaps = verify->gaps;

	for (int i = 0; i < gaps->ndeletions; i++)
	{
		const AtDeletion *deletion = &gaps->deletion[i];

		if (deletion->problem != NULL || strcmp(deletion->phase, AT_PHASE_ORDERED) != 0 ||
			!at_deletion_is_done(gaps, deletion->deletion_id) || number-- > 0)
			continue;
		purged->object = psprintf(INT64_FORMAT, deletion->deletion_id);
		purged->place = psprintf("%s to %s", member(deletion, "from"), member(deletion, "until"));
		purged->detail =
			psprintf("PURGED: %s events and %s transactions; asked for by %s, approved by %s",
					 member(deletion, "events"), member(deletion, "transactions"),
					 member(deletion, "requested_by"), member(deletion, "approved_by"));
		return true;
	}
	return false;
}

/* A member of the certificate, as it is written. */
static char *
member(const AtDeletion *deletion, const char *name)
{
	AtText value;

	if (!at_json_text_find(at_text(deletion->certificate), name, &value))
		return pstrdup("?");
	(void) at_json_text_unquote(&value);
	return pnstrdup(value.data, value.len);
}
