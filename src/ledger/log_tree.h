/*-------------------------------------------------------------------------
 * log_tree.h
 *		Subtrees of the log's tree, for proofs.
 *
 * Each is made of one row of audit.checkpoint, whose frontier has the
 * subtrees to the left, and one entry. So a proof reads about twice as many
 * rows as it has hashes, whatever the size of the log.
 *-------------------------------------------------------------------------
 */
#ifndef AT_LOG_TREE_H
#define AT_LOG_TREE_H

#include "utils/snapshot.h"

#include "core/proof.h"

typedef struct AtLogTree AtLogTree;

/* Open; the tree lives in the current context. The snapshot is the caller's. */
extern AtLogTree *at_log_tree_open(Snapshot snapshot);

/* An AtSubtreeRoot, whose source is an AtLogTree; false where rows are missing or were changed. */
extern bool at_log_tree_subtree(void *tree, int level, uint64_t index, AtHash *root);

/* Root of the log at this size; false likewise. */
extern bool at_log_tree_root(AtLogTree *tree, uint64 size, AtHash *root);

extern void at_log_tree_close(AtLogTree *tree);

#endif
