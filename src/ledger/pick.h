/*-------------------------------------------------------------------------
 * pick.h
 *		One member of a JSON document, without ever failing on the document.
 *-------------------------------------------------------------------------
 */
#ifndef AT_PICK_H
#define AT_PICK_H

/*
 * The value at a path, in the current context: of a string its characters,
 * of a number or boolean its text, of an object its JSON text. NULL if there
 * is none, or null or an array, or if the document is malformed, nested deeper
 * than max_depth, or has escapes that the database's encoding may not know.
 *
 * A path is keys with dots between them (user.id), or a JSON pointer
 * (/https:~1~1hasura.io~1jwt~1claims/x-hasura-user-id). An empty one means
 * the document itself. Of two equal keys the last counts. *is_object tells
 * whether it is an object.
 */
extern char *at_json_pick(const char *json, const char *path, int max_depth, bool *is_object);

#endif
