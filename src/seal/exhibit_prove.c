/*-------------------------------------------------------------------------
 * exhibit_prove.c
 *		Bodies and proofs of a bundle of evidence.
 *
 * The tiles of a batch are read twice: once to find the leaves and to hash
 * each tile to its root, then again, those with leaves to be proved, one at
 * a time. So many events of one batch cost little more than the batch.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "base/errors.h"
#include "core/log_tile.h"
#include "ledger/datum.h"
#include "ledger/log_read.h"
#include "ledger/log_tree.h"
#include "ledger/owner.h"
#include "ledger/public_key.h"
#include "ledger/read.h"
#include "ledger/signed_head.h"
#include "seal/exhibit.h"

/* Base64 makes four bytes of three, and a file of an archive has less than a gigabyte. */
#define BODY_MAX (512 * 1024 * 1024)

/* Levels of a batch's tree above its tiles. */
#define UPPER_LEVELS 56

/* The tree of one batch: all of its upper part, and one tile. */
typedef struct BatchTree
{
	AtTileReader *reader;
	uint64 log_index;
	uint64 leaf_count;
	AtHash *upper[UPPER_LEVELS]; /* roots of full tiles, then of pairs of them, and so on */
	uint64 tile;                 /* the one in lower */
	AtHash lower[AT_LOG_TILE_HEIGHT + 1][AT_LOG_TILE_WIDTH];
} BatchTree;

static void check_sessions(const AtExhibit *exhibit);
static void read_events(AtExhibit *exhibit);
static void read_event(AtExhibit *exhibit, AtEventReader *reader, const AtEventName *name,
					   bool goes_on, AtExhibitLeaf *leaf);
static int compare_leaves(const void *a, const void *b);
static void read_entries(AtExhibit *exhibit);
static uint64 *list_entries(AtExhibit *exhibit, size_t *count);
static void prove_entry(AtExhibit *exhibit, AtLogTree *tree, AtExhibitEntry *entry);
static void prove_batch(AtExhibit *exhibit, const AtExhibitEntry *entry, AtExhibitLeaf *first,
						size_t count);
static void find_leaves(BatchTree *tree, AtExhibitLeaf *first, size_t count);
static void find_in_tile(const AtTileRow *row, AtExhibitLeaf *first, size_t count);
static AtExhibitLeaf *search(AtExhibitLeaf *first, size_t count, uint64 tx_id, uint32 ordinal);
static void make_upper(BatchTree *tree);
static bool load_tile(BatchTree *tree, uint64 number);
static void hash_tile(AtHash levels[][AT_LOG_TILE_WIDTH], const AtTile *tile);
static bool subtree(void *source, int level, uint64_t index, AtHash *root);
static void prove_leaf(BatchTree *tree, const AtExhibitEntry *entry, AtExhibitLeaf *leaf);

void
at_exhibit_broken(const char *detail)
{
	ereport(ERROR, (errcode(ERRCODE_AT_INTEGRITY),
					errmsg("the audit ledger does not give evidence that holds"),
					errdetail("%s", detail), errhint("SELECT * FROM audit.verify();")));
}

static void
hashed(bool done)
{
	if (!done)
		at_hash_failed();
}

void
at_exhibit_prove(AtExhibit *exhibit)
{
	size_t first = 0;

	check_sessions(exhibit);
	read_events(exhibit);
	read_entries(exhibit);
	for (size_t i = 0; i < exhibit->entry_count; i++)
	{
		size_t end = first;

		while (end < exhibit->leaf_count &&
			   exhibit->leaf[end].log_index == exhibit->entry[i].log_index)
			end++;
		if (end > first)
			prove_batch(exhibit, &exhibit->entry[i], &exhibit->leaf[first], end - first);
		first = end;
	}
}

/* Each ends the transaction that wrote it. */
static void
check_sessions(const AtExhibit *exhibit)
{
	for (size_t i = 0; i < exhibit->session_count; i++)
	{
		const AtEvidenceSession *session = &exhibit->session[i];
		const AtExhibitTransaction *writer =
			bsearch(&session->tx_id, exhibit->transaction, exhibit->transaction_count,
					sizeof(AtExhibitTransaction), at_exhibit_compare);
		AtHash hash;

		hashed(at_hash(session->body.data, session->body.len, &hash));
		if (writer->body.len < sizeof(hash) ||
			memcmp(writer->body.data + writer->body.len - sizeof(hash), &hash, sizeof(hash)) != 0)
			at_exhibit_broken(psprintf("Session " UINT64_FORMAT
									   " is not as transaction " UINT64_FORMAT " has it.",
									   (uint64) session->session_id, (uint64) session->tx_id));
	}
}

