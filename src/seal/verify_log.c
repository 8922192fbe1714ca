/*-------------------------------------------------------------------------
 * verify_log.c
 *		Does each entry of the log lead from one checkpoint to the next?
 *
 * Two witnesses speak for an entry: the root of the checkpoint after it, and
 * the hash of it that the next entry holds. If only the first is against
 * it, the checkpoint was changed; if both are, the entry was. After an entry
 * that cannot be used the tree is taken from the next sound checkpoint, so
 * that one forged entry makes one finding.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "ledger/datum.h"
#include "seal/progress.h"
#include "seal/verify.h"

/* Findings for missing entries one by one, and rows that may have changed places. */
#define MAX_MISSING 100
#define MAX_CLAIMS  1000

typedef enum Witness
{
	SILENT,
	FOR,
	AGAINST
} Witness;

/* A row that says another name than the one it stands at. */
typedef struct Claim
{
	uint64 place;
	uint64 claimed;
	bool is_checkpoint;
} Claim;

/* An entry whose second witness, the next entry, has not been read yet. */
typedef struct Suspect
{
	bool is_set;
	uint64 place;
	uint64 claimed;
	bool is_odd;
	AtHash hash;
	bool previous_fits; /* what it holds of the entry before */
	Witness root;
	bool has_checkpoint;
	bool checkpoint_is_sound; /* by itself */
	bool checkpoint_fits;     /* by what it says beside the root */
	AtHash computed;          /* root */
	AtHash stored;            /* root */
	uint64 checkpoint_claims;
} Suspect;

typedef struct LogCheck
{
	AtVerify *verify;
	AtEntryReader *entries;
	AtCheckpointReader *checkpoints;
	const AtCheckpointRow *next_checkpoint; /* not used yet */
	AtCheckpointRow checkpoint;

	/* the tree over the entries so far, while it is known */
	bool in_step;
	AtMerkle tree;

	Suspect suspect;
	int nclaims;
	Claim *claim;
} LogCheck;

static void start(LogCheck *check, AtVerify *verify);
static void see_root(LogCheck *check, const AtMerkle *tree);
static const AtCheckpointRow *read_checkpoint(LogCheck *check);
static void check_entry(LogCheck *check, const AtEntryRow *row);
static void miss_entries(LogCheck *check, uint64 first, uint64 last);
static const AtCheckpointRow *get_checkpoint(LogCheck *check, uint64 size);
static void judge(LogCheck *check, Witness next);
static void report_entry(LogCheck *check, const Suspect *suspect);
static void report_checkpoint(LogCheck *check, const Suspect *suspect);
static void check_end(LogCheck *check, uint64 size);
static void resolve_claims(LogCheck *check);
static void mark_swapped(AtVerify *verify, uint64 place, uint64 row_at);
static void add_doubt(AtVerify *verify, const AtDoubt *doubt);

void
at_verify_log(AtVerify *verify)
{
	LogCheck check;
	uint64 next = verify->first;
	const AtEntryRow *row;

	start(&check, verify);
	while ((row = at_entry_reader_next(check.entries)) != NULL)
	{
		verify->entries++;
		if (row->place < next)
		{
			at_findings_add(verify->findings,
							&(AtFinding){.thing = AT_THING_BATCH,
										 .fault = AT_FAULT_DUPLICATED,
										 .object = psprintf(UINT64_FORMAT, row->place),
										 .place = psprintf("batch " UINT64_FORMAT, row->place)});
			continue;
		}
		if (row->place > next)
			miss_entries(&check, next, row->place - 1);
		at_progress_entries(verify->entries);
		check_entry(&check, row);
		next = row->place + 1;
	}
	judge(&check, SILENT);
	check_end(&check, next);
	resolve_claims(&check);
	at_given_resolve(verify->given, verify->log_size, verify->findings);
	at_checkpoint_reader_close(check.checkpoints);
	at_entry_reader_close(check.entries);
}

