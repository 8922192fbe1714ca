/*-------------------------------------------------------------------------
 * chunk.c
 *		Keeps long values of the ledger from who may not see its rows.
 *
 * Values of visible rows are fetched below the executor, so they never come
 * here.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_class.h"
#include "executor/executor.h"
#include "nodes/parsenodes.h"
#include "utils/acl.h"
#include "utils/lsyscache.h"

#include "base/catalog.h"
#include "base/compat.h"
#include "guard/chunk.h"
#include "guard/guarded.h"
#include "ledger/reader.h"

static ExecutorCheckPerms_hook_type next_check;

static bool check(AT_CHECK_PERMS_PARAMS);
static bool is_closed(const RangeTblEntry *entry);

void
at_chunk_init(void)
{
	next_check = ExecutorCheckPerms_hook;
	ExecutorCheckPerms_hook = check;
}

static bool
check(AT_CHECK_PERMS_PARAMS)
{
	ListCell *cell;

	if (next_check && !next_check(AT_CHECK_PERMS_ARGS))
		return false;
	foreach (cell, range_table)
	{
		const RangeTblEntry *entry = lfirst_node(RangeTblEntry, cell);

		if (!is_closed(entry))
			continue;
		if (report)
			aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_TABLE, get_rel_name(entry->relid));
		return false;
	}
	return true;
}

static bool
is_closed(const RangeTblEntry *entry)
{
	return entry->rtekind == RTE_RELATION && entry->relkind == RELKIND_TOASTVALUE &&
		   IsTransactionState() && OidIsValid(at_audit_schema()) &&
		   at_guarded_relation(entry->relid) && at_ledger_exists() && !at_reader_sees_all();
}
