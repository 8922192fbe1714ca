/*-------------------------------------------------------------------------
 * kind.c
 *		Events that are of no audited table.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "utils/builtins.h"

#include "base/catalog.h"
#include "ledger/datum.h"
#include "ledger/hooks.h"
#include "ledger/kind.h"
#include "ledger/partition.h"

void
at_kind_target(const char *resource_type, AtTarget *target)
{
	if (at_target_find(resource_type, target))
		return;
	*target = (AtTarget){
		.retention_class = AT_RETENTION_CLASS_DEFAULT,
		.table_schema = AT_SCHEMA,
		.table_name = "",
		.resource_type = pstrdup(resource_type),
		.context = "system",
		.key_columns = "[]",
		.columns = "[]",
	};
	at_target_append(target);
	CommandCounterIncrement();
}

AtEvent
at_kind_event(const AtTarget *target, char op, const char *event_type)
{
	return (AtEvent){
		.target_id = target->target_id,
		.retention_class = target->retention_class,
		.schema = at_span_of(target->table_schema),
		.table = at_span_of(target->table_name),
		.resource_type = at_span_of(target->resource_type),
		.op = op,
		.event_type = event_type != NULL ? cstring_to_text(event_type) : NULL,
	};
}

AtEventName
at_kind_append(const char *resource_type, char op, const char *event_type, const char *record_key,
			   const char *values)
{
	AtTarget target;

	at_kind_target(resource_type, &target);

	AtEvent event = at_kind_event(&target, op, event_type);

	if (record_key != NULL)
		event.record_key = cstring_to_text(record_key);
	event.new_values = cstring_to_text(psprintf("{%s}", values));
	return at_change_record(&event, InvalidOid);
}