static void
read_events(AtExhibit *exhibit)
{
	AtEventReader *reader = at_event_reader_open(exhibit->snapshot);
	size_t count = 0;

	exhibit->leaf_count = exhibit->selected_count + exhibit->transaction_count;
	exhibit->leaf = palloc_extended(sizeof(AtExhibitLeaf) * exhibit->leaf_count,
									MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	for (size_t i = 0; i < exhibit->transaction_count; i++)
	{
		const AtExhibitTransaction *transaction = &exhibit->transaction[i];
		const AtEventName *name = &exhibit->selected[transaction->first_event];

		for (size_t j = 0; j < transaction->event_count; j++)
		{
			exhibit->leaf[count].log_index = transaction->log_index;
			exhibit->leaf[count].selected = transaction->first_event + j;
			read_event(exhibit, reader, &name[j],
					   j > 0 && name[j].ordinal == name[j - 1].ordinal + 1,
					   &exhibit->leaf[count++]);
		}
		exhibit->leaf[count++] = (AtExhibitLeaf){
			.log_index = transaction->log_index,
			.tx_id = transaction->tx_id,
			.ordinal = AT_EXHIBIT_TRANSACTION,
			.body = transaction->body,
		};
	}
	at_event_reader_close(reader);
	qsort(exhibit->leaf, exhibit->leaf_count, sizeof(AtExhibitLeaf), compare_leaves);
}

static void
read_event(AtExhibit *exhibit, AtEventReader *reader, const AtEventName *name, bool goes_on,
		   AtExhibitLeaf *leaf)
{
	const AtEventRow *row;
	size_t len;
	char *bytes;

	CHECK_FOR_INTERRUPTS();
	if (!goes_on)
		at_event_reader_start(reader, AT_EVENTS_INDEXED, name->tx_id, name->ordinal);
	do
		row = at_event_reader_next(reader);
	while (row != NULL && row->place < name->ordinal);
	if (row == NULL || row->place != name->ordinal)
		ereport(ERROR, (errcode(ERRCODE_NO_DATA_FOUND),
						errmsg("there is no event " UINT64_FORMAT ".%u to prove", name->tx_id,
							   name->ordinal),
						errdetail("Its transaction is recorded, and has no such event."),
						errhint("See event_id in audit.events.")));
	len = at_event_body_size(&row->body);
	if (len > BODY_MAX)
		ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
						errmsg("event " UINT64_FORMAT ".%u is too large for evidence", name->tx_id,
							   name->ordinal),
						errdetail("It has %zu bytes; %d are the limit.", len, BODY_MAX),
						errhint("Leave it out. Its transaction tells how many events it has.")));
	bytes = palloc_extended(len, MCXT_ALLOC_HUGE);
	at_event_body_write(&row->body, (uint8 *) bytes);
	leaf->tx_id = name->tx_id;
	leaf->ordinal = name->ordinal;
	leaf->body = (AtText){bytes, len};
}

static int
compare_leaves(const void *a, const void *b)
{
	const AtExhibitLeaf *left = a;
	const AtExhibitLeaf *right = b;

	if (left->log_index != right->log_index)
		return left->log_index < right->log_index ? -1 : 1;
	if (left->tx_id != right->tx_id)
		return left->tx_id < right->tx_id ? -1 : 1;
	return (left->ordinal > right->ordinal) - (left->ordinal < right->ordinal);
}

