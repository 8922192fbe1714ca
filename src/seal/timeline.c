/*-------------------------------------------------------------------------
 * timeline.c
 *		A control record in the log when the server is on another timeline.
 *
 * It says which one, and of those before it where they were left, as the
 * server's history file has it. The WAL may have been lost from there on:
 * whether the log lost entries with it, the last signed checkpoint tells.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/timeline.h"
#include "access/xlog.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"

#include "seal/query.h"
#include "seal/timeline.h"

/* Of a longer history the newest part is told. */
#define MAX_HISTORY 16

/* Right after an error: the log is asked again, unless what it says was committed. */
static struct
{
	bool known; /* the log has it */
	bool said;  /* in this pass */
} timeline;

static TimeLineID read_last(int32 incarnation);
static char *make_payload(TimeLineID current);

void
at_timeline_seal(AtLogHead *head, int32 incarnation)
{
	TimeLineID current;

	timeline.said = false;
	if (timeline.known)
		return;
	current = GetWALInsertionTimeLine();
	timeline.said = true;
	if (read_last(incarnation) != current)
		at_log_append_control(head, incarnation, AT_KIND_TIMELINE, NULL, make_payload(current));
}

void
at_timeline_sealed(void)
{
	timeline.known |= timeline.said;
}

/* What the log says; every server begins with 1, which is not worth a record. */
static TimeLineID
read_last(int32 incarnation)
{
	char *last =
		at_query_value(psprintf("SELECT pg_catalog.json_extract_path_text(payload, 'timeline') "
								"FROM audit.log_entry WHERE kind = '" AT_KIND_TIMELINE
								"' AND incarnation = %d ORDER BY log_index DESC LIMIT 1",
								incarnation));

	return last != NULL ? strtoul(last, NULL, 10) : 1;
}

/* {"timeline":N,"history":[{"timeline":N,"left_at":"X/X"},...]}, the newest first. */
static char *
make_payload(TimeLineID current)
{
	List *history = readTimeLineHistory(current);
	StringInfoData json;
	ListCell *cell;
	int told = 0;

	initStringInfo(&json);
	appendStringInfo(&json, "{\"timeline\":%u,\"history\":[", current);
	foreach (cell, history)
	{
		const TimeLineHistoryEntry *entry = lfirst(cell);

		if (entry->tli == current || told == MAX_HISTORY)
			continue;
		appendStringInfo(&json, "%s{\"timeline\":%u,\"left_at\":\"%X/%X\"}", told > 0 ? "," : "",
						 entry->tli, LSN_FORMAT_ARGS(entry->end));
		told++;
	}
	appendStringInfoString(&json, "]}");
	return json.data;
}
