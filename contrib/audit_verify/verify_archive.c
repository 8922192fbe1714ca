/*-------------------------------------------------------------------------
 * verify_archive.c
 *		Verifies an archive: all that a log has sealed.
 *
 * Each segment tells where it ends, and so the name of the next one. As with
 * a log, the checkpoint is believed once the entries have given its root.
 *-------------------------------------------------------------------------
 */
#include <inttypes.h>
#include <stdlib.h>

#include "core/archive.h"
#include "core/note.h"
#include "core/target_list.h"
#include "describe.h"
#include "file.h"
#include "gone.h"
#include "log_entry.h"
#include "message.h"
#include "verify_archive.h"
#include "verify_log.h"

typedef struct ArchiveCheck
{
	AtResult *result;
	const char *directory;
	const AtKept *kept;
	size_t next_kept;

	AtText note;
	AtCheckpoint checkpoint; /* not verified before the end */
	AtArchive archive;
	AtLogWalk walk;
	AtGone gone;
	uint64_t segments;
} ArchiveCheck;

static bool check_segments(ArchiveCheck *check);
static bool check_segment(ArchiveCheck *check, const char *path, AtText file);
static AtError check_items(ArchiveCheck *check, AtText content);
static void compare_kept(ArchiveCheck *check);
static bool check_targets(ArchiveCheck *check);
static bool check_root(ArchiveCheck *check);
static bool check_transactions(ArchiveCheck *check);
static void note_gone(ArchiveCheck *check, char kind, AtSpan bytes);
static void say_proved(ArchiveCheck *check);

void
at_verify_archive(AtResult *result, const char *directory, const AtUserTrust *trust,
				  const AtKept *kept)
{
	ArchiveCheck *check = at_alloc(sizeof(ArchiveCheck));

	result->kind = "archive";
	check->result = result;
	check->directory = directory;
	check->kept = kept;
	check->walk.trust = trust;
	check->walk.result = result;
	at_archive_init(&check->archive);

	if (at_log_read_checkpoint(result, directory, trust, &check->note, &check->checkpoint) &&
		check_segments(check) && check_targets(check) && check_root(check) &&
		check_transactions(check) && at_gone_check(&check->gone, result) &&
		at_key_chain_open(&check->walk.keys, trust, check->note, AT_LOG_CHECKPOINT,
						  &check->checkpoint, result))
		say_proved(check);
	at_gone_free(&check->gone);
	at_key_chain_free(&check->walk.keys);
	free((char *) check->note.data);
	free(check);
}

static bool
check_segments(ArchiveCheck *check)
{
	char path[AT_SEGMENT_PATH_MAX + 1];
	bool is_good = true;

	while (is_good && check->archive.place.log_index < check->checkpoint.size)
	{
		AtWriter writer = at_writer(path, AT_SEGMENT_PATH_MAX);
		AtText file;

		at_segment_path_write(&writer, check->archive.place);
		path[writer.len] = '\0';
		if (!at_file_read_in(check->directory, path, AT_FILE_MAX, &file))
		{
			at_result_fault(check->result, path, "the file is missing");
			return false;
		}
		is_good = check_segment(check, path, file);
		free((char *) file.data);
	}
	return is_good;
}

static bool
check_segment(ArchiveCheck *check, const char *path, AtText file)
{
	AtSegmentPlace begin = check->archive.place;
	AtSegment segment;
	AtError error = at_segment_read(&segment, file);
	char *content = NULL;

	if (error == AT_OK)
	{
		content = at_alloc(segment.content_len + 1);
		error = at_segment_unpack(&segment, content);
	}
	if (error == AT_OK)
		error = at_archive_begin_segment(&check->archive, &segment);
	if (error == AT_OK)
		error = check_items(check, (AtText){content, segment.content_len});
	if (error == AT_OK)
		error = at_archive_end_segment(&check->archive);
	free(content);

	/* one that is empty would be read for ever */
	if (error == AT_OK && begin.log_index == check->archive.place.log_index &&
		begin.leaf == check->archive.place.leaf)
		error = AT_ERR_PLACE;
	if (error == AT_OK)
	{
		check->segments++;
		return true;
	}
	at_check_machine(error);
	at_result_fault(check->result, path, "at leaf %" PRIu64 " of entry %" PRIu64 ": %s",
					check->archive.place.leaf, check->archive.place.log_index,
					at_error_text(error));
	return false;
}

