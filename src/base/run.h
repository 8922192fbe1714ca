/*-------------------------------------------------------------------------
 * run.h
 *		One run of the server, from its start to its end, and what ran before.
 *
 * Whether the server has run without the library is decided once, when it
 * starts with it. All processes inherit the answer; nothing changes it.
 *-------------------------------------------------------------------------
 */
#ifndef AT_RUN_H
#define AT_RUN_H

#include "datatype/timestamp.h"

/* So many are remembered; the oldest two become one if there are more. */
#define AT_MAX_UNSEEN 16

/* Why somebody may have worked unseen. */
typedef enum AtUnseenCause
{
	AT_UNSEEN_NOT,
	AT_UNSEEN_CHANGED,  /* pg_control is not as a server with the library left it */
	AT_UNSEEN_NO_RECORD /* nothing tells how it left it */
} AtUnseenCause;

/* A time for which nobody can say that the library was loaded. */
typedef struct AtUnseen
{
	TimestampTz since; /* last moment at which it was; 0: not known */
	TimestampTz until; /* start of the first run that had it again */
	AtUnseenCause cause;
} AtUnseen;

/* How the server was left before it started. */
typedef enum AtServerEnd
{
	AT_SERVER_END_CLEAN, /* by a shutdown */
	AT_SERVER_END_CRASH, /* without one */
	AT_SERVER_END_COPY   /* the files are those of a base backup */
} AtServerEnd;

typedef struct AtServerRun
{
	TimestampTz started_at;
	AtServerEnd before;
	int nunseen; /* also of earlier runs, which may not have come to record it; oldest first */
	AtUnseen unseen[AT_MAX_UNSEEN];
} AtServerRun;

/* Install the start-up hook and register the watcher; from _PG_init during preload. */
extern void at_run_init(void);

/* This run of the server; NULL if the library was not loaded when it began. */
extern const AtServerRun *at_run_this(void);

#endif
