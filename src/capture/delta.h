/*-------------------------------------------------------------------------
 * delta.h
 *		From row images to what is recorded of them: key, old and new values.
 *-------------------------------------------------------------------------
 */
#ifndef AT_DELTA_H
#define AT_DELTA_H

#include "executor/tuptable.h"

#include "capture/conceal.h"
#include "capture/policy.h"

/* What is recorded of a change of one row; all in the current memory context. */
typedef struct AtDelta
{
	struct varlena *record_key; /* NULL without key */
	struct varlena *old_values;
	struct varlena *new_values;
	/* members of a JSON object: what was shortened, whose values they are; NULL if nothing */
	StringInfo extra;
	AtPersonal *personal; /* NULL where the policy has no personal columns */
	int nchanged;         /* UPDATE only */
	AtColumn **changed;
} AtDelta;

/* The whole row; is_new tells where it goes. */
extern void at_delta_row(const AtPolicy *policy, TupleTableSlot *row, bool is_new, AtDelta *delta);

/*
 * The columns that differ, in their stored bytes and not as the type's
 * equality sees them. Returns false where nothing but ignored columns differs.
 */
extern bool at_delta_update(const AtPolicy *policy, TupleTableSlot *old_row,
							TupleTableSlot *new_row, AtDelta *delta);

#endif
