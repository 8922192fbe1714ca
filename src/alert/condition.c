/*-------------------------------------------------------------------------
 * condition.c
 *		A jsonpath over an event.
 *
 * The document that the engine sees has only what the path asks for: most
 * paths name one or two columns, and to write a wide row as JSON costs more than to record
 * its change. Only a path that reaches a row as a whole gets all of it. And where plain comparisons
 * decide (quick.h), there is no document.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/relation.h"
#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/datetime.h"

#include "alert/caught.h"
#include "alert/condition.h"
#include "alert/quick.h"
#include "base/compat.h"
#include "base/json_path.h"
#include "base/jsonb_make.h"
#include "base/names.h"
#include "core/operation.h"

/* A column that the path may look at. */
typedef struct Wanted
{
	AttrNumber attnum;
	char *json_name; /* with quotes and colon */
} Wanted;

/* One of the two rows. */
typedef struct Side
{
	bool asked;
	bool whole; /* everything of it; of an event that is of no row, always */
	int ncolumns;
	Wanted *columns;
} Side;

struct AtCondition
{
	JsonPath *path;
	bool predicate;
	AtQuick *quick; /* NULL: nothing of it is plain */
	Jsonb *no_variables;
	Side side[2];   /* old, new */
	uint32 members; /* as bits, by their place in members[] */
};

static void append_op(AtObserved *observed, StringInfo out);
static void append_event_type(AtObserved *observed, StringInfo out);
static void append_changed(AtObserved *observed, StringInfo out);
static void append_key(AtObserved *observed, StringInfo out);
static void append_table(AtObserved *observed, StringInfo out);
static void append_resource_type(AtObserved *observed, StringInfo out);
static void append_at(AtObserved *observed, StringInfo out);
static void append_actor(AtObserved *observed, StringInfo out);
static void append_actor_type(AtObserved *observed, StringInfo out);
static void append_db_user(AtObserved *observed, StringInfo out);
static void append_db_role(AtObserved *observed, StringInfo out);
static void append_application(AtObserved *observed, StringInfo out);
static void append_reason(AtObserved *observed, StringInfo out);
static void append_request_id(AtObserved *observed, StringInfo out);

/* Members of the document but the rows. */
static const struct
{
	const char *name;
	void (*append)(AtObserved *observed, StringInfo out);
} members[] = {
	{"op", append_op},
	{"event_type", append_event_type},
	{"changed", append_changed},
	{"key", append_key},
	{"table", append_table},
	{"resource_type", append_resource_type},
	{"at", append_at},
	{"actor", append_actor},
	{"actor_type", append_actor_type},
	{"db_user", append_db_user},
	{"db_role", append_db_role},
	{"application", append_application},
	{"reason", append_reason},
	{"request_id", append_request_id},
};

static const char *const side_names[] = {"old", "new"};

static void note_reference(AtCondition *condition, const AtPathReference *reference, Oid relid,
						   bool lenient);
static void note_column(Side *side, char *name, Oid relid, bool lenient);
static void fill_whole(Side *side, Oid relid);
static Jsonb *make_document(const AtCondition *condition, AtObserved *observed);
static void append_side(const Side *side, bool is_new, AtObserved *observed, StringInfo out);
static void run(void *arg);

AtCondition *
at_condition_compile(const char *path, Oid relid, bool lenient)
{
	AtCondition *condition = palloc0(sizeof(AtCondition));
	AtPathReference reference = {.end = path};

	condition->path = at_path_compile(path);
	condition->no_variables = at_jsonb_make("{}", 2, NULL);
	condition->predicate = at_path_is_predicate(condition->path);
	if (condition->predicate)
		condition->quick = at_quick_compile(condition->path, relid);
	while (at_path_next(reference.end, &reference))
		note_reference(condition, &reference, relid, lenient);
	for (int i = 0; i < lengthof(condition->side); i++)
		if (condition->side[i].whole && OidIsValid(relid))
			fill_whole(&condition->side[i], relid);
	return condition;
}

pg_noreturn static void
no_such_member(const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("conditions of alert rules cannot ask for %s", what),
			 errdetail("There are old, new, op, event_type, changed, key, table, resource_type, "
					   "at, actor, actor_type, db_user, db_role, application, reason and "
					   "request_id."),
			 errhint("Write $.new.total > 1000, for example.")));
}

