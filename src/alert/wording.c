/*-------------------------------------------------------------------------
 * wording.c
 *		What an alert says to people.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "alert/condition.h"
#include "alert/wording.h"
#include "base/compat.h"
#include "base/json_scan.h"

/* Longest value in a sentence, in bytes. */
#define MAX_VALUE 200

typedef enum PieceKind
{
	PIECE_TEXT,
	PIECE_MEMBER,
	PIECE_COLUMN,
	PIECE_RULE,
	PIECE_FOUND,
	PIECE_CHANGED
} PieceKind;

typedef struct Piece
{
	PieceKind kind;
	char *text; /* literal, or name of the member or column */
	bool is_new;
	AttrNumber attnum; /* of a table; else the member of what was recorded */
} Piece;

struct AtWording
{
	Oid relid;
	List *pieces;
};

static const char *add_place(AtWording *sentence, const char *at, bool lenient);
static void add_piece(AtWording *sentence, Piece piece);
static void append_piece(const Piece *piece, AtObserved *observed, StringInfo out);
static void append_json(StringInfo out, const char *json, int len);

AtWording *
at_wording_compile(const char *template, Oid relid, bool lenient)
{
	AtWording *sentence = palloc0(sizeof(AtWording));
	StringInfoData text;

	sentence->relid = relid;
	initStringInfo(&text);
	for (const char *at = template; *at != '\0';)
	{
		bool brace = *at == '{' || *at == '}';

		if (!brace || at[1] == *at)
		{
			appendStringInfoChar(&text, *at);
			at += brace ? 2 : 1;
			continue;
		}
		add_piece(sentence, (Piece){.kind = PIECE_TEXT, .text = pstrdup(text.data)});
		resetStringInfo(&text);
		at = add_place(sentence, at, lenient);
	}
	add_piece(sentence, (Piece){.kind = PIECE_TEXT, .text = text.data});
	return sentence;
}

static void
add_piece(AtWording *sentence, Piece piece)
{
	Piece *copy = palloc(sizeof(Piece));

	if (piece.kind == PIECE_TEXT && piece.text[0] == '\0')
		return;
	*copy = piece;
	sentence->pieces = lappend(sentence->pieces, copy);
}

pg_noreturn static void
bad_place(const char *place)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("message of an alert rule has a place that is not known: \"%s\"", place),
			 errhint("Write {actor}, {table}, {key}, {changed}, {found}, {rule}, {op}, "
					 "{event_type}, {resource_type}, {reason}, {request_id}, {at}, {db_user}, "
					 "{old.COLUMN} or {new.COLUMN}, and a brace twice.")));
}

/* A place begins here; returns where it ends. */
static const char *
add_place(AtWording *sentence, const char *at, bool lenient)
{
	const char *end = strchr(at, '}');
	char *name = end != NULL ? pnstrdup(at + 1, end - at - 1) : pstrdup(at);
	Piece piece = {.text = name};

	if (end == NULL || end == at)
		bad_place(name);
	if (strcmp(name, "rule") == 0)
		piece.kind = PIECE_RULE;
	else if (strcmp(name, "found") == 0)
		piece.kind = PIECE_FOUND;
	else if (strcmp(name, "changed") == 0)
		piece.kind = PIECE_CHANGED;
	else if (strncmp(name, "old.", 4) == 0 || strncmp(name, "new.", 4) == 0)
	{
		piece.kind = PIECE_COLUMN;
		piece.is_new = name[0] == 'n';
		piece.text = name + 4;
		if (OidIsValid(sentence->relid))
			piece.attnum = get_attnum(sentence->relid, piece.text);
		if (OidIsValid(sentence->relid) && piece.attnum <= 0 && !lenient)
			bad_place(name);
	}
	else if (at_condition_member(name, NULL, NULL))
		piece.kind = PIECE_MEMBER;
	else
		bad_place(name);
	add_piece(sentence, piece);
	return end + 1;
}

bool
at_wording_reads(const AtWording *sentence, AttrNumber attnum)
{
	ListCell *cell;

	foreach (cell, sentence->pieces)
		if (((Piece *) lfirst(cell))->attnum == attnum)
			return true;
	return false;
}

/* ---- an event ---- */

char *
at_wording_render(const AtWording *sentence, AtObserved *observed, const char *rule,
				  const char *found, const char *columns)
{
	StringInfoData out;
	ListCell *cell;

	initStringInfo(&out);
	foreach (cell, sentence->pieces)
	{
		const Piece *piece = lfirst(cell);

		if (piece->kind == PIECE_TEXT)
			appendStringInfoString(&out, piece->text);
		else if (piece->kind == PIECE_RULE)
			appendStringInfoString(&out, rule);
		else if (piece->kind == PIECE_FOUND)
			appendStringInfoString(&out, found);
		else if (piece->kind == PIECE_CHANGED)
			appendStringInfoString(&out, columns);
		else
			append_piece(piece, observed, &out);
	}
	out.data[pg_mbcliplen(out.data, out.len, AT_WORDING_MAX)] = '\0';
	return out.data;
}

/* A value of a row, or of what was recorded of an event that is of none. */
static bool
find_value(const Piece *piece, const AtObserved *observed, StringInfo json)
{
	const AtChange *change = observed->change;
	struct varlena *values = piece->is_new ? change->event->new_values : change->event->old_values;
	AtJsonScan scan;

	if (change->value != NULL)
		return piece->attnum > 0 && change->value(change, piece->is_new, piece->attnum, json);
	if (values == NULL)
		return false;
	at_json_start(&scan, VARDATA_ANY(values), VARSIZE_ANY_EXHDR(values));
	if (!at_json_next(&scan) || scan.kind != '{')
		return false;
	while (at_json_next(&scan) && scan.kind != '}')
	{
		bool same;
		AtJsonSlice value;

		if (scan.kind != '"')
			continue; /* the comma */
		same = scan.len == strlen(piece->text) && memcmp(scan.start, piece->text, scan.len) == 0;
		at_json_next(&scan); /* the colon */
		at_json_next(&scan);
		value = at_json_value(&scan);
		if (same)
		{
			appendBinaryStringInfo(json, value.data, value.len);
			return true;
		}
	}
	return false;
}

static void
append_piece(const Piece *piece, AtObserved *observed, StringInfo out)
{
	StringInfoData json;

	initStringInfo(&json);
	if (piece->kind == PIECE_MEMBER)
		(void) at_condition_member(piece->text, observed, &json);
	else if (!find_value(piece, observed, &json))
		appendStringInfoString(&json, "?");
	append_json(out, json.data, json.len);
	pfree(json.data);
}

/* A value of JSON as people read it, cut where it is long. */
static void
append_json(StringInfo out, const char *json, int len)
{
	AtJsonScan scan;
	AtJsonSlice text = {.data = json, .len = len};

	at_json_start(&scan, json, len);
	if (at_json_next(&scan) && scan.kind == '"')
		text = at_json_string(&scan);
	if (text.len > MAX_VALUE)
	{
		appendBinaryStringInfo(out, text.data, pg_mbcliplen(text.data, text.len, MAX_VALUE));
		appendStringInfoString(out, "...");
	}
	else
		appendBinaryStringInfo(out, text.data, text.len);
}
