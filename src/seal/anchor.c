/*-------------------------------------------------------------------------
 * anchor.c
 *		Having checkpoints witnessed outside: the pass of the anchorer.
 *
 * No transaction is open while the command runs: it may take a minute, and
 * nobody's rows must wait for that to be vacuumed.
 *
 * Nothing is anchored that the log would have to deny later: the note must
 * be signed by the log's key, and the log must have its root at its size.
 *
 * The files that the command reads are in base/pgsql_tmp under names that the
 * server removes when it starts. They need not be on disk.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <sys/stat.h>
#include <unistd.h>

#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/pg_tablespace_d.h"
#include "common/file_utils.h"
#include "common/pg_prng.h"
#include "executor/spi.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/interrupt.h"
#include "storage/fd.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "base/catalog.h"
#include "base/checkpoint_file.h"
#include "base/child.h"
#include "base/clock.h"
#include "base/command.h"
#include "base/debug_point.h"
#include "base/errors.h"
#include "base/guc.h"
#include "base/shmem.h"
#include "core/tlog_request.h"
#include "ledger/anchor_receipt.h"
#include "ledger/datum.h"
#include "ledger/hooks.h"
#include "ledger/log_read.h"
#include "ledger/log_tree.h"
#include "ledger/public_key.h"
#include "seal/anchor.h"
#include "seal/attempt.h"
#include "seal/report.h"

/* How soon to look without being woken. */
#define POLL_MS 5000

/* The pause after a failed attempt, doubling; then up to a quarter less. */
#define PAUSE_FIRST_MS 1000
#define PAUSE_LAST_MS  (5 * 60 * 1000)

#define RECEIPT_MAX  (64 * 1024) /* bytes that a command may print */
#define RECEIPTS_MAX 64          /* receipts in that */
#define RUNS_MAX     4           /* in one attempt: how often it may ask for another proof */
#define PROGRAM_MAX  63          /* bytes of a program's name */

/* The newest signed checkpoint, and what is to be done with it. */
typedef struct Job
{
	bool has_note;
	bool is_new;  /* it has no receipt */
	bool is_done; /* it has got one */
	uint64 size;
	int32 incarnation;
	char note[AT_CHECKPOINT_NOTE_MAX + 1];

	/* for the command */
	char checkpoint_path[MAXPGPATH];
	char request_path[MAXPGPATH];
	TimestampTz requested_at;
} Job;

/*
 * Right after an error: what it says of receipts is set when their rows are
 * committed; the rest is about attempts, which an error is none of.
 */
static struct
{
	bool known;                            /* this and what follows were read from the ledger */
	char note[AT_CHECKPOINT_NOTE_MAX + 1]; /* that has the newest receipt; empty: none */
	TimestampTz signed_since;              /* when the log got its first key; 0: not yet */

	char *command;    /* the one of the last attempt */
	int64 not_before; /* by at_clock_ms() */
	int64 alarmed_at; /* the same; 0: no alarm stands */
	AtReport report;
	AtAnchorStatus status;
} anchor;

static long run_pass(void);
static bool find_job(Job *job);
static void look_for_job(void *arg);
static void read_ledger(Snapshot snapshot);
static void read_first_key(void);
static void check_root(const AtCheckpoint *checkpoint, Snapshot snapshot);
static void continue_from_status(void);
static bool is_time(void);
static bool is_another_command(void);
static void attempt(Job *job);
static void run_command(Job *job, uint64 old_size, const AtChildLimits *limits,
						AtChildOutcome *outcome);
static char *refuse_again(const Job *job, uint64 old_size, int runs);
static void write_files(Job *job, uint64 old_size);
static void write_file(const char *path, const char *data, size_t len);
static char *expand_command(const Job *job);
static bool asks_again(const AtChildOutcome *outcome, uint64 *old_size);
static char *keep(Job *job, const AtChildOutcome *outcome);
static void fail(const Job *job, const char *detail);
static void watch_age(bool is_behind);
static bool is_overdue(bool is_behind);
static void raise_alarm(const char *severity, const char *message);
static long next_pass(const Job *job);

