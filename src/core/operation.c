/*-------------------------------------------------------------------------
 * operation.c
 *		The kinds of events.
 *-------------------------------------------------------------------------
 */
#include <stddef.h>
#include <string.h>

#include "core/operation.h"

static const AtOperation operations[] = {
	{'I', "insert", "data", "created", " was created", " were added to",
	 "{actor} created {resource}", "{actor} added a row to {resource}"},
	{'U', "update", "data", "updated", " was changed", " was changed",
	 "{actor} changed {resource}[: {changes}]", "{actor} changed a row of {resource}[: {changes}]"},
	{'D', "delete", "data", "deleted", " was deleted", " lost a row", "{actor} deleted {resource}",
	 "{actor} deleted a row of {resource}"},
	{'T', "truncate", "data", "truncated", " was removed, with all of its table",
	 ": the table was emptied", "{actor} removed {resource}, with all of its table",
	 "{actor} emptied the table of {resource}"},
	{'B', "baseline", "data", "baseline", " was there when recording began",
	 ": recording began with the rows that were there", "{resource} was there when recording began",
	 "recording of {resource} began with the rows that were there"},
	{'A', "alter", "schema", NULL, ": the table itself was altered",
	 ": the table itself was altered", "{actor} altered the table of {resource}",
	 "{actor} altered the table of {resource}"},
	{'M', "maintenance", "data", NULL, ": changes were made as maintenance, and only counted",
	 ": changes were made as maintenance, and only counted",
	 "{actor} made changes as maintenance, which were only counted",
	 "{actor} made changes as maintenance, which were only counted"},
	{'X', "export", "data", NULL, ": evidence was exported from the trail",
	 ": evidence was exported from the trail", "{actor} exported evidence from the trail",
	 "{actor} exported evidence from the trail"},
	{'R', "refuse", "security", NULL, ": an attempt was refused", ": an attempt was refused",
	 "{actor} was refused[: {new.message}]", "{actor} was refused[: {new.message}]"},
	{'V', "read", "security", NULL, ": the trail was read", ": the trail was read",
	 "{actor} read the audit trail", "{actor} read the audit trail"},
	{'E', "emit", "operation", NULL, ": the application told of an event",
	 ": the application told of an event", "{actor} told of {event_type}: {resource}",
	 "{actor} told of {event_type}"},
	{'S', "read", "access", "read", " was read", " was read", "{actor} read {resource}",
	 "{actor} read {resource}[: {new.rows} rows]"},
	{'L', "session", "authentication", NULL, ": a session", ": a session", "{actor}: {event_type}",
	 "{actor}: {event_type}"},
	{'P', "administer", "authorization", NULL, ": rights or settings were changed",
	 ": rights or settings were changed", "{actor}: {event_type}[, {resource_id}]",
	 "{actor}: {event_type}"},
	{'K', "respond", "security", NULL, ": somebody saw to it", ": somebody saw to an alert",
	 "{actor} saw to alert {resource_id}", "{actor} saw to an alert"},
	{'H', "seal", "security", NULL, ": alerts were sealed", ": alerts were sealed",
	 "alerts were sealed", "alerts were sealed"},
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
