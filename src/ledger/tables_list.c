/*-------------------------------------------------------------------------
 * tables_list.c
 *		Of which tables the events of a batch are, and of which kinds.
 *
 * An event is nearly always of the kind of the one before, or of one of a few:
 * these are looked for one after the other, beginning with the last.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/json.h"

#include "ledger/tables_list.h"

/* A name has at most NAMEDATALEN bytes; in a file that was tampered with, any number. */
#define LONGEST_NAME 1024

/* Escapes make six bytes of one. */
#define LONGEST_JSON (AT_MAX_PAYLOAD / 2)

#define MEMBER "tables"

typedef struct Kind
{
	int32 target_id;
	uint8 op;
	AtSpan event_type; /* a copy of ours */
} Kind;

struct AtTablesList
{
	Kind kind[AT_TABLES_LISTED];
	int count;
	int last; /* the kind of the event before */
	bool is_full;
	StringInfoData json; /* members */
};

AtTablesList *
at_tables_list_new(void)
{
	AtTablesList *list = palloc0(sizeof(AtTablesList));

	initStringInfo(&list->json);
	return list;
}

static bool
is_kind(const Kind *kind, int32 target_id, const AtEventBody *event)
{
	return kind->target_id == target_id && kind->op == event->op &&
		   (kind->event_type.data == NULL) == (event->event_type.data == NULL) &&
		   kind->event_type.len == event->event_type.len &&
		   (event->event_type.len == 0 ||
			memcmp(kind->event_type.data, event->event_type.data, event->event_type.len) == 0);
}

static void
append_string(StringInfo json, AtSpan text)
{
	escape_json(json, pnstrdup((const char *) text.data, text.len));
}

/* ["schema","table","op"] or ["schema","table","op","event_type"] */
static void
append_kind(AtTablesList *list, const AtEventBody *event)
{
	StringInfo json = &list->json;

	appendStringInfoString(json, list->count > 0 ? ",[" : "[");
	append_string(json, event->schema);
	appendStringInfoChar(json, ',');
	append_string(json, event->table);
	appendStringInfoChar(json, ',');
	append_string(json, (AtSpan){.data = &event->op, .len = 1});
	if (event->event_type.data != NULL)
	{
		appendStringInfoChar(json, ',');
		append_string(json, event->event_type);
	}
	appendStringInfoChar(json, ']');
}

void
at_tables_list_add(AtTablesList *list, int32 target_id, const AtEventBody *event)
{
	if (list->is_full || (list->count > 0 && is_kind(&list->kind[list->last], target_id, event)))
		return;
	for (list->last = 0; list->last < list->count; list->last++)
		if (is_kind(&list->kind[list->last], target_id, event))
			return;

	/* another version of a table that is listed already is listed again: no harm */
	if (list->count == AT_TABLES_LISTED || event->schema.data == NULL ||
		event->table.data == NULL || event->schema.len > LONGEST_NAME ||
		event->table.len > LONGEST_NAME || event->event_type.len > LONGEST_NAME ||
		event->op <= ' ' || event->op > '~' || list->json.len > LONGEST_JSON)
	{
		list->is_full = true;
		return;
	}
	append_kind(list, event);
	list->kind[list->count++] = (Kind){
		.target_id = target_id,
		.op = event->op,
		.event_type = {.data = event->event_type.data == NULL
								   ? NULL
								   : (const void *) pnstrdup((const char *) event->event_type.data,
															 event->event_type.len),
					   .len = event->event_type.len},
	};
}

char *
at_tables_list_json(const AtTablesList *list)
{
	return list->is_full ? NULL : psprintf("[%s]", list->json.data);
}

/* Is the string that the scan stands on this one? */
static bool
is_string(const AtJsonScan *scan, const char *wanted)
{
	return scan->kind == '"' && at_json_slice_is(at_json_string(scan), wanted);
}

/* Go behind "tables": in an object; false if it has no such member. */
static bool
find_member(AtJsonScan *scan)
{
	if (!at_json_next(scan) || scan->kind != '{')
		return false;
	while (at_json_next(scan) && scan->kind != '}')
	{
		bool found = is_string(scan, MEMBER);

		if (!at_json_next(scan) || scan->kind != ':' || !at_json_next(scan))
			return false;
		if (found)
			return true;
		(void) at_json_value(scan);
		if (!at_json_next(scan) || scan->kind != ',')
			return false;
	}
	return false;
}

bool
at_tables_list_may_have(AtSpan payload, AtListedTest test, void *arg)
{
	AtJsonScan scan;

	if (payload.data == NULL)
		return true;
	at_json_start(&scan, (const char *) payload.data, payload.len);
	if (!find_member(&scan) || scan.kind != '[')
		return true;
	while (at_json_next(&scan) && scan.kind == '[')
	{
		AtJsonSlice kind = at_json_value(&scan);

		if (test(kind, arg) || !at_json_next(&scan))
			return true;
		if (scan.kind == ']')
			return false;
		if (scan.kind != ',')
			return true;
	}
	return scan.kind != ']';
}

bool
at_listed_kind_read(AtJsonSlice kind, AtListedKind *listed)
{
	AtJsonSlice *part[] = {&listed->schema, &listed->table, &listed->op, &listed->event_type};
	AtJsonScan scan;
	int count = 0;

	*listed = (AtListedKind){0};
	at_json_start(&scan, kind.data, kind.len);
	if (!at_json_next(&scan) || scan.kind != '[')
		return false;
	while (count < lengthof(part) && at_json_next(&scan) && scan.kind == '"')
	{
		*part[count++] = at_json_string(&scan);
		if (!at_json_next(&scan) || scan.kind != ',')
			break;
	}
	return count >= 3 && scan.kind == ']';
}