static bool
is_wanted(void)
{
	return at_guc_anchor_command[0] != '\0';
}

bool
at_anchor_is_configured(void)
{
	return is_wanted() && at_signing_key_is_configured() && at_checkpoint_file_is_configured();
}

void
at_anchor_init(void)
{
	at_worker_register(AT_WORKER_ANCHORER, run_pass);
	at_worker_register_wanted(AT_WORKER_ANCHORER, is_wanted);
}

static long
run_pass(void)
{
	Job job = {0};
	bool found;

	if (RecoveryInProgress())
		return POLL_MS;
	found = find_job(&job);
	if (job.is_new && is_time())
		attempt(&job);
	if (job.is_done)
		job.is_new = false;
	if (anchor.known)
		watch_age(!found || job.is_new);
	anchor.status.next_attempt = 0;
	if (job.is_new)
		anchor.status.next_attempt =
			GetCurrentTimestamp() + Max(anchor.not_before - at_clock_ms(), 0) * 1000;
	at_slot_set_anchor(at_slot_find(MyDatabaseId), &anchor.status);
	return next_pass(&job);
}

/* Learn what is to be anchored. False, and a line in the log, where that cannot be said. */
static bool
find_job(Job *job)
{
	MemoryContext context = CurrentMemoryContext;
	char *message;
	bool found;

	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	found = at_attempt_locking(look_for_job, job, &message);
	if (found)
		at_report_done(&anchor.report);
	else
		at_report(&anchor.report, "the head of the audit log is not anchored", message);
	PopActiveSnapshot();
	CommitTransactionCommand();
	MemoryContextSwitchTo(context);
	return found;
}

static void
look_for_job(void *arg)
{
	Job *job = arg;
	Snapshot snapshot = GetActiveSnapshot();
	AtPublicKey key;
	AtCheckpointFile file;
	AtNote note;
	AtError error;

	if (!at_ledger_exists() || !at_incarnation_begun())
		return;
	if (!anchor.known || anchor.signed_since == 0)
		read_ledger(snapshot);
	if (!at_checkpoint_file_is_configured() || !at_public_key_last(&key))
		return;
	at_checkpoint_file_read(&file);
	if (!file.has_note)
		return;

	error = at_note_read(&note, at_text(file.note));
	if (error == AT_OK)
		error = at_note_verify(&note, &key);
	if (error == AT_ERR_NOT_SIGNED)
		return; /* the key is new, and its first signature on the way */
	if (error != AT_OK)
		ereport(ERROR, (errcode(ERRCODE_AT_INTEGRITY),
						errmsg("the last checkpoint of file \"%s\" is not the log's: %s", file.path,
							   at_error_text(error))));
	check_root(&file.last, snapshot);
	job->has_note = true;
	job->size = file.last.size;
	job->incarnation = at_incarnation_here();
	strlcpy(job->note, file.note, sizeof(job->note));
	job->is_new = strcmp(job->note, anchor.note) != 0;
	anchor.status.signed_size = job->size;
}

/* Since when there is something to anchor, and what an earlier anchorer has done. */
static void
read_ledger(Snapshot snapshot)
{
	AtAnchorReceipt last;

	read_first_key();
	if (anchor.known)
		return;
	continue_from_status();
	if (at_anchor_receipt_last(snapshot, &last))
	{
		size_t len = Min(last.checkpoint.len, AT_CHECKPOINT_NOTE_MAX);

		memcpy(anchor.note, last.checkpoint.data, len);
		anchor.note[len] = '\0';
		anchor.status.anchored_size = last.size;
		anchor.status.anchored_at = last.received_at;
	}
	anchor.known = true;
}

