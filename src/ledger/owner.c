/*-------------------------------------------------------------------------
 * owner.c
 *		Acting as the ledger's owner for a few commands of our own.
 *
 * Role and settings are restored by the end of the (sub)transaction if an
 * error gets in between.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/guc.h"

#include "base/catalog.h"
#include "base/errors.h"
#include "ledger/owner.h"

static void
pin(const char *name, const char *value)
{
	(void) set_config_option(name, value, PGC_SUSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0,
							 false);
}

void
at_owner_enter(AtOwnerState *state)
{
	Oid owner = at_extension_owner();

	if (!OidIsValid(owner))
		ereport(ERROR, (errcode(ERRCODE_AT_NO_LEDGER),
						errmsg("extension \"%s\" is not installed in this database", AT_EXTENSION),
						errhint("CREATE EXTENSION %s;", AT_EXTENSION)));

	GetUserIdAndSecContext(&state->user, &state->security_context);
	SetUserIdAndSecContext(owner, state->security_context | SECURITY_LOCAL_USERID_CHANGE |
									  SECURITY_RESTRICTED_OPERATION);
	state->guc_level = NewGUCNestLevel();
	pin("search_path", "pg_catalog, pg_temp");
	pin("default_tablespace", "");
	pin("client_min_messages", "warning");
}

void
at_owner_leave(const AtOwnerState *state)
{
	AtEOXact_GUC(false, state->guc_level);
	SetUserIdAndSecContext(state->user, state->security_context);
}
