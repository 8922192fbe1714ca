/*-------------------------------------------------------------------------
 * retention_class.h
 *		Which retention class an event is stored under.
 *
 * A policy of retention gets a class of its own, and so partitions of its own:
 * then what expires together is dropped together. The class says where a row
 * is stored and nothing more; how long it is kept, the policies say that are
 * in force when the question is asked.
 *
 * Policies are control records of the log, of kind "retention"; of several for
 * the same scope the last one is in force. That of the event's type goes
 * before that of its table, and that before the one of its business context.
 *-------------------------------------------------------------------------
 */
#ifndef AT_RETENTION_CLASS_H
#define AT_RETENTION_CLASS_H

#include "core/body.h"

#define AT_KIND_RETENTION "retention"

/* The class of everything for which there is no policy, or whose class has no partitions yet. */
#define AT_RETENTION_CLASS_DEFAULT 1

/*
 * The class of the next event of this type (perhaps missing) and version of a table; the one given
 * where there is no policy for it.
 */
extern int16 at_retention_class(int32 target_id, AtSpan event_type, int16 otherwise);

/* All classes that policies have, but for the default one; in the current context. */
extern int at_retention_classes(int16 **classes);

/* Policies have changed: all sessions read them anew after the commit of this transaction. */
extern void at_retention_classes_changed(void);

/* Register the invalidation callback. */
extern void at_retention_class_init(void);

#endif