static void
read_first_key(void)
{
	bool isnull;

	SPI_connect();
	if (SPI_execute(
			"SELECT sealed_at FROM audit.log_entry WHERE kind OPERATOR(pg_catalog.=) '" AT_KIND_KEY
			"' ORDER BY log_index LIMIT 1",
			true, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not read the keys of the log");
	if (SPI_processed > 0)
		anchor.signed_since = DatumGetTimestampTz(
			SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	SPI_finish();
}

static void
check_root(const AtCheckpoint *checkpoint, Snapshot snapshot)
{
	AtLogTree *tree = at_log_tree_open(snapshot);
	AtHash root;
	bool found = at_log_tree_root(tree, checkpoint->size, &root);

	at_log_tree_close(tree);
	if (!found || memcmp(&root, &checkpoint->root, sizeof(root)) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_AT_INTEGRITY),
				 errmsg("the log does not have the last signed checkpoint, of size " UINT64_FORMAT,
						(uint64) checkpoint->size)));
}

/* A new process goes on where the one before it was: it neither hurries nor forgets. */
static void
continue_from_status(void)
{
	TimestampTz now = GetCurrentTimestamp();
	AtAnchorStatus *status = &anchor.status;
	int64 wait;

	at_slot_get_anchor(at_slot_find(MyDatabaseId), status);
	wait = status->next_attempt == 0 ? 0 : (status->next_attempt - now) / 1000;
	anchor.not_before = at_clock_ms() + Max(0, Min(wait, PAUSE_LAST_MS));
	if (status->overdue_since != 0)
		anchor.alarmed_at = at_clock_ms();
}

/* Somebody asks for it, or the time has come. Another command is not made to wait for the old. */
static bool
is_time(void)
{
	return (anchor.command != NULL && is_another_command()) || at_clock_ms() >= anchor.not_before ||
		   at_worker_is_asked();
}

/* Has the configuration been loaded, with another command in it or none? */
static bool
is_another_command(void)
{
	if (ConfigReloadPending)
	{
		ConfigReloadPending = false;
		ProcessConfigFile(PGC_SIGHUP);
	}
	return strcmp(anchor.command, at_guc_anchor_command) != 0;
}

/* Run the command, again for as long as it asks for other proofs, and keep what it gives. */
static void
attempt(Job *job)
{
	AtChildLimits limits = {.timeout_ms = at_guc_anchor_timeout * 1000,
							.output_max = RECEIPT_MAX,
							.call_off = is_another_command};
	uint64 old_size = anchor.status.anchored_size;
	AtChildOutcome outcome;
	char *problem;
	int runs = 0;

	if (anchor.command != NULL)
		pfree(anchor.command);
	anchor.command = MemoryContextStrdup(TopMemoryContext, at_guc_anchor_command);
	if (old_size > job->size)
		old_size = 0;
	do
	{
		run_command(job, old_size, &limits, &outcome);
		if (at_child_succeeded(&outcome, &limits, &problem))
			problem = keep(job, &outcome);
		else if (asks_again(&outcome, &old_size))
			problem = refuse_again(job, old_size, ++runs);
		else
			break;
	} while (problem == NULL && !job->is_done);
	if (problem != NULL && !outcome.is_called_off)
		fail(job, problem);
}

/* May it have a proof from this size? NULL if so. */
static char *
refuse_again(const Job *job, uint64 old_size, int runs)
{
	if (old_size > job->size)
		return psprintf("it asks for a proof from size " UINT64_FORMAT
						": another log, or this one before it was set back",
						old_size);
	if (runs == RUNS_MAX)
		return psprintf("it asks for a proof for the %dth time", runs);
	return NULL;
}

static void
run_command(Job *job, uint64 old_size, const AtChildLimits *limits, AtChildOutcome *outcome)
{
	MemoryContext context = CurrentMemoryContext;

	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	write_files(job, old_size);
	PopActiveSnapshot();
	CommitTransactionCommand();
	MemoryContextSwitchTo(context);

	job->requested_at = GetCurrentTimestamp();
	anchor.status.attempted_at = job->requested_at;
	pgstat_report_activity(STATE_RUNNING,
						   psprintf("anchoring the checkpoint of size " UINT64_FORMAT, job->size));
	at_child_run(expand_command(job), limits, outcome);
	(void) unlink(job->checkpoint_path);
	(void) unlink(job->request_path);
}

/* The checkpoint, and the request of C2SP tlog-witness with a proof from the old size. */
static void
write_files(Job *job, uint64 old_size)
{
	char folder[MAXPGPATH];
	char bytes[AT_TLOG_REQUEST_HEAD_MAX + AT_CHECKPOINT_NOTE_MAX];
	AtWriter writer = at_writer(bytes, sizeof(bytes));
	AtTlogRequest request = {.old_size = old_size, .checkpoint = at_text(job->note)};
	AtLogTree *tree = at_log_tree_open(GetActiveSnapshot());
	AtError error = AT_OK;

	if (old_size > 0)
		error = at_proof_make_consistency(&request.proof, old_size, job->size, at_log_tree_subtree,
										  tree);
	at_log_tree_close(tree);
	if (error == AT_OK)
		error = at_tlog_request_write(&writer, &request);
	if (error != AT_OK)
		ereport(ERROR, (errcode(ERRCODE_AT_INTEGRITY),
						errmsg("the audit log does not give a proof from size " UINT64_FORMAT
							   " to " UINT64_FORMAT ": %s",
							   old_size, job->size, at_error_text(error)),
						errhint("SELECT * FROM audit.verify();")));

	TempTablespacePath(folder, DEFAULTTABLESPACE_OID);
	(void) MakePGDirectory(folder);
	snprintf(job->checkpoint_path, MAXPGPATH, "%s/%s_anchor.%u.checkpoint", folder,
			 PG_TEMP_FILE_PREFIX, MyDatabaseId);
	snprintf(job->request_path, MAXPGPATH, "%s/%s_anchor.%u.request", folder, PG_TEMP_FILE_PREFIX,
			 MyDatabaseId);
	write_file(job->checkpoint_path, job->note, strlen(job->note));
	write_file(job->request_path, writer.data, writer.len);
}

static void
write_file(const char *path, const char *data, size_t len)
{
	int fd = OpenTransientFile(path, O_WRONLY | O_CREAT | O_TRUNC | PG_BINARY);

	errno = 0;
	if (fd < 0 || write(fd, data, len) != len)
	{
		errno = errno ? errno : ENOSPC;
		ereport(ERROR,
				(errcode_for_file_access(), errmsg("could not write file \"%s\": %m", path)));
	}
	CloseTransientFile(fd);
}

/* What stands for %p, %r and %s has no character that means anything to a shell. */
static char *
expand_command(const Job *job)
{
	AtCommandValue values[] = {{'p', job->checkpoint_path},
							   {'r', job->request_path},
							   {'s', psprintf(UINT64_FORMAT, job->size)}};

	return at_command_expand(at_guc_anchor_command, values, lengthof(values));
}

/* Is "old N" all that a failed command printed? */
static bool
asks_again(const AtChildOutcome *outcome, uint64 *old_size)
{
	AtText output = {outcome->output, outcome->len};
	AtText line;
	uint64_t size;

	if (outcome->timed_out || outcome->is_too_long || outcome->is_called_off ||
		!at_text_skip(&output, "old ") || !at_text_line(&output, &line) || output.len > 0 ||
		!at_text_decimal(line, &size))
		return false;
	*old_size = size;
	return true;
}

/* The name of the program, without folder and arguments: those may hold secrets. */
static char *
program_name(const char *command)
{
	size_t len = strcspn(command, " \t\n;|&<>()");
	char *program = pnstrdup(command, len);
	char *slash = strrchr(program, '/');

	if (slash != NULL)
		program = slash + 1;
	if (strlen(program) > PROGRAM_MAX)
		program[pg_mbcliplen(program, strlen(program), PROGRAM_MAX)] = '\0';
	return program;
}

/* Write the receipts' rows. NULL, or what is wrong with the receipts. */
static char *
keep(Job *job, const AtChildOutcome *outcome)
{
	MemoryContext context = CurrentMemoryContext;
	AtText output = {outcome->output, outcome->len};
	AtText note = at_text(job->note);
	AtAnchorReceipt form = {
		.size = job->size,
		.checkpoint = note,
		.incarnation = job->incarnation,
		.attempt = anchor.status.failures + 1,
		.requested_at = job->requested_at,
		.received_at = GetCurrentTimestamp(),
		.command = program_name(at_guc_anchor_command),
	};
	AtAnchorReceipt *receipts = palloc(sizeof(AtAnchorReceipt) * RECEIPTS_MAX);
	int count = 0;

	do
	{
		AtError error;

		if (count == RECEIPTS_MAX)
			return psprintf("it printed more than %d receipts", RECEIPTS_MAX);
		receipts[count] = form;
		error = at_receipt_next(&output, note, &receipts[count++].receipt);
		if (error != AT_OK)
			return psprintf("what it printed is no receipt: %s", at_error_text(error));
	} while (output.len > 0);

	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	at_debug_point("anchor-received");
	at_anchor_receipts_append(receipts, count);
	at_debug_point("anchor-before-commit");
	PopActiveSnapshot();
	CommitTransactionCommand();
	MemoryContextSwitchTo(context);

	strlcpy(anchor.note, job->note, sizeof(anchor.note));
	anchor.status.anchored_size = job->size;
	anchor.status.anchored_at = form.received_at;
	anchor.status.failures = 0;
	anchor.not_before = at_clock_ms() + at_guc_anchor_interval * INT64CONST(1000);
	job->is_done = true;
	return NULL;
}

/* As the server tells of archive_command: every time, with the command. */
static void
fail(const Job *job, const char *detail)
{
	int doublings = Min(anchor.status.failures, 10);
	int64 pause = Min((int64) PAUSE_FIRST_MS << doublings, PAUSE_LAST_MS);

	ereport(LOG, (errmsg("the checkpoint of size " UINT64_FORMAT " was not anchored: %s", job->size,
						 detail),
				  errdetail("The failed anchor command was: %s", expand_command(job))));
	anchor.status.failures++;
	strlcpy(anchor.status.message, detail, AT_MESSAGE_LENGTH);
	pause = pause * (0.75 + pg_prng_double(&pg_global_prng_state) / 4);
	anchor.not_before = at_clock_ms() + pause;
}

/* Raise the alarm when the newest receipt is too old, again and again, and say when it is over. */
static void
watch_age(bool is_behind)
{
	int64 now = at_clock_ms();
	char *message;

	if (!is_overdue(is_behind))
	{
		if (anchor.alarmed_at != 0)
			raise_alarm("notice", "the audit log is anchored again");
		anchor.alarmed_at = 0;
		anchor.status.overdue_since = 0;
		return;
	}
	if (anchor.status.overdue_since == 0)
		anchor.status.overdue_since = GetCurrentTimestamp();
	if (anchor.alarmed_at != 0 &&
		now < anchor.alarmed_at + at_guc_anchor_max_age * INT64CONST(1000))
		return;
	anchor.alarmed_at = now;
	message = anchor.status.anchored_at == 0
				  ? psprintf("the audit log was never anchored")
				  : psprintf("the audit log was not anchored since %s",
							 timestamptz_to_str(anchor.status.anchored_at));
	if (anchor.status.failures > 0)
		message = psprintf("%s: %s", message, anchor.status.message);
	raise_alarm("critical", message);
}

/* Without a heartbeat an idle log has nothing to anchor. */
static bool
is_overdue(bool is_behind)
{
	TimestampTz since = anchor.status.anchored_at;

	if (since == 0)
		since = anchor.signed_since;
	return at_guc_anchor_max_age > 0 && since != 0 && (is_behind || at_guc_anchor_heartbeat > 0) &&
		   TimestampDifferenceExceeds(since, GetCurrentTimestamp(),
									  Min(at_guc_anchor_max_age, PG_INT32_MAX / 1000) * 1000);
}

static void
raise_alarm(const char *severity, const char *message)
{
	MemoryContext context = CurrentMemoryContext;

	ereport(LOG, (errmsg("%s", message), errhint("SELECT * FROM audit.doctor();")));
	if (at_alarm_hook == NULL)
		return;
	StartTransactionCommand();
	at_alarm_hook("anchor", severity, message);
	CommitTransactionCommand();
	MemoryContextSwitchTo(context);
}

static long
next_pass(const Job *job)
{
	int64 left = anchor.not_before - at_clock_ms();

	if (!job->is_new)
		return POLL_MS;
	return Max(Min(left, POLL_MS), 0);
}
