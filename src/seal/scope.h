/*-------------------------------------------------------------------------
 * scope.h
 *		How much of the ledger audit.verify() is to look at: all of it, what
 *		came since the last sealed result, one transaction, one table, a time.
 *-------------------------------------------------------------------------
 */
#ifndef AT_SCOPE_H
#define AT_SCOPE_H

#include "fmgr.h"
#include "nodes/pg_list.h"

#include "core/body.h"

typedef struct AtScope
{
	char *checkpoints; /* notes of the auditor's; NULL: none */
	char *public_key;  /* that they must be signed by; NULL: those of the log */

	bool since_last;
	bool resume;
	int workers; /* -1: as many as seem right */

	bool one_transaction;
	uint64 tx_id;

	char *table_name; /* as given; NULL: all tables */
	List *tables;     /* of AtScopeTable: all the names that it had */

	bool in_time;
	int64 since; /* microseconds since 1970, both included */
	int64 until;
} AtScope;

typedef struct AtScopeTable
{
	char *schema;
	char *table;
} AtScopeTable;

/* The arguments of audit.verify(); an error for those that do not go together. */
extern void at_scope_read(AtScope *scope, FunctionCallInfo fcinfo);

/* Learn under which names the table was recorded, as the active snapshot sees them. */
extern void at_scope_find_table(AtScope *scope);

/* Is all of the ledger looked at, so that what no batch leads to is found too? */
extern bool at_scope_is_whole(const AtScope *scope);

/* May the batch of this entry have something that is to be looked at? */
extern bool at_scope_wants(const AtScope *scope, const AtEntryBody *entry);

/* "full", "since last", ...: a constant. */
extern const char *at_scope_mode(const AtScope *scope);

#endif
