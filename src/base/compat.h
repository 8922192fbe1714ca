/*-------------------------------------------------------------------------
 * compat.h
 *		Differences between PostgreSQL 15 and 18, under the newest API's name,
 *		and between systems.
 *
 * The only file that may test PG_VERSION_NUM. Where the newest API has no
 * name that an older one can take, the name here begins with at_.
 *-------------------------------------------------------------------------
 */
#ifndef AT_COMPAT_H
#define AT_COMPAT_H

#include "access/genam.h"
#include "catalog/namespace.h"
#include "catalog/pg_attribute_d.h"
#include "catalog/pg_class_d.h"
#include "catalog/pg_database_d.h"
#include "catalog/pg_namespace_d.h"
#include "common/jsonapi.h"
#include "executor/executor.h"
#include "nodes/plannodes.h"
#include "parser/parse_relation.h"
#include "storage/lock.h"
#include "utils/acl.h"
#include "utils/guc.h"
#include "utils/tuplesort.h"

#if PG_VERSION_NUM < 150000
#error "audit_trail needs PostgreSQL 15 or newer"
#endif

/* 16 moved these. */
#if PG_VERSION_NUM >= 160000
#include "nodes/queryjumble.h"
#include "varatt.h"
#else
#include "utils/queryjumble.h"
#endif

/* 18 moved these. */
#if PG_VERSION_NUM >= 180000
#include "commands/explain_format.h"
#include "commands/explain_state.h"
#endif

/* Where a file system cannot be synced alone, all of them are. */
#ifndef HAVE_SYNCFS
#define syncfs(fd) ((void) (fd), sync(), 0)
#endif

/* 16 asks for the owner of any object with one function, and finds backends by an index. */
#if PG_VERSION_NUM < 160000
#define pgstat_get_local_beentry_by_index(i) pgstat_fetch_stat_local_beentry(i)

static inline bool
object_ownercheck(Oid class_id, Oid object_id, Oid role_id)
{
	switch (class_id)
	{
		case RelationRelationId:
			return pg_class_ownercheck(object_id, role_id);
		case NamespaceRelationId:
			return pg_namespace_ownercheck(object_id, role_id);
		default:
			Assert(class_id == DatabaseRelationId);
			return pg_database_ownercheck(object_id, role_id);
	}
}
#endif

/* 16 gave files of relations other names. */
#if PG_VERSION_NUM < 160000
#define RelFileLocator               RelFileNode
#define RelFileLocatorEquals(a, b)   RelFileNodeEquals(a, b)
#define rd_locator                   rd_node
#define relation_set_new_filelocator relation_set_new_filenode
#endif

/* 16 tells apart which indexes an update needs, where there was one flag for all. */
#if PG_VERSION_NUM < 160000
typedef bool TU_UpdateIndexes;

#define at_simple_heap_update(rel, tid, tuple) simple_heap_update(rel, tid, tuple)
#else
#define at_simple_heap_update(rel, tid, tuple)                                                     \
	do                                                                                             \
	{                                                                                              \
		TU_UpdateIndexes which;                                                                    \
                                                                                                   \
		simple_heap_update(rel, tid, tuple, &which);                                               \
	} while (0)
#endif

/* 16 has privileges beside the range table, which their hook is given too. */
#if PG_VERSION_NUM >= 160000
#define AT_CHECK_PERMS_PARAMS List *range_table, List *perm_infos, bool report
#define AT_CHECK_PERMS_ARGS   range_table, perm_infos, report

static inline AclMode
at_required_perms(const PlannedStmt *plan, const RangeTblEntry *entry)
{
	return entry->perminfoindex == 0
			   ? ACL_NO_RIGHTS
			   : getRTEPermissionInfo(plan->permInfos, (RangeTblEntry *) entry)->requiredPerms;
}

static inline Bitmapset *
at_selected_columns(const PlannedStmt *plan, const RangeTblEntry *entry)
{
	return entry->perminfoindex == 0
			   ? NULL
			   : getRTEPermissionInfo(plan->permInfos, (RangeTblEntry *) entry)->selectedCols;
}

static inline Bitmapset *
at_updated_columns(const PlannedStmt *plan, const RangeTblEntry *entry)
{
	return entry->perminfoindex == 0
			   ? NULL
			   : getRTEPermissionInfo(plan->permInfos, (RangeTblEntry *) entry)->updatedCols;
}

static inline bool
at_is_permitted(const PlannedStmt *plan, RangeTblEntry *entry)
{
	return entry->perminfoindex == 0 ||
		   ExecCheckPermissions(NIL, list_make1(getRTEPermissionInfo(plan->permInfos, entry)),
								false);
}
#else
#define at_is_permitted(plan, entry)            ExecCheckRTEPerms(entry)
#define at_selected_columns(plan, entry)        ((void) (plan), (entry)->selectedCols)
#define at_updated_columns(plan, entry)         ((void) (plan), (entry)->updatedCols)
#define AT_CHECK_PERMS_PARAMS                   List *range_table, bool report
#define AT_CHECK_PERMS_ARGS                     range_table, report
#define at_required_perms(plan, entry)          ((void) (plan), (entry)->requiredPerms)
#define addRTEPermissionInfo(perm_infos, entry) ((void) (perm_infos), (void) (entry))
#endif

/* 17 asks whether several processes may build an index, which before were for btree alone. */
#if PG_VERSION_NUM >= 170000
#define at_forbid_parallel_build(routine) ((void) ((routine)->amcanbuildparallel = false))
#else
#define at_forbid_parallel_build(routine) ((void) (routine))
#endif