/* The batches, and what tells of the log's keys and incarnations. */
static void
read_entries(AtExhibit *exhibit)
{
	AtEntryReader *reader = at_entry_reader_open(exhibit->snapshot);
	AtLogTree *tree = at_log_tree_open(exhibit->snapshot);
	size_t count;
	uint64 *indexes = list_entries(exhibit, &count);

	exhibit->entry =
		palloc_extended(sizeof(AtExhibitEntry) * count, MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	for (size_t i = 0; i < count; i++)
	{
		AtExhibitEntry *entry = &exhibit->entry[exhibit->entry_count];
		const AtEntryRow *row;
		char *bytes;

		if (i > 0 && indexes[i] == indexes[i - 1])
			continue;
		CHECK_FOR_INTERRUPTS();
		at_entry_reader_start(reader, indexes[i], indexes[i]);
		row = at_entry_reader_next(reader);
		if (row == NULL || row->is_odd)
			at_exhibit_broken(
				psprintf("Entry " UINT64_FORMAT " is missing or was changed.", indexes[i]));
		bytes = palloc(at_entry_body_size(&row->body));
		*entry = (AtExhibitEntry){
			.log_index = indexes[i],
			.body = {bytes, at_entry_body_write(&row->body, (uint8 *) bytes) - (uint8 *) bytes},
			.root = row->body.root,
			.leaf_count = row->body.leaf_count,
		};
		prove_entry(exhibit, tree, entry);
		exhibit->entry_count++;
	}
	at_log_tree_close(tree);
	at_entry_reader_close(reader);
}

/* In order; some may be there more than once. */
static uint64 *
list_entries(AtExhibit *exhibit, size_t *count)
{
	char *sql = psprintf("SELECT log_index FROM audit.log_entry WHERE kind IN ('" AT_KIND_BOOT
						 "', '" AT_KIND_INCARNATION "', '" AT_KIND_KEY "', '" AT_KIND_DECLARED
						 "') AND log_index < " UINT64_FORMAT,
						 exhibit->checkpoint.size);
	MemoryContext owner = CurrentMemoryContext;
	AtOwnerState state;
	uint64 *indexes;

	at_owner_enter(&state);
	SPI_connect();
	PushActiveSnapshot(exhibit->snapshot);
	if (SPI_execute(sql, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read the entries of the log");
	*count = SPI_processed + exhibit->transaction_count;
	indexes = MemoryContextAllocHuge(owner, sizeof(uint64) * *count);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		bool isnull;

		indexes[i] =
			DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1, &isnull));
	}
	for (size_t i = 0; i < exhibit->transaction_count; i++)
		indexes[SPI_processed + i] = exhibit->transaction[i].log_index;
	PopActiveSnapshot();
	SPI_finish();
	at_owner_leave(&state);
	qsort(indexes, *count, sizeof(uint64), at_exhibit_compare);
	return indexes;
}

static void
prove_entry(AtExhibit *exhibit, AtLogTree *tree, AtExhibitEntry *entry)
{
	uint64 size = exhibit->checkpoint.size;
	AtHash leaf;

	hashed(at_hash_leaf(entry->body.data, entry->body.len, &leaf));
	if (at_proof_make_inclusion(&entry->proof, entry->log_index, size, at_log_tree_subtree, tree) !=
			AT_OK ||
		at_proof_verify_inclusion(&entry->proof, entry->log_index, size, &leaf,
								  &exhibit->checkpoint.root) != AT_OK)
		at_exhibit_broken(psprintf("Entry " UINT64_FORMAT " is not in the log that was signed.",
								   entry->log_index));
}

static void
prove_batch(AtExhibit *exhibit, const AtExhibitEntry *entry, AtExhibitLeaf *first, size_t count)
{
	MemoryContext batch =
		AllocSetContextCreate(CurrentMemoryContext, "audit evidence batch", ALLOCSET_DEFAULT_SIZES);
	MemoryContext save = MemoryContextSwitchTo(batch);
	BatchTree *tree = palloc0(sizeof(BatchTree));

	tree->reader = at_tile_reader_open(exhibit->snapshot);
	tree->log_index = entry->log_index;
	tree->leaf_count = entry->leaf_count;
	tree->tile = PG_UINT64_MAX;
	find_leaves(tree, first, count);
	make_upper(tree);
	MemoryContextSwitchTo(save);
	for (size_t i = 0; i < count; i++)
		prove_leaf(tree, entry, &first[i]);
	at_tile_reader_close(tree->reader);
	MemoryContextDelete(batch);
}

/* Read all tiles: where are the leaves, and what are the roots of full tiles? */
static void
find_leaves(BatchTree *tree, AtExhibitLeaf *first, size_t count)
{
	uint64 full = tree->leaf_count / AT_LOG_TILE_WIDTH;
	const AtTileRow *row;

	tree->upper[0] = palloc_extended(sizeof(AtHash) * Max(full, 1), MCXT_ALLOC_HUGE);
	at_tile_reader_start(tree->reader, tree->log_index, tree->log_index);
	while ((row = at_tile_reader_next(tree->reader)) != NULL)
	{
		CHECK_FOR_INTERRUPTS();
		if (row->is_odd)
			continue;
		find_in_tile(row, first, count);
		if (row->place < full)
		{
			hash_tile(tree->lower, &row->tile);
			tree->upper[0][row->place] = tree->lower[AT_LOG_TILE_HEIGHT][0];
		}
	}
}

