/*-------------------------------------------------------------------------
 * kept.h
 *		Checkpoints that the user kept from earlier: whatever is verified must
 *		agree with them.
 *
 * They tell what no signature can: that the log was set back, that another
 * history was signed for somebody else, or that history was rewritten, also
 * by who has the log's key.
 *-------------------------------------------------------------------------
 */
#ifndef AT_KEPT_H
#define AT_KEPT_H

#include "trust.h"

typedef struct AtKeptCheckpoint
{
	uint64_t size;
	AtHash root;
} AtKeptCheckpoint;

typedef struct AtKept
{
	const char *path; /* NULL: the user kept none */
	char *origin;     /* of all of them */
	size_t count;
	size_t max;
	AtKeptCheckpoint *checkpoint; /* ascending by size */

	const char *consistency_path; /* what audit.prove_consistency() gave, or NULL */
} AtKept;

/*
 * Read a file of checkpoints, one behind the other, as the server writes it:
 * what is left of one that was cut off is passed over. at_fatal() if one of
 * them is not signed with a key that was given.
 */
extern void at_kept_read(AtKept *kept, const char *path, const AtUserTrust *trust);

extern void at_kept_free(AtKept *kept);

/*
 * Does a verified checkpoint agree with the ones that were kept? By their
 * roots where sizes are equal, else by the consistency proof; at_fatal() if
 * that is needed and not there. The newest checkpoint of a log must not be
 * smaller than one that was kept.
 */
extern void at_kept_compare(AtResult *result, const AtKept *kept, const AtCheckpoint *checkpoint,
							const char *part, bool is_newest);

/*
 * The same for a log of which all entries are at hand: for each size, ascending,
 * ask whether a checkpoint of it was kept, and if so compare the root. *next
 * is the first one not compared yet. checkpoint is the end of the log.
 */
extern bool at_kept_wants(const AtKept *kept, size_t *next, uint64_t size);
extern void at_kept_compare_root(AtResult *result, const AtKept *kept, size_t *next,
								 const AtHash *root, const AtCheckpoint *checkpoint,
								 const char *part);
extern void at_kept_compare_end(AtResult *result, const AtKept *kept, size_t next,
								const AtCheckpoint *checkpoint, const char *part);

#endif
