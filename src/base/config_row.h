/*-------------------------------------------------------------------------
 * config_row.h
 *		Writing rows of our configuration tables beside the executor.
 *
 * Constraints are checked and triggers fire, so each change is an event as one by
 * SQL is. But the row is found by its primary key as logical replication finds
 * one: the newest version is locked and changed, whatever snapshot the transaction
 * has. So nothing can fail to serialize, and no predicate lock is taken. It
 * needs no privilege: the caller has checked what is asked for.
 *-------------------------------------------------------------------------
 */
#ifndef AT_CONFIG_ROW_H
#define AT_CONFIG_ROW_H

#include "utils/rel.h"

/* What is to be written; arrays have one member a column. */
typedef struct AtConfigRow
{
	Relation rel;
	Datum *values;
	bool *nulls;
	bool *given; /* is the column to be written? */
} AtConfigRow;

/* Begin with no column given; takes RowExclusiveLock to the end of the transaction. */
extern void at_config_begin(AtConfigRow *row, const char *table);

/* Give a column its value; a text that is NULL is null. What is pointed to must stay. */
extern void at_config_set(AtConfigRow *row, int column, Datum value);
extern void at_config_set_text(AtConfigRow *row, int column, const char *value);

/*
 * Write the given columns to the row whose primary key is among them, or remove it; false if there
 * is none. Then the running transaction sees the change.
 */
extern bool at_config_update(AtConfigRow *row);
extern bool at_config_delete(AtConfigRow *row);

/* Add a row; what is not given is null. */
extern void at_config_insert(AtConfigRow *row);

extern void at_config_end(AtConfigRow *row);

#endif
