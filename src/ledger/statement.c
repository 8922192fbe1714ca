/*-------------------------------------------------------------------------
 * statement.c
 *		The client's command that is running.
 *
 * It is found when it is asked for, so commands that need no answer pay
 * nothing. Nearly all clients use the portal without a name, which nobody
 * else can use meanwhile; portals that are made within it, by EXECUTE or for
 * cursors, have names. A client's named portal is known by its text, which is
 * in debug_query_string. A command is told from others by when its portal was
 * made and where in the client's string it is.
 *
 * Caveat: within a client's named portal a function may open a cursor with an
 * empty name, and what runs in that is taken for the client's command.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "nodes/plannodes.h"
#include "tcop/pquery.h"
#include "tcop/tcopprot.h"
#include "utils/json.h"
#include "utils/memutils.h"
#include "utils/portal.h"

#include "base/compat.h"
#include "core/redact.h"
#include "ledger/context.h"
#include "ledger/statement.h"
#include "ledger/subject_key.h"

/* A table for which the text was given. */
typedef struct Told
{
	Oid relid;
	int level; /* of nesting, at which the event stands or falls */
} Told;

/* Right after an error: a list ends with its transaction, its entries with their subtransaction. */
static struct
{
	TimestampTz made_at; /* these two name the command */
	int location;
	List *told;          /* of Told, in TopTransactionContext */
	CommandTag presumed; /* CMDTAG_UNKNOWN: none, it is to be found */
	int presumed_level;  /* of nesting, with whose end that ends */
} statement;

static Portal find_portal(void);
static bool is_first(const PortalData *portal, Oid relid);
static void end_transaction(XactEvent event, void *arg);
static void end_subtransaction(SubXactEvent event, SubTransactionId id, SubTransactionId parent,
							   void *arg);

void
at_statement_init(void)
{
	RegisterXactCallback(end_transaction, NULL);
	RegisterSubXactCallback(end_subtransaction, NULL);
}

bool
at_statement_implied(char op)
{
	CommandTag implied;
	Portal portal;

	switch (op)
	{
		case 'I':
			implied = CMDTAG_INSERT;
			break;
		case 'U':
			implied = CMDTAG_UPDATE;
			break;
		case 'D':
			implied = CMDTAG_DELETE;
			break;
		case 'T':
			implied = CMDTAG_TRUNCATE_TABLE;
			break;
		default:
			return true;
	}
	if (unlikely(statement.presumed != CMDTAG_UNKNOWN))
		return statement.presumed == implied;
	portal = find_portal();
	return portal != NULL && portal->commandTag == implied;
}

void
at_statement_presume(CommandTag tag)
{
	statement.presumed = tag;
	statement.presumed_level = GetCurrentTransactionNestLevel();
}

const char *
at_statement_tag(void)
{
	if (statement.presumed != CMDTAG_UNKNOWN)
		return GetCommandTagName(statement.presumed);

	Portal portal = find_portal();

	return portal != NULL ? GetCommandTagName(portal->commandTag) : NULL;
}

/* The portal of the client's command. */
static Portal
find_portal(void)
{
	Portal inner = ActivePortal;
	Portal outer;

	if (inner == NULL || inner->name[0] == '\0')
		return inner;
	outer = GetPortalByName("");
	if (outer != NULL && outer->status == PORTAL_ACTIVE)
		return outer;
	/* a portal to which the client has given a name, or one within such a portal */
	return debug_query_string != NULL && strcmp(inner->sourceText, debug_query_string) == 0 ? inner
																							: NULL;
}

char *
at_statement_query(Oid relid)
{
	Portal portal = find_portal();
	StringInfoData json;

	const char *text;
	int len;
	int bytes;

	if (portal == NULL || portal->stmts == NIL || !is_first(portal, relid))
		return NULL;
	text = at_statement_text(&len);
	bytes = len;
	if (at_subject_keys_used())
		text = at_statement_shown(text, &len, false);

	initStringInfo(&json);
	appendStringInfoString(&json, "\"query\":");
	escape_json(&json, at_context_clean_part(text, len, AT_MAX_QUERY_LENGTH));
	if (bytes > AT_MAX_QUERY_LENGTH)
		appendStringInfo(&json, ",\"query_bytes\":%d", bytes);
	return json.data;
}

const char *
at_statement_shown(const char *text, int *len, bool without_literals)
{
	bool no_values = at_subject_keys_used();
	char *left;

	if (!no_values && !without_literals && !at_mentions_secret(text, *len))
		return text;
	left = palloc_extended(at_redact_size(*len), MCXT_ALLOC_HUGE);
	*len = no_values ? at_redact_values(text, *len, left) : at_redact(text, *len, left);
	return left;
}

MemoryContext
at_statement_memory(void)
{
	Portal portal = find_portal();

	return portal != NULL ? portal->portalContext : NULL;
}

const char *
at_statement_text(int *len)
{
	Portal portal = find_portal();
	const PlannedStmt *first;
	int location;

	if (portal == NULL || portal->stmts == NIL)
		return NULL;
	first = linitial_node(PlannedStmt, portal->stmts);
	location = first->stmt_location;
	*len = first->stmt_len;
	return CleanQuerytext(portal->sourceText, &location, len);
}

/* Is it the first time that this command asks for the table? Notes that it has. */
static bool
is_first(const PortalData *portal, Oid relid)
{
	int location = linitial_node(PlannedStmt, portal->stmts)->stmt_location;
	MemoryContext save;
	ListCell *cell;
	Told *told;

	if (statement.made_at != portal->creation_time || statement.location != location)
	{
		list_free_deep(statement.told);
		statement.told = NIL;
		statement.made_at = portal->creation_time;
		statement.location = location;
	}
	foreach (cell, statement.told)
		if (((Told *) lfirst(cell))->relid == relid)
			return false;

	save = MemoryContextSwitchTo(TopTransactionContext);
	told = palloc(sizeof(Told));
	*told = (Told){.relid = relid, .level = GetCurrentTransactionNestLevel()};
	statement.told = lappend(statement.told, told);
	MemoryContextSwitchTo(save);
	return true;
}

static void
end_transaction(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_PREPARE || event == XACT_EVENT_ABORT)
	{
		statement.told = NIL;
		statement.presumed = CMDTAG_UNKNOWN;
	}
}

/* Events of a subtransaction that is rolled back do not stand. */
static void
end_subtransaction(SubXactEvent event, SubTransactionId id, SubTransactionId parent, void *arg)
{
	int level = GetCurrentTransactionNestLevel();
	ListCell *cell;

	if (event != SUBXACT_EVENT_ABORT_SUB && event != SUBXACT_EVENT_COMMIT_SUB)
		return;
	if (statement.presumed_level >= level)
		statement.presumed = CMDTAG_UNKNOWN;
	foreach (cell, statement.told)
	{
		Told *told = lfirst(cell);

		if (told->level < level)
			continue;
		if (event == SUBXACT_EVENT_COMMIT_SUB)
			told->level--;
		else
			statement.told = foreach_delete_current(statement.told, cell);
	}
}