/* 16 lets the caller take a sorted datum without a copy, and name the target relations of a query.
 */
#if PG_VERSION_NUM < 160000
#define tuplesort_getdatum(state, forward, copy, value, isnull, abbrev)                            \
	tuplesort_getdatum((state), (forward), (value), (isnull), (abbrev))
#define EvalPlanQualInit(epq, estate, plan, marks, param, targets)                                 \
	EvalPlanQualInit((epq), (estate), (plan), (marks), (param))
#endif

/* 16 added the privileges, 18 the relations that are left after pruning. */
#if PG_VERSION_NUM < 160000
#define ExecInitRangeTable(estate, range_table, perm_infos, unpruned)                              \
	((void) (perm_infos), (void) (unpruned), ExecInitRangeTable((estate), (range_table)))
#elif PG_VERSION_NUM < 180000
#define ExecInitRangeTable(estate, range_table, perm_infos, unpruned)                              \
	((void) (unpruned), ExecInitRangeTable((estate), (range_table), (perm_infos)))
#endif

/* 16 calls the file of a relation by number; 17 wants to know which statement reindexes. */
#if PG_VERSION_NUM < 160000
#define RelationSetNewRelfilenumber(rel, persistence)                                              \
	RelationSetNewRelfilenode((rel), (persistence))
#endif
#if PG_VERSION_NUM < 170000
#define at_reindex_relation(relid, flags, params) reindex_relation((relid), (flags), (params))
#else
#define at_reindex_relation(relid, flags, params) reindex_relation(NULL, (relid), (flags), (params))
#endif

/* 16 lets an action of the JSON parser end it. */
#if PG_VERSION_NUM >= 160000
typedef JsonParseErrorType AtJsonAction;
#define AT_JSON_GO_ON return JSON_SUCCESS
#else
typedef void AtJsonAction;
#define AT_JSON_GO_ON return
#endif

/* 16 keeps who was authenticated apart from the connection. */
#if PG_VERSION_NUM < 160000
#define AT_AUTHENTICATED_NAME(port) ((port)->authn_id)
#else
#define AT_AUTHENTICATED_NAME(port) ((void) (port), MyClientConnectionInfo.authn_id)
#endif

/* 17 lets the caller provide the lexer's memory, and ask for stronger locks too. */
#if PG_VERSION_NUM < 170000
#define makeJsonLexContextCstringLen(lex, json, len, encoding, need_escapes)                       \
	makeJsonLexContextCstringLen((json), (len), (encoding), (need_escapes))
#define LockHeldByMe(tag, mode, or_stronger) LockHeldByMe((tag), (mode))
#endif

/* 18 runs a query as often as it is asked to, and counts how often an index was searched. */
#if PG_VERSION_NUM >= 180000
#define AT_EXECUTOR_RUN_PARAMS QueryDesc *query, ScanDirection direction, uint64 count
#define AT_EXECUTOR_RUN_ARGS   query, direction, count
#else
#define AT_EXECUTOR_RUN_PARAMS QueryDesc *query, ScanDirection direction, uint64 count, bool once
#define AT_EXECUTOR_RUN_ARGS   query, direction, count, once
#define index_beginscan(heap, index, snapshot, instrument, nkeys, norderbys)                       \
	((void) (instrument), index_beginscan((heap), (index), (snapshot), (nkeys), (norderbys)))
#endif

/* 17 tells the restrictions of a foreign join, 18 how many nodes are disabled, and all-frozen
 * pages. */
#if PG_VERSION_NUM < 170000
#define at_foreign_scan_path(root, rel, rows, startup, total, outer)                               \
	create_foreignscan_path((root), (rel), NULL, (rows), (startup), (total), NIL, (outer), NULL,   \
							NIL)
#elif PG_VERSION_NUM < 180000
#define at_foreign_scan_path(root, rel, rows, startup, total, outer)                               \
	create_foreignscan_path((root), (rel), NULL, (rows), (startup), (total), NIL, (outer), NULL,   \
							NIL, NIL)
#else
#define at_foreign_scan_path(root, rel, rows, startup, total, outer)                               \
	create_foreignscan_path((root), (rel), NULL, (rows), 0, (startup), (total), NIL, (outer),      \
							NULL, NIL, NIL)
#endif
#if PG_VERSION_NUM < 180000
#define vac_update_relstats(rel, pages, tuples, visible, frozen, has_index, xid, multi, xid_set,   \
							multi_set, outer)                                                      \
	vac_update_relstats((rel), (pages), (tuples), (visible), (has_index), (xid), (multi),          \
						(xid_set), (multi_set), (outer))
#endif

/* 18 has columns that are computed when they are read. */
#ifndef ATTRIBUTE_GENERATED_VIRTUAL
#define ATTRIBUTE_GENERATED_VIRTUAL 'v'
#endif

/* 18 says first that a function does not return. */
#if PG_VERSION_NUM < 180000
#define pg_noreturn __attribute__((noreturn))
#endif

/*
 * Look names up in pg_catalog alone. 17 has no path but the setting, which ends with its nest
 * level, and none without the temporary schema, which it has last.
 */
#if PG_VERSION_NUM >= 170000
#define at_catalog_path_push() RestrictSearchPath()
#define at_catalog_path_pop()  ((void) 0)
#else
static inline void
at_catalog_path_push(void)
{
	OverrideSearchPath path = {.schemas = NIL, .addCatalog = true, .addTemp = false};

	PushOverrideSearchPath(&path);
}
#define at_catalog_path_pop() PopOverrideSearchPath()
#endif

#endif