static AtError
check_items(ArchiveCheck *check, AtText content)
{
	AtError error = AT_OK;
	AtSpan bytes;
	char kind;

	while (error == AT_OK && content.len > 0)
	{
		uint64_t size = check->archive.log.size;

		error = at_segment_item_next(&content, &kind, &bytes);
		if (error == AT_OK)
			error = at_archive_add(&check->archive, kind, bytes);

		if (error == AT_OK)
			note_gone(check, kind, bytes);

		/* an entry that a segment repeats is not new */
		if (error == AT_OK && check->archive.log.size > size)
		{
			at_log_walk_entry(&check->walk, (AtText){bytes.data, bytes.len});
			compare_kept(check);
		}
	}
	return error;
}

static void
note_gone(ArchiveCheck *check, char kind, AtSpan bytes)
{
	if (kind == AT_ARCHIVE_GONE)
		at_gone_add(&check->gone, &check->archive);
	else if (kind == AT_ARCHIVE_ORDERED)
		at_gone_order(&check->gone, &check->archive, bytes);
	else if (kind == AT_ARCHIVE_ENTRY)
		at_gone_entry(&check->gone, bytes);
}

static void
compare_kept(ArchiveCheck *check)
{
	AtHash root;

	if (!at_kept_wants(check->kept, &check->next_kept, check->archive.log.size))
		return;
	if (!at_merkle_root(&check->archive.log, &root))
		at_check_machine(AT_ERR_LIBCRYPTO);
	at_kept_compare_root(check->result, check->kept, &check->next_kept, &root, &check->checkpoint,
						 AT_LOG_CHECKPOINT);
}

/* The versions of tables, which no hash of the log binds: only whether they can be read. */
static bool
check_targets(ArchiveCheck *check)
{
	AtTargetList list;
	AtColdTarget target;
	int64_t defined_at;
	bool found = true;
	AtText file;
	AtError error;

	if (!at_file_read_in(check->directory, AT_TARGET_LIST_PATH, AT_FILE_MAX, &file))
		return true;
	error = at_target_list_read(&list, file);
	if (error == AT_OK && memcmp(list.log_id, check->archive.log_id, AT_LOG_ID_LEN) != 0)
		error = AT_ERR_LEDGER;
	while (error == AT_OK && found)
		error = at_target_list_next(&list, &target, &defined_at, &found);
	free((char *) file.data);
	return at_result_error(check->result, AT_TARGET_LIST_PATH, error);
}

static bool
check_root(ArchiveCheck *check)
{
	AtHash root;

	if (!at_merkle_root(&check->archive.log, &root))
		at_check_machine(AT_ERR_LIBCRYPTO);
	if (check->archive.log.size == check->checkpoint.size &&
		memcmp(&root, &check->checkpoint.root, AT_HASH_LEN) == 0)
		return true;

	at_result_fault(check->result, AT_LOG_CHECKPOINT,
					"its root is not that of the %" PRIu64 " entries", check->checkpoint.size);
	return false;
}

static bool
check_transactions(ArchiveCheck *check)
{
	if (check->archive.broken == 0)
		return true;

	at_result_fault(check->result, "transactions",
					"%" PRIu64 " contradict themselves or lack their session, the first is %" PRIu64
					": they were sealed so, or sessions were taken out of the archive",
					check->archive.broken, check->archive.first_broken);
	return false;
}

static void
say_proved(ArchiveCheck *check)
{
	const AtArchive *archive = &check->archive;

	at_describe_checkpoint(check->result, &check->checkpoint);
	at_log_walk_say(&check->walk);
	at_result_add(check->result, AT_PROVED,
				  "all of these %" PRIu64 " events, %" PRIu64 " transactions and their %" PRIu64
				  " sessions are here as they were sealed, in %" PRIu64 " segments",
				  archive->events, archive->transactions, archive->sessions, check->segments);
	if (archive->gone_events + archive->gone_transactions > 0)
		at_result_add(check->result, AT_PROVED,
					  "PURGED: %" PRIu64 " events and %" PRIu64
					  " transactions more were sealed and "
					  "are not here; orders in the log, which tell who asked and who approved, "
					  "name each of them",
					  archive->gone_events, archive->gone_transactions);
	at_kept_compare_end(check->result, check->kept, check->next_kept, &check->checkpoint,
						AT_LOG_CHECKPOINT);
	at_result_add(check->result, AT_NOT_PROVED,
				  "what happened after this checkpoint, or was not sealed then");
	at_result_add(check->result, AT_NOT_PROVED,
				  "what the times say: they are those of the database server's clock");
}
