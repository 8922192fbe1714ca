/*-------------------------------------------------------------------------
 * kind.h
 *		Events that are of no audited table: of a session, a role, an attempt.
 *
 * They have a row in audit.target too, by their resource type, which is made
 * with the first event of the kind.
 *-------------------------------------------------------------------------
 */
#ifndef AT_KIND_H
#define AT_KIND_H

#include "ledger/event.h"
#include "ledger/target.h"

/*
 * Read what events of a resource type are recorded under, in the current memory context; make it
 * if need be. Reads the whole table of targets.
 */
extern void at_kind_target(const char *resource_type, AtTarget *target);

/* An event of a target, with nothing but that. The type may be NULL: what the op says. */
extern AtEvent at_kind_event(const AtTarget *target, char op, const char *event_type);

/*
 * Append an event of a kind, and tell it to others (hooks.h); the values are members of a JSON
 * object, without braces. The key may be NULL.
 */
extern AtEventName at_kind_append(const char *resource_type, char op, const char *event_type,
								  const char *record_key, const char *values);

#endif
