/*-------------------------------------------------------------------------
 * relation_change.c
 *		Who in this library wants to know that a relation was changed.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/relation_change.h"

#define MAX_FUNCTIONS 16

static struct
{
	int count;
	RelcacheCallbackFunction function[MAX_FUNCTIONS];
} changes;

static void call_all(Datum arg, Oid relid);

void
at_relation_change_register(RelcacheCallbackFunction function)
{
	if (changes.count == MAX_FUNCTIONS)
		elog(FATAL, "more than %d modules want to know of changed relations", MAX_FUNCTIONS);
	if (changes.count == 0)
		CacheRegisterRelcacheCallback(call_all, (Datum) 0);
	changes.function[changes.count++] = function;
}

static void
call_all(Datum arg, Oid relid)
{
	for (int i = 0; i < changes.count; i++)
		changes.function[i](arg, relid);
}
