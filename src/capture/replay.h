/*-------------------------------------------------------------------------
 * replay.h
 *		Applies the events of a table from its first on, and compares the rows
 *		that come out with those that are there.
 *
 * Events and live rows are added in any order, and sorted by record and time
 * with work_mem. With a key, the events of one record are applied one after
 * the other; of records that ever changed their key all rows are in memory
 * at once. Without a key, it is counted how often each content comes and goes.
 *-------------------------------------------------------------------------
 */
#ifndef AT_REPLAY_H
#define AT_REPLAY_H

#include "datatype/timestamp.h"

#include "capture/image.h"

/* What the trail can be expected to tell. */
typedef struct AtReplayRules
{
	bool keyed;
	bool whole; /* it begins with a baseline: no row is older */
	bool inserts;
	bool updates;
	bool deletes;
	TimestampTz rows_left_at; /* rows not changed since may have gone with a partition */
	bool rows_came;           /* rows may have come with a partition */
	int shipped; /* number of the column that is true of rows older than any trail; 0: none */
} AtReplayRules;

/* An event. Varlenas may be packed; they are copied. */
typedef struct AtReplayEvent
{
	char op; /* I, U, D, B */
	TimestampTz at;
	int64 tx_id;
	int32 ordinal;
	struct varlena *key;    /* of the row after it; NULL without */
	struct varlena *former; /* before, if it was another; NULL otherwise */
	AtImage *before;        /* NULL for I and B */
	AtImage *after;         /* NULL for D */
} AtReplayEvent;

/* Strings may be NULL. */
typedef struct AtReplayFinding
{
	const char *finding;
	const char *record_key;
	const char *column_name;
	const char *live_value;
	const char *trail_value;
	const char *detail;
} AtReplayFinding;

typedef void (*AtReplayReport)(const AtReplayFinding *finding, void *arg);

/* What was found; for the summary. */
typedef struct AtReplayTotals
{
	uint64 events;
	uint64 live_rows;
	uint64 trail_rows;
	uint64 findings;
	uint64 unchecked; /* rows that have values which cannot be compared */
	uint64 presumed;  /* rows that are presumed to have come or gone with a partition */
	uint64 shipped;   /* rows that the trail need not have, since they came with the extension */
} AtReplayTotals;

typedef struct AtReplay AtReplay;

/* Everything is in the current memory context. */
extern AtReplay *at_replay_begin(const AtImageShape *shape, const AtReplayRules *rules);

extern void at_replay_add(AtReplay *replay, const AtReplayEvent *event);
extern void at_replay_add_live(AtReplay *replay, struct varlena *key, AtImage *image);

/* Apply and compare; calls back for each finding. */
extern AtReplayTotals at_replay_run(AtReplay *replay, AtReplayReport report, void *arg);

#endif
