/*-------------------------------------------------------------------------
 * version.c
 *		An audited table whose definition has changed.
 *
 * The version and its event are appended before the ledger's owner acts,
 * so that the transaction has the role of who changed the table. The policy
 * is written last, and that is an event too.
 *
 * Locks: whoever altered the table holds one. Where a schema or a type got
 * another name nobody does: then AccessShareLock while it is looked at, and if
 * another session has it locked, capture follows it later.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/json.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "base/debug_point.h"
#include "base/errors.h"
#include "base/json_path.h"
#include "base/names.h"
#include "capture/definition.h"
#include "capture/filter.h"
#include "capture/version.h"
#include "ledger/datum.h"
#include "ledger/event.h"
#include "ledger/hooks.h"
#include "ledger/owner.h"
#include "ledger/partition.h"
#include "ledger/statement.h"

/* A table as it is now and as its policy has it. */
typedef struct Comparison
{
	Relation rel;
	AtStoredPolicy stored; /* becomes the new policy */
	AtTarget former;
	AtTarget present;     /* target_id 0: not appended */
	bool options_changed; /* though the table reads as it did */
	List *lost_keys;      /* why there is no key any more */
	char *lost_subject;
	char *lost_when;
} Comparison;

/*
 * The table that is being followed, which capture must not follow once more
 * when it records that its policy was written: audit.policy is audited too.
 */
static Oid following = InvalidOid;

static void follow(Oid relid, const AtSchemaChange *change);
static Relation open_relation(Oid relid);
static bool compare(Oid relid, const AtSchemaChange *change, Comparison *comparison);
static void tell_renames(Oid relid, const AtSchemaChange *change);
static void follow_names(Comparison *comparison, const AtSchemaChange *change);
static void follow_row_options(Comparison *comparison, const AtSchemaChange *change);
static void mask_unknown(Comparison *comparison);
static void mask_formerly_generated(Comparison *comparison, const AtSchemaChange *change);
static void follow_keys(Comparison *comparison);
static bool same_target(const AtTarget *a, const AtTarget *b);
static bool was_rewritten(Oid relid, const AtSchemaChange *change);
static void tell(Comparison *comparison, const AtSchemaChange *change, bool rewritten);
static void append_renames(StringInfo extra, Oid relid, List *renames);
static void append_difference(StringInfo out, const char *name, const char *value,
							  const char *other, bool is_json);
static void write_policy(const AtStoredPolicy *stored);

void
at_version_follow(Oid relid, const AtSchemaChange *change)
{
	Oid outer = following;

	if (following == relid)
		return;
	following = relid;
	PG_TRY();
	{
		follow(relid, change);
	}
	PG_FINALLY();
	{
		following = outer;
	}
	PG_END_TRY();
}

static void
follow(Oid relid, const AtSchemaChange *change)
{
	Comparison comparison;
	bool rewritten = was_rewritten(relid, change);

	if (!compare(relid, change, &comparison))
		return;

	bool changed = !same_target(&comparison.former, &comparison.present);

	if (changed)
	{
		at_target_append(&comparison.present);
		comparison.stored.target_id = comparison.present.target_id;
		CommandCounterIncrement();
	}
	else
		comparison.present = comparison.former;
	if (changed || rewritten)
		tell(&comparison, change, rewritten);
	if (changed || comparison.options_changed)
		write_policy(&comparison.stored);
	tell_renames(relid, change);
	table_close(comparison.rel, AccessShareLock);
}

/* Others have names of columns too. */
static void
tell_renames(Oid relid, const AtSchemaChange *change)
{
	ListCell *cell;

	foreach (cell, at_column_renamed_hook != NULL ? change->renames : NIL)
	{
		AtRename *rename = lfirst(cell);
		char *name = rename->relid == relid ? get_attname(relid, rename->attnum, true) : NULL;

		if (name != NULL && strcmp(name, rename->old_name) != 0)
			at_column_renamed_hook(relid, rename->old_name, name);
	}
}

