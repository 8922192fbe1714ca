/*-------------------------------------------------------------------------
 * sentence.h
 *		What has happened, in a sentence of plain English.
 *
 * The type of an event has the template for it (audit.event_type.sentence); an
 * event of another type gets that of its op. In a template, a name in braces is
 * replaced by what the event has:
 *
 *		{actor} {reason} {request_id} {event_type} {resource_id}
 *		{resource_type}		with blanks for underscores
 *		{resource}			resource type and id
 *		{changes}			members of the new values, with the old ones
 *		{old.a.b} {new.a.b} {extra.a.b}
 *							the member b of the member a of these values
 *
 * What stands in square brackets is left out, brackets and all, where a name in it
 * has nothing; elsewhere such a name becomes "(not given)".
 *
 * What comes from the event cannot pass for words of the sentence: unless it is a
 * single word or number it is quoted, a character that cannot be seen is
 * written as its code, and what is long is cut.
 *-------------------------------------------------------------------------
 */
#ifndef AT_SENTENCE_H
#define AT_SENTENCE_H

#include "lib/stringinfo.h"

#include "base/json_scan.h"

/* An event; data is NULL where it has no such thing. Values are what the reader may see. */
typedef struct AtSentence
{
	char op;
	AtJsonSlice event_type;
	AtJsonSlice resource_type;
	AtJsonSlice resource_id;
	AtJsonSlice actor;
	AtJsonSlice reason;
	AtJsonSlice request_id;
	AtJsonSlice old_values; /* these three: JSON */
	AtJsonSlice new_values;
	AtJsonSlice extra;
} AtSentence;

/* Append the sentence, without a full stop. Raises nothing because of the event. */
extern void at_sentence_render(const AtSentence *event, StringInfo out);

#endif