static void
start(LogCheck *check, AtVerify *verify)
{
	memset(check, 0, sizeof(*check));
	check->verify = verify;
	check->entries = at_entry_reader_open(verify->snapshot);
	check->checkpoints = at_checkpoint_reader_open(verify->snapshot);
	check->in_step = true;
	check->tree = verify->first_tree;
	at_entry_reader_start(check->entries, verify->first, PG_INT64_MAX);
	at_checkpoint_reader_start(check->checkpoints, verify->first == 0 ? 0 : verify->first + 1,
							   PG_INT64_MAX);
	check->next_checkpoint = read_checkpoint(check);
	if (verify->first == 0)
		see_root(check, &verify->first_tree);
}

/* Tell the checkpoints that were given. */
static void
see_root(LogCheck *check, const AtMerkle *tree)
{
	AtHash root;

	if (check->verify->given == NULL)
		return;
	if (!at_merkle_root(tree, &root))
		at_hash_failed();
	at_given_see_root(check->verify->given, tree->size, &root);
}

static const AtCheckpointRow *
read_checkpoint(LogCheck *check)
{
	const AtCheckpointRow *row = at_checkpoint_reader_next(check->checkpoints);

	check->verify->checkpoints += row != NULL;
	return row;
}

/* Make the entry the suspect, once the one before is judged. */
static void
check_entry(LogCheck *check, const AtEntryRow *row)
{
	const AtHash zeros = {0};
	const Suspect *before = &check->suspect;
	bool first = row->place == 0; /* the very first one; others may be where reading began */
	bool fits =
		!before->is_set || memcmp(&row->body.previous, &before->hash, sizeof(before->hash)) == 0;

	if (first)
		fits = memcmp(&row->body.previous, &zeros, sizeof(zeros)) == 0;
	judge(check, first || !before->is_set ? SILENT : fits ? FOR : AGAINST);

	Suspect suspect = {
		.is_set = true,
		.place = row->place,
		.claimed = row->body.log_index,
		.is_odd = row->is_odd,
		.hash = row->hash,
		.previous_fits = fits,
	};
	const AtCheckpointRow *checkpoint = get_checkpoint(check, row->place + 1);

	if (check->in_step && (!at_merkle_add(&check->tree, &row->leaf) ||
						   !at_merkle_root(&check->tree, &suspect.computed)))
		at_hash_failed();
	if (checkpoint != NULL)
	{
		suspect.has_checkpoint = true;
		suspect.stored = checkpoint->root;
		suspect.checkpoint_is_sound = checkpoint->is_sound;
		suspect.checkpoint_fits = checkpoint->made_at == row->body.sealed_at;
		suspect.checkpoint_claims = checkpoint->size;
		if (check->in_step)
			suspect.root =
				memcmp(&suspect.computed, &suspect.stored, sizeof(AtHash)) == 0 ? FOR : AGAINST;
	}

	/* go on from what was sealed, if this entry is not it */
	if (suspect.root != FOR && checkpoint != NULL && checkpoint->is_sound)
	{
		check->tree = checkpoint->tree;
		check->in_step = true;
	}
	if (check->in_step)
		see_root(check, &check->tree);
	at_given_see_entry(check->verify->given, row);
	at_verify_see_key(check->verify, row);
	at_verify_see_purge(check->verify, row);
	check->suspect = suspect;
}

/* Entries that are not there. */
static void
miss_entries(LogCheck *check, uint64 first, uint64 last)
{
	uint64 reported = Min(last, first + MAX_MISSING - 1);

	judge(check, SILENT);
	for (uint64 i = first; i <= reported; i++)
		at_findings_add(check->verify->findings,
						&(AtFinding){.thing = AT_THING_BATCH,
									 .fault = AT_FAULT_MISSING,
									 .object = psprintf(UINT64_FORMAT, i),
									 .place = psprintf("batch " UINT64_FORMAT, i),
									 .detail = "its entry of the log is not there"});
	if (reported < last)
		at_findings_add(
			check->verify->findings,
			&(AtFinding){.thing = AT_THING_BATCH,
						 .fault = AT_FAULT_MISSING,
						 .object = psprintf(UINT64_FORMAT ".." UINT64_FORMAT, reported + 1, last),
						 .place = psprintf("batches " UINT64_FORMAT " to " UINT64_FORMAT,
										   reported + 1, last)});
	add_doubt(check->verify, &(AtDoubt){.first = first, .last = last, .is_missing = true});

	/* go on from the checkpoint after the last of them */
	while (check->next_checkpoint != NULL && check->next_checkpoint->place <= last &&
		   check->next_checkpoint->place > first)
		check->next_checkpoint = read_checkpoint(check);

	const AtCheckpointRow *checkpoint = get_checkpoint(check, last + 1);

	check->in_step = checkpoint != NULL && checkpoint->is_sound;
	if (check->in_step)
	{
		check->tree = checkpoint->tree;
		see_root(check, &check->tree);
	}
}

