/*-------------------------------------------------------------------------
 * log_tree.c
 *		Subtrees of the log's tree, for proofs.
 *
 * A subtree of 2^n leaves ends before a multiple of 2^n. One leaf before
 * that, the n lowest bits of the tree's size are set, so the frontier has the
 * parts of which the subtree is made, but for its last leaf.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "ledger/log_read.h"
#include "ledger/log_tree.h"

struct AtLogTree
{
	AtEntryReader *entries;
	AtCheckpointReader *checkpoints;
};

static const AtCheckpointRow *read_checkpoint(AtLogTree *tree, uint64 size);

AtLogTree *
at_log_tree_open(Snapshot snapshot)
{
	AtLogTree *tree = palloc(sizeof(AtLogTree));

	tree->entries = at_entry_reader_open(snapshot);
	tree->checkpoints = at_checkpoint_reader_open(snapshot);
	return tree;
}

bool
at_log_tree_subtree(void *source, int level, uint64_t index, AtHash *root)
{
	AtLogTree *tree = source;
	uint64 last = ((index + 1) << level) - 1;
	const AtCheckpointRow *before = NULL;
	const AtEntryRow *entry;

	if (level > 0 && (before = read_checkpoint(tree, last)) == NULL)
		return false;
	at_entry_reader_start(tree->entries, last, last);
	entry = at_entry_reader_next(tree->entries);
	if (entry == NULL || entry->is_odd)
		return false;

	*root = entry->leaf;
	for (int i = 0; i < level; i++)
		if (!at_hash_node(&before->tree.peak[i], root, root))
			return false;
	return true;
}

bool
at_log_tree_root(AtLogTree *tree, uint64 size, AtHash *root)
{
	const AtCheckpointRow *row = read_checkpoint(tree, size);

	if (row != NULL)
		*root = row->root;
	return row != NULL;
}

/* NULL if it is not there, or not sound. */
static const AtCheckpointRow *
read_checkpoint(AtLogTree *tree, uint64 size)
{
	const AtCheckpointRow *row;

	at_checkpoint_reader_start(tree->checkpoints, size, size);
	row = at_checkpoint_reader_next(tree->checkpoints);
	return row != NULL && row->is_sound ? row : NULL;
}

void
at_log_tree_close(AtLogTree *tree)
{
	at_entry_reader_close(tree->entries);
	at_checkpoint_reader_close(tree->checkpoints);
	pfree(tree);
}
