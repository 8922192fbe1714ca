/*-------------------------------------------------------------------------
 * maintenance.c
 *		Maintenance: changes of rows that are counted and not recorded one by
 *		one.
 *
 * Whether the session is exempt is found out at the first change of a
 * transaction. Counts are kept a level of nesting, so that what is rolled back
 * is not counted; memory grows with the number of tables and the depth of
 * nesting, not with the number of rows.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_authid.h"
#include "miscadmin.h"
#include "replication/logicalworker.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "base/catalog.h"
#include "base/errors.h"
#include "base/guc.h"
#include "ledger/datum.h"
#include "ledger/event.h"
#include "ledger/maintenance.h"
#include "ledger/target.h"
#include "ledger/transaction.h"

static const struct
{
	char op;
	const char *name;
} operations[] = {{'I', "insert"}, {'U', "update"}, {'D', "delete"}, {'T', "truncate"}};

/* What was skipped of a table at a level of nesting. */
typedef struct Skipped
{
	int level;
	char *table; /* qualified */
	uint64 count[lengthof(operations)];
} Skipped;

/*
 * Right after an error: cleared at the end of every transaction, brought in
 * order at the end of every subtransaction.
 */
static struct
{
	enum
	{
		UNKNOWN,
		ORDINARY,
		EXEMPT
	} session;
	List *skipped; /* in TopTransactionContext; the deepest level last */
} state;

static bool is_exempt(void);
static void count(AtSpan schema, AtSpan table, char op);
static Skipped *find_skipped(const char *table, int level);
static void end_transaction(XactEvent event, void *arg);
static void end_subtransaction(SubXactEvent event, SubTransactionId id, SubTransactionId parent,
							   void *arg);
static void append_event(void);
static text *make_values(void);

void
at_maintenance_init(void)
{
	RegisterXactCallback(end_transaction, NULL);
	RegisterSubXactCallback(end_subtransaction, NULL);
}

bool
at_maintenance_skips(AtSpan schema, AtSpan table, char op)
{
	if (state.session == ORDINARY)
		return false;
	if (state.session == UNKNOWN)
		state.session = is_exempt() ? EXEMPT : ORDINARY;
	if (state.session == ORDINARY || at_guc_maintenance[0] != '\0')
		return false;
	if (schema.len == strlen(AT_SCHEMA) && memcmp(schema.data, AT_SCHEMA, schema.len) == 0)
		return false;
	count(schema, table, op);
	return true;
}

/* pg_database_owner has a member that nobody granted it. */
static bool
is_exempt(void)
{
	Oid login;
	Oid role;

	if (at_guc_logical_apply == AT_LOGICAL_APPLY_COUNT && IsLogicalWorker())
		return true;
	if (at_guc_maintenance_role[0] == '\0')
		return false;
	login = GetAuthenticatedUserId();
	role = get_role_oid(at_guc_maintenance_role, true);
	return OidIsValid(login) && OidIsValid(role) && login != role &&
		   role != ROLE_PG_DATABASE_OWNER && is_member_of_role_nosuper(login, role);
}

static void
count(AtSpan schema, AtSpan table, char op)
{
	char *name = psprintf("%s.%s", quote_identifier(pnstrdup(schema.data, schema.len)),
						  quote_identifier(pnstrdup(table.data, table.len)));
	Skipped *skipped;

	/* who acts is taken, and may be asked for, at the first change */
	if (state.skipped == NIL)
		at_transaction_pin();

	skipped = find_skipped(name, GetCurrentTransactionNestLevel());
	for (int i = 0; i < lengthof(operations); i++)
		skipped->count[i] += operations[i].op == op;
}

/* The counts of a table at a level, made if they are not there. */
static Skipped *
find_skipped(const char *table, int level)
{
	for (int i = list_length(state.skipped) - 1; i >= 0; i--)
	{
		Skipped *skipped = list_nth(state.skipped, i);

		if (skipped->level < level)
			break;
		if (strcmp(skipped->table, table) == 0)
			return skipped;
	}

	MemoryContext save = MemoryContextSwitchTo(TopTransactionContext);
	Skipped *skipped = palloc0(sizeof(Skipped));

	skipped->level = level;
	skipped->table = pstrdup(table);
	state.skipped = lappend(state.skipped, skipped);
	MemoryContextSwitchTo(save);
	return skipped;
}

/* What was skipped in a subtransaction is now of the level above, or never was. */
static void
end_subtransaction(SubXactEvent event, SubTransactionId id, SubTransactionId parent, void *arg)
{
	int level = GetCurrentTransactionNestLevel();

	if (event != SUBXACT_EVENT_COMMIT_SUB && event != SUBXACT_EVENT_ABORT_SUB)
		return;
	while (state.skipped != NIL && ((Skipped *) llast(state.skipped))->level >= level)
	{
		Skipped *inner = llast(state.skipped);

		state.skipped = list_delete_last(state.skipped);
		if (event == SUBXACT_EVENT_COMMIT_SUB)
		{
			Skipped *outer = find_skipped(inner->table, level - 1);

			for (int i = 0; i < lengthof(operations); i++)
				outer->count[i] += inner->count[i];
		}
		pfree(inner->table);
		pfree(inner);
	}
}

static void
end_transaction(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_PRE_COMMIT || event == XACT_EVENT_PRE_PREPARE)
	{
		if (state.skipped != NIL)
		{
			/* a procedure that commits goes on with its own context */
			MemoryContext save = MemoryContextSwitchTo(TopTransactionContext);

			PushActiveSnapshot(GetTransactionSnapshot());
			append_event();
			PopActiveSnapshot();
			MemoryContextSwitchTo(save);
		}
	}
	else if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT || event == XACT_EVENT_PREPARE)
		memset(&state, 0, sizeof(state));
}

/* The exemption is on record. */
static void
append_event(void)
{
	AtTarget target;

	if (!at_target_read_own(&target))
		ereport(ERROR,
				(errcode(ERRCODE_AT_CAPTURE_FAILED),
				 errmsg("the use of the maintenance exemption cannot be recorded"),
				 errdetail("audit.policy has no row for itself, or audit.target not its target."),
				 errhint("SELECT audit.enable('audit.policy', context => 'system', "
						 "resource_type => 'audit.policy');")));

	AtEvent event = {
		.target_id = target.target_id,
		.retention_class = target.retention_class,
		.schema = at_span_of(target.table_schema),
		.table = at_span_of(target.table_name),
		.resource_type = at_span_of(target.resource_type),
		.op = 'M',
		.event_type = cstring_to_text("maintenance.counted"),
		.new_values = make_values(),
	};

	(void) at_event_append(&event);
}

/* {"skipped": {"public.orders": {"insert": 2}, ...}} */
static text *
make_values(void)
{
	StringInfoData json;
	ListCell *cell;

	initStringInfo(&json);
	appendStringInfoString(&json, "{\"skipped\":{");
	foreach (cell, state.skipped)
	{
		const Skipped *skipped = lfirst(cell);
		const char *comma = "";

		if (foreach_current_index(cell) > 0)
			appendStringInfoChar(&json, ',');
		escape_json(&json, skipped->table);
		appendStringInfoString(&json, ":{");
		for (int i = 0; i < lengthof(operations); i++)
		{
			if (skipped->count[i] == 0)
				continue;
			appendStringInfo(&json, "%s\"%s\":" UINT64_FORMAT, comma, operations[i].name,
							 skipped->count[i]);
			comma = ",";
		}
		appendStringInfoChar(&json, '}');
	}
	appendStringInfoString(&json, "}}");
	return cstring_to_text_with_len(json.data, json.len);
}
