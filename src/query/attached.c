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

#include "ledger/datum.h"
#include "query/attached.h"

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

const char *
at_attached_file(const char *directory, const char *name, Size max, AtText *bytes)
{
	char *path = psprintf("%s/%s", directory, name);
	int fd = OpenTransientFile(path, O_RDONLY | PG_BINARY);
	struct stat status;
	Size done = 0;
	char *data;

	if (fd < 0 || fstat(fd, &status) != 0)
		return psprintf("File \"%s\" cannot be opened: %s.", path, strerror(errno));
	if (!S_ISREG(status.st_mode) || status.st_size > max)
	{
		CloseTransientFile(fd);
		return psprintf("\"%s\" is no file of at most %zu bytes.", path, max);
	}
	data = palloc_extended(status.st_size + 1, MCXT_ALLOC_HUGE);
	while (done < status.st_size)
	{
		ssize_t got = read(fd, data + done, status.st_size - done);

		if (got <= 0)
			break;
		done += got;
	}
	CloseTransientFile(fd);
	if (done < status.st_size)
		return psprintf("File \"%s\" cannot be read.", path);
	*bytes = (AtText){data, done};
	return NULL;
}
