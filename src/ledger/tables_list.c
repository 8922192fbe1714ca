/*-------------------------------------------------------------------------
 * tables_list.c
 *		Which tables the events of a batch are of.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/json.h"

#include "base/json_scan.h"
#include "ledger/tables_list.h"

/* A name has at most NAMEDATALEN bytes; in a file that was tampered with, any number. */
#define LONGEST_NAME 1024

/* Escapes make six bytes of one. */
#define LONGEST_JSON (AT_MAX_PAYLOAD / 2)

#define MEMBER "tables"

struct AtTablesList
{
	HTAB *targets; /* that were met */
	int32 last;    /* the same, so that a run of events asks once */
	int count;
	bool is_full;
	StringInfoData json; /* members */
};

AtTablesList *
at_tables_list_new(void)
{
	HASHCTL control = {
		.keysize = sizeof(int32), .entrysize = sizeof(int32), .hcxt = CurrentMemoryContext};
	AtTablesList *list = palloc0(sizeof(AtTablesList));

	list->targets =
		hash_create("audit tables", 32, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	initStringInfo(&list->json);
	return list;
}

/* ["schema","table"] */
static char *
make_pair(AtSpan schema, AtSpan table)
{
	StringInfoData pair;

	initStringInfo(&pair);
	appendStringInfoChar(&pair, '[');
	escape_json(&pair, pnstrdup(schema.data, schema.len));
	appendStringInfoChar(&pair, ',');
	escape_json(&pair, pnstrdup(table.data, table.len));
	appendStringInfoChar(&pair, ']');
	return pair.data;
}

void
at_tables_list_add(AtTablesList *list, int32 target_id, AtSpan schema, AtSpan table)
{
	bool known;

	if (target_id == list->last || list->is_full)
		return;
	list->last = target_id;
	hash_search(list->targets, &target_id, HASH_ENTER, &known);
	if (known)
		return;

	/* another version of a table that is listed already is listed again: no harm */
	if (list->count == AT_TABLES_LISTED || schema.data == NULL || table.data == NULL ||
		schema.len > LONGEST_NAME || table.len > LONGEST_NAME || list->json.len > LONGEST_JSON)
		list->is_full = true;
	else
		appendStringInfo(&list->json, "%s%s", list->count > 0 ? "," : "", make_pair(schema, table));
	list->count++;
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
	AtJsonSlice string;

	if (scan->kind != '"')
		return false;
	string = at_json_string(scan);
	return string.len == strlen(wanted) && memcmp(string.data, wanted, string.len) == 0;
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

/* Whatever is not as it should be means that it may. */
bool
at_tables_list_may_have(AtSpan payload, const char *schema, const char *table)
{
	AtJsonScan scan;

	if (payload.data == NULL)
		return true;
	at_json_start(&scan, payload.data, payload.len);
	if (!find_member(&scan) || scan.kind != '[')
		return true;
	while (at_json_next(&scan) && scan.kind == '[')
	{
		bool same = at_json_next(&scan) && is_string(&scan, schema);

		if (!at_json_next(&scan) || scan.kind != ',' || !at_json_next(&scan))
			return true;
		if (same && is_string(&scan, table))
			return true;
		if (!at_json_next(&scan) || scan.kind != ']' || !at_json_next(&scan))
			return true;
		if (scan.kind == ']')
			return false;
		if (scan.kind != ',')
			return true;
	}
	return scan.kind != ']';
}