/*
 * Lock a relation, waiting for nobody; false if somebody else has locked it. Not to be asked
 * for conditionally where a lock is held: that would fail as soon as others wait for one that
 * conflicts. They wait for us too, so then a lock is had at once.
 */
static bool
lock_relation(Oid relid)
{
	if (!at_lock_is_held(relid, AccessShareLock))
		return ConditionalLockRelationOid(relid, AccessShareLock);
	LockRelationOid(relid, AccessShareLock);
	return true;
}

/*
 * Open a relation that this session may hold no lock on: without one it could
 * be dropped while it is open. Waits for nobody; NULL if it is locked or gone.
 */
static Relation
open_relation(Oid relid)
{
	if (!lock_relation(relid))
		return NULL;
	if (SearchSysCacheExists1(RELOID, ObjectIdGetDatum(relid)))
		return table_open(relid, NoLock);
	UnlockRelationOid(relid, AccessShareLock);
	return NULL;
}

/* Fill in the comparison; false if nobody audits the table. The relation stays open. */
static bool
compare(Oid relid, const AtSchemaChange *change, Comparison *comparison)
{
	*comparison = (Comparison){.rel = NULL};
	if (!at_stored_read(relid, &comparison->stored) ||
		!at_target_read(comparison->stored.target_id, &comparison->former))
		return false;
	comparison->rel = open_relation(relid);
	if (comparison->rel == NULL)
	{
		if (SearchSysCacheExists1(RELOID, ObjectIdGetDatum(relid)))
			CacheInvalidateRelcacheByRelid(relid); /* has capture look at it anew */
		return false;
	}
	at_debug_point("version-opened");

	follow_names(comparison, change);
	follow_row_options(comparison, change);
	follow_keys(comparison);
	comparison->present = (AtTarget){
		.lineage = comparison->former.lineage,
		.retention_class = comparison->former.retention_class,
		.table_schema = get_namespace_name(RelationGetNamespace(comparison->rel)),
		.table_name = pstrdup(RelationGetRelationName(comparison->rel)),
		.resource_type = comparison->former.resource_type,
		.context = comparison->former.context,
		.key_columns = at_name_json(comparison->stored.keys),
		.columns =
			at_describe_columns(comparison->rel, &comparison->stored.row, comparison->stored.keys),
	};
	return true;
}

void
at_version_check_logged(Oid relid)
{
	AtStoredPolicy stored;

	if (get_rel_name(relid) == NULL || get_rel_persistence(relid) != RELPERSISTENCE_UNLOGGED ||
		!at_stored_find(relid, &stored))
		return;
	ereport(ERROR, (errcode(ERRCODE_AT_BAD_TARGET),
					errmsg("table \"%s\" is audited and cannot be unlogged", get_rel_name(relid)),
					errdetail("A crash would empty it without an event."),
					errhint("SELECT audit.disable(%s, 'why');",
							quote_literal_cstr(at_qualified_name(stored.root)))));
}

/* The present name of a column that had this one. */
static char *
present_name(Oid relid, char *name, const AtSchemaChange *change)
{
	ListCell *cell;

	foreach (cell, change->renames)
	{
		AtRename *rename = lfirst(cell);

		if (rename->relid == relid && strcmp(rename->old_name, name) == 0)
			return get_attname(relid, rename->attnum, false);
	}
	return name;
}

static bool
has_column(Oid relid, const char *name)
{
	return get_attnum(relid, name) > 0;
}

/* The present names of columns, without those that are gone. */
static List *
present_names(Oid relid, List *names, const AtSchemaChange *change)
{
	List *present = NIL;
	ListCell *cell;

	foreach (cell, names)
	{
		char *name = present_name(relid, lfirst(cell), change);

		if (has_column(relid, name))
			present = lappend(present, name);
	}
	return present;
}

