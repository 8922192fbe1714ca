/*-------------------------------------------------------------------------
 * filter.h
 *		Which changes of rows are recorded: a jsonpath predicate over
 *		{"old": row, "new": row}, of which an insert has no "old" and a delete
 *		no "new".
 *
 * The rows are whole, and the values true ones, also of columns that are
 * recorded otherwise or not at all. A change is left out only where the
 * predicate is false: what cannot be decided is recorded.
 *
 * The text of a path is that of jsonpath_out(), in which all names are
 * quoted. So the columns that it names can be found, and follow when they
 * get another name.
 *-------------------------------------------------------------------------
 */
#ifndef AT_FILTER_H
#define AT_FILTER_H

#include "executor/tuptable.h"
#include "utils/rel.h"

typedef struct AtFilter AtFilter;

/*
 * Raise an error where the path is no predicate, or asks for what is never
 * there: such a one would leave out everything.
 */
extern void at_filter_check(Relation rel, const char *path);

/* Compile the path for the rows of a relation; everything is in the current memory context. */
extern AtFilter *at_filter_build(Relation rel, const char *path);

/* Is the change to be recorded? A slot is NULL where there is no such row. */
extern bool at_filter_accepts(const AtFilter *filter, TupleTableSlot *old_row,
							  TupleTableSlot *new_row);

/*
 * Does the path name a column that the table has lost? `columns` are those
 * that it had, as audit.target has them.
 */
extern bool at_filter_has_lost(const char *path, const char *columns, Oid relid);

#endif
