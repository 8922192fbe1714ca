/*-------------------------------------------------------------------------
 * guarded.h
 *		What the guard protects: the schema audit and all that is in it, the
 *		extension and its members, what is attached to any of these, and the
 *		triggers that audited tables rest on.
 *-------------------------------------------------------------------------
 */
#ifndef AT_GUARDED_H
#define AT_GUARDED_H

#include "catalog/objectaddress.h"

typedef enum AtGuardedAs
{
	AT_GUARDED_NOT,
	AT_GUARDED_PART, /* of the audit trail */
	AT_GUARDED_ADDITION /* attached to relation, which is part of it */,
	AT_GUARDED_TRIGGER /* an audit trigger of relation */,
	AT_GUARDED_SYSTEM /* in pg_catalog, or attached to a catalog */
} AtGuardedAs;

typedef struct AtGuarded
{
	AtGuardedAs as;
	Oid relation;
	char *trigger; /* its name */
} AtGuarded;

/*
 * Is the object protected? With is_new it is being created or replaced by the
 * running command, and is looked at as it has become; else as it was. Does
 * not ask whether the guard is on and a ledger there to protect.
 */
extern AtGuarded at_guarded(const ObjectAddress *object, bool is_new);

/* Is the relation part of the audit trail, or a TOAST table of it? */
extern bool at_guarded_relation(Oid relid);

#endif