/* Renamed columns stay what they were to the policy; ignored ones that are gone are forgotten. */
static void
follow_names(Comparison *comparison, const AtSchemaChange *change)
{
	Oid relid = RelationGetRelid(comparison->rel);
	ListCell *cell;

	foreach (cell, comparison->stored.keys)
		lfirst(cell) = present_name(relid, lfirst(cell), change);
	comparison->stored.ignored = present_names(relid, comparison->stored.ignored, change);
}

static int
count_concealed(const AtRowOptions *row)
{
	return list_length(row->masked) + list_length(row->hashed) + list_length(row->personal);
}

/* A filter that asks for a lost column would leave out everything: better none. */
static void
follow_row_options(Comparison *comparison, const AtSchemaChange *change)
{
	Oid relid = RelationGetRelid(comparison->rel);
	AtRowOptions *row = &comparison->stored.row;
	int concealed = count_concealed(row);
	char *given_when;
	ListCell *cell;

	row->only = present_names(relid, row->only, change);
	row->masked = present_names(relid, row->masked, change);
	row->hashed = present_names(relid, row->hashed, change);
	row->personal = present_names(relid, row->personal, change);
	comparison->stored.read.columns = present_names(relid, comparison->stored.read.columns, change);
	if (change->command == NULL && count_concealed(row) < concealed)
		mask_unknown(comparison);
	mask_formerly_generated(comparison, change);

	if (row->subject != NULL)
		row->subject = present_name(relid, row->subject, change);
	if (row->subject != NULL && !has_column(relid, row->subject))
	{
		comparison->lost_subject = row->subject;
		row->subject = NULL;
	}

	given_when = row->when;
	foreach (cell, row->when != NULL ? change->renames : NIL)
	{
		AtRename *rename = lfirst(cell);
		char *name = rename->relid == relid ? get_attname(relid, rename->attnum, true) : NULL;

		if (name != NULL)
			row->when = at_path_rename(row->when, rename->old_name, name);
	}
	if (row->when != NULL && at_filter_has_lost(row->when, comparison->former.columns, relid))
	{
		comparison->lost_when = given_when;
		row->when = NULL;
	}
}

/*
 * A concealed column is gone, and nobody saw the command: it may have got
 * another name. So what has a name that was not there is masked.
 */
static void
mask_unknown(Comparison *comparison)
{
	TupleDesc desc = RelationGetDescr(comparison->rel);
	AtRowOptions *row = &comparison->stored.row;
	List *known = at_described_columns(comparison->former.columns, NULL);

	for (int i = 0; i < desc->natts; i++)
	{
		char *name = NameStr(TupleDescAttr(desc, i)->attname);

		if (!TupleDescAttr(desc, i)->attisdropped && !at_names_contain(known, name))
			row->masked = lappend(row->masked, pstrdup(name));
	}
}

/*
 * A column that was masked because it was generated from a concealed one
 * keeps its values when it is generated no more. So it is masked by name then.
 */
static void
mask_formerly_generated(Comparison *comparison, const AtSchemaChange *change)
{
	Oid relid = RelationGetRelid(comparison->rel);
	AtRowOptions *row = &comparison->stored.row;
	List *masked = at_described_columns(comparison->former.columns, at_treatment_words[AT_MASKED]);
	ListCell *cell;

	foreach (cell, present_names(relid, masked, change))
		if (!at_row_conceals(comparison->rel, get_attnum(relid, lfirst(cell)), row))
		{
			row->masked = lappend(row->masked, lfirst(cell));
			comparison->options_changed = true;
		}
}

/* Is there a column in the key that nobody may read? */
static bool
conceals_key(const Comparison *comparison, List *keys)
{
	ListCell *cell;

	foreach (cell, keys)
		if (at_row_conceals(comparison->rel,
							get_attnum(RelationGetRelid(comparison->rel), lfirst(cell)),
							&comparison->stored.row))
			return true;
	return false;
}

/*
 * Keys that were given stay while their columns are there; others are the
 * primary key's. A key that would tell what is concealed is none.
 */
