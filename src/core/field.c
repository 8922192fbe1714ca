/*-------------------------------------------------------------------------
 * field.c
 *		Integers and texts, as the bodies have them, one behind the other.
 *-------------------------------------------------------------------------
 */
#include "core/bytes.h"
#include "core/field.h"

#define AT_MISSING UINT32_MAX

bool
at_field_get_u32(AtText *rest, uint32_t *number)
{
	if (rest->len < 4)
		return false;
	*number = at_get_u32((const uint8_t *) rest->data);
	rest->data += 4;
	rest->len -= 4;
	return true;
}

bool
at_field_get_span(AtText *rest, AtSpan *span)
{
	uint32_t len;

	if (!at_field_get_u32(rest, &len))
		return false;
	*span = (AtSpan){NULL, 0};
	if (len == AT_MISSING)
		return true;
	if (len > rest->len)
		return false;
	*span = (AtSpan){rest->data, len};
	rest->data += len;
	rest->len -= len;
	return true;
}

bool
at_field_get_text(AtText *rest, AtText *text)
{
	AtSpan span;

	if (!at_field_get_span(rest, &span) || span.data == NULL)
		return false;
	*text = (AtText){span.data, span.len};
	return true;
}

void
at_field_put_u32(AtWriter *writer, uint32_t number)
{
	uint8_t bytes[4];

	at_put_u32(bytes, number);
	at_write(writer, (AtText){(const char *) bytes, sizeof(bytes)});
}

void
at_field_put_span(AtWriter *writer, AtSpan span)
{
	at_field_put_u32(writer, span.data == NULL ? AT_MISSING : span.len);
	at_write(writer, (AtText){span.data, span.len});
}
