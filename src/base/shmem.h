/*-------------------------------------------------------------------------
 * shmem.h
 *		What processes share: one slot a database.
 *
 * Without shared_preload_libraries there is no shared memory: then
 * at_shmem_ready() is false, the wake functions do nothing, and whoever
 * needs a worker says so with ERRCODE_AT_NO_WORKER. Every other function
 * here needs at_shmem_ready().
 *
 * A slot is claimed for a database that is to be probed for the extension,
 * and kept while it has it. Only AT_MAX_DATABASES databases of a server can
 * have workers at a time.
 *
 * None of these functions raises an error or waits for anything but the
 * lock, so they can be called at commit and at exit.
 *-------------------------------------------------------------------------
 */
#ifndef AT_SHMEM_H
#define AT_SHMEM_H

#include "datatype/timestamp.h"
#include "storage/condition_variable.h"

#include "base/pace.h"
#include "base/query_times.h"
#include "base/worker.h"

#define AT_MAX_DATABASES 128

/* Does the database have the extension? */
typedef enum AtPresence
{
	AT_PRESENCE_UNKNOWN, /* a worker has yet to look */
	AT_PRESENCE_YES,
	AT_PRESENCE_NO
} AtPresence;

/* How anchoring goes; all zero until the anchorer has looked. */
typedef struct AtAnchorStatus
{
	uint64 signed_size;              /* of the newest signed checkpoint */
	uint64 anchored_size;            /* of the newest checkpoint that has a receipt; 0: none */
	TimestampTz anchored_at;         /* when the newest receipt came; 0: never */
	TimestampTz attempted_at;        /* when the command was started last; 0: not yet */
	TimestampTz next_attempt;        /* 0: nothing to do */
	TimestampTz overdue_since;       /* 0: it is not */
	int failures;                    /* failed attempts in a row */
	char message[AT_MESSAGE_LENGTH]; /* of the last, while failures > 0 */
} AtAnchorStatus;

/* What the keeper is at; all zero while it is at nothing. */
typedef struct AtKeeperStatus
{
	char step[32];
	char what[64];
	TimestampTz started_at; /* of the step */
	uint64 done;
	uint64 total; /* 0: not known */
} AtKeeperStatus;

/* How records of a standby reach the primary server; all zero until it was tried. */
typedef struct AtPrimaryStatus
{
	TimestampTz connected_at;        /* 0: there is no connection */
	TimestampTz failing_since;       /* 0: the last attempt went well */
	bool given_up;                   /* records go to the log until one goes well */
	uint64 delivered;                /* records that the primary has taken */
	uint64 logged;                   /* records that went to the log instead */
	char message[AT_MESSAGE_LENGTH]; /* why the last attempt failed */
} AtPrimaryStatus;

/* A copy of a slot, as it was at one moment. */
typedef struct AtSlotView
{
	Oid database;
	AtPresence presence;
	uint32 announcements; /* grows when presence may have changed from NO to YES */
	bool closed;          /* the launcher wants no workers there */
	int holds;            /* sessions that want the database left alone */
	AtWorkerStatus worker[AT_WORKER_KINDS];
	bool left_quietly[AT_WORKER_KINDS];  /* the last worker left of its own accord */
	bool requested[AT_WORKER_KINDS];     /* somebody waits for a pass */
	TimestampTz due_at[AT_WORKER_KINDS]; /* of occasional kinds: when they said to come back */
} AtSlotView;

/* What has become of a request for a pass. */
typedef enum AtRequestState
{
	AT_REQUEST_NO_WORKER,
	AT_REQUEST_PENDING,
	AT_REQUEST_DONE,
	AT_REQUEST_FAILED
} AtRequestState;

/* Install the request and start-up hooks; call from _PG_init during preload. */
extern void at_shmem_init(void);

extern bool at_shmem_ready(void);

/* Slot of a database; -1 if it has none. at_slot_claim() gives it one unless all are taken. */
extern int at_slot_find(Oid database);
extern int at_slot_claim(Oid database);

/* Copy a slot; false if it is free. */
extern bool at_slot_view(int slot, AtSlotView *view);

/* Free a slot that nobody uses, unless it has changed since the view was taken. */
extern bool at_slot_free(int slot, const AtSlotView *view);

/* The database may have got the extension: have it probed. Claims a slot. */
extern void at_slot_announce(Oid database);

/* Refuse workers to a database or allow them again, for the launcher. */
extern void at_slot_close(int slot, bool closed);

/*
 * Keep workers away from a database, for a session: none attaches from now
 * on. at_slot_hold() returns the slot, or -1 if all are taken. Each hold is
 * undone by one at_slot_release().
 */
extern int at_slot_hold(Oid database);
extern void at_slot_release(int slot);

/* Signal the slot's workers. Returns how many there are. */
extern int at_slot_signal(int slot, int signal);

/* Broadcast when a worker comes, goes or has ended a pass. */
extern ConditionVariable *at_slot_changed(int slot);

/*
 * For the worker itself. at_slot_attach() refuses if the slot is no longer
 * the database's, is closed or held, or has such a worker already.
 */
extern bool at_slot_attach(int slot, Oid database, AtWorkerKind kind);
extern void at_slot_detach(int slot, AtWorkerKind kind, bool quietly);
extern bool at_slot_must_leave(int slot);
extern uint32 at_slot_announcements(int slot);
extern void at_slot_found(int slot, bool present, uint32 announcements);
extern bool at_slot_is_requested(int slot, AtWorkerKind kind);

/* For an occasional worker that leaves: when its next pass is due. */
extern void at_slot_set_due(int slot, AtWorkerKind kind, TimestampTz due_at);

/* For the anchorer, and for whoever asks; outside of a slot both do nothing, and all is zero. */
extern void at_slot_set_anchor(int slot, const AtAnchorStatus *status);
extern void at_slot_get_anchor(int slot, AtAnchorStatus *status);

/* For the keeper, likewise. */
extern void at_slot_set_keeper(int slot, const AtKeeperStatus *status);
extern void at_slot_get_keeper(int slot, AtKeeperStatus *status);

/* For the collector of a standby, likewise. */
extern void at_slot_set_primary(int slot, const AtPrimaryStatus *status);
extern void at_slot_get_primary(int slot, AtPrimaryStatus *status);

/* Has the worker been woken since it was last asked? */
extern bool at_slot_take_wake(int slot, AtWorkerKind kind);

/* Frame a pass; `edata` is the error that ended it, or NULL. */
extern void at_slot_pass_begin(int slot, AtWorkerKind kind);
extern void at_slot_pass_end(int slot, AtWorkerKind kind, const ErrorData *edata);

/* For the session that asks: wake, request a pass, and learn what became of it. */
extern void at_slot_wake(int slot, AtWorkerKind kind);
extern uint64 at_slot_request(int slot, AtWorkerKind kind);
extern AtRequestState at_slot_request_state(int slot, AtWorkerKind kind, uint64 ticket);

/* How long queries of the trail took there. */
extern AtQueryTimes *at_slot_query_times(int slot);

/* How the sealer gets on there. */
extern AtPace *at_slot_pace(int slot);

/* Grows whenever a slot is claimed or freed: what at_slot_find() said may no longer hold. */
extern uint64 at_slot_generation(void);

/* The launcher: there is one. */
extern void at_launcher_attach(void);
extern void at_launcher_detach(void);
extern void at_launcher_wake(void);
extern int at_launcher_pid(void); /* 0: not running */

/* When the launcher last wanted a background worker and got none; 0 if it has them all. */
extern void at_launcher_set_starved(TimestampTz since);
extern TimestampTz at_launcher_starved(void);

#endif