static void
follow_keys(Comparison *comparison)
{
	AtStoredPolicy *stored = &comparison->stored;
	List *ignored = NIL;
	List *keys = NIL;
	ListCell *cell;

	foreach (cell, stored->keys)
	{
		if (has_column(RelationGetRelid(comparison->rel), lfirst(cell)))
			keys = lappend(keys, lfirst(cell));
		else
			comparison->lost_keys = lappend(comparison->lost_keys, lfirst(cell));
	}
	if (!stored->key_given)
		keys = at_primary_key(comparison->rel);
	else if (comparison->lost_keys != NIL)
		keys = NIL;
	if (conceals_key(comparison, keys))
	{
		if (comparison->lost_keys == NIL)
			comparison->lost_keys = stored->keys;
		keys = NIL;
	}
	stored->keys = keys;

	/* a change of the key must be seen */
	foreach (cell, stored->ignored)
		if (!at_names_contain(keys, lfirst(cell)))
			ignored = lappend(ignored, lfirst(cell));
	stored->ignored = ignored;
}

static bool
same_target(const AtTarget *a, const AtTarget *b)
{
	return strcmp(a->table_schema, b->table_schema) == 0 &&
		   strcmp(a->table_name, b->table_name) == 0 &&
		   strcmp(a->key_columns, b->key_columns) == 0 && strcmp(a->columns, b->columns) == 0;
}

bool
at_version_differs(const AtStoredPolicy *stored, const AtTarget *target)
{
	Relation rel = open_relation(stored->root);

	if (rel == NULL)
		return false;

	AtTarget present = {
		.table_schema = get_namespace_name(RelationGetNamespace(rel)),
		.table_name = RelationGetRelationName(rel),
		.key_columns = target->key_columns,
		.columns = at_describe_columns(rel, &stored->row, stored->keys),
	};
	bool differs = !same_target(&present, target);

	table_close(rel, AccessShareLock);
	return differs;
}

static bool
was_rewritten(Oid relid, const AtSchemaChange *change)
{
	if (change->rewritten == NIL)
		return false;
	return list_member_oid(find_all_inheritors(change->rewritten_table, NoLock, NULL), relid);
}

/* An option that the policy no longer has. */
static void
append_lost(StringInfo extra, const char *what, const char *value)
{
	if (value == NULL)
		return;
	appendStringInfo(extra, ",\"%s\":", what);
	escape_json(extra, value);
}

/* The event of a change. */
static void
tell(Comparison *comparison, const AtSchemaChange *change, bool rewritten)
{
	const AtTarget *a = &comparison->former;
	const AtTarget *b = &comparison->present;
	StringInfo extra = at_version_extra(change->command, NULL, NULL);
	StringInfoData old_values;
	StringInfoData new_values;

	initStringInfo(&old_values);
	append_difference(&old_values, "schema", a->table_schema, b->table_schema, false);
	append_difference(&old_values, "name", a->table_name, b->table_name, false);
	append_difference(&old_values, "key_columns", a->key_columns, b->key_columns, true);
	append_difference(&old_values, "columns", a->columns, b->columns, true);
	initStringInfo(&new_values);
	append_difference(&new_values, "schema", b->table_schema, a->table_schema, false);
	append_difference(&new_values, "name", b->table_name, a->table_name, false);
	append_difference(&new_values, "key_columns", b->key_columns, a->key_columns, true);
	append_difference(&new_values, "columns", b->columns, a->columns, true);

	bool same = old_values.len == 0;

	appendStringInfoChar(&old_values, '}');
	appendStringInfoChar(&new_values, '}');
	append_renames(extra, RelationGetRelid(comparison->rel), change->renames);
	if (rewritten)
		appendStringInfo(extra, ",\"rewritten\":%s", at_name_json(change->rewritten));
	if (comparison->lost_keys != NIL)
		appendStringInfo(extra, ",\"lost_key\":%s", at_name_json(comparison->lost_keys));
	append_lost(extra, "lost_subject", comparison->lost_subject);
	append_lost(extra, "lost_when", comparison->lost_when);
	at_version_tell(comparison->stored.target_id, "altered", same ? NULL : old_values.data,
					same ? NULL : new_values.data, extra);
}

