/*-------------------------------------------------------------------------
 * record.c
 *		What was told by way of the ring, as events.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "commands/dbcommands.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "ledger/context.h"
#include "ledger/event.h"
#include "ledger/hooks.h"
#include "ledger/kind.h"
#include "observe/record.h"

/* Reads of a table of which no version is known are about this. */
#define TABLE_TYPE "table"

static void find_target(AtTarget *target, const AtDispatch *dispatch);
static struct varlena *make_values(const AtDispatch *dispatch, const AtTarget *target);

bool
at_record_read(const AtRingRecord *ring, AtRecord *record)
{
	record->ring = *ring;
	record->taken = false;
	record->group = 0;
	record->origin = palloc(sizeof(AtOrigin));
	return at_dispatch_read(ring->data, ring->len, record->origin, &record->origin_len,
							&record->dispatch);
}

static bool
same_origin(const AtRecord *a, const AtRecord *b)
{
	return a->origin_len == b->origin_len && memcmp(a->ring.data, b->ring.data, a->origin_len) == 0;
}

int
at_record_take_group(AtRecord *record, int from, int until, int group)
{
	int count = 0;

	for (int i = from; i < until; i++)
	{
		if (record[i].taken || !same_origin(&record[from], &record[i]))
			continue;
		record[i].taken = true;
		record[i].group = group;
		count++;
	}
	return count;
}

/*
 * What somebody says who wants to log in has no encoding, and a record may come from another
 * database.
 */
char *
at_record_clean(char *text)
{
	return text != NULL && !pg_verifymbstr(text, strlen(text), true)
			   ? at_context_clean_part(text, strlen(text), strlen(text))
			   : text;
}

void
at_record_clean_origin(AtOrigin *origin)
{
	AtSessionFacts *session = &origin->session;

	session->login_user = at_record_clean(session->login_user);
	session->client_addr = at_record_clean(session->client_addr);
	session->application = at_record_clean(session->application);
	session->tls = at_record_clean(session->tls);
	origin->db_user = at_record_clean(origin->db_user);
	origin->db_role = at_record_clean(origin->db_role);
	for (int i = 0; i < AT_CONTEXT_FIELDS; i++)
	{
		origin->field[i].value = at_record_clean(unconstify(char *, origin->field[i].value));
		origin->field[i].source = at_record_clean(unconstify(char *, origin->field[i].source));
	}
}

void
at_record_append(const AtRecord *record, AtTarget *target, StringInfo extra)
{
	const AtDispatch *dispatch = &record->dispatch;
	AtEvent event;

	find_target(target, dispatch);
	event = at_kind_event(target, dispatch->op, at_record_clean(dispatch->event_type));

	if (dispatch->record_key != NULL)
		event.record_key = cstring_to_text(at_record_clean(dispatch->record_key));
	event.new_values = make_values(dispatch, target);
	event.extra = extra;
	event.occurred_at = dispatch->at;

	(void) at_change_record(&event, InvalidOid);
}

/*
 * What the event is about: an audited table, or what is known by its resource type. The version of
 * a table may have been rolled back since, or not be committed yet; this cannot be waited for.
 */
static void
find_target(AtTarget *target, const AtDispatch *dispatch)
{
	char *type = at_record_clean(dispatch->resource_type);

	if (dispatch->target_id != 0)
	{
		if (target->target_id == dispatch->target_id || at_target_read(dispatch->target_id, target))
			return;
		target->target_id = 0;
		if (dispatch->op == 'S')
			type = TABLE_TYPE;
	}
	if (target->target_id == 0 || strcmp(target->resource_type, type) != 0 ||
		target->table_name[0] != '\0')
		at_kind_target(type, target);
}

static struct varlena *
make_values(const AtDispatch *dispatch, const AtTarget *target)
{
	StringInfoData members;
	char *values = at_record_clean(dispatch->values);
	char *database = at_record_clean(dispatch->database);

	initStringInfo(&members);
	appendStringInfoString(&members, values != NULL ? values : "");
	if (dispatch->rows >= 0)
		at_member_number(&members, "rows", dispatch->rows);
	if (dispatch->op == 'S' && dispatch->target_id != target->target_id)
		at_member_text(&members, "table", at_record_clean(dispatch->resource_type));
	if (database != NULL && strcmp(database, get_database_name(MyDatabaseId)) != 0)
		at_member_text(&members, "in_database", database);
	return cstring_to_text(psprintf("{%s}", members.data));
}
