/*-------------------------------------------------------------------------
 * pick.c
 *		One member of a JSON document.
 *
 * PostgreSQL's parser returns an error code for bad JSON, but raises an error
 * when the stack gets too deep, or when a character that \u names is not in
 * the encoding of the database; both are found out beforehand.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/jsonapi.h"
#include "mb/pg_wchar.h"

#include "base/compat.h"
#include "ledger/pick.h"

#define MAX_KEYS 16

typedef struct Picker
{
	JsonLexContext *lex;
	int nkeys;
	char *key[MAX_KEYS];
	int depth;   /* of objects and arrays around the current token */
	int matched; /* how many keys, from the first, lead to here */
	const char *object_start;
	char *value;
	bool is_object;
} Picker;

static bool split_path(Picker *picker, const char *path);
static bool too_deep(const char *json, int max_depth);
static AtJsonAction begin_object(void *state);
static AtJsonAction end_object(void *state);
static AtJsonAction begin_array(void *state);
static AtJsonAction end_array(void *state);
static AtJsonAction begin_field(void *state, char *name, bool isnull);
static AtJsonAction end_field(void *state, char *name, bool isnull);
static AtJsonAction take_scalar(void *state, char *token, JsonTokenType type);

char *
at_json_pick(const char *json, const char *path, int max_depth, bool *is_object)
{
	Picker picker = {0};
	JsonSemAction actions = {
		.semstate = &picker,
		.object_start = begin_object,
		.object_end = end_object,
		.array_start = begin_array,
		.array_end = end_array,
		.object_field_start = begin_field,
		.object_field_end = end_field,
		.scalar = take_scalar,
	};
	int encoding = GetDatabaseEncoding();

	if (!split_path(&picker, path) || too_deep(json, max_depth))
		return NULL;
	if (encoding != PG_UTF8 && strstr(json, "\\u") != NULL)
		return NULL;

	picker.lex =
		makeJsonLexContextCstringLen(NULL, unconstify(char *, json), strlen(json), encoding, true);
	if (pg_parse_json(picker.lex, &actions) != JSON_SUCCESS)
		return NULL;
	*is_object = picker.is_object;
	return picker.value;
}

/* ~1 and ~0 of a JSON pointer, in place. */
static void
unescape(char *key)
{
	char *out = key;

	for (; *key != '\0'; key++)
	{
		if (key[0] == '~' && (key[1] == '0' || key[1] == '1'))
			*out++ = *++key == '1' ? '/' : '~';
		else
			*out++ = *key;
	}
	*out = '\0';
}

static bool
split_path(Picker *picker, const char *path)
{
	bool pointer = path[0] == '/';
	char *rest = pstrdup(path + pointer);

	while (path[0] != '\0' && rest != NULL)
	{
		char *end = strchr(rest, pointer ? '/' : '.');

		if (picker->nkeys == MAX_KEYS)
			return false;
		if (end != NULL)
			*end++ = '\0';
		picker->key[picker->nkeys++] = rest;
		if (pointer)
			unescape(rest);
		rest = end;
	}
	return true;
}

/* Is it nested deeper than that? Right for valid JSON, and never too small before its first error.
 */
static bool
too_deep(const char *json, int max_depth)
{
	bool quoted = false;
	int depth = 0;

	for (; *json != '\0'; json++)
	{
		if (quoted && json[0] == '\\' && json[1] != '\0')
			json++;
		else if (*json == '"')
			quoted = !quoted;
		else if (!quoted && (*json == '{' || *json == '['))
		{
			if (++depth > max_depth)
				return true;
		}
		else if (!quoted && (*json == '}' || *json == ']'))
			depth--;
	}
	return false;
}

/* Is what begins here the value that the path leads to? */
static inline bool
is_wanted(const Picker *picker)
{
	return picker->matched == picker->nkeys && picker->depth == picker->nkeys;
}

static AtJsonAction
begin_object(void *state)
{
	Picker *picker = state;

	if (is_wanted(picker))
		picker->object_start = picker->lex->token_start;
	picker->depth++;
	AT_JSON_GO_ON;
}

static AtJsonAction
end_object(void *state)
{
	Picker *picker = state;

	picker->depth--;
	if (is_wanted(picker))
	{
		picker->value = pnstrdup(picker->object_start,
								 picker->lex->prev_token_terminator - picker->object_start);
		picker->is_object = true;
	}
	AT_JSON_GO_ON;
}

static AtJsonAction
begin_array(void *state)
{
	Picker *picker = state;

	if (is_wanted(picker))
		picker->value = NULL;
	picker->depth++;
	AT_JSON_GO_ON;
}

static AtJsonAction
end_array(void *state)
{
	((Picker *) state)->depth--;
	AT_JSON_GO_ON;
}

/* A key leads on where all keys before it have led here. */
static AtJsonAction
begin_field(void *state, char *name, bool isnull)
{
	Picker *picker = state;

	if (picker->matched == picker->depth - 1 && picker->matched < picker->nkeys &&
		strcmp(name, picker->key[picker->matched]) == 0)
	{
		picker->matched++;
		picker->value = NULL;
		picker->is_object = false;
	}
	AT_JSON_GO_ON;
}

static AtJsonAction
end_field(void *state, char *name, bool isnull)
{
	Picker *picker = state;

	if (picker->matched == picker->depth)
		picker->matched--;
	AT_JSON_GO_ON;
}

static AtJsonAction
take_scalar(void *state, char *token, JsonTokenType type)
{
	Picker *picker = state;

	if (is_wanted(picker) && type != JSON_TOKEN_NULL)
		picker->value = token;
	AT_JSON_GO_ON;
}
