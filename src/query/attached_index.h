/*-------------------------------------------------------------------------
 * attached_index.h
 *		What leads to the segments of an attached archive: rows of audit.attached_segment.
 *
 * They are made when the archive is verified, out of what is verified: where each segment is, its
 * checksum, of which times and transactions it is, and a Bloom filter of what its events are about.
 *So whoever asks reads only segments that can have it.
 *
 * A transaction comes behind its events, perhaps in a later segment. Of that one ends_in tells, and
 *the filters of all segments that have its events know its actor and request.
 *-------------------------------------------------------------------------
 */
#ifndef AT_ATTACHED_INDEX_H
#define AT_ATTACHED_INDEX_H

#include "core/body.h"
#include "core/cold_rows.h"
#include "core/text.h"

/* Kinds of segments. */
#define AT_ATTACHED_ALL          'A' /* of an archive: events, each behind them their transactions */
#define AT_ATTACHED_EVENTS       'E' /* of cold files */
#define AT_ATTACHED_TRANSACTIONS 'T'

/* What a filter is asked for. */
typedef enum AtAttachedAbout
{
	AT_ABOUT_RECORD_KEY = 1,
	AT_ABOUT_TABLE_NAME,
	AT_ABOUT_ACTOR,
	AT_ABOUT_REQUEST_ID,
	AT_ABOUT_OWN_CONTEXT /* an event with a context of its own: perhaps any actor or request */
} AtAttachedAbout;

/* Where a segment is. */
typedef struct AtAttachedPlace
{
	char kind;
	const char *file; /* below the directory */
	int64 offset;
	int64 bytes;
	const AtHash *checksum; /* with which it ends */
} AtAttachedPlace;

typedef struct AtAttachedIndex AtAttachedIndex;

/* Begin that of the archive of this name, in the current context. */
extern AtAttachedIndex *at_attached_index_open(const char *archive);

/* Begin a segment; then what is in it, in its order. */
extern void at_attached_index_segment(AtAttachedIndex *index, const AtAttachedPlace *place);
extern void at_attached_index_event(AtAttachedIndex *index, const AtEventBody *event);

/* A transaction, of an archive behind its events; NULL: it was purged, and they go on alone. */
extern void at_attached_index_transaction(AtAttachedIndex *index,
										  const AtTransactionBody *transaction);

/* Of cold files: by whom the transaction of the last event was. Hashes of at_bloom_hash(). */
extern void at_attached_index_about(AtAttachedIndex *index, uint64 hash);

/* Names of a table, and what it is about; 0 for a time that is not known. */
extern void at_attached_index_target(AtAttachedIndex *index, const AtColdTarget *target,
									 int64 defined_at);

/* Write what is left. */
extern void at_attached_index_close(AtAttachedIndex *index);

#endif
