/*-------------------------------------------------------------------------
 * names.h
 *		Names of relations and lists of names, in the forms that SQL, the
 *		ledger and messages want.
 *
 * Lists are of C strings; results are in the current memory context.
 *-------------------------------------------------------------------------
 */
#ifndef AT_NAMES_H
#define AT_NAMES_H

#include "access/attnum.h"
#include "nodes/pg_list.h"

/* Schema and name of a relation, quoted as needed. */
extern char *at_qualified_name(Oid relid);

/* A type with its schema and modifier, alike in all versions of PostgreSQL. */
extern char *at_type_name(Oid type, int32 typmod);

/* Number of a column that has values in the table's rows; InvalidAttrNumber if there is none of
 * that name. */
extern AttrNumber at_stored_column(Oid relid, const char *name);

/* Is the name in the list? */
extern bool at_names_contain(List *names, const char *name);

/* The list as text[], as a JSON array, as a comma-separated line. */
extern Datum at_name_array(List *names);
extern char *at_name_json(List *names);
extern char *at_name_list(List *names);

#endif
