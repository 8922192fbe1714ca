/*-------------------------------------------------------------------------
 * attached.c
 *		Archives of other servers, segment by segment.
 *
 * Each segment tells where it ends, and so the name of the next one. What a header
 * says is under the checksum of its file.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "miscadmin.h"
#include "storage/fd.h"
#include "utils/memutils.h"

#include "base/compat.h"
#include "core/bytes.h"
#include "core/target_list.h"
#include "ledger/datum.h"
#include "query/attached.h"

static const char *read_piece(const char *directory, const char *name, int64 offset, int64 len,
							  Size max, AtText *bytes);

void
at_attached_begin(AtAttachedWalk *walk, const char *directory, uint64 size)
{
	memset(walk, 0, sizeof(*walk));
	walk->directory = directory;
	walk->size = size;
	walk->context =
		AllocSetContextCreate(CurrentMemoryContext, "audit attached", ALLOCSET_DEFAULT_SIZES);
}

const char *
at_attached_next(AtAttachedWalk *walk, bool *found)
{
	AtWriter writer = at_writer(walk->path, AT_SEGMENT_PATH_MAX);
	AtSegmentPlace end;
	MemoryContext save;
	const char *why;
	AtError error;

	CHECK_FOR_INTERRUPTS();
	MemoryContextReset(walk->context);
	*found = walk->place.log_index < walk->size;
	if (!*found)
		return NULL;
	at_segment_path_write(&writer, walk->place);
	walk->path[writer.len] = '\0';
	save = MemoryContextSwitchTo(walk->context);
	why = at_attached_file(walk->directory, walk->path, AT_ATTACHED_MAX, &walk->file);
	MemoryContextSwitchTo(save);
	if (why != NULL)
		return pstrdup(why);
	error = at_segment_read(&walk->segment, walk->file);
	if (error != AT_OK)
		return psprintf("Of file \"%s\": %s.", walk->path, at_error_text(error));
	end = walk->segment.end;
	if (memcmp(&walk->segment.begin, &walk->place, sizeof(end)) != 0 ||
		end.log_index < walk->place.log_index ||
		(end.log_index == walk->place.log_index && end.leaf <= walk->place.leaf))
		return psprintf("File \"%s\" is not the segment of that name.", walk->path);
	walk->place = end;
	if (!at_hash_two(&walk->digest, AT_HASH_LEN, walk->file.data + walk->file.len - AT_HASH_LEN,
					 AT_HASH_LEN, &walk->digest))
		at_hash_failed();
	return NULL;
}

const char *
at_attached_unpack(AtAttachedWalk *walk, AtText *content)
{
	char *bytes;

	if (walk->segment.content_len > AT_ATTACHED_MAX)
		return psprintf("The content of file \"%s\" would be longer than %d bytes.", walk->path,
						AT_ATTACHED_MAX);
	bytes = MemoryContextAllocHuge(walk->context, walk->segment.content_len + 1);
	if (at_segment_unpack(&walk->segment, bytes) != AT_OK)
		return psprintf("The content of file \"%s\" cannot be unpacked.", walk->path);
	*content = (AtText){bytes, walk->segment.content_len};
	return NULL;
}

void
at_attached_end(AtAttachedWalk *walk)
{
	MemoryContextDelete(walk->context);
}

bool
at_attached_is_gone(char kind, AtSpan item)
{
	return kind == AT_ARCHIVE_GONE && item.len == AT_ARCHIVE_GONE_LEN &&
		   at_get_u32((const uint8 *) item.data + sizeof(uint64)) == 0;
}

const char *
at_attached_file(const char *directory, const char *name, Size max, AtText *bytes)
{
	return read_piece(directory, name, 0, -1, max, bytes);
}

const char *
at_attached_piece(const char *directory, const char *name, int64 offset, int64 len, AtText *bytes)
{
	return read_piece(directory, name, offset, len, Max(len, AT_ATTACHED_MAX), bytes);
}

/* From an offset so many bytes, or all that there are (-1), of at most max. */
static const char *
read_piece(const char *directory, const char *name, int64 offset, int64 len, Size max,
		   AtText *bytes)
{
	char *path = psprintf("%s/%s", directory, name);
	int fd = OpenTransientFile(path, O_RDONLY | PG_BINARY);
	struct stat status;
	Size done = 0;
	char *data;

	if (fd < 0 || fstat(fd, &status) != 0)
		return psprintf("File \"%s\" cannot be opened: %s.", path, strerror(errno));
	if (len < 0)
		len = status.st_size;
	if (!S_ISREG(status.st_mode) || len > max)
	{
		CloseTransientFile(fd);
		return psprintf("\"%s\" is no file of at most %zu bytes.", path, max);
	}
	data = palloc_extended(len + 1, MCXT_ALLOC_HUGE);
	while (done < len)
	{
		ssize_t got = pg_pread(fd, data + done, len - done, offset + done);

		if (got <= 0)
			break;
		done += got;
	}
	CloseTransientFile(fd);
	if (done < len)
		return psprintf("File \"%s\" is not as long as it was, or cannot be read.", path);
	*bytes = (AtText){data, done};
	return NULL;
}

const char *
at_attached_targets(const char *directory, const uint8 *log_id, AtAttachedIndex *index)
{
	struct stat status;
	AtTargetList list;
	AtColdTarget target;
	int64_t defined_at;
	AtText bytes;
	bool found = true;
	const char *why;
	AtError error;

	/* archives of earlier versions have none */
	if (stat(psprintf("%s/" AT_TARGET_LIST_PATH, directory), &status) != 0 && errno == ENOENT)
		return NULL;
	why = at_attached_file(directory, AT_TARGET_LIST_PATH, AT_ATTACHED_MAX, &bytes);
	if (why != NULL)
		return why;
	error = at_target_list_read(&list, bytes);
	if (error == AT_OK && memcmp(list.log_id, log_id, AT_LOG_ID_LEN) != 0)
		error = AT_ERR_LEDGER;
	while (error == AT_OK && found)
	{
		error = at_target_list_next(&list, &target, &defined_at, &found);
		if (error == AT_OK && found)
			at_attached_index_target(index, &target, defined_at);
	}
	return error == AT_OK
			   ? NULL
			   : psprintf("Of file \"%s\": %s.", AT_TARGET_LIST_PATH, at_error_text(error));
}
