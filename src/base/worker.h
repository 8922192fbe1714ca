/*-------------------------------------------------------------------------
 * worker.h
 *		Background workers: one launcher, and for each database that has
 *		the extension one worker of each kind.
 *
 * A worker is a pass that is called in a loop. The skeleton does the rest:
 * signals, configuration reload, errors with back-off, latch, stepping
 * aside for DROP DATABASE and the like.
 *
 * Databases marked as template, or that allow no connections, get no
 * workers: a connected worker would be in the way of CREATE DATABASE.
 *
 * A standby has collectors alone, and only if it is to send its records to the
 * primary server; the others start within seconds of its promotion.
 *-------------------------------------------------------------------------
 */
#ifndef AT_WORKER_H
#define AT_WORKER_H

#include "datatype/timestamp.h"
#include "postgres_ext.h"

#define AT_MESSAGE_LENGTH 256

typedef enum AtWorkerKind
{
	AT_WORKER_SEALER,
	AT_WORKER_NOTIFIER,
	AT_WORKER_VERIFIER,
	AT_WORKER_ANCHORER,
	AT_WORKER_COLLECTOR,
	AT_WORKER_KEEPER,
	AT_WORKER_KINDS
} AtWorkerKind;

/* "sealer", "notifier", ... */
extern const char *const at_worker_names[AT_WORKER_KINDS];

/* How a worker is doing. */
typedef struct AtWorkerStatus
{
	int pid;                         /* 0: there is none */
	int failures;                    /* failed passes in a row */
	int sqlstate;                    /* of the last failure, while failures > 0 */
	char message[AT_MESSAGE_LENGTH]; /* the same */
	TimestampTz pass_ended_at;       /* 0: none yet */
} AtWorkerStatus;

/*
 * One pass. Called outside of a transaction, in a memory context that is
 * reset after it; it starts and commits its own transactions. Returns the
 * number of milliseconds until the next pass is due (a wake-up comes
 * earlier); 0 means that there is more to do at once. An ERROR ends the
 * pass: it is logged, the transaction aborted, and the pass tried again
 * after a pause that doubles up to a minute.
 */
typedef long (*AtWorkerPass)(void);

/* Tell the skeleton what a kind does; from the module's init function. */
extern void at_worker_register(AtWorkerKind kind, AtWorkerPass pass);

/* What was registered; NULL if nothing. */
extern AtWorkerPass at_worker_pass(AtWorkerKind kind);

/*
 * Is there seldom something to do? Then the worker leaves when its next pass
 * is far away, and is started again when that is due or somebody asks for it.
 */
extern bool at_worker_is_occasional(AtWorkerKind kind);

/* Does a session wait for a pass of this process's kind? For the worker itself. */
extern bool at_worker_is_asked(void);

/* Has somebody woken this process in its pass? Then another is due. For the worker itself. */
extern bool at_worker_take_wake(void);

/*
 * Have workers of a kind only while the configuration wants them; from the
 * module's init function. Asked whenever the configuration was loaded.
 */
extern void at_worker_register_wanted(AtWorkerKind kind, bool (*is_wanted)(void));

/* Is there something for the kind to do, by the configuration? */
extern bool at_worker_is_wanted(AtWorkerKind kind);

/* Wake this database's worker of a kind, if there is one. Cheap, raises nothing. */
extern void at_worker_wake(AtWorkerKind kind);

/* The same for a database that may be another one. */
extern void at_worker_wake_in(Oid database, AtWorkerKind kind);

/*
 * Ask this database's worker for a whole pass that starts after this call,
 * and wait until it has ended. Raises ERRCODE_AT_NO_WORKER if there is no
 * such worker after a few seconds, what the pass raised if it failed, and
 * ERRCODE_T_R_DEADLOCK_DETECTED if it waits for a lock of this transaction.
 * A worker that is pausing after an error does not wait any longer.
 */
extern void at_worker_run(AtWorkerKind kind);

/*
 * Tell the launcher, at commit, that a database may have got the extension:
 * this one, or one that this transaction creates.
 */
extern void at_worker_announce_database(Oid database);

/* How this database's worker is doing; false (and all zero) if nothing is known. */
extern bool at_worker_status(AtWorkerKind kind, AtWorkerStatus *status);

/* This database's slot (base/shmem.h, which must be ready); -1 if it has none. Cheap. */
extern int at_worker_slot(void);

/* Register the launcher (only during preload) and the hook for DROP DATABASE. */
extern void at_worker_init(void);

#endif
