/*-------------------------------------------------------------------------
 * definition.h
 *		What somebody asks to be audited: the arguments of audit.enable(),
 *		checked against the table.
 *-------------------------------------------------------------------------
 */
#ifndef AT_DEFINITION_H
#define AT_DEFINITION_H

#include "fmgr.h"
#include "nodes/pg_list.h"
#include "utils/rel.h"

#include "capture/row_options.h"

/* Lists are of C strings; everything is in the context of at_definition_read(). */
typedef struct AtDefinition
{
	Oid relid;
	char *schema;
	char *table;
	char *qualified_name; /* quoted as needed */
	char *context;
	char *resource_type;
	List *operations; /* insert, update, delete, truncate, in this order */
	List *ignored;
	List *keys;     /* NIL: the table has none */
	bool baseline;  /* its rows are to be recorded */
	bool key_given; /* else they are those of the primary key */
	AtRowOptions row;
	char *truncate; /* as in AtStoredPolicy */
	bool query;     /* the text of statements is to be recorded */
	AtReadOptions read;
	char *row_described; /* the options of rows, for people; see at_row_options_describe() */
	char *columns_json;  /* see at_describe_columns() */
} AtDefinition;

/*
 * Read and check the arguments of audit.enable(); raises a clear error
 * (ERRCODE_AT_BAD_TARGET, ERRCODE_UNDEFINED_COLUMN, ...) for what cannot be
 * audited, and ERRCODE_INSUFFICIENT_PRIVILEGE for who may not.
 */
extern void at_definition_read(FunctionCallInfo fcinfo, Relation rel, AtDefinition *definition);

/* Places of arguments in a call. */
typedef struct AtOptionArgs
{
	int context;
	int operations;
	int mask;
	int hash;
	int truncate;
	int query; /* never null */
	int read_columns;
} AtOptionArgs;

/* Check those of its arguments that do not depend on the table. */
extern void at_definition_check_options(FunctionCallInfo fcinfo, const AtOptionArgs *args);

/* Raises an error unless the current user owns the table, or is an admin of the audit trail. */
extern void at_definition_check_owner(Relation rel);

/* Names of the primary key's columns in its order; NIL without one. */
extern List *at_primary_key(Relation rel);

/*
 * Columns of a table as audit.target has them: a JSON array of {"name", "type"},
 * with "recorded" besides where that is not as they are (at_treatment_words).
 */
extern char *at_describe_columns(Relation rel, const AtRowOptions *options, List *keys);

/* The names in such an array; `recorded` is a word that they must have there, or NULL for all. */
extern List *at_described_columns(const char *columns, const char *recorded);

#endif
