/*-------------------------------------------------------------------------
 * owner_query.h
 *		Queries of our own over the ledger, as the extension's owner: for
 *		functions whose callers may see what they return and not what it is
 *		made of.
 *-------------------------------------------------------------------------
 */
#ifndef AT_OWNER_QUERY_H
#define AT_OWNER_QUERY_H

#include "fmgr.h"

/*
 * Run the query and return its rows as those of the set-returning function that is called; none
 * where there is no ledger. Columns must be those of the function. Parameters are never null.
 */
extern void at_owner_query(FunctionCallInfo fcinfo, const char *query, int nargs, Oid *types,
						   Datum *values);

/*
 * The first column of the first row as text, in the caller's context; NULL without a row, or where
 * it is null. It sees what the transaction has written, and what was committed until now.
 */
extern char *at_owner_value(const char *query, int nargs, Oid *types, Datum *values);

/* The same with parameters of which some may be null, told as SPI has it. */
extern char *at_owner_value_nulls(const char *query, int nargs, Oid *types, Datum *values,
								  const char *nulls);

/* Run a command that changes rows, so; returns how many. */
extern uint64 at_owner_execute(const char *command, int nargs, Oid *types, Datum *values);

#endif
