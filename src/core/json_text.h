/*-------------------------------------------------------------------------
 * json_text.h
 *		JSON as it was recorded: is it JSON, and what are its members?
 *
 * Values keep their exact text: numbers their digits, objects the order of
 * their members, and a key that is there twice is there twice. Bytes from
 * 0x80 on may be anything within strings, since databases may be in
 * any encoding. All of it runs in linear time and constant memory.
 *-------------------------------------------------------------------------
 */
#ifndef AT_JSON_TEXT_H
#define AT_JSON_TEXT_H

#include "core/text.h"

/* What is nested deeper is not taken for JSON. */
#define AT_JSON_TEXT_DEPTH 1024

/* Is it one value of JSON (RFC 8259), white space around it allowed? */
extern bool at_json_text_check(AtText text);

/* The following are for texts that were checked. */

/* Make *members of an object; false if the value is none. */
extern bool at_json_text_open(AtText value, AtText *members);

/*
 * Cut off the next member; false at the end. The key comes without its quotes and with its
 * escapes, the value as it is written, without white space around it.
 */
extern bool at_json_text_next(AtText *members, AtText *key, AtText *value);

/* The value of the first member with this key, which has no escapes; false if there is none. */
extern bool at_json_text_find(AtText object, const char *key, AtText *value);

/* If the value is a string, cut its quotes off. */
extern bool at_json_text_unquote(AtText *value);

/*
 * Cut off one character of a string, an escape resolved: its code point, of
 * half a surrogate pair too; or of a byte that is not UTF-8, -1 - that byte. The string is not
 * empty.
 */
extern int32_t at_json_text_character(AtText *string);

#endif
