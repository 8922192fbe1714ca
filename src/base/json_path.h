/*-------------------------------------------------------------------------
 * json_path.h
 *		What a jsonpath over {"old": row, "new": row, ...} asks for.
 *
 * The text of a path is that of jsonpath_out(), in which all names are
 * quoted: a quotation mark begins and ends a string, within which others are
 * escaped, and $ is the root or begins a variable. What is known of a path is
 * what stands as $."member" or $."member"."name"; the rest of a member can be
 * reached by wildcards and filters.
 *-------------------------------------------------------------------------
 */
#ifndef AT_JSON_PATH_H
#define AT_JSON_PATH_H

#include "utils/jsonpath.h"

/* A place in the text of a path where it begins at its root. Names have quotes and escapes. */
typedef struct AtPathReference
{
	const char *start; /* the $ */
	const char *end;
	const char *member; /* that follows; NULL: none is named */
	int member_len;
	const char *name; /* that follows the member; NULL: none is named */
	int name_len;
	bool variable; /* it is none, but begins a variable */
} AtPathReference;

/* A path that jsonpath_in() takes; raises what that raises. In the current memory context. */
extern JsonPath *at_path_compile(const char *path);

/*
 * The text of a path that is to be stored: as jsonpath_out() writes it. That loses the parentheses
 * of ($.a - $.b).abs() > 1, so with `what` it is an error that it has become another path; NULL
 * is to take it as it is. In the current memory context.
 */
extern char *at_path_text(JsonPath *path, const char *what);

/* Is it a predicate, true or false, as $.new.total > 1000 is? Otherwise it selects something. */
extern bool at_path_is_predicate(JsonPath *path);

/* The next $ at or behind this place of the text, not within a string; false behind the last one.
 */
extern bool at_path_next(const char *at, AtPathReference *reference);

/* Does the reference ask for this member? */
extern bool at_path_asks(const AtPathReference *reference, const char *member);

/* A name of a path without its quotes and escapes, in the current memory context. */
extern char *at_path_plain(const char *name, int len);

/* The path with another name for a column of "old" and "new", in the current memory context. */
extern char *at_path_rename(const char *path, const char *old_name, const char *new_name);

/* Behind the string that begins at this quotation mark. */
extern const char *at_path_behind_string(const char *at);

#endif
