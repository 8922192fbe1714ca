/*-------------------------------------------------------------------------
 * gone.c
 *		Leaves that an archive does not have, and the orders that excuse them.
 *-------------------------------------------------------------------------
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/bytes.h"
#include "core/destruction.h"
#include "core/json_text.h"
#include "gone.h"
#include "message.h"

static int compare_runs(const void *a, const void *b);
static void say_deleted(AtResult *result, const AtGoneRun *run);

void
at_gone_add(AtGone *gone, const AtArchive *archive)
{
	AtGoneRun *last = gone->run_count > 0 ? &gone->run[gone->run_count - 1] : NULL;

	if (last != NULL && last->log_index == archive->gone.log_index &&
		last->first + last->count == archive->gone.leaf)
	{
		last->count++;
		return;
	}
	gone->run = at_grow(gone->run, &gone->run_max, gone->run_count + 1, sizeof(AtGoneRun));
	gone->run[gone->run_count++] =
		(AtGoneRun){.log_index = archive->gone.log_index, .first = archive->gone.leaf, .count = 1};
}

void
at_gone_order(AtGone *gone, const AtArchive *archive, AtSpan list)
{
	size_t count = list.len / AT_DESTRUCTION_LEAVES_LEN;
	const uint8_t *bytes = list.data;

	gone->order =
		at_grow(gone->order, &gone->order_max, gone->order_count + 1, sizeof(AtGoneOrder));
	gone->order[gone->order_count++] =
		(AtGoneOrder){.deletion_id = archive->order, .first = gone->ordered_count, .count = count};
	gone->ordered =
		at_grow(gone->ordered, &gone->ordered_max, gone->ordered_count + count, sizeof(AtGoneRun));
	for (size_t i = 0; i < count; i++, bytes += AT_DESTRUCTION_LEAVES_LEN)
		gone->ordered[gone->ordered_count++] = (AtGoneRun){.log_index = at_get_u64(bytes),
														   .first = at_get_u32(bytes + 8),
														   .count = at_get_u32(bytes + 12)};
}

void
at_gone_entry(AtGone *gone, AtSpan bytes)
{
	AtEntryBody entry;
	AtText value;
	uint64_t deletion_id;

	if (!at_entry_body_read(&entry, bytes.data, bytes.len) ||
		!at_text_equal((AtText){entry.kind.data, entry.kind.len}, at_text("purge_cancelled")) ||
		entry.payload.data == NULL ||
		!at_json_text_check((AtText){entry.payload.data, entry.payload.len}) ||
		!at_destruction_member(&entry, "deletion", &value) || !at_text_decimal(value, &deletion_id))
		return;
	for (size_t i = 0; i < gone->order_count; i++)
		if (gone->order[i].deletion_id == deletion_id)
			for (size_t j = 0; j < gone->order[i].count; j++)
				gone->ordered[gone->order[i].first + j].count = 0;
}

/* Runs of different orders may touch where one went on with what the other had left. */
bool
at_gone_check(AtGone *gone, AtResult *result)
{
	size_t at = 0;
	bool all = true;

	if (gone->ordered_count > 0)
		qsort(gone->ordered, gone->ordered_count, sizeof(AtGoneRun), compare_runs);
	for (size_t i = 0; i < gone->run_count; i++)
	{
		AtGoneRun left = gone->run[i];

		while (at < gone->ordered_count && left.count > 0)
		{
			const AtGoneRun *order = &gone->ordered[at];

			if (order->log_index < left.log_index ||
				(order->log_index == left.log_index && order->first + order->count <= left.first))
			{
				at++;
				continue;
			}
			if (order->log_index > left.log_index || order->first > left.first)
				break;

			uint64_t excused = order->first + order->count - left.first;

			excused = excused < left.count ? excused : left.count;
			left.first += excused;
			left.count -= excused;
		}
		if (left.count == 0)
			continue;
		say_deleted(result, &left);
		all = false;
	}
	return all;
}

static int
compare_runs(const void *a, const void *b)
{
	const AtGoneRun *one = a;
	const AtGoneRun *other = b;

	if (one->log_index != other->log_index)
		return one->log_index < other->log_index ? -1 : 1;
	return one->first < other->first ? -1 : one->first > other->first;
}

static void
say_deleted(AtResult *result, const AtGoneRun *run)
{
	char part[40];

	snprintf(part, sizeof(part), "entry %" PRIu64, run->log_index);
	at_result_fault(result, part,
					"DELETED: leaf %" PRIu64 " of the batch is not here, nor in the list of an "
					"order to purge",
					run->first);
}

void
at_gone_free(AtGone *gone)
{
	free(gone->run);
	free(gone->ordered);
	free(gone->order);
}
