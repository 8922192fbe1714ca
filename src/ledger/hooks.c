/*-------------------------------------------------------------------------
 * hooks.c
 *		How a room tells the rooms beside it of what it has recorded or found.
 *
 * The pointers are set while the library is loaded and then constant.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "ledger/hooks.h"

AtChangeHook at_change_hook = NULL;
AtChangeWantedHook at_change_wanted_hook = NULL;
AtAlarmHook at_alarm_hook = NULL;
AtColumnRenamedHook at_column_renamed_hook = NULL;
AtTriggerNeededHook at_trigger_needed_hook = NULL;
AtAuditedByHook at_audited_by_hook = NULL;
AtAuditedTableHook at_audited_table_hook = NULL;

AtEventName
at_change_record(const AtEvent *event, Oid relid)
{
	AtEventName name = at_event_append(event);

	at_change_tell(&(AtChange){.event = event, .name = name, .relid = relid});
	return name;
}