static void
find_in_tile(const AtTileRow *row, AtExhibitLeaf *first, size_t count)
{
	const AtExhibitLeaf *end = first + count;
	uint64 number = (uint64) row->place * AT_TILE_LEAVES;

	for (int i = 0; i < row->tile.run_count; i++)
	{
		const AtRun *run = &row->tile.run[i];
		AtExhibitLeaf *leaf = search(first, count, run->tx_id, run->first_ordinal);

		for (; leaf < end && leaf->tx_id == run->tx_id &&
			   leaf->ordinal - run->first_ordinal < run->count;
			 leaf++)
		{
			leaf->found = true;
			leaf->number = number + (leaf->ordinal - run->first_ordinal);
		}
		number += run->count;
		if (!run->closes)
			continue;
		leaf = search(first, count, run->tx_id, AT_EXHIBIT_TRANSACTION);
		if (leaf < end && leaf->tx_id == run->tx_id)
		{
			leaf->found = true;
			leaf->number = number;
		}
		number++;
	}
}

/* The first leaf that is not before this one. */
static AtExhibitLeaf *
search(AtExhibitLeaf *first, size_t count, uint64 tx_id, uint32 ordinal)
{
	AtExhibitLeaf wanted = {.log_index = first->log_index, .tx_id = tx_id, .ordinal = ordinal};
	size_t low = 0;
	size_t high = count;

	while (low < high)
	{
		size_t middle = low + (high - low) / 2;

		if (compare_leaves(&first[middle], &wanted) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return first + low;
}

/* From the roots of full tiles up. */
static void
make_upper(BatchTree *tree)
{
	uint64 count = tree->leaf_count / AT_LOG_TILE_WIDTH / 2;

	for (int level = 1; count > 0; level++, count /= 2)
	{
		tree->upper[level] = palloc_extended(sizeof(AtHash) * count, MCXT_ALLOC_HUGE);
		for (uint64 i = 0; i < count; i++)
			hashed(at_hash_node(&tree->upper[level - 1][2 * i], &tree->upper[level - 1][2 * i + 1],
								&tree->upper[level][i]));
	}
}

static bool
load_tile(BatchTree *tree, uint64 number)
{
	const AtTileRow *row;

	if (tree->tile == number)
		return true;
	row = at_tile_reader_find(tree->reader, tree->log_index, number);
	if (row == NULL || row->is_odd)
		return false;
	hash_tile(tree->lower, &row->tile);
	tree->tile = number;
	return true;
}

/* All levels, as far as there are leaves. */
static void
hash_tile(AtHash levels[][AT_LOG_TILE_WIDTH], const AtTile *tile)
{
	int count = tile->leaf_count;

	memcpy(levels[0], tile->leaf, sizeof(AtHash) * count);
	for (int level = 1; level <= AT_LOG_TILE_HEIGHT; level++)
	{
		count /= 2;
		for (int i = 0; i < count; i++)
			hashed(at_hash_node(&levels[level - 1][2 * i], &levels[level - 1][2 * i + 1],
								&levels[level][i]));
	}
}

/* An AtSubtreeRoot, whose source is a BatchTree. */
static bool
subtree(void *source, int level, uint64_t index, AtHash *root)
{
	BatchTree *tree = source;
	int shift = AT_LOG_TILE_HEIGHT - level;

	if (shift <= 0)
	{
		*root = tree->upper[-shift][index];
		return true;
	}
	if (!load_tile(tree, index >> shift))
		return false;
	*root = tree->lower[level][index & ((UINT64CONST(1) << shift) - 1)];
	return true;
}

static void
prove_leaf(BatchTree *tree, const AtExhibitEntry *entry, AtExhibitLeaf *leaf)
{
	AtProof proof;
	AtHash hash;

	CHECK_FOR_INTERRUPTS();
	hashed(at_hash_leaf(leaf->body.data, leaf->body.len, &hash));
	if (!leaf->found || leaf->number >= entry->leaf_count ||
		at_proof_make_inclusion(&proof, leaf->number, entry->leaf_count, subtree, tree) != AT_OK ||
		at_proof_verify_inclusion(&proof, leaf->number, entry->leaf_count, &hash, &entry->root) !=
			AT_OK)
		at_exhibit_broken(leaf->ordinal == AT_EXHIBIT_TRANSACTION
							  ? psprintf("Transaction " UINT64_FORMAT " is not in its batch, which "
										 "is entry " UINT64_FORMAT " of the log.",
										 leaf->tx_id, entry->log_index)
							  : psprintf("Event " UINT64_FORMAT ".%u is not in its batch, which is "
										 "entry " UINT64_FORMAT " of the log.",
										 leaf->tx_id, leaf->ordinal, entry->log_index));
	leaf->path_count = proof.count;
	leaf->path = palloc(sizeof(AtHash) * Max(proof.count, 1));
	memcpy(leaf->path, proof.hash, sizeof(AtHash) * proof.count);
}
