/*-------------------------------------------------------------------------
 * name.c
 *		What kinds of events are called: for the views and functions that
 *		show them.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"

#include "base/compat.h"
#include "core/operation.h"

PG_FUNCTION_INFO_V1(at_name_action);
PG_FUNCTION_INFO_V1(at_name_event_type);
PG_FUNCTION_INFO_V1(at_name_category);

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

/* audit.name_category(op, context) */
Datum
at_name_category(PG_FUNCTION_ARGS)
{
	char *context = PG_ARGISNULL(1) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(1));

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(at_operation_category(PG_GETARG_CHAR(0), context)));
}