/* The checkpoint of this size, or NULL; sizes are asked for in ascending order. */
static const AtCheckpointRow *
get_checkpoint(LogCheck *check, uint64 size)
{
	while (check->next_checkpoint != NULL && check->next_checkpoint->place < size)
	{
		uint64 place = check->next_checkpoint->place;

		at_findings_add(
			check->verify->findings,
			&(AtFinding){.thing = AT_THING_CHECKPOINT,
						 .fault = place == 0 ? AT_FAULT_ADDED : AT_FAULT_DUPLICATED,
						 .object = psprintf(UINT64_FORMAT, place),
						 .place = psprintf("checkpoint of size " UINT64_FORMAT, place)});
		check->next_checkpoint = read_checkpoint(check);
	}
	if (check->next_checkpoint == NULL || check->next_checkpoint->place > size)
		return NULL;
	check->checkpoint = *check->next_checkpoint;
	check->next_checkpoint = read_checkpoint(check);
	return &check->checkpoint;
}

/* Both witnesses of the suspect are known. */
static void
judge(LogCheck *check, Witness next)
{
	Suspect *suspect = &check->suspect;
	bool changed = suspect->is_odd || suspect->claimed != suspect->place;

	if (!suspect->is_set)
		return;
	suspect->is_set = false;

	switch (suspect->root)
	{
		case FOR:
			check->verify->proved++;
			/* proved by the root, and yet it does not know the entry before */
			changed |= !suspect->previous_fits &&
					   at_verify_doubt(check->verify, suspect->place - 1) == NULL;
			break;
		case AGAINST:
			changed |= next == AGAINST || (next == SILENT && suspect->checkpoint_is_sound);
			break;
		case SILENT:
			changed |= next == AGAINST;
			break;
	}
	if (changed)
		report_entry(check, suspect);

	if (!suspect->has_checkpoint)
		at_findings_add(check->verify->findings,
						&(AtFinding){.thing = AT_THING_CHECKPOINT,
									 .fault = AT_FAULT_MISSING,
									 .object = psprintf(UINT64_FORMAT, suspect->place + 1),
									 .place = psprintf("checkpoint of size " UINT64_FORMAT,
													   suspect->place + 1)});
	else if (!suspect->checkpoint_is_sound ||
			 (!changed && (suspect->root == AGAINST || !suspect->checkpoint_fits)))
		report_checkpoint(check, suspect);
}

/* A row that stands where another should is reported when all such are known. */
static bool
is_claim(LogCheck *check, const Claim *claim)
{
	if (claim->place == claim->claimed || check->nclaims == MAX_CLAIMS)
		return false;
	if (check->claim == NULL)
		check->claim = palloc(sizeof(Claim) * MAX_CLAIMS);
	check->claim[check->nclaims++] = *claim;
	return true;
}

static void
report_entry(LogCheck *check, const Suspect *suspect)
{
	add_doubt(check->verify, &(AtDoubt){.first = suspect->place, .last = suspect->place});
	if (is_claim(check, &(Claim){.place = suspect->place, .claimed = suspect->claimed}))
		return;
	at_findings_add(
		check->verify->findings,
		&(AtFinding){.thing = AT_THING_BATCH,
					 .fault = AT_FAULT_CHANGED,
					 .object = psprintf(UINT64_FORMAT, suspect->place),
					 .place = psprintf("batch " UINT64_FORMAT, suspect->place),
					 .expected = suspect->has_checkpoint ? at_hash_text(&suspect->stored) : NULL,
					 .found = at_hash_text(&suspect->computed),
					 .detail = "its entry does not lead to the root of the log"});
}

