/*-------------------------------------------------------------------------
 * operation.c
 *		The kinds of events.
 *-------------------------------------------------------------------------
 */
#include <stddef.h>
#include <string.h>

#include "core/operation.h"

static const AtOperation operations[] = {
	{'I', "insert", "data", "created", " was created", " were added to"},
	{'U', "update", "data", "updated", " was changed", " was changed"},
	{'D', "delete", "data", "deleted", " was deleted", " lost a row"},
	{'T', "truncate", "data", "truncated", " was removed, with all of its table",
	 ": the table was emptied"},
	{'B', "baseline", "data", "baseline", " was there when recording began",
	 ": recording began with the rows that were there"},
	{'A', "alter", "schema", NULL, ": the table itself was altered",
	 ": the table itself was altered"},
	{'M', "maintenance", "data", NULL, ": changes were made as maintenance, and only counted",
	 ": changes were made as maintenance, and only counted"},
	{'X', "export", "data", NULL, ": evidence was exported from the trail",
	 ": evidence was exported from the trail"},
	{'R', "refuse", "security", NULL, ": an attempt was refused", ": an attempt was refused"},
	{'V', "read", "security", NULL, ": the trail was read", ": the trail was read"},
	{'E', "emit", "data", NULL, ": the application told of an event",
	 ": the application told of an event"},
	{'S', "read", "access", "read", " was read", " was read"},
	{'L', "session", "authentication", NULL, ": a session", ": a session"},
	{'P', "administer", "authorization", NULL, ": rights or settings were changed",
	 ": rights or settings were changed"},
};

const AtOperation *
at_operation(char op)
{
	for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++)
		if (operations[i].op == op)
			return &operations[i];
	return NULL;
}

const char *
at_operation_category(char op, const char *context)
{
	const AtOperation *operation = at_operation(op);
	const char *category = operation != NULL ? operation->category : "data";
	int of_rows = strcmp(category, "data") == 0 || strcmp(category, "schema") == 0;

	return of_rows && context != NULL && strcmp(context, "system") == 0 ? "configuration"
																		: category;
}
