/*-------------------------------------------------------------------------
 * run.c
 *		One run of the server, from its start to its end, and what ran before.
 *
 * A server that runs without the library asks nobody, but it cannot help
 * writing pg_control: when it starts, at each checkpoint, and when it ends.
 * So a file in the data directory keeps what pg_control was when it was last
 * seen by a server with the library: the watcher, a process of its own, looks
 * every second from the first moment of a run on, also in recovery, and
 * the postmaster for the last time when all its children are gone.
 *
 * Invariant: if the file says that the run is over, pg_control must be the
 * very one that was seen. If not (the postmaster was killed, or the machine
 * lost its power), pg_control may be younger than the file by what the last
 * checkpoint may have taken to finish; and no postmaster may have started
 * since, which the time of postmaster.opts tells.
 *
 * Two kinds of start follow other rules. A base backup takes pg_control last,
 * long after our file, so that bound is a day. And a standby cannot be
 * written to, so what ran on it between two runs as a standby is no matter.
 *
 * Caveats: whoever can write to the data directory can write this file too.
 * Programs that change pg_control of a stopped server (pg_resetwal,
 * pg_checksums) are told like a server. Without a free slot for the watcher
 * a crash is.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "catalog/pg_control.h"
#include "common/controldata_utils.h"
#include "libpq/pqsignal.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "port/pg_crc32c.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/fd.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "utils/timestamp.h"

#include "base/clock.h"
#include "base/run.h"

#define RUN_FILE       "audit_trail.run"
#define RUN_FILE_NEW   "audit_trail.run.new"
#define BACKUP_LABEL   "backup_label"
#define OPTIONS_FILE   "postmaster.opts"
#define MAGIC          0x41545231 /* "ATR1" */
#define LOOK_MS        1000       /* from one look at pg_control to the next */
#define WRITE_MS       10000      /* until the file is written though nothing has changed */
#define RESTART_S      1          /* until a failed watcher is back */
#define CRASH_SLACK_S  60         /* pg_control may be that much younger than the file */
#define COPIED_SLACK_S (24 * 60 * 60)

/* The file. Padding is zero, so that the checksum is of all bytes. */
typedef struct Record
{
	uint32 magic;
	bool over; /* the run has ended: what follows is final */
	TimestampTz seen_at;

	/* pg_control then */
	uint64 system_identifier;
	int64 control_time;
	DBState control_state;
	pg_crc32c control_crc;

	int64 options_time; /* when postmaster.opts was written, in ns; 0: not known */

	int nunseen;
	AtUnseen unseen[AT_MAX_UNSEEN];

	pg_crc32c crc; /* of all before it */
} Record;

/* Set in the postmaster when it starts, inherited by everyone. */
static struct
{
	bool begun;
	AtServerRun run;
	Record record; /* what this process has written last */
	shmem_startup_hook_type previous_startup_hook;
} state;

PGDLLEXPORT void at_run_watch_main(Datum main_arg);

static void startup(void);
static void begin(void);
static AtUnseenCause judge(const Record *before, const ControlFileData *control);
static bool is_standby(DBState state);
static void add_unseen(Record *record, const AtUnseen *unseen);
static void end(int code, Datum arg);
static void register_watcher(void);
static bool look(Record *record);
static ControlFileData *read_control(void);
static void set_control(Record *record, const ControlFileData *control);
static int64 options_time(void);
static bool read_record(Record *record);
static void write_record(Record *record);
static pg_crc32c checksum(const Record *record);

void
at_run_init(void)
{
	state.previous_startup_hook = shmem_startup_hook;
	shmem_startup_hook = startup;
	register_watcher();
}

const AtServerRun *
at_run_this(void)
{
	return state.begun ? &state.run : NULL;
}

/* Comes again when the postmaster recovers from a crash of a backend: that is the same run. */
static void
startup(void)
{
	if (state.previous_startup_hook)
		state.previous_startup_hook();
	if (!IsUnderPostmaster && !state.begun)
		begin();
}

/* pg_control is still as it was found: recovery has yet to begin. */
static void
begin(void)
{
	ControlFileData *control = read_control();
	struct stat status;
	Record before;
	Record *record = &state.record;
	bool known = read_record(&before);
	AtUnseen unseen = {.until = GetCurrentTimestamp(), .cause = AT_UNSEEN_NO_RECORD};

	if (control == NULL)
		return; /* it is damaged, and the server will not start */
	state.run.started_at = unseen.until;
	if (stat(BACKUP_LABEL, &status) == 0)
		state.run.before = AT_SERVER_END_COPY;
	else if (control->state == DB_SHUTDOWNED || control->state == DB_SHUTDOWNED_IN_RECOVERY)
		state.run.before = AT_SERVER_END_CLEAN;
	else
		state.run.before = AT_SERVER_END_CRASH;

	memset(record, 0, sizeof(Record));
	if (known && before.system_identifier == control->system_identifier)
	{
		record->nunseen = before.nunseen;
		memcpy(record->unseen, before.unseen, sizeof(record->unseen));
		unseen.since = before.seen_at;
		unseen.cause = judge(&before, control);
	}
	if (unseen.cause != AT_UNSEEN_NOT)
		add_unseen(record, &unseen);
	state.run.nunseen = record->nunseen;
	memcpy(state.run.unseen, record->unseen, sizeof(record->unseen));

	record->seen_at = unseen.until;
	set_control(record, control);
	write_record(record);
	pfree(control);
	state.begun = true;
	on_proc_exit(end, 0);
}

