/*-------------------------------------------------------------------------
 * attached.h
 *		Archives of other servers, as audit.export_archive() writes them, segment by
 *		segment.
 *
 * Files may have been written by anybody. Reasons why something cannot be read are
 * details of messages, in the current context; NULL means that it can. Memory is
 * bounded by AT_ATTACHED_MAX for a file, and as much for its content.
 *-------------------------------------------------------------------------
 */
#ifndef AT_ATTACHED_H
#define AT_ATTACHED_H

#include "core/archive.h"
#include "core/checkpoint.h"
#include "query/attached_index.h"

/* Longest file that is read, and content that is unpacked, in bytes. */
#define AT_ATTACHED_MAX (256 * 1024 * 1024)

/* A walk through the segments, in their order. */
typedef struct AtAttachedWalk
{
	const char *directory;
	uint64 size;          /* of the log: the walk ends where its entries do */
	AtSegmentPlace place; /* where the next segment begins */
	AtHash digest;        /* of the checksums so far */

	/* the present one, in a context of its own */
	MemoryContext context;
	AtText file;
	AtSegment segment;
	char path[AT_SEGMENT_PATH_MAX + 1];
} AtAttachedWalk;

extern void at_attached_begin(AtAttachedWalk *walk, const char *directory, uint64 size);

/* Read the next segment, with its checksum; *found is false behind the last one. */
extern const char *at_attached_next(AtAttachedWalk *walk, bool *found);

/* Unpack it; the content is valid until the next one is read. */
extern const char *at_attached_unpack(AtAttachedWalk *walk, AtText *content);

/* Is this item what is left of a transaction that was purged? */
extern bool at_attached_is_gone(char kind, AtSpan item);

/*
 * Read the names of tables that an archive has beside its segments, which are under no hash, and
 * note them in the index. There need be none.
 */
extern const char *at_attached_targets(const char *directory, const uint8 *log_id,
									   AtAttachedIndex *index);

/* Read a piece of a file below the directory, of which it may be all, into the current context. */
extern const char *at_attached_piece(const char *directory, const char *name, int64 offset,
									 int64 len, AtText *bytes);

extern void at_attached_end(AtAttachedWalk *walk);

/* Read a file below the directory, of at most `max` bytes, into the current context. */
extern const char *at_attached_file(const char *directory, const char *name, Size max,
									AtText *bytes);

#endif
