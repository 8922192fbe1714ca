/*-------------------------------------------------------------------------
 * log.h
 *		The one global log: appending an entry and its new head.
 *
 * An entry is a leaf of an RFC 6962 tree; audit.checkpoint holds the head
 * after each. Whoever appends holds at_ledger_lock_passes() of
 * audit.log_entry until the end of its transaction.
 *-------------------------------------------------------------------------
 */
#ifndef AT_LOG_H
#define AT_LOG_H

#include "core/body.h"
#include "core/merkle.h"

/* A row of audit.incarnation. */
typedef struct AtIncarnation
{
	int32 incarnation;
	uint64 system_identifier;
	Oid database_oid;
	bool is_odd; /* its log_id was made null; zeros */
	uint8 log_id[AT_LOG_ID_LEN];
	char *reason;
} AtIncarnation;

/* The end of the log: where the next entry goes. */
typedef struct AtLogHead
{
	AtMerkle tree;   /* over the entries so far; tree.size is the next log_index */
	AtHash previous; /* at_hash() of the last entry; zeros before the first */
} AtLogHead;

/* The head of an empty log. */
extern void at_log_head_init(AtLogHead *head);

/*
 * Append an entry: sets its log_id, log_index and previous, writes its row,
 * the checkpoint's and those of tiles that it makes full, and moves the head
 * on. The root must be set (that of the empty tree in a control record), and
 * sealed_at.
 */
extern void at_log_append(AtLogHead *head, AtEntryBody *entry);

/*
 * Append a control record that is made now: an entry without a batch, and
 * with a snapshot only if one is given.
 */
extern void at_log_append_control(AtLogHead *head, int32 incarnation, const char *kind,
								  const char *snapshot, const char *payload);

/* Payload of a "boot" or "incarnation" entry, in the current context. */
extern char *at_log_origin_payload(const AtIncarnation *incarnation);

/* Append a row of audit.incarnation. */
extern void at_log_append_incarnation(const AtIncarnation *incarnation);

#endif
