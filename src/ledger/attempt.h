/*-------------------------------------------------------------------------
 * attempt.h
 *		Attempts that are refused, and reads of the trail: told when they are,
 *		recorded by the collector, whatever becomes of the transaction.
 *
 * Without shared_preload_libraries, and on a standby, an attempt is only in
 * the server's log, and a read nowhere.
 *-------------------------------------------------------------------------
 */
#ifndef AT_ATTEMPT_H
#define AT_ATTEMPT_H

#include "datatype/timestamp.h"

#include "ledger/origin.h"

/* Longest text of a command that is told, in bytes. */
#define AT_MAX_ATTEMPT_TEXT 4000

/* What was refused or read, as the collector reads it. */
typedef struct AtAttempt
{
	TimestampTz at;
	int sqlstate;
	char *message; /* what the error says; NULL: it was no error, but a read */
	char *object;  /* what it was about; NULL where the message has it */
	char *command; /* tag of the client's command; NULL if none is known */
	char *text;    /* of that command, perhaps cut, without secrets; likewise */
	int64 text_bytes;
	int64 rows; /* that were read */
} AtAttempt;

/*
 * Tell that something is refused; call it right before the error is raised. The origin
 * is taken as it is now. Raises nothing of its own, but needs a transaction that
 * is not aborted.
 */
extern void at_attempt_tell(int sqlstate, const char *message, const char *object);

/*
 * Begin to tell that something is read: the record but for the number of rows, in the current
 * memory context. The rest allocates nothing and raises nothing, so it may come in an abort.
 */
extern void at_attempt_begin_read(StringInfo record, const char *object);
extern void at_attempt_end_read(StringInfo record, int64 rows);

/*
 * Take a record apart: the bytes of its origin, which two of the same session and context have
 * alike, the origin and the attempt. What is read points into the record. False if it is none.
 */
extern bool at_attempt_read(const char *record, int len, AtOrigin *origin, int *origin_len,
							AtAttempt *attempt);

#endif