static void
report_checkpoint(LogCheck *check, const Suspect *suspect)
{
	uint64 size = suspect->place + 1;

	if (is_claim(
			check,
			&(Claim){.place = size, .claimed = suspect->checkpoint_claims, .is_checkpoint = true}))
		return;
	at_findings_add(
		check->verify->findings,
		&(AtFinding){.thing = AT_THING_CHECKPOINT,
					 .fault = AT_FAULT_CHANGED,
					 .object = psprintf(UINT64_FORMAT, size),
					 .place = psprintf("checkpoint of size " UINT64_FORMAT, size),
					 .expected = at_hash_text(&suspect->computed),
					 .found = at_hash_text(&suspect->stored),
					 .detail = suspect->checkpoint_is_sound
								   ? NULL
								   : "its size, root and frontier contradict each other"});
}

/* What checkpoints and tiles know of entries after the last one. */
static void
check_end(LogCheck *check, uint64 size)
{
	uint64 end = Max(size, check->verify->first);
	uint64 log_index;

	/* all of them, to be counted */
	while (check->next_checkpoint != NULL)
		check->next_checkpoint = read_checkpoint(check);

	const AtCheckpointRow *last = at_checkpoint_reader_last(check->checkpoints);

	if (last != NULL && last->place > end)
		end = last->place;
	if (at_tile_reader_last(at_verify_tiles(check->verify), &log_index) && log_index >= end)
		end = log_index + 1;
	if (end > size)
	{
		check->next_checkpoint = NULL;
		miss_entries(check, size, end - 1);
	}
	check->verify->log_size = end;
}

/* Tell rows that changed places from rows that were changed. */
static void
resolve_claims(LogCheck *check)
{
	for (int i = 0; i < check->nclaims; i++)
	{
		const Claim *claim = &check->claim[i];
		bool swapped = false;

		for (int j = 0; j < check->nclaims && !swapped; j++)
			swapped = check->claim[j].is_checkpoint == claim->is_checkpoint &&
					  check->claim[j].place == claim->claimed &&
					  check->claim[j].claimed == claim->place;
		if (swapped && !claim->is_checkpoint)
			mark_swapped(check->verify, claim->place, claim->claimed);
		if (swapped && claim->place > claim->claimed)
			continue; /* said by the other */

		const char *name = claim->is_checkpoint ? "checkpoint of size" : "batch";

		at_findings_add(
			check->verify->findings,
			&(AtFinding){.thing = claim->is_checkpoint ? AT_THING_CHECKPOINT : AT_THING_BATCH,
						 .fault = swapped ? AT_FAULT_REORDERED : AT_FAULT_CHANGED,
						 .object = psprintf(UINT64_FORMAT, claim->place),
						 .place = psprintf("%s " UINT64_FORMAT, name, claim->place),
						 .expected = psprintf(UINT64_FORMAT, claim->place),
						 .found = psprintf(UINT64_FORMAT, claim->claimed),
						 .detail = swapped ? psprintf("it changed places with %s " UINT64_FORMAT,
													  name, claim->claimed)
										   : "it says that it is another"});
	}
}

/* The entry of this place is whole, but stands elsewhere. */
static void
mark_swapped(AtVerify *verify, uint64 place, uint64 row_at)
{
	for (int i = 0; i < verify->ndoubts; i++)
	{
		AtDoubt *doubt = &verify->doubt[i];

		if (doubt->first == place)
		{
			doubt->is_swapped = true;
			doubt->row_at = row_at;
		}
	}
}

static void
add_doubt(AtVerify *verify, const AtDoubt *doubt)
{
	Size size = sizeof(AtDoubt) * (verify->ndoubts + 1);

	verify->doubt =
		verify->doubt ? repalloc(verify->doubt, size) : MemoryContextAlloc(verify->context, size);
	verify->doubt[verify->ndoubts++] = *doubt;
}

const AtDoubt *
at_verify_doubt(const AtVerify *verify, uint64 log_index)
{
	int low = 0;
	int high = verify->ndoubts;

	while (low < high)
	{
		int middle = (low + high) / 2;

		if (verify->doubt[middle].last < log_index)
			low = middle + 1;
		else
			high = middle;
	}
	return low < verify->ndoubts && verify->doubt[low].first <= log_index ? &verify->doubt[low]
																		  : NULL;
}
