/*-------------------------------------------------------------------------
 * cold_rows.h
 *		Rows of a segment of cold rows, as the bodies that are hashed.
 *
 * Columns are those of audit.event and audit.transaction, in the order of these
 * tables; more of them, of a later version, are passed over. The names of an event's
 * table are not among them: target_id names a row of audit.target, which has them.
 *
 * Nothing is allocated. What is read points into the content.
 *-------------------------------------------------------------------------
 */
#ifndef AT_COLD_ROWS_H
#define AT_COLD_ROWS_H

#include "core/cold.h"

#define AT_COLD_COLUMNS_MAX 64

/* The rows that are left. */
typedef struct AtColdWalk
{
	const uint8_t *log_id;
	uint32_t left;
	AtColdColumn column[AT_COLD_COLUMNS_MAX];
} AtColdWalk;

/* What audit.target says of a table; context is under no hash. */
typedef struct AtColdTarget
{
	int32_t target_id;
	AtSpan schema;
	AtSpan table;
	AtSpan resource_type;
	AtSpan context;
} AtColdTarget;

/* Ascending by target_id. */
typedef struct AtColdTargets
{
	size_t count;
	const AtColdTarget *target;
} AtColdTargets;

/* The leaf of a row, and its place in the log once that is proved. */
typedef struct AtColdLeaf
{
	uint64_t tx_id;
	uint32_t ordinal; /* 0: of the transaction itself */
	bool is_proved;
	uint64_t log_index; /* of the batch */
	uint64_t number;    /* in the batch */
	AtHash hash;
} AtColdLeaf;

/* Begin with the first row of a content that was unpacked. AT_ERR_COLD_COLUMNS. */
extern AtError at_cold_walk_open(AtColdWalk *walk, const AtCold *cold, AtText content);

/* The next event, without the names of its table; false at the end. */
extern bool at_cold_walk_event(AtColdWalk *walk, AtEventBody *event, int32_t *target_id);

/* The next transaction; false at the end. A digest that is none is zeros. */
extern bool at_cold_walk_transaction(AtColdWalk *walk, AtTransactionBody *transaction);

/* The names of a table; NULL if they are not there. */
extern const AtColdTarget *at_cold_target_find(const AtColdTargets *targets, int32_t target_id);

/* Give an event these names. */
extern void at_cold_target_name(const AtColdTarget *target, AtEventBody *event);

/* So many bytes of scratch are enough for any row of a content of this length. */
#define AT_COLD_SCRATCH(content_len) ((size_t) (content_len) + 64 * 1024)

/*
 * The leaves of all rows of a segment, of which `leaf` has room for cold->rows. Looks whether the
 * rows are in their order, and what the head says of them. `before` is the leaf of the row before
 * the first; NULL: there is none. AT_ERR_COLD_COLUMNS, AT_ERR_COLD_TARGET, AT_ERR_PLACE,
 * AT_ERR_COUNTS.
 */
extern AtError at_cold_leaves(const AtCold *cold, AtText content, const AtColdTargets *targets,
							  char *scratch, size_t room, const AtColdLeaf *before,
							  AtColdLeaf *leaf);

#endif
