/*-------------------------------------------------------------------------
 * told.c
 *		The other rooms hear of a recorded change of a row.
 *
 * Values are rendered when they are asked for: a column that did not change is
 * not in the event, but may decide whether the change matters.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "capture/told.h"
#include "ledger/hooks.h"

typedef struct Told
{
	const AtPolicy *policy;
	const AtRowChange *change;
	const AtDelta *delta;
} Told;

static AtChangedColumn changed_column(const AtChange *change, int i);
static bool append_value(const AtChange *change, bool is_new, AttrNumber attnum, StringInfo out);

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

	if (row == NULL || column == NULL || column->treatment != AT_PLAIN)
		return false;
	if (row->tts_isnull[column->attnum - 1])
		appendStringInfoString(out, "null");
	else
		(void) at_render_json(column, row->tts_values[column->attnum - 1], out);
	return true;
}
