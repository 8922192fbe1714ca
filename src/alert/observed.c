/*-------------------------------------------------------------------------
 * observed.c
 *		An event as rules look at it.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/builtins.h"

#include "alert/observed.h"
#include "base/clock.h"
#include "core/operation.h"
#include "ledger/transaction.h"

void
at_observe_change(AtObserved *observed, const AtChange *change)
{
	observed->change = change;
	observed->at = change->event->occurred_at;
	observed->has_who = false;
	memset(observed->changed, 0, sizeof(observed->changed));
	for (int i = 0; i < change->nchanged; i++)
	{
		AttrNumber attnum = change->changed(change, i).attnum;

		if (attnum > 0)
			observed->changed[attnum / 64] |= UINT64CONST(1) << (attnum % 64);
	}
}

const AtWho *
at_observed_who(AtObserved *observed)
{
	AtActing acting;

	if (observed->has_who)
		return &observed->who;
	at_transaction_acting(&acting);

	const AtContextValue *claimed = acting.context.field;

	observed->who = (AtWho){
		.actor = claimed[AT_CONTEXT_ACTOR].value ? claimed[AT_CONTEXT_ACTOR].value : acting.db_user,
		.actor_type = claimed[AT_CONTEXT_ACTOR_TYPE].value,
		.db_user = acting.db_user,
		.db_role = acting.db_role,
		.application = acting.application,
		.reason = claimed[AT_CONTEXT_REASON].value,
		.request_id = claimed[AT_CONTEXT_REQUEST_ID].value,
	};
	observed->has_who = true;
	return &observed->who;
}

TimestampTz
at_observed_at(AtObserved *observed)
{
	if (observed->at == 0)
		observed->at = at_clock_now();
	return observed->at;
}

char *
at_observed_event_type(const AtObserved *observed)
{
	const AtEvent *event = observed->change->event;
	const AtOperation *operation = at_operation(event->op);

	if (event->event_type != NULL)
		return text_to_cstring((text *) event->event_type);
	if (operation == NULL || operation->done == NULL || event->resource_type.data == NULL)
		return NULL;
	return psprintf("%s.%s", pnstrdup(event->resource_type.data, event->resource_type.len),
					operation->done);
}

char *
at_observed_key(const AtObserved *observed)
{
	struct varlena *key = observed->change->event->record_key;

	return key != NULL ? text_to_cstring((text *) key) : NULL;
}

char *
at_observed_table(const AtObserved *observed)
{
	const AtEvent *event = observed->change->event;

	if (event->table.data == NULL || event->table.len == 0)
		return NULL;
	return quote_qualified_identifier(pnstrdup(event->schema.data, event->schema.len),
									  pnstrdup(event->table.data, event->table.len));
}
