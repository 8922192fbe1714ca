/*-------------------------------------------------------------------------
 * target_names.h
 *		The names that events get from audit.target when they are hashed.
 *-------------------------------------------------------------------------
 */
#ifndef AT_TARGET_NAMES_H
#define AT_TARGET_NAMES_H

#include "utils/snapshot.h"

#include "core/body.h"

typedef struct AtTargetName
{
	int32 target_id;
	AtSpan schema;
	AtSpan table;
	AtSpan resource_type;
} AtTargetName;

typedef struct AtTargetNames AtTargetNames;

/* Names as the snapshot sees them; nothing is read before the first question. */
extern AtTargetNames *at_target_names_open(Snapshot snapshot);

/* The target's names, valid until the close; NULL if there is no such target. */
extern const AtTargetName *at_target_names_find(AtTargetNames *names, int32 target_id);

extern void at_target_names_close(AtTargetNames *names);

#endif
