/*-------------------------------------------------------------------------
 * escape.h
 *		Recorded text in JSON and HTML: whatever its bytes are, it stays text.
 *
 * Text may be hostile, or not be UTF-8 at all. Markup, control characters,
 * and characters that cannot be seen or that turn the direction of writing
 * never reach the output as they are: JSON gets escapes, HTML a mark that
 * names them, in an element of its own, which no text can imitate. A byte that
 * is not UTF-8 becomes U+FFFD in JSON, and a mark in HTML.
 *-------------------------------------------------------------------------
 */
#ifndef AT_ESCAPE_H
#define AT_ESCAPE_H

#include "core/output.h"

/* Is it a control character, or another that cannot be seen or changes how others are seen? */
extern bool at_is_unseen(int32_t code_point);

/* Is all of it UTF-8? */
extern bool at_text_is_utf8(AtText text);

/* A JSON string, quotes included, of this text. */
extern void at_out_json_string(AtOutput *output, AtText text);

/* A value of JSON that was checked (core/json_text.h), without white space. */
extern void at_out_json_value(AtOutput *output, AtText value);

/* Text of HTML. */
extern void at_out_html(AtOutput *output, AtText text);

/* The same of the content of a JSON string that was checked, its escapes resolved. */
extern void at_out_html_string(AtOutput *output, AtText string);

#endif