/* Has anybody else written pg_control since it was seen? See the head of this file. */
static AtUnseenCause
judge(const Record *before, const ControlFileData *control)
{
	TimestampTz changed_at = time_t_to_timestamptz(control->time);
	TimestampTz checkpoint_at = time_t_to_timestamptz(control->checkPointCopy.time);

	if (before->control_crc == control->crc && before->control_time == control->time)
		return AT_UNSEEN_NOT;
	if (state.run.before == AT_SERVER_END_COPY)
		return checkpoint_at <= before->seen_at + COPIED_SLACK_S * USECS_PER_SEC
				   ? AT_UNSEEN_NOT
				   : AT_UNSEEN_CHANGED;
	if (is_standby(before->control_state) && is_standby(control->state))
		return AT_UNSEEN_NOT;
	if (before->over || changed_at > before->seen_at + CRASH_SLACK_S * USECS_PER_SEC)
		return AT_UNSEEN_CHANGED;
	if (before->options_time != 0 && before->options_time != options_time())
		return AT_UNSEEN_CHANGED;
	return AT_UNSEEN_NOT;
}

static bool
is_standby(DBState control_state)
{
	return control_state == DB_IN_ARCHIVE_RECOVERY || control_state == DB_SHUTDOWNED_IN_RECOVERY;
}

/* If there is no room, the oldest two become one, which covers both. */
static void
add_unseen(Record *record, const AtUnseen *unseen)
{
	if (record->nunseen == AT_MAX_UNSEEN)
	{
		record->unseen[1].since = record->unseen[0].since;
		memmove(&record->unseen[0], &record->unseen[1], sizeof(AtUnseen) * (AT_MAX_UNSEEN - 1));
		record->nunseen--;
	}
	record->unseen[record->nunseen++] = *unseen;
}

/* The postmaster exits, after all its children: nothing of this run writes pg_control any more. */
static void
end(int code, Datum arg)
{
	state.record.over = true;
	if (look(&state.record))
		write_record(&state.record);
}

static void
register_watcher(void)
{
	BackgroundWorker worker = {
		.bgw_name = "audit_trail watcher",
		.bgw_type = "audit_trail watcher",
		.bgw_flags = BGWORKER_SHMEM_ACCESS,
		.bgw_start_time = BgWorkerStart_PostmasterStart,
		.bgw_restart_time = RESTART_S,
		.bgw_library_name = "audit_trail",
		.bgw_function_name = "at_run_watch_main",
	};

	RegisterBackgroundWorker(&worker);
}

/* The watcher. It has no database, so nobody can signal it from SQL, nor does it hinder anybody. */
void
at_run_watch_main(Datum main_arg)
{
	int64 write_at = 0;

	pqsignal(SIGTERM, SignalHandlerForShutdownRequest);
	BackgroundWorkerUnblockSignals();
	while (!ShutdownRequestPending)
	{
		pg_crc32c crc = state.record.control_crc;

		if (look(&state.record) && (state.record.control_crc != crc || at_clock_ms() >= write_at))
		{
			write_record(&state.record);
			write_at = at_clock_ms() + WRITE_MS;
		}
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, LOOK_MS,
						 PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
	}
	proc_exit(1); /* that is: start me again, unless the server ends */
}

/* Bring a record up to now. False if pg_control was being written. */
static bool
look(Record *record)
{
	ControlFileData *control = read_control();

	if (control == NULL)
		return false;
	record->seen_at = GetCurrentTimestamp();
	record->options_time = options_time();
	set_control(record, control);
	pfree(control);
	return true;
}

/* In the caller's context; NULL if its checksum is wrong. */
static ControlFileData *
read_control(void)
{
	bool sound;
	ControlFileData *control = get_controlfile(DataDir, &sound);

	if (sound)
		return control;
	pfree(control);
	return NULL;
}

static void
set_control(Record *record, const ControlFileData *control)
{
	record->system_identifier = control->system_identifier;
	record->control_time = control->time;
	record->control_state = control->state;
	record->control_crc = control->crc;
}

/* A postmaster writes the file when it has come as far as to start recovery. */
static int64
options_time(void)
{
	struct stat status;

	if (stat(OPTIONS_FILE, &status) != 0)
		return 0;
	return status.st_mtim.tv_sec * INT64CONST(1000000000) + status.st_mtim.tv_nsec;
}

/* False if there is none, or none that can be used. */
static bool
read_record(Record *record)
{
	int file = OpenTransientFile(RUN_FILE, O_RDONLY | PG_BINARY);
	bool whole;

	if (file < 0)
		return false;
	whole = read(file, record, sizeof(Record)) == sizeof(Record);
	CloseTransientFile(file);
	return whole && record->magic == MAGIC && EQ_CRC32C(record->crc, checksum(record)) &&
		   record->nunseen >= 0 && record->nunseen <= AT_MAX_UNSEEN;
}

/* What fails here is a wrong alarm at the next start, and no reason not to serve now. */
static void
write_record(Record *record)
{
	int file = OpenTransientFile(RUN_FILE_NEW, O_RDWR | O_CREAT | O_TRUNC | PG_BINARY);
	bool written;

	record->magic = MAGIC;
	record->crc = checksum(record);
	errno = 0;
	written = file >= 0 && write(file, record, sizeof(Record)) == sizeof(Record);
	if (written)
		written = CloseTransientFile(file) == 0;
	else if (file >= 0)
		CloseTransientFile(file);
	if (!written)
		ereport(LOG,
				(errcode_for_file_access(), errmsg("could not write file \"%s\": %m", RUN_FILE_NEW),
				 errdetail("It tells the next start that audit_trail was loaded until now.")));
	else
		(void) durable_rename(RUN_FILE_NEW, RUN_FILE, LOG);
}

static pg_crc32c
checksum(const Record *record)
{
	pg_crc32c crc;

	INIT_CRC32C(crc);
	COMP_CRC32C(crc, record, offsetof(Record, crc));
	FIN_CRC32C(crc);
	return crc;
}
