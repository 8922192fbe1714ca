/*-------------------------------------------------------------------------
 * field.h
 *		Integers and texts, as the bodies have them (core/body.h), one behind the other.
 *
 * What is read points into the rest that it is cut off from; false if that has none.
 *-------------------------------------------------------------------------
 */
#ifndef AT_FIELD_H
#define AT_FIELD_H

#include "core/body.h"
#include "core/text.h"

extern bool at_field_get_u32(AtText *rest, uint32_t *number);
extern bool at_field_get_span(AtText *rest, AtSpan *span);

/* One that is not missing. */
extern bool at_field_get_text(AtText *rest, AtText *text);

extern void at_field_put_u32(AtWriter *writer, uint32_t number);
extern void at_field_put_span(AtWriter *writer, AtSpan span);

#endif
