/*-------------------------------------------------------------------------
 * refuse.h
 *		What the guard says: ERRCODE_AT_GUARDED, what was refused and why, and
 *		what to do in its place. None of these returns.
 *-------------------------------------------------------------------------
 */
#ifndef AT_REFUSE_H
#define AT_REFUSE_H

#include "base/compat.h"
#include "guard/guarded.h"

/* An object that is part of the audit trail; the verb says what was to be done to it. */
pg_noreturn extern void at_refuse(const char *verb, const ObjectAddress *object);

/* The same, where there is a name only. */
pg_noreturn extern void at_refuse_name(const char *verb, const char *kind, const char *name);

/* An object that would hang on a relation of the audit trail. */
pg_noreturn extern void at_refuse_addition(const ObjectAddress *object, Oid relation);

/* An object that would be in the schema. */
pg_noreturn extern void at_refuse_creation(const ObjectAddress *object);

/* An audit trigger. */
pg_noreturn extern void at_refuse_trigger(const char *verb, const AtGuarded *trigger);

/* An audited table that was to be dropped; and one with rows that is below an audited table. */
pg_noreturn extern void at_refuse_drop(Oid relid);
pg_noreturn extern void at_refuse_drop_below(Oid relid, Oid root);

/* An object of the schema pg_catalog; and rows of a catalog that were to be changed. */
pg_noreturn extern void at_refuse_system(const char *verb, const ObjectAddress *object);
pg_noreturn extern void at_refuse_catalog(Oid relid);

/* A cast between types that the trail is made of. */
pg_noreturn extern void at_refuse_cast(Oid source, Oid target);

/* A setting that only the configuration file may have; by which command. */
pg_noreturn extern void at_refuse_setting(const char *name, const char *how);

/* ALTER SYSTEM that would have the server start without the library. */
pg_noreturn extern void at_refuse_preload(void);

#endif
