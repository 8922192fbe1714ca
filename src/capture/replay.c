/*-------------------------------------------------------------------------
 * replay.c
 *		Applies the events of a table and compares the outcome with its rows.
 *
 * Everything goes through a sort by (group, time, tx_id, ordinal), in which a
 * live row comes after all events. With a key the group is the key: its rows
 * (several for a moment, where uniqueness is deferred) are a record. Those
 * of records that changed their key go through a second sort, by time alone.
 * Without a key the group is the digest of a content.
 *
 * Where a key has several rows at once, an event is about the first of them
 * that has the values which the event says it replaced.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "capture/replay.h"
#include "capture/replay_sort.h"
#include "core/hash.h"
#include "ledger/datum.h"

#define OP_LIVE  'L' /* a row that is in the table */
#define OP_COMES '+' /* of a table without key: a row with this content comes, or goes */
#define OP_GOES  '-'

/* A row of the trail or of the table. */
typedef struct ReplayRow
{
	struct ReplayRow *next;
	AtImage *image;
	bool whole; /* false: it is known by updates only */
	TimestampTz at;
	int64 tx_id; /* last event */
	int32 ordinal;
} ReplayRow;

/* A record: all rows that have its key. */
typedef struct Record
{
	AtHash digest; /* of the key */
	struct varlena *key;
	ReplayRow *rows;
	ReplayRow *lives;
} Record;

struct AtReplay
{
	const AtImageShape *shape;
	AtReplayRules rules;
	AtReplayReport report;
	void *arg;
	AtReplayTotals totals;

	AtReplaySort *sort;
	AtReplaySort *moved;  /* records that changed their key, by time */
	HTAB *moved_keys;     /* of digests; NULL: there are none */
	HTAB *records;        /* of moved ones; NULL: the only one is in single */
	MemoryContext memory; /* of rows */
	Record single;
};

static void put_content(AtReplay *replay, char op, const AtReplayEvent *event, AtImage *image);
static void note_moved(AtReplay *replay, struct varlena *key);
static void run_keyed(AtReplay *replay);
static void run_moved(AtReplay *replay);
static void run_contents(AtReplay *replay);
static void apply(AtReplay *replay, const AtReplayEvent *event);
static void settle(AtReplay *replay, Record *record);

AtReplay *
at_replay_begin(const AtImageShape *shape, const AtReplayRules *rules)
{
	AtReplay *replay = palloc0(sizeof(AtReplay));

	replay->shape = shape;
	replay->rules = *rules;
	replay->sort = at_replay_sort_begin(true);
	replay->memory =
		AllocSetContextCreate(CurrentMemoryContext, "audit_trail replay", ALLOCSET_DEFAULT_SIZES);
	return replay;
}

