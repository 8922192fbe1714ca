/*-------------------------------------------------------------------------
 * name.c
 *		What events are called, and the sentence that tells one: for the views
 *		and functions that show them.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"

#include "base/compat.h"
#include "core/operation.h"
#include "ledger/event_type.h"
#include "ledger/sentence.h"

PG_FUNCTION_INFO_V1(at_name_action);
PG_FUNCTION_INFO_V1(at_name_event_type);
PG_FUNCTION_INFO_V1(at_name_category);
PG_FUNCTION_INFO_V1(at_make_sentence);

/* audit.name_action(op) */
Datum
at_name_action(PG_FUNCTION_ARGS)
{
	char op = PG_GETARG_CHAR(0);
	const AtOperation *operation = at_operation(op);

	if (operation != NULL)
		PG_RETURN_TEXT_P(cstring_to_text(operation->action));
	PG_RETURN_TEXT_P(cstring_to_text_with_len(&op, 1));
}

/* audit.name_event_type(event_type, op, resource_type) */
Datum
at_name_event_type(PG_FUNCTION_ARGS)
{
	const AtOperation *operation;

	if (!PG_ARGISNULL(0))
		PG_RETURN_DATUM(PG_GETARG_DATUM(0));
	operation = PG_ARGISNULL(1) ? NULL : at_operation(PG_GETARG_CHAR(1));
	if (operation == NULL || operation->done == NULL || PG_ARGISNULL(2))
		PG_RETURN_NULL();

	text *resource = PG_GETARG_TEXT_PP(2);
	Size resource_len = VARSIZE_ANY_EXHDR(resource);
	Size len = resource_len + 1 + strlen(operation->done);
	text *name = palloc(VARHDRSZ + len);

	SET_VARSIZE(name, VARHDRSZ + len);
	memcpy(VARDATA(name), VARDATA_ANY(resource), resource_len);
	VARDATA(name)[resource_len] = '.';
	memcpy(VARDATA(name) + resource_len + 1, operation->done, strlen(operation->done));
	PG_RETURN_TEXT_P(name);
}

/* audit.name_category(event_type, op, context) */
Datum
at_name_category(PG_FUNCTION_ARGS)
{
	const AtEventType *type = NULL;

	if (!PG_ARGISNULL(0))
	{
		text *name = PG_GETARG_TEXT_PP(0);

		type = at_event_type_find(VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name));
	}
	if (type != NULL)
		PG_RETURN_TEXT_P(cstring_to_text(type->category));
	if (PG_ARGISNULL(1))
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(at_operation_category(
		PG_GETARG_CHAR(1), PG_ARGISNULL(2) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(2)))));
}

/* An argument of type text or json; data is NULL for null. */
static AtJsonSlice
get_slice(FunctionCallInfo fcinfo, int arg)
{
	text *value;

	if (PG_ARGISNULL(arg))
		return (AtJsonSlice){NULL, 0};
	value = PG_GETARG_TEXT_PP(arg);
	return (AtJsonSlice){VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value)};
}

/* audit.make_sentence(event_type, op, resource_type, resource_id, actor, reason, request_id, ...)
 */
Datum
at_make_sentence(PG_FUNCTION_ARGS)
{
	AtSentence event = {
		.event_type = get_slice(fcinfo, 0),
		.op = PG_ARGISNULL(1) ? '\0' : PG_GETARG_CHAR(1),
		.resource_type = get_slice(fcinfo, 2),
		.resource_id = get_slice(fcinfo, 3),
		.actor = get_slice(fcinfo, 4),
		.reason = get_slice(fcinfo, 5),
		.request_id = get_slice(fcinfo, 6),
		.old_values = get_slice(fcinfo, 7),
		.new_values = get_slice(fcinfo, 8),
		.extra = get_slice(fcinfo, 9),
	};
	StringInfoData sentence;

	initStringInfo(&sentence);
	at_sentence_render(&event, &sentence);
	PG_RETURN_TEXT_P(cstring_to_text_with_len(sentence.data, sentence.len));
}
