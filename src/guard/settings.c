/*-------------------------------------------------------------------------
 * settings.c
 *		Commands that set what only the configuration file may.
 *
 * Which settings these are is told by their flag: base/guc.c gives all that
 * are read from the file, and from nowhere else, GUC_DISALLOW_IN_AUTO_FILE.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "executor/spi.h"
#include "nodes/value.h"
#include "utils/formatting.h"
#include "utils/guc.h"

#include "base/guc.h"
#include "guard/refuse.h"
#include "guard/settings.h"
#include "ledger/owner.h"

#define PRELOAD "shared_preload_libraries"

static void check_set(const VariableSetStmt *set, const char *how);
static void check_options(List *options);
static void check_system(const VariableSetStmt *set);
static bool names_library(List *libraries);
static bool is_true(const char *query);

/* What ALTER SYSTEM has written, and what the other files say. */
#define FILE_SETTINGS                                                                              \
	"WITH f AS (SELECT s.name, s.setting, s.seqno, s.sourcefile LIKE '%/postgresql.auto.conf' AS " \
	"auto FROM pg_catalog.pg_file_settings AS s) "

/* Without what ALTER SYSTEM has written, is the library preloaded all the same? */
static const char preloads_without[] = FILE_SETTINGS
	"SELECT NOT EXISTS (SELECT FROM f WHERE f.auto AND f.name = '" PRELOAD "') OR EXISTS ("
	"SELECT FROM (SELECT f.setting FROM f WHERE NOT f.auto AND f.name = '" PRELOAD "' "
	"ORDER BY f.seqno DESC LIMIT 1) AS last, pg_catalog.unnest(pg_catalog.string_to_array("
	"last.setting, ',')) AS u (library) WHERE pg_catalog.btrim(u.library, ' \"') "
	"IN ('audit_trail', '$libdir/audit_trail'))";

/* Has somebody written settings of ours into the file of ALTER SYSTEM by hand? */
static const char has_ours[] =
	FILE_SETTINGS "SELECT EXISTS (SELECT FROM f WHERE f.auto AND f.name LIKE 'audit\\_trail.%')";

bool
at_settings_concern(const VariableSetStmt *set)
{
	return at_guc_is_fixed(set->name);
}

void
at_settings_check(Node *statement)
{
	switch (nodeTag(statement))
	{
		case T_VariableSetStmt:
			check_set((VariableSetStmt *) statement, "SET");
			break;
		case T_AlterRoleSetStmt:
			check_set(((AlterRoleSetStmt *) statement)->setstmt, "ALTER ROLE");
			break;
		case T_AlterDatabaseSetStmt:
			check_set(((AlterDatabaseSetStmt *) statement)->setstmt, "ALTER DATABASE");
			break;
		case T_CreateFunctionStmt:
			check_options(((CreateFunctionStmt *) statement)->options);
			break;
		case T_AlterFunctionStmt:
			check_options(((AlterFunctionStmt *) statement)->actions);
			break;
		case T_AlterSystemStmt:
			check_set(((AlterSystemStmt *) statement)->setstmt, "ALTER SYSTEM");
			check_system(((AlterSystemStmt *) statement)->setstmt);
			break;
		default:
			break;
	}
}

static void
check_set(const VariableSetStmt *set, const char *how)
{
	if (at_guc_is_fixed(set->name))
		at_refuse_setting(asc_tolower(set->name, strlen(set->name)), how);
}

/* Of a function. */
static void
check_options(List *options)
{
	ListCell *cell;

	foreach (cell, options)
	{
		const DefElem *option = lfirst_node(DefElem, cell);

		if (strcmp(option->defname, "set") == 0)
			check_set(castNode(VariableSetStmt, option->arg), "a function");
	}
}

static void
check_system(const VariableSetStmt *set)
{
	bool all = set->kind == VAR_RESET_ALL;

	if (!all && pg_strcasecmp(set->name, PRELOAD) != 0)
		return;
	if (set->kind == VAR_SET_VALUE ? !names_library(set->args) : !is_true(preloads_without))
		at_refuse_preload();
	if (all && is_true(has_ours))
		at_refuse_setting("settings of audit_trail", "ALTER SYSTEM RESET ALL");
}

/* Each library is an element: one that is a list in itself is the name of no library. */
static bool
names_library(List *libraries)
{
	ListCell *cell;

	foreach (cell, libraries)
	{
		A_Const *library = lfirst(cell);

		if (IsA(library, A_Const) && IsA(&library->val, String) &&
			(strcmp(strVal(&library->val), "audit_trail") == 0 ||
			 strcmp(strVal(&library->val), "$libdir/audit_trail") == 0))
			return true;
	}
	return false;
}

/* Ask with the rights of the trail's owner: not everybody who may ALTER SYSTEM reads the files. */
static bool
is_true(const char *query)
{
	AtOwnerState state;
	bool isnull;

	at_owner_enter(&state);
	SPI_connect();
	if (SPI_execute(query, true, 1) != SPI_OK_SELECT || SPI_processed != 1)
		elog(ERROR, "could not read pg_file_settings");

	bool answer =
		DatumGetBool(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));

	SPI_finish();
	at_owner_leave(&state);
	return answer;
}