/* A set of things that are found by a digest, which is their first member. */
static HTAB *
make_table(const char *name, Size size)
{
	HASHCTL control = {.keysize = sizeof(AtHash), .entrysize = size, .hcxt = CurrentMemoryContext};

	return hash_create(name, 1024, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

static AtHash
digest_of(const struct varlena *bytes)
{
	AtHash digest;

	if (!at_hash(VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes), &digest))
		at_hash_failed();
	return digest;
}

void
at_replay_add(AtReplay *replay, const AtReplayEvent *event)
{
	replay->totals.events++;
	if (replay->rules.keyed)
	{
		at_replay_sort_put(replay->sort, event->key, event);
		if (event->former != NULL)
		{
			note_moved(replay, event->former);
			note_moved(replay, event->key);
		}
	}
	else if (event->op != 'U')
		put_content(replay, event->op == 'D' ? OP_GOES : OP_COMES, event,
					event->op == 'D' ? event->before : event->after);
	else
	{
		put_content(replay, OP_GOES, event, event->before);
		put_content(replay, OP_COMES, event,
					at_image_merge(replay->shape, event->before, event->after));
	}
}

void
at_replay_add_live(AtReplay *replay, struct varlena *key, AtImage *image)
{
	AtReplayEvent live = {.op = OP_LIVE, .at = DT_NOEND, .key = key, .after = image};

	replay->totals.live_rows++;
	if (replay->rules.keyed)
		at_replay_sort_put(replay->sort, key, &live);
	else
		put_content(replay, OP_LIVE, &live, image);
}

/* A row of a table without key; it is grouped by what is compared of it. */
static void
put_content(AtReplay *replay, char op, const AtReplayEvent *event, AtImage *image)
{
	AtImage *content = at_image_compared(replay->shape, image);
	AtHash digest = digest_of(content);
	AtReplayEvent part = {.op = op,
						  .at = event->at,
						  .tx_id = event->tx_id,
						  .ordinal = event->ordinal,
						  .after = content};

	at_replay_sort_put(replay->sort, DatumGetByteaPP(at_bytea_datum(&digest, AT_HASH_LEN)), &part);
}

/* The record has, or had, more than one key. */
static void
note_moved(AtReplay *replay, struct varlena *key)
{
	AtHash digest;
	MemoryContext save;

	if (key == NULL)
		return;
	digest = digest_of(key);
	if (replay->moved_keys == NULL)
	{
		save = MemoryContextSwitchTo(GetMemoryChunkContext(replay));
		replay->moved_keys = make_table("audit_trail moved keys", sizeof(AtHash));
		MemoryContextSwitchTo(save);
	}
	(void) hash_search(replay->moved_keys, &digest, HASH_ENTER, NULL);
}

AtReplayTotals
at_replay_run(AtReplay *replay, AtReplayReport report, void *arg)
{
	replay->report = report;
	replay->arg = arg;
	if (!replay->rules.keyed)
		run_contents(replay);
	else
	{
		if (replay->moved_keys != NULL)
			replay->moved = at_replay_sort_begin(false);
		run_keyed(replay);
		if (replay->moved != NULL)
			run_moved(replay);
	}
	at_replay_sort_end(replay->sort);
	return replay->totals;
}

static inline bool
same_bytes(const struct varlena *a, const struct varlena *b)
{
	return VARSIZE_ANY_EXHDR(a) == VARSIZE_ANY_EXHDR(b) &&
		   memcmp(VARDATA_ANY(a), VARDATA_ANY(b), VARSIZE_ANY_EXHDR(a)) == 0;
}

static struct varlena *
copy_varlena(MemoryContext memory, const struct varlena *value)
{
	struct varlena *copy = MemoryContextAlloc(memory, VARSIZE_ANY(value));

	memcpy(copy, value, VARSIZE_ANY(value));
	return copy;
}

/* Is the record one of those that go through the second sort? */
static bool
has_moved(AtReplay *replay, struct varlena *key)
{
	AtHash digest;

	if (replay->moved_keys == NULL || key == NULL)
		return false;
	digest = digest_of(key);
	return hash_search(replay->moved_keys, &digest, HASH_FIND, NULL) != NULL;
}

/* The records that kept their key: one after the other. */
static void
run_keyed(AtReplay *replay)
{
	struct varlena *group = NULL;
	struct varlena *this_group;
	AtReplayEvent event;
	bool moved = false;

	while (at_replay_sort_next(replay->sort, &this_group, &event))
	{
		if (group == NULL || !same_bytes(group, this_group))
		{
			settle(replay, &replay->single);
			MemoryContextReset(replay->memory);
			group = copy_varlena(replay->memory, this_group);
			replay->single =
				(Record){.key = event.key ? copy_varlena(replay->memory, event.key) : NULL};
			moved = has_moved(replay, event.key);
		}
		if (moved)
			at_replay_sort_put(replay->moved, this_group, &event);
		else
			apply(replay, &event);
	}
	settle(replay, &replay->single);
	MemoryContextReset(replay->memory);
}

/* The others: all of them at once, in the order of time. */
static void
run_moved(AtReplay *replay)
{
	HASH_SEQ_STATUS status;
	struct varlena *group;
	AtReplayEvent event;
	Record *record;

	replay->records = make_table("audit_trail moved records", sizeof(Record));
	while (at_replay_sort_next(replay->moved, &group, &event))
		apply(replay, &event);
	hash_seq_init(&status, replay->records);
	while ((record = hash_seq_search(&status)) != NULL)
		settle(replay, record);
	at_replay_sort_end(replay->moved);
}

static Record *
find_record(AtReplay *replay, struct varlena *key)
{
	Record *record;
	AtHash digest;
	bool found;

	if (replay->records == NULL)
		return &replay->single;
	if (key == NULL)
		memset(&digest, 0, sizeof(digest));
	else
		digest = digest_of(key);
	record = hash_search(replay->records, &digest, HASH_ENTER, &found);
	if (!found)
	{
		record->key = key ? copy_varlena(replay->memory, key) : NULL;
		record->rows = record->lives = NULL;
	}
	return record;
}

static void
append_row(ReplayRow **list, ReplayRow *row)
{
	while (*list != NULL)
		list = &(*list)->next;
	row->next = NULL;
	*list = row;
}

static ReplayRow *
make_row(AtReplay *replay, const AtReplayEvent *event, const AtImage *image)
{
	ReplayRow *row = MemoryContextAlloc(replay->memory, sizeof(ReplayRow));

	*row = (ReplayRow){.image = copy_varlena(replay->memory, image),
					   .whole = true,
					   .at = event->at,
					   .tx_id = event->tx_id,
					   .ordinal = event->ordinal};
	return row;
}

static void
free_row(ReplayRow *row)
{
	pfree(row->image);
	pfree(row);
}

static void
tell(AtReplay *replay, const AtReplayFinding *finding)
{
	replay->totals.findings++;
	replay->report(finding, replay->arg);
}

static char *
text_of(const struct varlena *value)
{
	return value ? text_to_cstring((const text *) value) : NULL;
}

static char *
cell_text(AtJsonSlice cell)
{
	return cell.data ? pnstrdup(cell.data, cell.len) : NULL;
}

/* The event found other values than the ones before it left. */
static void
tell_unrecorded(AtReplay *replay, const Record *record, const ReplayRow *row,
				const AtReplayEvent *event)
{
	int n = Max(replay->shape->ncolumns, 1);
	AtJsonSlice *left = palloc(sizeof(AtJsonSlice) * n);
	AtJsonSlice *found = palloc(sizeof(AtJsonSlice) * n);

	at_image_cells(replay->shape, row->image, left);
	at_image_cells(replay->shape, event->before, found);
	for (int i = 0; i < replay->shape->ncolumns; i++)
	{
		if (!at_image_differs(&replay->shape->columns[i], left[i], found[i]))
			continue;
		tell(replay,
			 &(AtReplayFinding){
				 .finding = "unrecorded change",
				 .record_key = text_of(record->key),
				 .column_name = replay->shape->columns[i].name,
				 .trail_value = cell_text(left[i]),
				 .detail = psprintf("event " INT64_FORMAT ".%d found %s, event " INT64_FORMAT
									".%d had left another value",
									event->tx_id, event->ordinal, cell_text(found[i]), row->tx_id,
									row->ordinal),
			 });
	}
	pfree(left);
	pfree(found);
}

/* Take the row that the event is about out of its record; NULL if the trail has none. */
static ReplayRow *
take_row(AtReplay *replay, Record *record, const AtReplayEvent *event)
{
	ReplayRow **link = &record->rows;
	ReplayRow *row;

	while (*link != NULL && !at_image_agrees(replay->shape, (*link)->image, event->before))
		link = &(*link)->next;
	if (*link == NULL)
		link = &record->rows;
	row = *link;
	if (row != NULL)
	{
		*link = row->next;
		if (replay->rules.updates && !at_image_agrees(replay->shape, row->image, event->before))
			tell_unrecorded(replay, record, row, event);
	}
	else if (replay->rules.whole && replay->rules.inserts && !replay->rules.rows_came)
		tell(replay,
			 &(AtReplayFinding){
				 .finding = "unrecorded change",
				 .record_key = text_of(record->key),
				 .detail = psprintf("event " INT64_FORMAT ".%d is about a row that the trail does "
									"not have at that time",
									event->tx_id, event->ordinal),
			 });
	return row;
}

static void
apply_update(AtReplay *replay, Record *record, const AtReplayEvent *event)
{
	Record *from = event->former ? find_record(replay, event->former) : record;
	ReplayRow *row = take_row(replay, from, event);
	AtImage *older = row ? row->image : event->before;
	AtImage *merged = at_image_merge(replay->shape, older, event->after);
	ReplayRow *updated = make_row(replay, event, merged);

	pfree(merged);
	updated->whole = row != NULL && row->whole;
	append_row(&record->rows, updated);
	if (row != NULL)
		free_row(row);
}

static void
apply(AtReplay *replay, const AtReplayEvent *event)
{
	MemoryContext save = MemoryContextSwitchTo(replay->memory);
	Record *record = find_record(replay, event->key);
	ReplayRow *row;

	switch (event->op)
	{
		case OP_LIVE:
			append_row(&record->lives, make_row(replay, event, event->after));
			break;
		case 'I':
		case 'B':
			append_row(&record->rows, make_row(replay, event, event->after));
			break;
		case 'U':
			apply_update(replay, record, event);
			break;
		case 'D':
			row = take_row(replay, record, event);
			if (row != NULL)
				free_row(row);
			break;
	}
	MemoryContextSwitchTo(save);
}

/* The row that equals a live one; taken out. NULL if there is none. */
static ReplayRow *
take_equal(AtReplay *replay, Record *record, const ReplayRow *live)
{
	for (ReplayRow **link = &record->rows; *link != NULL; link = &(*link)->next)
	{
		ReplayRow *row = *link;

		if (row->whole && at_image_agrees(replay->shape, row->image, live->image))
		{
			*link = row->next;
			return row;
		}
	}
	return NULL;
}

static char *
last_event(const ReplayRow *row)
{
	return psprintf("its last event is " INT64_FORMAT ".%d", row->tx_id, row->ordinal);
}

static void
tell_different(AtReplay *replay, const Record *record, const ReplayRow *row, const ReplayRow *live)
{
	int n = Max(replay->shape->ncolumns, 1);
	AtJsonSlice *trail = palloc(sizeof(AtJsonSlice) * n);
	AtJsonSlice *there = palloc(sizeof(AtJsonSlice) * n);

	at_image_cells(replay->shape, row->image, trail);
	at_image_cells(replay->shape, live->image, there);
	for (int i = 0; i < replay->shape->ncolumns; i++)
		if (at_image_differs(&replay->shape->columns[i], trail[i], there[i]))
			tell(replay, &(AtReplayFinding){
							 .finding = "different value",
							 .record_key = text_of(record->key),
							 .column_name = replay->shape->columns[i].name,
							 .live_value = cell_text(there[i]),
							 .trail_value = cell_text(trail[i]),
							 .detail = last_event(row),
						 });
	pfree(trail);
	pfree(there);
}

/* A row that is compared with a live one, though some of its values cannot be. */
static void
note_unchecked(AtReplay *replay, const ReplayRow *row, const ReplayRow *live)
{
	if (at_image_unchecked(replay->shape, row->image, live->image))
		replay->totals.unchecked++;
}

static bool
is_shipped(const AtReplay *replay, const AtImage *image)
{
	AtJsonSlice *cells;
	AtJsonSlice *cell;
	bool shipped;

	if (replay->rules.shipped == 0)
		return false;
	cells = palloc(sizeof(AtJsonSlice) * replay->shape->ncolumns);
	at_image_cells(replay->shape, image, cells);
	cell = &cells[replay->rules.shipped - 1];
	shipped = cell->data != NULL && cell->len == 4 && memcmp(cell->data, "true", 4) == 0;
	pfree(cells);
	return shipped;
}

static void
tell_missing_in_trail(AtReplay *replay, const Record *record, const ReplayRow *row,
					  const ReplayRow *live)
{
	if (replay->rules.rows_came)
		replay->totals.presumed++;
	else if (row == NULL && is_shipped(replay, live->image))
		replay->totals.shipped++;
	else if (replay->rules.inserts)
		tell(replay,
			 &(AtReplayFinding){
				 .finding = "missing in the trail",
				 .record_key = text_of(record->key),
				 .live_value = at_image_show(replay->shape, live->image),
				 .detail = row ? "the trail has changes of this row, not the row itself" : NULL,
			 });
}

static void
tell_missing_in_table(AtReplay *replay, const Record *record, const ReplayRow *row)
{
	if (row->at < replay->rules.rows_left_at)
		replay->totals.presumed++;
	else if (replay->rules.deletes)
		tell(replay, &(AtReplayFinding){
						 .finding = "missing in the table",
						 .record_key = text_of(record->key),
						 .trail_value = at_image_show(replay->shape, row->image),
						 .detail = last_event(row),
					 });
}

/* All events of the record are applied: compare. */
static void
settle(AtReplay *replay, Record *record)
{
	MemoryContext save = MemoryContextSwitchTo(replay->memory);
	ReplayRow *left = NULL;
	ReplayRow *live;
	ReplayRow *next;

	for (ReplayRow *row = record->rows; row != NULL; row = row->next)
		replay->totals.trail_rows++;
	for (live = record->lives; live != NULL; live = next)
	{
		ReplayRow *equal = take_equal(replay, record, live);

		next = live->next;
		if (equal == NULL)
			append_row(&left, live);
		else
			note_unchecked(replay, equal, live);
	}
	for (live = left; live != NULL; live = live->next)
	{
		ReplayRow *row = record->rows;

		if (row == NULL || !row->whole)
			tell_missing_in_trail(replay, record, row, live);
		else
		{
			note_unchecked(replay, row, live);
			if (replay->rules.updates)
				tell_different(replay, record, row, live);
		}
		if (row != NULL)
			record->rows = row->next;
	}
	for (ReplayRow *row = record->rows; row != NULL; row = row->next)
		tell_missing_in_table(replay, record, row);
	MemoryContextSwitchTo(save);
}

/* How often a content came and went, and how often it is there. */
typedef struct Content
{
	AtReplayEvent example; /* its time is when a row with the content came last */
	int64 trail;
	int64 live;
} Content;

static void
settle_content(AtReplay *replay, const Content *content)
{
	int64 trail = replay->rules.whole ? content->trail : Max(content->trail, 0);
	int64 live = content->live;
	char *image;

	replay->totals.trail_rows += Max(trail, 0);
	if (trail == live)
		return;
	if (trail > live ? content->example.at < replay->rules.rows_left_at : replay->rules.rows_came)
	{
		replay->totals.presumed += trail > live ? trail - live : live - trail;
		return;
	}
	if (trail > live ? !replay->rules.deletes : !replay->rules.inserts)
		return;
	image = at_image_show(replay->shape, content->example.after);
	tell(replay, &(AtReplayFinding){
					 .finding = trail > live ? "missing in the table" : "missing in the trail",
					 .live_value = live > 0 ? image : NULL,
					 .trail_value = trail > 0 ? image : NULL,
					 .detail = psprintf(INT64_FORMAT " such rows in the table, " INT64_FORMAT
													 " in the trail",
										live, trail),
				 });
}

static void
run_contents(AtReplay *replay)
{
	struct varlena *group = NULL;
	struct varlena *this_group;
	AtReplayEvent event;
	Content content = {0};

	while (at_replay_sort_next(replay->sort, &this_group, &event))
	{
		if (group == NULL || !same_bytes(group, this_group))
		{
			if (group != NULL)
				settle_content(replay, &content);
			MemoryContextReset(replay->memory);
			group = copy_varlena(replay->memory, this_group);
			content = (Content){.example = event};
			content.example.after = copy_varlena(replay->memory, event.after);
		}
		if (event.op == OP_COMES)
			content.example.at = event.at;
		content.trail += event.op == OP_COMES ? 1 : event.op == OP_GOES ? -1 : 0;
		content.live += event.op == OP_LIVE ? 1 : 0;
	}
	if (group != NULL)
		settle_content(replay, &content);
	MemoryContextReset(replay->memory);
}