static void
note_reference(AtCondition *condition, const AtPathReference *reference, Oid relid, bool lenient)
{
	bool found = false;

	if (reference->variable)
		no_such_member("variables");
	for (int i = 0; i < lengthof(condition->side); i++)
	{
		Side *side = &condition->side[i];

		if (reference->member != NULL && !at_path_asks(reference, side_names[i]))
			continue;
		side->asked = found = true;
		if (reference->name == NULL || !OidIsValid(relid))
			side->whole = true;
		else
			note_column(side, at_path_plain(reference->name, reference->name_len), relid, lenient);
	}
	for (int i = 0; i < lengthof(members); i++)
		if (reference->member == NULL || at_path_asks(reference, members[i].name))
		{
			condition->members |= 1U << i;
			found = true;
		}
	if (!found)
		no_such_member(psprintf("%.*s", reference->member_len, reference->member));
}

static void
add_column(Side *side, AttrNumber attnum, const char *name)
{
	StringInfoData json_name;

	for (int i = 0; i < side->ncolumns; i++)
		if (side->columns[i].attnum == attnum)
			return;
	initStringInfo(&json_name);
	escape_json(&json_name, name);
	appendStringInfoChar(&json_name, ':');
	if (side->columns == NULL)
		side->columns = palloc(sizeof(Wanted) * MaxHeapAttributeNumber);
	side->columns[side->ncolumns++] = (Wanted){.attnum = attnum, .json_name = json_name.data};
}

static void
note_column(Side *side, char *name, Oid relid, bool lenient)
{
	AttrNumber attnum = at_stored_column(relid, name);

	if (attnum <= 0 && !lenient)
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_COLUMN),
						errmsg("table \"%s\" has no column \"%s\"", get_rel_name(relid), name),
						errdetail("A condition of the alert rule asks for it.")));
	if (attnum > 0)
		add_column(side, attnum, name);
}

static void
fill_whole(Side *side, Oid relid)
{
	Relation rel = try_relation_open(relid, AccessShareLock);
	TupleDesc desc;

	/* of a stored rule, the table may be gone */
	if (rel == NULL)
		return;
	desc = RelationGetDescr(rel);
	for (int i = 0; i < desc->natts; i++)
		if (!TupleDescAttr(desc, i)->attisdropped)
			add_column(side, i + 1, NameStr(TupleDescAttr(desc, i)->attname));
	relation_close(rel, AccessShareLock);
}

bool
at_condition_reads(const AtCondition *condition, AttrNumber attnum)
{
	for (int i = 0; i < lengthof(condition->side); i++)
		for (int j = 0; !condition->side[i].whole && j < condition->side[i].ncolumns; j++)
			if (condition->side[i].columns[j].attnum == attnum)
				return true;
	return false;
}

/* ---- an event ---- */

/* A condition at work. */
typedef struct Work
{
	const AtCondition *condition;
	Jsonb *document;
	AtVerdict verdict;
} Work;

AtVerdict
at_condition_judge(const AtCondition *condition, AtObserved *observed)
{
	AtQuickAnswer answer =
		condition->quick != NULL ? at_quick_judge(condition->quick, observed) : AT_QUICK_NONE;

	if (answer != AT_QUICK_NONE)
		return answer == AT_QUICK_TRUE ? AT_TRUE : AT_FALSE;

	/* not within what is caught: output functions may be code of users, which does anything */
	Work work = {.condition = condition, .document = make_document(condition, observed)};

	return at_caught(run, &work) ? work.verdict : AT_UNDECIDED;
}

static void
run(void *arg)
{
	Work *work = arg;
	LOCAL_FCINFO(call, 4);
	Datum result;

	InitFunctionCallInfoData(*call, NULL, 4, InvalidOid, NULL, NULL);
	call->args[0] = (NullableDatum){.value = JsonbPGetDatum(work->document)};
	call->args[1] = (NullableDatum){.value = PointerGetDatum(work->condition->path)};
	call->args[2] = (NullableDatum){.value = JsonbPGetDatum(work->condition->no_variables)};
	call->args[3] =
		(NullableDatum){.value = BoolGetDatum(true)}; /* silent: what is not there is no error */
	result = work->condition->predicate ? jsonb_path_match(call) : jsonb_path_exists(call);
	work->verdict = !call->isnull && DatumGetBool(result) ? AT_TRUE : AT_FALSE;
}

