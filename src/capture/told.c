/*-------------------------------------------------------------------------
 * told.c
 *		The other rooms hear of a recorded change of a row.
 *
 * Values are rendered when they are asked for: a column that did not change is
 * not in the event, but may decide whether the change matters.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/compat.h"
#include "capture/told.h"
#include "core/json_text.h"
#include "ledger/hooks.h"

typedef struct Told
{
	const AtPolicy *policy;
	const AtRowChange *change;
	const AtDelta *delta;

	/* of a row that has come from another partition, instead */
	const struct varlena *former;
	AtColumn **moved;
} Told;

static AtChangedColumn changed_column(const AtChange *change, int i);
static AtChangedColumn moved_column(const AtChange *change, int i);
static bool find_former(const Told *told, const AtColumn *column, AtText *value);
static bool append_value(const AtChange *change, bool is_new, AttrNumber attnum, StringInfo out);
static bool read_number(const AtChange *change, bool is_new, AttrNumber attnum, AtNumber *number);

void
at_told_row(const AtPolicy *policy, const AtRowChange *change, const AtDelta *delta,
			const AtEvent *event, AtEventName name)
{
	Told told = {.policy = policy, .change = change, .delta = delta};

	at_change_tell(&(AtChange){
		.event = event,
		.name = name,
		.relid = policy->root_relid,
		.nchanged = delta->nchanged,
		.changed = changed_column,
		.value = append_value,
		.number = read_number,
		.arg = &told,
	});
}

static AtText
text_of(const struct varlena *value)
{
	return (AtText){.data = VARDATA_ANY(value), .len = VARSIZE_ANY_EXHDR(value)};
}

/* Is a column recorded otherwise than it was in the other partition? */
static bool
has_moved(const Told *told, const AtEvent *event, const AtColumn *column)
{
	AtText before;
	AtText now;

	return find_former(told, column, &before) &&
		   at_json_text_find(text_of(event->new_values), column->name, &now) &&
		   (before.len != now.len || memcmp(before.data, now.data, now.len) != 0);
}

void
at_told_move(const AtPolicy *policy, const AtRowChange *change, const AtEvent *event,
			 AtEventName name, const struct varlena *former)
{
	AtEvent update = *event;
	Told told = {
		.policy = policy,
		.change = change,
		.former = former,
		.moved = palloc(sizeof(AtColumn *) * Max(policy->ncolumns, 1)),
	};
	int nmoved = 0;

	for (int i = 0; i < policy->ncolumns; i++)
		if (has_moved(&told, event, &policy->columns[i]))
			told.moved[nmoved++] = &policy->columns[i];
	update.op = 'U';
	update.old_values = (struct varlena *) former;
	at_change_tell(&(AtChange){
		.event = &update,
		.name = name,
		.relid = policy->root_relid,
		.nchanged = nmoved,
		.changed = moved_column,
		.value = append_value,
		.number = read_number,
		.arg = &told,
	});
}

void
at_told_emptied(const AtPolicy *policy, const AtEvent *event, AtEventName name)
{
	at_change_tell(&(AtChange){.event = event, .name = name, .relid = policy->root_relid});
}

static AtChangedColumn
changed_column(const AtChange *change, int i)
{
	const Told *told = change->arg;
	const AtColumn *column = told->delta->changed[i];

	return (AtChangedColumn){.attnum = column->root_attnum, .name = column->name};
}

static AtChangedColumn
moved_column(const AtChange *change, int i)
{
	const AtColumn *column = ((const Told *) change->arg)->moved[i];

	return (AtChangedColumn){.attnum = column->root_attnum, .name = column->name};
}

static bool
find_former(const Told *told, const AtColumn *column, AtText *value)
{
	return at_json_text_find(text_of(told->former), column->name, value);
}

static AtColumn *
find_column(const AtPolicy *policy, AttrNumber root_attnum)
{
	for (int i = 0; i < policy->ncolumns; i++)
		if (policy->columns[i].root_attnum == root_attnum)
			return &policy->columns[i];
	return NULL;
}

static bool
append_value(const AtChange *change, bool is_new, AttrNumber attnum, StringInfo out)
{
	const Told *told = change->arg;
	TupleTableSlot *row = is_new ? told->change->new_row : told->change->old_row;
	AtColumn *column = find_column(told->policy, attnum);

	AtText former;

	if (column == NULL || column->treatment != AT_PLAIN)
		return false;
	if (told->former != NULL && !is_new)
	{
		if (!find_former(told, column, &former))
			return false;
		appendBinaryStringInfo(out, former.data, former.len);
		return true;
	}
	if (row == NULL)
		return false;
	if (row->tts_isnull[column->attnum - 1])
		appendStringInfoString(out, "null");
	else
		(void) at_render_json(column, row->tts_values[column->attnum - 1], out);
	return true;
}

static bool
read_number(const AtChange *change, bool is_new, AttrNumber attnum, AtNumber *number)
{
	const Told *told = change->arg;
	TupleTableSlot *row = is_new ? told->change->new_row : told->change->old_row;
	const AtColumn *column = find_column(told->policy, attnum);

	return column != NULL && column->treatment == AT_PLAIN && row != NULL &&
		   (told->former == NULL || is_new) && !row->tts_isnull[column->attnum - 1] &&
		   at_render_number(column, row->tts_values[column->attnum - 1], number);
}
