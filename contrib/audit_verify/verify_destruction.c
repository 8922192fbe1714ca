/*-------------------------------------------------------------------------
 * verify_destruction.c
 *		Verifies a certificate of destruction.
 *-------------------------------------------------------------------------
 */
#include <inttypes.h>
#include <stdlib.h>

#include "core/destruction.h"
#include "describe.h"
#include "message.h"
#include "show.h"
#include "verify_destruction.h"

#define PART "certificate"

static void say(AtResult *result, const AtDestroyed *destroyed, const AtCheckpoint *checkpoint);
static void add_fields(AtResult *result, const AtDestroyed *destroyed);
static void add_member(AtResult *result, const char *name, const AtEntryBody *entry,
					   const char *member);
static void add_time(AtResult *result, const char *name, const AtEntryBody *entry);
static void say_not_proved(AtResult *result, const AtDestroyed *destroyed, const AtTrust *trust,
						   const AtKept *kept);

void
at_verify_destruction(AtResult *result, AtText text, const AtUserTrust *trust, const AtKept *kept)
{
	AtDestruction destruction;
	AtDestroyed destroyed;
	AtCheckpoint checkpoint;
	char *buffer = at_alloc(text.len);
	AtError error = at_destruction_read(&destruction, text, buffer, text.len);

	result->kind = "certificate of destruction";
	if (at_result_error(result, PART, error) &&
		at_trust_open(trust, destruction.checkpoint, PART, &checkpoint, result))
	{
		AtTrust counts = at_trust_for(trust, destruction.checkpoint);

		error = at_destruction_verify_in(&destruction, &checkpoint, &destroyed);
		if (at_result_error(result, PART, error))
		{
			add_fields(result, &destroyed);
			say(result, &destroyed, &checkpoint);
			at_kept_compare(result, kept, &checkpoint, PART, false);
			say_not_proved(result, &destroyed, &counts, kept);
		}
	}
	free(buffer);
}

/* Who, when, what and why. */
static void
add_fields(AtResult *result, const AtDestroyed *destroyed)
{
	const AtEntryBody *request = &destroyed->entry[AT_DESTRUCTION_REQUEST];
	const AtEntryBody *approval = &destroyed->entry[AT_DESTRUCTION_APPROVAL];
	const AtEntryBody *order = &destroyed->entry[AT_DESTRUCTION_ORDER];
	const AtEntryBody *done = &destroyed->entry[AT_DESTRUCTION_DONE];

	at_describe_number(result, "deletion_id", order->log_index);
	at_result_field(result, "kind", at_text(destroyed->is_purge ? "purge" : "erasure"));
	add_member(result, "requested_by", request, "by");
	add_time(result, "requested_at", request);
	add_member(result, "reason", request, "reason");
	add_member(result, "approved_by", approval, "by");
	add_time(result, "approved_at", approval);
	add_member(result, "note", approval, "note");
	add_time(result, "ordered_at", order);
	add_time(result, "done_at", done);
	if (destroyed->is_purge)
	{
		add_member(result, "from", order, "from");
		add_member(result, "until", order, "until");
		at_describe_number(result, "events", destroyed->events);
		at_describe_number(result, "transactions", destroyed->transactions);
		at_describe_number(result, "batches", destroyed->batches);
		add_member(result, "first_batch", order, "first_batch");
		add_member(result, "last_batch", order, "last_batch");
		add_member(result, "leaves_root", order, "leaves_root");
		add_member(result, "policies", order, "policies");
	}
	else
	{
		add_member(result, "subject", order, "subject");
		add_member(result, "keys", order, "keys");
		add_member(result, "legal_basis", order, "legal_basis");
	}
}

static void
add_member(AtResult *result, const char *name, const AtEntryBody *entry, const char *member)
{
	AtText value = {NULL, 0};

	(void) at_destruction_member(entry, member, &value);
	at_result_field(result, name, value);
}

static void
add_time(AtResult *result, const char *name, const AtEntryBody *entry)
{
	char text[AT_SHOWN_TIME_MAX];

	at_result_field(result, name, at_text(at_show_time(entry->sealed_at, text)));
}

static void
say(AtResult *result, const AtDestroyed *destroyed, const AtCheckpoint *checkpoint)
{
	const AtEntryBody *entry = destroyed->entry;

	at_describe_checkpoint(result, checkpoint);
	if (destroyed->is_purge)
		at_result_add(result, AT_PROVED,
					  "PURGED: %" PRIu64 " events and %" PRIu64 " transactions of %" PRIu64
					  " batches, whose hashes are in the log for ever; the list of these is that "
					  "of the order",
					  destroyed->events, destroyed->transactions, destroyed->batches);
	else
		at_result_add(result, AT_PROVED,
					  "ERASED: the key under which values of a person were recorded");
	at_result_add(result, AT_PROVED,
				  "one login asked for it, another approved it, then it was ordered, and then "
				  "carried out: entries %" PRIu64 ", %" PRIu64 ", %" PRIu64 " and %" PRIu64
				  " of the log \"%s\" of size %" PRIu64,
				  entry[AT_DESTRUCTION_REQUEST].log_index, entry[AT_DESTRUCTION_APPROVAL].log_index,
				  entry[AT_DESTRUCTION_ORDER].log_index, entry[AT_DESTRUCTION_DONE].log_index,
				  at_said(result, checkpoint->origin), checkpoint->size);
}

static void
say_not_proved(AtResult *result, const AtDestroyed *destroyed, const AtTrust *trust,
			   const AtKept *kept)
{
	at_result_add(result, AT_NOT_PROVED,
				  destroyed->is_purge
					  ? "that no copy is left: in backups, on replicas, or where it was exported to"
					  : "that no copy of the key is left: in a backup of the directory");
	at_result_add(result, AT_NOT_PROVED, "that two logins are two persons");
	at_result_add(result, AT_NOT_PROVED,
				  "what the times say: they are those of the database server's clock");
	if (trust->quorum == 0 && kept->path == NULL)
		at_result_add(result, AT_NOT_PROVED,
					  "that others were shown the same log: no witness had to cosign, and no other "
					  "checkpoint was compared");
}