/* The columns that got another name: "renamed":{"old":"new"}. */
static void
append_renames(StringInfo extra, Oid relid, List *renames)
{
	bool any = false;
	ListCell *cell;

	foreach (cell, renames)
	{
		AtRename *rename = lfirst(cell);
		char *name = get_attname(rename->relid, rename->attnum, true);

		if (rename->relid != relid || name == NULL || strcmp(name, rename->old_name) == 0)
			continue;
		appendStringInfoString(extra, any ? "," : ",\"renamed\":{");
		escape_json(extra, rename->old_name);
		appendStringInfoChar(extra, ':');
		escape_json(extra, name);
		any = true;
	}
	if (any)
		appendStringInfoChar(extra, '}');
}

static void
append_difference(StringInfo out, const char *name, const char *value, const char *other,
				  bool is_json)
{
	if (strcmp(value, other) == 0)
		return;
	appendStringInfo(out, "%c\"%s\":", out->len == 0 ? '{' : ',', name);
	if (is_json)
		appendStringInfoString(out, value);
	else
		escape_json(out, value);
}

void
at_version_begin(AtStoredPolicy *stored)
{
	Relation rel = RelationIdGetRelation(stored->root);

	if (rel == NULL)
		elog(ERROR, "relation %u is not there", stored->root);

	AtTarget target = {
		.retention_class = AT_RETENTION_CLASS_DEFAULT,
		.table_schema = get_namespace_name(RelationGetNamespace(rel)),
		.table_name = pstrdup(RelationGetRelationName(rel)),
		.resource_type = stored->resource_type,
		.context = stored->context,
		.key_columns = at_name_json(stored->keys),
		.columns = at_describe_columns(rel, &stored->row, stored->keys),
	};

	RelationClose(rel);
	at_target_append(&target);
	stored->target_id = target.target_id;
	CommandCounterIncrement();
}

void
at_version_tell(int32 target_id, const char *what, const char *old_values, const char *new_values,
				StringInfo extra)
{
	AtTarget target;

	if (!at_target_read(target_id, &target))
		elog(ERROR, "audit.target has no row %d", target_id);

	AtEvent event = {
		.target_id = target_id,
		.retention_class = target.retention_class,
		.schema = at_span_of(target.table_schema),
		.table = at_span_of(target.table_name),
		.resource_type = at_span_of(target.resource_type),
		.op = 'A',
		.event_type = cstring_to_text(psprintf("%s.%s", target.resource_type, what)),
		.old_values = old_values ? cstring_to_text(old_values) : NULL,
		.new_values = new_values ? cstring_to_text(new_values) : NULL,
		.extra = extra,
	};

	(void) at_event_append(&event);
}

static void
append_text(StringInfo out, const char *text)
{
	if (text != NULL)
		escape_json(out, text);
	else
		appendStringInfoString(out, "null");
}

StringInfo
at_version_extra(const char *command, const char *what, const char *name)
{
	StringInfo extra = makeStringInfo();
	const char *tag = at_statement_tag();

	appendStringInfoString(extra, "\"command\":");
	append_text(extra, command);
	if (command == NULL || tag == NULL || strcmp(command, tag) != 0)
	{
		appendStringInfoString(extra, ",\"statement\":");
		append_text(extra, tag);
	}
	if (what)
	{
		appendStringInfo(extra, ",\"%s\":", what);
		escape_json(extra, name);
	}
	return extra;
}

static void
write_policy(const AtStoredPolicy *stored)
{
	AtOwnerState state;

	at_owner_enter(&state);
	at_stored_write(stored);
	CacheInvalidateRelcacheByRelid(stored->root);
	at_owner_leave(&state);
}