static Jsonb *
make_document(const AtCondition *condition, AtObserved *observed)
{
	StringInfoData json;

	initStringInfo(&json);
	for (int i = 0; i < lengthof(condition->side); i++)
		if (condition->side[i].asked)
		{
			int len = json.len;

			appendStringInfo(&json, "%c\"%s\":", len == 0 ? '{' : ',', side_names[i]);
			append_side(&condition->side[i], i == 1, observed, &json);
		}
	for (int i = 0; i < lengthof(members); i++)
		if (condition->members & (1U << i))
		{
			appendStringInfo(&json, "%c\"%s\":", json.len == 0 ? '{' : ',', members[i].name);
			members[i].append(observed, &json);
		}
	appendStringInfoString(&json, json.len == 0 ? "{}" : "}");
	return at_jsonb_make(json.data, json.len, NULL);
}

/* A row, or what was recorded of an event that is of none; null where there is nothing. */
static void
append_side(const Side *side, bool is_new, AtObserved *observed, StringInfo out)
{
	const AtChange *change = observed->change;
	int start = out->len;

	if (change->value == NULL)
	{
		struct varlena *values = is_new ? change->event->new_values : change->event->old_values;

		if (values == NULL)
			appendStringInfoString(out, "null");
		else
			appendBinaryStringInfo(out, VARDATA_ANY(values), VARSIZE_ANY_EXHDR(values));
		return;
	}
	appendStringInfoChar(out, '{');
	for (int i = 0; i < side->ncolumns; i++)
	{
		int len = out->len;

		if (out->len > start + 1)
			appendStringInfoChar(out, ',');
		appendStringInfoString(out, side->columns[i].json_name);
		if (!change->value(change, is_new, side->columns[i].attnum, out))
			out->data[out->len = len] = '\0';
	}
	appendStringInfoChar(out, '}');
}

/* ---- members ---- */

bool
at_condition_member(const char *name, AtObserved *observed, StringInfo out)
{
	for (int i = 0; i < lengthof(members); i++)
		if (strcmp(members[i].name, name) == 0)
		{
			if (observed != NULL)
				members[i].append(observed, out);
			return true;
		}
	return false;
}

static void
append_string(const char *string, StringInfo out)
{
	if (string == NULL)
		appendStringInfoString(out, "null");
	else
		escape_json(out, string);
}

static void
append_op(AtObserved *observed, StringInfo out)
{
	char op = observed->change->event->op;
	const AtOperation *operation = at_operation(op);

	append_string(operation != NULL ? operation->action : psprintf("%c", op), out);
}

static void
append_event_type(AtObserved *observed, StringInfo out)
{
	append_string(at_observed_event_type(observed), out);
}

static void
append_changed(AtObserved *observed, StringInfo out)
{
	const AtChange *change = observed->change;

	appendStringInfoChar(out, '[');
	for (int i = 0; i < change->nchanged; i++)
	{
		if (i > 0)
			appendStringInfoChar(out, ',');
		escape_json(out, change->changed(change, i).name);
	}
	appendStringInfoChar(out, ']');
}

static void
append_key(AtObserved *observed, StringInfo out)
{
	append_string(at_observed_key(observed), out);
}

static void
append_table(AtObserved *observed, StringInfo out)
{
	append_string(at_observed_table(observed), out);
}

static void
append_resource_type(AtObserved *observed, StringInfo out)
{
	const AtSpan *type = &observed->change->event->resource_type;

	append_string(type->data != NULL ? pnstrdup(type->data, type->len) : NULL, out);
}

static void
append_at(AtObserved *observed, StringInfo out)
{
	char at[MAXDATELEN + 1];
	int utc = 0;

	JsonEncodeDateTime(at, TimestampTzGetDatum(at_observed_at(observed)), TIMESTAMPTZOID, &utc);
	appendStringInfo(out, "\"%s\"", at);
}

static void
append_actor(AtObserved *observed, StringInfo out)
{
	append_string(at_observed_who(observed)->actor, out);
}

static void
append_actor_type(AtObserved *observed, StringInfo out)
{
	append_string(at_observed_who(observed)->actor_type, out);
}

static void
append_db_user(AtObserved *observed, StringInfo out)
{
	append_string(at_observed_who(observed)->db_user, out);
}

static void
append_db_role(AtObserved *observed, StringInfo out)
{
	append_string(at_observed_who(observed)->db_role, out);
}

static void
append_application(AtObserved *observed, StringInfo out)
{
	append_string(at_observed_who(observed)->application, out);
}

static void
append_reason(AtObserved *observed, StringInfo out)
{
	append_string(at_observed_who(observed)->reason, out);
}

static void
append_request_id(AtObserved *observed, StringInfo out)
{
	append_string(at_observed_who(observed)->request_id, out);
}
