/*-------------------------------------------------------------------------
 * retype.h
 *		Commands on types that change values of audited tables.
 *
 * A label of an enum that is renamed, an attribute of a composite type that
 * is added or dropped, also by an ALTER TABLE of a table whose rows are
 * values elsewhere: no row is touched, and yet it reads differently.
 *-------------------------------------------------------------------------
 */
#ifndef AT_RETYPE_H
#define AT_RETYPE_H

#include "nodes/nodes.h"

#include "capture/version.h"

/* What a command did to the values of a type. */
typedef struct AtRetype
{
	Oid type; /* InvalidOid: nothing */

	/* of an enum: a label; else NULL */
	const char *old_label;
	const char *new_label;
} AtRetype;

/* Before the command: may it be one of these? Locks nothing, raises nothing. */
extern AtRetype at_retype_of(Node *statement);

/* After it: append an event to each audited table that has values of the type. */
extern void at_retype_tell(const AtRetype *retype, const AtSchemaChange *change);

#endif
